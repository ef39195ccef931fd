"""The built-in corpus: synthetic motion with known spans."""
