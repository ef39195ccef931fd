"""C3D files byte by byte, for each processor, and in whole numbers or floats."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

INTEL, DEC, SGI = 84, 85, 86
BLOCK = 512


def floats(values, processor=INTEL) -> bytes:
    """32-bit floats as a processor stores them."""
    values = np.asarray(values, dtype=np.float32)
    if processor == SGI:
        return values.astype(">f4").tobytes()
    if processor == INTEL:
        return values.astype("<f4").tobytes()
    words = (values * np.float32(4)).astype("<f4").view("<u2").reshape(-1, 2)[:, ::-1]
    return np.ascontiguousarray(words).tobytes()


def wholes(values, processor=INTEL) -> bytes:
    """16-bit whole numbers."""
    order = ">" if processor == SGI else "<"
    return (np.asarray(values, dtype=np.int64) % 65536).astype(f"{order}u2").tobytes()


def texts(values) -> tuple[tuple[int, int], bytes]:
    """Texts of one width, as shape and data of a parameter."""
    width = max([1, *(len(value) for value in values)])
    return (width, len(values)), "".join(value.ljust(width) for value in values).encode("latin-1")


def parameter_section(groups, processor=INTEL) -> bytes:
    """The blocks of parameters: {group: {name: value}}; values are texts, whole numbers or floats, by their type."""
    order = ">" if processor == SGI else "<"
    body = b""
    for number, (group, parameters) in enumerate(groups.items(), start=1):
        name = group.encode()
        body += struct.pack("bb", len(name), -number) + name + struct.pack(f"{order}h", 3) + b"\0"
        for key, value in parameters.items():
            if isinstance(value, list) and all(isinstance(item, str) for item in value):
                kind, (shape, data) = -1, texts(value)
            elif isinstance(value, str):
                kind, shape, data = -1, (len(value),), value.encode()
            else:
                array = np.asarray(value)
                kind = 4 if array.dtype.kind == "f" else 2
                shape = array.shape[::-1]  # the first dimension runs fastest
                data = (floats if kind == 4 else wholes)(array.ravel(), processor)
            name = key.encode()
            content = struct.pack("bB", kind, len(shape)) + bytes(shape) + data + b"\0"
            body += struct.pack("bb", len(name), number) + name + struct.pack(f"{order}H", 2 + len(content)) + content
    body += b"\0\0"
    blocks = -(-(len(body) + 4) // BLOCK)
    return (bytes([1, 0x50, blocks, processor]) + body).ljust(blocks * BLOCK, b"\0")


def write(
    path: Path,
    points: np.ndarray,
    labels: list[str] | None = None,
    *,
    rate: float = 100.0,
    processor: int = INTEL,
    scale: float = -1.0,
    first: int = 1,
    analog: int = 0,
    residuals: np.ndarray | None = None,
    announced: int | None = None,
    point: dict | None = None,
    groups: dict | None = None,
) -> Path:
    """A file of points (T, N, 3); `scale` > 0 writes whole numbers; `analog` numbers follow the points of a frame."""
    frames, count = points.shape[:2]
    fields = {
        "USED": count, "SCALE": np.float32(scale), "RATE": np.float32(rate), "FRAMES": announced or frames,
        "LABELS": labels or [f"M{index}" for index in range(count)], "UNITS": "mm", "DATA_START": 0,
        "X_SCREEN": "+X", "Y_SCREEN": "+Z",
    } | (point or {})  # fmt: skip
    section = parameter_section(
        {"POINT": {k: v for k, v in fields.items() if v is not None}, **(groups or {})}, processor
    )
    start = 2 + len(section) // BLOCK
    header = bytes([2, 0x50]) + wholes([count, analog, first, first + (announced or frames) - 1, 0], processor)
    header += floats([scale], processor) + wholes([start, 0], processor) + floats([rate], processor)
    table = np.zeros((frames, count, 4))
    table[..., :3] = points if scale < 0 else np.round(points / scale)
    table[..., 3] = 0 if residuals is None else residuals
    rows = np.concatenate([table.reshape(frames, -1), np.full((frames, analog), 7.0)], axis=1).ravel()
    data = floats(rows, processor) if scale < 0 else wholes(rows, processor)
    path.write_bytes(header.ljust(BLOCK, b"\0") + section + data)
    return path


def write_rotations(path: Path, matrices: np.ndarray, labels: list[str], rate: float = 85.0) -> Path:
    """A file without points, with the matrices (T, J, 4, 4) of segments in its ROTATION group."""
    frames, count = matrices.shape[:2]
    stored = np.concatenate([matrices.swapaxes(2, 3).reshape(frames, count, 16), np.zeros((frames, count, 1))], axis=2)
    point = {"LABELS": None, "X_SCREEN": None, "Y_SCREEN": None, "FRAMES": frames}
    rotation = {"USED": count, "DATA_START": 9, "LABELS": labels, "RATE": np.float32(rate), "RATIO": 1}
    write(path, np.zeros((frames, 0, 3)), [], rate=rate, point=point, groups={"ROTATION": rotation})
    data = path.read_bytes()
    assert len(data) <= 8 * BLOCK
    path.write_bytes(data.ljust(8 * BLOCK, b"\0") + floats(stored.ravel()))
    return path
