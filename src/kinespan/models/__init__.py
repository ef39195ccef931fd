"""Models of recordings: encoder models, localizers and ensembles, and the file that holds a model."""
