"""What is done to motion before a network sees it: normalise, augment, streams."""
