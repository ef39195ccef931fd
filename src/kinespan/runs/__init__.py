"""The folders of runs: the names of their files, settings, models, and what localizing writes."""
