"""The built-in corpus: made motion with known spans."""
