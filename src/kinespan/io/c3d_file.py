"""The bytes of a C3D file: header, parameters and the stored numbers, of all three processors that the format knows.

A file is in blocks of 512 bytes. The header says where parameters and data begin; the first parameter block says whose
byte order and floats (Intel, DEC, SGI) hold. Data are 16-bit whole numbers times a scale, or floats.
"""

from __future__ import annotations

import math
import os
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import AnyArray, Float64Array
from ..errors import InputError

BLOCK = 512
_MOST_PARAMETERS = 256 * BLOCK
"""Bytes that parameters can have: the format counts their blocks in a byte."""
_INTEL, _DEC, _SGI = 84, 85, 86
_CHARACTERS, _BYTES, _WHOLE, _FLOATS = -1, 1, 2, 4
"""Types of a parameter, which are the bytes of one value but for the first."""
_FULL = 65535
"""A 16-bit number of frames that stands for more."""
_BYTES_PER_POINT = 80
"""Memory that a point of a frame takes while it is read: as stored, in metres, turned, and what was seen."""
ROTATION_VALUES = 17
"""Numbers of a stored rotation: a 4 x 4 matrix by columns, and a residual."""

Float32Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Parameter:
    kind: int
    shape: tuple[int, ...]
    data: bytes


@dataclass(frozen=True, eq=False)
class C3DFile:
    """Header and parameters of a file; the data are read on demand."""

    path: Path
    processor: int
    size: int
    """Bytes of the file."""
    header: bytes
    parameters: dict[tuple[str, str], _Parameter] = field(default_factory=dict)
    """By group and name, in capitals."""

    @staticmethod
    def load(path: Path) -> C3DFile:
        """Raises InputError where it cannot be read, and where header or parameters are no C3D file's."""
        try:
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                header = file.read(BLOCK)
                if not header:
                    raise InputError(f"{path}: the file is empty")
                if len(header) < BLOCK or header[1] != 0x50:
                    raise InputError(f"{path}: the first {BLOCK} bytes are no header of a C3D file")
                file.seek((header[0] - 1) * BLOCK if header[0] else 0)
                section = file.read(_MOST_PARAMETERS)
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
        processor = section[3] if len(section) > 3 else 0
        if not header[0] or processor not in (_INTEL, _DEC, _SGI):
            raise InputError(
                f"{path}: the header says that parameters begin at block {header[0]}, but none begin there; "
                "the file is damaged or cut off"
            )
        parsed = C3DFile(path, processor, size, header)
        parsed.parameters.update(_parameters(path, section, parsed._order))
        return parsed

    @property
    def _order(self) -> str:
        return ">" if self.processor == _SGI else "<"

    def word(self, number: int) -> int:
        """A 16-bit word of the header, counted from 1, without sign."""
        return int(struct.unpack_from(f"{self._order}H", self.header, 2 * (number - 1))[0])

    def header_float(self, number: int) -> float:
        """A float of the header, whose first word is `number`."""
        return float(self._floats(self.header[2 * (number - 1) : 2 * (number + 1)])[0])

    def numbers(self, group: str, name: str) -> Float64Array | None:
        """The values of a parameter of numbers, flat, the first dimension running fastest; None where there is none."""
        parameter = self.parameters.get((group, name))
        if parameter is None or parameter.kind == _CHARACTERS:
            return None
        if parameter.kind == _FLOATS:
            return self._floats(parameter.data).astype(np.float64)
        kind = f"{self._order}i2" if parameter.kind == _WHOLE else "i1"
        return np.frombuffer(parameter.data, dtype=kind).astype(np.float64)

    def number(self, group: str, name: str) -> float | None:
        """The first value of a parameter, None without one that is finite."""
        values = self.numbers(group, name)
        return float(values[0]) if values is not None and len(values) and math.isfinite(values[0]) else None

    def count(self, group: str, name: str) -> int | None:
        """The first value of a parameter as a number of things: 16 bits without sign."""
        value = self.number(group, name)
        return None if value is None else int(value) + (_FULL + 1 if value < 0 else 0)

    def texts(self, group: str, name: str) -> list[str]:
        """The texts of a parameter without blanks around them, and of its continuations NAME2, NAME3, ..."""
        texts: list[str] = []
        number = 1
        while (parameter := self.parameters.get((group, name if number == 1 else f"{name}{number}"))) is not None:
            if parameter.kind != _CHARACTERS:
                break
            width = parameter.shape[0] if parameter.shape else 1
            count = math.prod(parameter.shape[1:])
            for start in range(0, width * count, width) if width else ():
                texts.append(_text(parameter.data[start : start + width]))
            number += 1
        return texts

    # ---- the size of the data ----------------------------------------------------------------------------------

    @property
    def num_points(self) -> int:
        """Points of a frame."""
        used = self.count("POINT", "USED")
        return self.word(2) if used is None else used

    @property
    def first_frame(self) -> int:
        """The number of the first frame."""
        trial = self._trial("ACTUAL_START_FIELD")
        return self.word(4) if trial is None else trial

    @property
    def is_float(self) -> bool:
        """Whether data are floats rather than whole numbers."""
        return self.scale < 0

    @property
    def scale(self) -> float:
        """Units per whole number; negative for floats."""
        scale = self.header_float(7)
        return scale if math.isfinite(scale) and scale else self.number("POINT", "SCALE") or -1.0

    @property
    def announced_frames(self) -> int | None:
        """The number of frames that the file says it has; None where it says only that there are many."""
        trial = self._trial("ACTUAL_END_FIELD")
        if trial is not None and trial - self.first_frame + 1 > _FULL:
            return trial - self.first_frame + 1
        stated = self.count("POINT", "FRAMES")
        by_header = self.word(5) - self.word(4) + 1 if self.word(5) < _FULL else 0
        counts = [count for count in (stated, by_header) if count is not None and 0 < count < _FULL]
        return min(counts) if counts else None

    def _trial(self, name: str) -> int | None:
        """A number of the TRIAL group, in two words of 16 bits, the lower first."""
        words = self.numbers("TRIAL", name)
        if words is None or not len(words) or not np.isfinite(words).all():
            return None
        low, high = (int(word) % (_FULL + 1) for word in (*words[:2], 0)[:2])
        return low + (_FULL + 1) * high

    # ---- data --------------------------------------------------------------------------------------------------

    def points(self) -> tuple[Float32Array, int | None]:
        """Points (T, N, 3) of the frames that are there, NaN where not seen, and how many frames are announced.

        Raises InputError where no frame is there, and where they would not fit into the free memory.
        """
        item = 4 if self.is_float else 2
        width = 4 * self.num_points + self.word(3)
        start = ((self.word(9) or self.count("POINT", "DATA_START") or 0) - 1) * BLOCK
        frames, announced = self._frames(start, width * item)
        self._check_memory(frames)
        kind = np.dtype(f"{self._order}{'f4' if self.is_float else 'i2'}")
        stored = np.memmap(self.path, dtype=kind, mode="r", offset=start, shape=(frames, width))
        values = np.ascontiguousarray(stored[:, : 4 * self.num_points])
        numbers = self._floats(values) if self.is_float else values.astype(np.float32)
        table = numbers.reshape(frames, self.num_points, 4)
        points = table[..., :3] if self.is_float else table[..., :3] * np.float32(self.scale)
        is_hidden = (table[..., 3] < 0) | (points == 0).all(axis=2)
        return np.where(is_hidden[..., None], np.float32(np.nan), points), announced

    def rotations(self) -> tuple[Float32Array, int | None]:
        """Matrices (T, J, 4, 4) of the ROTATION group, and how many frames are announced.

        Raises InputError as `points` does.
        """
        used, start = self.count("ROTATION", "USED"), self.count("ROTATION", "DATA_START")
        if not used or not start:
            raise InputError(f"{self.path}: the file holds neither points nor rotations of segments")
        ratio = max(1, round(self.number("ROTATION", "RATIO") or 1))
        width = used * ROTATION_VALUES
        offset = (start - 1) * BLOCK
        frames, announced = self._frames(offset, 4 * width, ratio)
        self._check_memory(frames * ROTATION_VALUES)
        kind = np.dtype(f"{self._order}f4")
        stored = np.memmap(self.path, dtype=kind, mode="r", offset=offset, shape=(frames, width))
        numbers = self._floats(stored.tobytes()).reshape(frames, used, ROTATION_VALUES)
        return numbers[..., :16].reshape(frames, used, 4, 4).swapaxes(2, 3), announced

    def _frames(self, start: int, frame_bytes: int, ratio: int = 1) -> tuple[int, int | None]:
        """How many frames of that many bytes are read from a byte on, and how many are announced."""
        announced = self.announced_frames
        announced = None if announced is None else announced * ratio
        present = (self.size - start) // frame_bytes if start >= BLOCK and frame_bytes else 0
        if present <= 0:
            raise InputError(f"{self.path}: no frame of the data is there; the file is damaged or cut off")
        return (present if announced is None else min(present, announced)), announced

    def _check_memory(self, frames: int) -> None:
        """Raise InputError where the points would not fit into the free memory."""
        needed, free = frames * max(1, self.num_points) * _BYTES_PER_POINT, free_memory()
        if free is not None and needed > free:
            raise InputError(
                f"{self.path}: reading {frames} frames of {self.num_points} points takes {needed / 1e9:.1f} GB, but "
                f"{free / 1e9:.1f} GB of memory are free; export fewer points, or cut the recording into parts"
            )

    def _floats(self, data: bytes | AnyArray) -> Float32Array:
        """32-bit floats of the processor, flat."""
        if self.processor != _DEC:
            return np.frombuffer(data, dtype=f"{self._order}f4").astype(np.float32, copy=False)
        # DEC swaps the two words of a float, and its exponent is larger by 2.
        words = np.frombuffer(data, dtype="<u2").reshape(-1, 2)[:, ::-1]
        values: Float32Array = np.ascontiguousarray(words).view("<f4")[:, 0].astype(np.float32) / np.float32(4)
        return values


