"""CSV tables of points: wide and long, of DeepLabCut, Anipose, Lightning Pose, FreeMoCap, MediaPipe, depth cameras."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from ..errors import InputError
from .base import HEAD_BYTES, READERS, FileMotion
from .free_points import Points, points_motion
from .options import AXES, METRES, ReadOptions
from .sensor_dump import dump_layout, dump_points
from .table_columns import read_columns
from .table_motion import table_points
from .text_table import Header, read_header, read_text_table

_MAX_HEADER_BYTES = 2**18
_OTHER_BEGINNINGS = (b"{", b"[", b"PathFileType", b"Format Version", b"NO_OF_", b"HIERARCHY", b"<")


@READERS.register("csv")
class CsvReader:
    """Text table separated by commas, semicolons or tabs, with a point for three columns or for a row.

    Wide: ``left_knee_x``, ``x_left_knee``, ``left_knee.x``, ``LeftKneeX`` and the like, a row a frame. Long: ``joint``
    (landmark, keypoint, bodypart, marker...), ``x``, ``y``, ``z``, a row a point. Both may have ``frame``, ``time``
    (``time_ms`` and the like say the unit) and ``person``; headers of several rows are those of DeepLabCut and
    Lightning Pose, or names above x, y, z. Nothing, or NaN, is not seen; so is a point at exactly 0 0 0, and one whose
    ``confidence`` (likelihood, score, visibility) is 0 or below `ReadOptions.min_confidence`. Rows of one frame are
    bodies: by a column for people, else each is followed by nearness. Times stay uneven. Without a header a table of
    the width of a depth camera's is read in the order of its SDK.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".tsv", ".txt")
    is_general: ClassVar[bool] = True
    about: ClassVar[str] = "table of points, wide or long, also of DeepLabCut, Anipose, FreeMoCap, MediaPipe, Kinect"

    @staticmethod
    def sniff(path: Path, head: bytes) -> bool:
        """The header names points with x and y; or there is none, and rows are as wide as a depth camera's."""
        head = head.removeprefix(b"\xef\xbb\xbf")
        if b"\0" in head or head.lstrip().startswith(_OTHER_BEGINNINGS) or not any(mark in head for mark in b",;\t"):
            return False
        if len(head) >= HEAD_BYTES - 3:
            try:
                with path.open("rb") as file:
                    head = file.read(_MAX_HEADER_BYTES)
            except OSError:
                return False
            if len(head) == _MAX_HEADER_BYTES:  # the last line is cut
                head = head[: head.rfind(b"\n") + 1]
        header = read_header(head)
        if header is None:
            return False
        return read_columns(header.rows).is_motion if header.rows else dump_layout(header.first) is not None

    @staticmethod
    def parse(path: Path, options: ReadOptions) -> FileMotion:
        """The points of the table."""
        table = read_text_table(path)
        if table.header.rows:
            points = table_points(table, read_columns(table.header.rows), options)
        else:
            points = dump_points(table, table.header.first, options)
        return points_motion(path, _as_stated(path, points, table.header), options)


def _as_stated(path: Path, points: Points, header: Header) -> Points:
    """The points with the rate, unit and axis of comments above the header. Raises InputError for other words."""
    stated: dict[str, Any] = {}
    for name, words in (("unit", tuple(METRES)), ("up", AXES)):
        if name in header.stated:
            if header.stated[name] not in words:
                raise InputError(
                    f"{path}: the comment says {name} {header.stated[name]!r}, expected {', '.join(words)}"
                )
            stated |= {name: header.stated[name], f"{name}_is_sure": True}
    if "fps" in header.stated and points.fps is None:
        try:
            stated["fps"] = ReadOptions(fps=float(header.stated["fps"])).fps
        except (ValueError, InputError):
            found = header.stated["fps"]
            raise InputError(f"{path}: the comment says fps {found!r}, expected frames a second") from None
        stated["fps_from"] = "fps of the file"
    return replace(points, **stated)
