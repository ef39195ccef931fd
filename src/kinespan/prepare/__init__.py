"""From motion files to a corpus."""
