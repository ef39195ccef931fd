"""Online localization: a recording is localized while it is made, with the scores of one pass over the whole."""

from .intake import torso_of
from .localizer import StreamLocalizer, Update, push_times, stream_recording

__all__ = ["StreamLocalizer", "Update", "push_times", "stream_recording", "torso_of"]
