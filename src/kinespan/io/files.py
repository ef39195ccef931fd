"""From a path to a Take: the format of a file, and the recordings of a folder."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import InputError
from .base import HEAD_BYTES, READERS, Take
from .finish import finish
from .options import AUTO, ReadOptions

_WHAT_IT_IS = {
    ".asf": "an Acclaim skeleton has no motion; give the .amc file that it belongs to",
    ".npy": "an array of another shape than frames x joints x 3; HumanML3D's features are read by kinespan prepare "
    "--recipe humanml3d",
    ".fbx": "FBX is Autodesk's own; make BVH of it by Blender: "
    'blender --background --python-expr "import bpy; bpy.ops.wm.read_factory_settings(use_empty=True); '
    "bpy.ops.import_scene.fbx(filepath='{name}.fbx'); a = next(o for o in bpy.data.objects if o.type == 'ARMATURE'); "
    "bpy.context.view_layer.objects.active = a; f = a.animation_data.action.frame_range; "
    "bpy.ops.export_anim.bvh(filepath='{name}.bvh', frame_start=int(f[0]), frame_end=int(f[1]))\"",
}
"""What to say of files without a reader, by suffix; {name} stands for the name of the file."""
_FBX = b"Kaydara FBX Binary"


def read(
    path: Path | str, format: str = AUTO, options: ReadOptions | None = None, *, override_fps: bool = True
) -> Take:
    """The Recording of a file, in metres and y up, and its Annotation where it has labels.

    Parameters:
        path: the file.
        format: a name in `READERS`, or "auto": that of the options, else recognised by content.
        options: what the file does not state, or states wrongly.
        override_fps: whether the rate of the options holds against that of the file; else it is for files without one.

    Raises InputError, naming the file and, in text files, the line, for anything that cannot be read.
    """
    path, options = Path(path), options or ReadOptions()
    name = options.format if format == AUTO else format
    name = detect(path) if name == AUTO else name
    for flag, given in (("--asf", options.asf), ("--body-model", options.body_model)):
        if given is not None and not given.exists():
            raise InputError(f"{flag} {given}: no such file")
    with np.errstate(over="ignore", invalid="ignore"):  # overflow is refused later, as not finite
        try:
            motion = READERS[name].parse(_existing(path), options)
        except InputError as error:  # such as one of a skeleton, which does not know the file
            raise error if path.name in str(error) else InputError(f"{path}: {error}") from None
        return finish(path, name, motion, options, override_fps=override_fps)


def detect(path: Path | str) -> str:
    """The name of a file's format, by its content.

    Raises InputError where the file cannot be read and where no reader, or more than one, recognises it.
    """
    path = Path(path)
    names = _formats(_existing(path))
    if len(names) == 1:
        return names[0]
    if not names and path.is_file() and path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty")
    if not names and path.suffix.lower() == ".npz" and not zipfile.is_zipfile(path):
        raise InputError(f"{path}: no .npz archive, or one that was cut off; write it again by np.savez")
    suffix = ".fbx" if _head(path).startswith(_FBX) else path.suffix.lower()
    if suffix in _WHAT_IT_IS and not names:
        what = _WHAT_IT_IS[suffix].replace("{name}", path.stem)
        raise InputError(f"{path}: the content is of no known format: {what}")
    reason = f"more than one format fits ({', '.join(names)})" if names else "the content is of no known format"
    raise InputError(
        f"{path}: {reason}; kinespan reads {', '.join(READERS)}. Give its name by --format, or, for a file of a public "
        "data set, see kinespan list recipes"
    )


def find_files(source: Path | str, format: str = AUTO) -> list[tuple[Path, str]]:
    """The recordings of a folder and its subfolders with their formats, sorted by path; or the file itself.

    Other files (an .asf skeleton, a readme) are skipped; `survey_files` lists them. With a ``format``, only files of
    that format count. Raises InputError where there is no recording.
    """
    return survey_files(source, format)[0]


def survey_files(source: Path | str, format: str = AUTO) -> tuple[list[tuple[Path, str]], list[Path]]:
    """As `find_files`, and the files that were skipped, sorted by path. Hidden files are neither."""
    source = Path(source)
    if format != AUTO:
        _ = READERS[format]  # raises for an unknown name
    if source.is_file() or (source.is_dir() and is_recording_folder(source) and format in (AUTO, *_formats(source))):
        return [(source, format if format != AUTO else detect(source))], []
    if not source.is_dir():
        raise InputError(f"{source}: no such file or folder")
    recordings: list[tuple[Path, str]] = []
    skipped: list[Path] = []
    whole: set[Path] = set()
    for path in sorted(source.rglob("*")):
        if any(part.startswith(".") for part in path.relative_to(source).parts) or not whole.isdisjoint(path.parents):
            continue
        if path.is_dir() and is_recording_folder(path):
            whole.add(path)
        elif not path.is_file():
            continue
        names = _formats(path)
        if len(names) == 1 and format in (AUTO, names[0]):
            recordings.append((path, names[0]))
        else:
            skipped.append(path)
    if not recordings:
        wanted = "a known format" if format == AUTO else f"the format {format}"
        suffixes = {path.suffix.lower() for path in skipped}
        known = next((f", such as {suffix}: {what}" for suffix, what in _WHAT_IT_IS.items() if suffix in suffixes), "")
        raise InputError(
            f"{source}: no recording of {wanted} among {len(skipped)} files{known}; kinespan reads {', '.join(READERS)}"
        )
    return recordings, skipped


def overrides_fps(files: Sequence[tuple[Path, str]]) -> bool:
    """Whether a given rate holds against those of these files, with their formats: of several formats it does not."""
    return len({format for _, format in files}) <= 1


def is_recording_folder(path: Path) -> bool:
    """Whether a folder is one recording, as of JSON files of one frame each."""
    return path.is_dir() and bool(_formats(path))


def _existing(path: Path) -> Path:
    """The path. Raises InputError where it is neither a file nor a folder that is a recording."""
    if not path.is_file() and not is_recording_folder(path):
        folder = path.is_dir()
        raise InputError(f"{path}: {'a folder; give one motion file of it' if folder else 'no such file'}")
    return path


def _formats(path: Path) -> list[str]:
    """The formats whose reader recognises the content."""
    if path.is_dir():
        return [
            name
            for name in READERS
            if getattr(READERS[name], "reads_folders", False) and READERS[name].sniff(path, b"")
        ]
    head = _head(path)
    names = [name for name in READERS if READERS[name].sniff(path, head)]
    return [name for name in names if not getattr(READERS[name], "is_general", False)] or names


def _head(path: Path) -> bytes:
    """The first bytes of a file; none of a folder. Raises InputError where it cannot be read."""
    if path.is_dir():
        return b""
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