def is_c3d(path: Path, head: bytes) -> bool:
    """Whether a file that begins with `head` has the marks of header and parameters."""
    if len(head) < BLOCK or head[1] != 0x50 or not head[0]:
        return False
    mark = (head[0] - 1) * BLOCK + 3
    if mark < len(head):
        return head[mark] in (_INTEL, _DEC, _SGI)
    try:
        with path.open("rb") as file:
            file.seek(mark)
            return file.read(1) in (bytes([_INTEL]), bytes([_DEC]), bytes([_SGI]))
    except OSError:
        return False


def free_memory() -> int | None:
    """Bytes of memory that programs may still take; None where the system does not say."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    except (OSError, ValueError, AttributeError):
        return None


def _text(data: bytes) -> str:
    """A text of fixed width: UTF-8 where it is that, else Latin-1."""
    data = data.split(b"\0", 1)[0].strip()
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _parameters(path: Path, section: bytes, order: str) -> dict[tuple[str, str], _Parameter]:
    """The parameters of the section by group and name. Raises InputError where it is damaged or cut off."""
    groups: dict[int, str] = {}
    members: list[tuple[int, str, _Parameter]] = []
    at = 4
    try:
        while True:
            length, group = struct.unpack_from("bb", section, at)
            if length == 0 or group == 0:
                break
            name = section[at + 2 : at + 2 + abs(length)].decode("latin-1").strip().upper()
            at += 2 + abs(length)
            step = struct.unpack_from(f"{order}H", section, at)[0]
            if group < 0:
                groups[-group] = name
            else:
                members.append((group, name, _parameter(section, at + 2)))
            if step == 0:
                break
            at += step
    except (struct.error, ValueError):
        raise InputError(f"{path}: the parameters of the file are damaged or cut off at byte {at}") from None
    return {(groups.get(group, ""), name): parameter for group, name, parameter in members}


def _parameter(section: bytes, at: int) -> _Parameter:
    """The parameter whose type stands at a byte. Raises ValueError or struct.error where it is damaged."""
    kind, count = struct.unpack_from("bB", section, at)
    shape: tuple[Any, ...] = struct.unpack_from(f"{count}B", section, at + 2)
    size = math.prod(shape) * abs(kind)
    start = at + 2 + count
    if kind not in (_CHARACTERS, _BYTES, _WHOLE, _FLOATS) or start + size > len(section):
        raise ValueError
    return _Parameter(kind, shape, section[start : start + size])
