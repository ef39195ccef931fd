"""Transforms of motion before a network sees it: normalisation, augmentation, streams."""
