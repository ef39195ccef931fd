"""Localize a recording while it is being made: the scores of `Localizer.frame_scores`, a few seconds later."""

from .intake import torso_of
from .stream_localizer import StreamLocalizer, Update, stream_recording

__all__ = ["StreamLocalizer", "Update", "stream_recording", "torso_of"]
