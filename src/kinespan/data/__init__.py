"""The data model: skeletons, recordings, annotations and predictions."""
