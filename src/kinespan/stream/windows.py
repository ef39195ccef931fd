"""Frame scores of a localizer from windows of the latest motion, equal to those of one pass over the recording.

A window starts on a multiple of ``step`` frames of the recording and reaches ``look_ahead`` frames or more to each side
of the frames that it scores. Beyond that nothing can change a score, so the rest of the recording is not needed:

* An encoder with a halo: look_ahead is the model's halo, and step the encoder's coarsest stride.
* An encoder that looks at whole clips: `Localizer` blends the features of clips that start every half clip, and of a
  last one that ends with the recording. A frame lies in no clip that starts a clip's length or more before it, and in
  the last one only if fewer frames than a clip has follow. So look_ahead is the length of a clip, plus the halo of the
  refinement where there is one, and step is half a clip.
"""

from __future__ import annotations

from ..arrays import BoolArray, Float32Array
from ..models.base import Scores
from ..models.localizer import Localizer
from ..transforms.normalise import Motion
from .intake import Frames, Intake, copied, joined


def look_ahead_frames(model: Localizer) -> int:
    """Frames, at the model's rate, that a score depends on after its frame, and as many before it."""
    if model.halo is not None:
        return model.halo
    return model.spec.clip_frames + (0 if model.refine is None else model.refine.halo)


class WindowScorer:
    """Recorded frames in, scores of frames at the model's rate out, in order."""

    def __init__(self, model: Localizer, intake: Intake) -> None:
        self.model, self.intake = model, intake
        self.look_ahead = look_ahead_frames(model)
        clips = model.halo is None
        self.step = max(1, model.spec.clip_frames // 2) if clips else model.encoder.strides[-1]
        self.buffer: Frames | None = None
        """Frames at the model's rate that are still needed; the next window starts with the first, number
        ``buffer_start``."""
        self.buffer_start = 0
        self.num_frames = 0

    def push(self, positions: Float32Array, valid: BoolArray, last: bool) -> None:
        """Take recorded frames, positions (n, P, J, 3) and valid (n, P, J); last: the recording ends with them."""
        positions, valid = self.intake.push(positions, valid, last)
        self.num_frames += len(valid)
        self.buffer = joined(self.buffer, positions, valid)

    def score(self, start: int, stop: int) -> Scores:
        """Scores (stop - start, C + 1) of the frames [start, stop), which follow those that were scored before.

        They are final if `look_ahead` frames follow, or if the recording has ended.
        """
        assert self.buffer is not None
        positions, valid = self.buffer
        window = slice(0, stop + self.look_ahead - self.buffer_start)
        motion = Motion(positions[window], valid[window], self.model.spec.input.fps, "stream")
        scores = self.model.motion_scores(motion)[start - self.buffer_start : stop - self.buffer_start]
        next_start = max(0, (stop - self.look_ahead) // self.step * self.step)
        self.buffer = copied(positions, valid, since=next_start - self.buffer_start)
        self.buffer_start = next_start
        return scores
