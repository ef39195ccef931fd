"""Localize a recording while it is being made: the scores of `Localizer.frame_scores`, a few seconds later."""

from .intake import torso_of
from .people import PeopleStream
from .stream_localizer import StreamLocalizer, Update, stream_recording

__all__ = ["PeopleStream", "StreamLocalizer", "Update", "stream_recording", "torso_of"]
