"""InputSpec: how a Recording becomes what an Encoder sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..config import Normalisation, check_streams
from ..data.recording import Recording
from ..data.skeleton import Skeleton
from ..errors import InputError
from ..transforms.long_motion import LongMotion, motion_in_parts
from ..transforms.normalise import Motion, model_motion

if TYPE_CHECKING:  # torch takes seconds to import, and a command reads specs before it is needed
    from torch import Tensor


@dataclass(frozen=True)
class InputSpec:
    """Skeleton, frames per second, streams and normalisation of what an encoder sees.

    Two models with equal InputSpecs see the same tensors of a recording. Raises InputError for streams that are
    unknown, named twice or none, and for a published preprocessing of a skeleton without shoulders, hips and spine.
    """

    skeleton: Skeleton
    """Recordings are mapped to its joints."""
    fps: float
    """Frames per second; recordings are resampled to it by time."""
    streams: tuple[str, ...]
    """Streams joined as input channels, in this order: joint, bone, joint_motion, bone_motion, position."""
    normalisation: Normalisation
    """How positions are placed, turned and scaled."""

    def __post_init__(self) -> None:
        """Validate the names of the streams, and that the preprocessing suits the skeleton."""
        check_streams(self.streams)
        is_body = self.skeleton.has_torso and self.skeleton.spine
        if self.normalisation.preprocessing != "kinespan" and not is_body:
            raise InputError(
                f"normalisation.preprocessing is {self.normalisation.preprocessing!r}, which needs shoulders, hips and "
                f"a spine; skeleton {self.skeleton.name!r} lacks some of them, use kinespan"
            )

    @property
    def num_channels(self) -> int:
        """Input channels of a joint: three coordinates of each stream."""
        return 3 * len(self.streams)

    def motion(self, recording: Recording) -> Motion:
        """The Motion of a recording: positions (T, P, J, 3) and valid (T, P, J) at `fps`, normalised.

        Raises InputError where the recording's skeleton does not map to `skeleton`.
        """
        return model_motion(recording, self.skeleton, self.fps, self.normalisation)

    def motion_in_parts(self, recording: Recording) -> Motion | LongMotion:
        """As `motion`; of a long recording a LongMotion, which computes positions only for the frames asked for."""
        return motion_in_parts(recording, self.skeleton, self.fps, self.normalisation)

    def compute_streams(self, positions: Tensor, valid: Tensor) -> Tensor:
        """Streams (B, T, P, J, num_channels) of normalised positions (B, T, P, J, 3) and valid (B, T, P, J)."""
        from ..transforms.streams import compute_streams

        return compute_streams(positions, valid, self.skeleton, self.streams, self.fps)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "skeleton": self.skeleton.to_dict(),
            "fps": self.fps,
            "streams": list(self.streams),
            "normalisation": asdict(self.normalisation),
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> InputSpec:
        """The InputSpec that `to_dict` wrote. Raises KeyError, TypeError or InputError where it is not one."""
        return InputSpec(
            skeleton=Skeleton.from_dict(data["skeleton"]),
            fps=data["fps"],
            streams=tuple(data["streams"]),
            normalisation=Normalisation(**data["normalisation"]),
        )
