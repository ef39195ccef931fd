"""What a user may say of a motion file: the options of reading, one dataclass for every command."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from ..errors import InputError

Axis = Literal["x", "y", "z", "-x", "-y", "-z"]
AXES: tuple[Axis, ...] = get_args(Axis)
UnitName = Literal["m", "cm", "mm", "in", "ft"]
METRES: dict[UnitName, float] = {"m": 1.0, "cm": 0.01, "mm": 0.001, "in": 0.0254, "ft": 0.3048}
"""Metres per unit, by the names that `--unit` takes."""
AUTO = "auto"


@dataclass(frozen=True)
class ReadOptions:
    """What a file does not state, or states wrongly. Raises InputError for a bad value."""

    fps: float | None = None
    """Frames per second, in place of the file's own. Among files of several formats: only of those that state none."""
    unit: float | UnitName | None = None
    """Unit of the file: m, cm, mm, in, ft, or metres per unit; by default as the format has it, or by the body."""
    up: Axis | None = None
    """Axis of the file that points up; by default as the format has it, or by the body."""
    skip_frames: int = 0
    """Leading frames to drop, such as the T-pose of many BVH files."""
    format: str = AUTO
    """Format of the files, one of `kinespan list readers`; auto: detected from their content."""
    asf: Path | None = None
    """Acclaim skeleton of AMC files; by default the ASF file beside them."""
    body_model: Path | None = None
    """SMPL-H body (.npz) of AMASS files; by default the one beside them or in a folder above."""
    joints: Path | None = None
    """YAML file that says what the joints are; by default as their names say."""
    markers: Literal["joints", "keep"] = "joints"
    """Of markers on the skin of a usual set: joints computes the joint centres; keep has the markers as they are."""
    min_confidence: float = 0.0
    """Joints of which a tracker is less sure count as not seen; 0: only those that it does not see at all."""
    min_label_frames: int = 0
    """Shorter runs of a per-frame label get the label of the longer neighbour; 0: labels as they are."""

    def __post_init__(self) -> None:
        """Check the values. Raises InputError."""
        if isinstance(self.unit, str) and self.unit not in METRES:
            raise InputError(f"--unit is {self.unit!r}, expected one of {', '.join(METRES)}, or metres per unit")
        for name in ("fps", "unit"):
            value = getattr(self, name)
            if isinstance(value, int | float) and not 1e-9 <= value <= 1e9:
                raise InputError(f"--{name} is {value}, expected a positive number from 1e-9 to 1e9")
        for name in ("skip_frames", "min_label_frames"):
            if getattr(self, name) < 0:
                raise InputError(f"--{name.replace('_', '-')} is {getattr(self, name)}, expected 0 or more")
        if not 0 <= self.min_confidence < math.inf:
            raise InputError(f"--min-confidence is {self.min_confidence}, expected a number from 0")
        if self.markers not in ("joints", "keep"):
            raise InputError(f"--markers is {self.markers!r}, expected joints or keep")
        if self.up not in (None, *AXES):
            raise InputError(f"--up is {self.up!r}, expected one of {', '.join(AXES)}")

    @property
    def metres(self) -> float | None:
        """Metres per unit, where a unit is given."""
        return METRES[self.unit] if isinstance(self.unit, str) else self.unit

    def given(self) -> dict[str, Any]:
        """The options that are not the defaults, as plain data for JSON, paths absolute; `of` reads it back."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        defaults = {field.name: field.default for field in fields(self)}
        return {
            name: str(value.resolve()) if isinstance(value, Path) else value
            for name, value in values.items()
            if value != defaults[name]
        }

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> ReadOptions:
        """The options that `given` wrote. Raises InputError for an unknown one."""
        paths = {field.name for field in fields(cls) if "Path" in str(field.type)}
        unknown = sorted(data.keys() - {field.name for field in fields(cls)})
        if unknown:
            raise InputError(f"unknown option of reading {unknown[0]!r}")
        values: dict[str, Any] = {name: Path(value) if name in paths else value for name, value in data.items()}
        return cls(**values)
