"""Frame scores of one localizer from windows of the latest motion, equal to those of one pass over the whole.

A window starts on a multiple of ``step`` frames of the recording and reaches ``look_ahead`` frames or more to each side
of the frames that it scores. Beyond that nothing can change a score, so the rest of the recording is not needed:

* An encoder with a halo: look_ahead is the model's halo, and step the encoder's coarsest stride.
* An encoder that looks at whole clips: `Localizer` blends the features of clips that start every half clip, and of a
  last one that ends with the recording. A frame lies in no clip that starts a clip's length or more before it, and in
  the last one only if fewer frames than a clip has follow. So look_ahead is the length of a clip, plus the halo of the
  refinement where there is one, and step is half a clip.
"""

from __future__ import annotations

from ..models.base import Scores
from ..models.localizer import Localizer
from ..transforms.normalise import Motion
from .intake import Frames, Intake, Positions, Valid, copied, joined


def look_ahead_frames(model: Localizer) -> int:
    """Frames, at the model's rate, after a frame that its score depends on; they are as many before it."""
    if model.halo is not None:
        return model.halo
    return model.spec.clip_frames + (0 if model.refine is None else model.refine.halo)


class WindowScorer:
    """Takes recorded frames and gives the scores of frames at the model's rate that are asked for, in order."""

    def __init__(self, model: Localizer, intake: Intake) -> None:
        self.model, self.intake = model, intake
        self.look_ahead = look_ahead_frames(model)
        clips = model.halo is None
        self.step = max(1, model.spec.clip_frames // 2) if clips else model.encoder.strides[-1]
        self.held: Frames | None = None
        """The frames at the model's rate that are still needed; ``first_held`` is the number of the first of them, with
        which the next window starts."""
        self.first_held = 0
        self.num_frames = 0

    def push(self, positions: Positions, valid: Valid, last: bool) -> None:
        """Take recorded frames, positions (n, P, J, 3) and valid (n, P); last: the recording ends with them."""
        positions, valid = self.intake.push(positions, valid, last)
        self.num_frames += len(valid)
        self.held = joined(self.held, positions, valid)

    def score(self, start: int, stop: int) -> Scores:
        """Scores (stop - start, C + 1) of the frames [start, stop), which follow those that were scored before.

        They are final if `look_ahead` frames follow, or if the recording has ended.
        """
        assert self.held is not None
        positions, valid = self.held
        window = slice(0, stop + self.look_ahead - self.first_held)
        motion = Motion(positions[window], valid[window], self.model.spec.input.fps, "stream")
        scores = self.model.motion_scores(motion)[start - self.first_held : stop - self.first_held]
        next_start = max(0, (stop - self.look_ahead) // self.step * self.step)
        self.held = copied(positions, valid, since=next_start - self.first_held)
        self.first_held = next_start
        return scores
