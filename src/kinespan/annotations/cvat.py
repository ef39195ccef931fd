"""CVAT XML: the frames in which a track of an object is there, or an image has a tag.

Read only: CVAT has no segments of time, and a track to write needs the boxes of an object.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from ..errors import InputError
from .base import FORMATS, AnnotationFormat
from .label_file import LabelFile, LabelRow
from .text_file import plain_head, read_xml


def sniff(path: Path, head: bytes) -> bool:
    """An XML file whose root is annotations, with CVAT's meta."""
    text = plain_head(head)
    return (
        text.startswith(b"<")
        and b"<annotations" in text
        and (b"<version>" in text or b"<task" in text or b"<job" in text)
    )


def read(path: Path) -> LabelFile:
    """The stretches in which each track is there, and runs of images with a tag, in frames; the tier is the track.

    Frames are those of the video, from 0; a track ends before its first shape that is outside. Raises InputError.
    """
    root = read_xml(path)
    if root.tag != "annotations":
        raise InputError(f"{path}: the root is <{root.tag}>, expected <annotations> of CVAT")
    tasks = {task.findtext("id", ""): _name(task) for task in root.iterfind("./meta//task")}
    tasks |= {job.findtext("id", ""): _name(job) for job in root.iterfind("./meta/job")}
    only = next(iter(tasks.values()), "") or root.findtext("./meta/source", "") or path.stem
    stop = _stop_frame(root, path)
    rows: list[LabelRow] = []
    attributes = 0
    for number, track in enumerate(root.iterfind("./track")):
        recording = tasks.get(track.get("task_id", ""), only) or only
        where, label = f"track {track.get('id', number)}", track.get("label", "")
        if not label.strip():
            raise InputError(f"{path}, {where}: it has no label")
        attributes += sum(1 for _ in track.iterfind("./*/attribute"))
        for first, end in _stretches(path, where, track, stop):
            rows.append(LabelRow(recording, label, first, end, where, unit="frames", tier=track.get("id", str(number))))
    tags, shapes = _tags(path, root, tasks, only)
    notes = ["decided: frames count from 0, those of the video; a track ends before the frame where it is outside"]
    if any(task.findtext("frame_filter", "").strip() for task in root.iterfind("./meta//task")):
        notes.append("decided: frames are numbers of the video, of which only some were annotated (frame_filter)")
    notes += [f"left out: {attributes} attributes of shapes"] if attributes else []
    notes += [f"left out: {shapes} shapes on single images"] if shapes else []
    rows += tags
    return LabelFile(
        path, tuple(dict.fromkeys(row.recording for row in rows)) or (only,), tuple(rows), notes=tuple(notes)
    )


FORMATS.register("cvat")(AnnotationFormat((".xml",), "CVAT, tracks and tags of images", read, None, sniff))


def _name(task: Element) -> str:
    """The video of a task, else the task's own name."""
    return (task.findtext("source") or task.findtext("name") or "").strip()


def _stop_frame(root: Element, path: Path) -> int | None:
    """The last frame of the video, where it is said."""
    for field, shift in (("./meta//stop_frame", 0), ("./meta//size", -1)):
        text = root.findtext(field)
        if text is not None and text.strip():
            try:
                return int(text) + shift
            except ValueError:
                raise InputError(
                    f"{path}: {field.rsplit('/', 1)[-1]} is {text!r}, expected a number of frames"
                ) from None
    return None


def _frame(path: Path, where: str, shape: Element, field: str = "frame") -> int:
    text = shape.get(field, "")
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise InputError(f"{path}, {where}: {field} is {text!r}, expected the number of a frame")
    return int(text)


def _stretches(path: Path, where: str, track: Element, stop: int | None) -> Iterator[tuple[float, float]]:
    """The first frame, and the one after the last, of each stretch in which a track is there."""
    shapes = sorted(
        (
            (_frame(path, where, shape), shape.get("outside") == "1")
            for shape in track
            if shape.get("frame") is not None
        ),
        key=lambda pair: pair[0],
    )
    start: int | None = None
    for frame, is_outside in shapes:
        if is_outside and start is not None:
            if frame > start:
                yield float(start), float(frame)
            start = None
        elif not is_outside and start is None:
            start = frame
    if start is not None:
        last = max(shapes[-1][0], stop if stop is not None else 0)
        yield float(start), float(last + 1)


def _tags(path: Path, root: Element, tasks: dict[str, str], only: str) -> tuple[list[LabelRow], int]:
    """Runs of images with the same tag, and the number of shapes that are on single images."""
    frames: dict[tuple[str, str], list[int]] = {}
    shapes = 0
    for image in root.iterfind("./image"):
        frame = _frame(path, f"image {image.get('name', '')!r}", image, "id")
        recording = tasks.get(image.get("task_id", ""), only) or only
        for shape in image:
            if shape.tag == "tag" and shape.get("label", "").strip():
                frames.setdefault((recording, shape.get("label", "")), []).append(frame)
            else:
                shapes += 1
    rows = []
    for (recording, label), numbers in frames.items():
        numbers = sorted(set(numbers))
        first = numbers[0]
        for frame, following in zip(numbers, [*numbers[1:], numbers[-1] + 2], strict=True):
            if following != frame + 1:
                rows.append(
                    LabelRow(
                        recording, label, float(first), float(frame + 1), f"image {first}", unit="frames", tier="tags"
                    )
                )
                first = following
    return rows, shapes
