"""A corpus, motion and annotation sets, as one file for a colleague: a zip of the files of its folder.

An anonymous file has numbers in place of names. Whoever opens a file that comes from somewhere else is safe: names in
it are those of a corpus's files and nothing else, sizes follow from its index, and everything is checked before a
folder is made.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO

from ..data.display import counted
from ..data.skeletons import SKELETONS
from ..errors import InputError
from .index import INDEX_FILE, Index, decode, encode, read_index
from .set_content import annotations_in, colours_in, write_colours
from .set_file import (
    FRAMES_FILE,
    SETS_FILE,
    check_file,
    copy_file,
    create_file,
    in_place,
    reading,
)
from .set_rows import FIRST_SET, insert_set, set_infos, set_of
from .splits import Fold, Split
from .splitting import GROUP_ATTRIBUTES
from .store import VALID_FILE, Corpus

MAX_INDEX_BYTES = 1 << 30
MAX_SETS_BYTES = 1 << 34
CHUNK = 1 << 20
BROKEN = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError, OverflowError
)  # fmt: skip
"""What reading a zip file that was cut or changed can raise."""
NOT_HIDDEN = (
    "an anonymous file cannot hide the motion itself, by which people can be known again (build, gait), the lengths "
    "and the order of the recordings, and the texts of labels: read them before you send it"
)


def pack(folder: str | Path, file: str | Path, anonymous: bool = False) -> list[str]:
    """Write the corpus in a folder as one file, complete or not at all; returns what was done, in plain lines.

    anonymous: recordings, sources, attributes, authors and the corpus get numbers for names; decisions, history of
    files, refused files and earlier states of labels are left out. Raises InputError for a file that exists.
    """
    folder, file = Path(folder), Path(file)
    corpus = Corpus.open(folder)
    if file.exists():
        raise InputError(f"{file}: exists already; name another file")
    if not file.parent.is_dir():
        raise InputError(f"{file}: folder {file.parent} does not exist")
    lines = [f"{counted(len(corpus), 'recording')}, annotation sets: {', '.join(map(str, corpus.sets)) or 'none'}"]
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(6)}.tmp")
    try:
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=".pack-") as scratch, in_place(folder / SETS_FILE):
            index, sets = read_index(folder), Path(scratch) / SETS_FILE
            if (folder / SETS_FILE).is_file():
                copy_file(folder / SETS_FILE, sets)
            if anonymous:
                index = _anonymous_files(index, sets)
                lines += ["left out: decisions, histories of files, and earlier states of labels", NOT_HIDDEN]
            with zipfile.ZipFile(temporary, "x", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                archive.writestr(INDEX_FILE, encode(index))
                for name in (FRAMES_FILE, VALID_FILE):
                    archive.write(folder / name, name)
                if sets.is_file():
                    archive.write(sets, SETS_FILE)
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)
    return lines


def unpack(file: str | Path, folder: str | Path) -> Corpus:
    """Write the corpus in a file that `pack` wrote to a new folder, complete or not at all, and open it.

    Raises InputError for a folder that exists, and for a file that is anything else: with other names or sizes, cut,
    or changed.
    """
    file, folder = Path(file), Path(folder)
    if os.path.lexists(folder):
        raise InputError(f"{folder}: exists already; name another folder")
    if not folder.resolve().parent.is_dir():
        raise InputError(f"{folder}: folder {folder.parent} does not exist")
    partial = folder.with_name(f".{folder.name}.partial-{secrets.token_hex(6)}")
    try:
        with zipfile.ZipFile(file) as archive:
            members = _members(archive, file)
            partial.mkdir()
            _extract(archive, members[INDEX_FILE], partial, MAX_INDEX_BYTES, file)
            index = decode((partial / INDEX_FILE).read_text(encoding="utf-8"), file)
            sizes = _sizes(index)
            free = shutil.disk_usage(partial).free
            if sum(sizes.values()) > free:
                raise InputError(f"{file}: needs {sum(sizes.values())} bytes, {folder.parent} has {free} left")
            for name, size in sizes.items():
                if members[name].file_size != size:
                    raise InputError(f"{file}: {name} has {members[name].file_size} bytes, the index says {size}")
                _extract(archive, members[name], partial, size, file)
            if SETS_FILE in members:
                _extract(archive, members[SETS_FILE], partial, min(MAX_SETS_BYTES, free), file)
                check_file(partial / SETS_FILE)
        Corpus.open(partial).verify()
        _check_sets(partial, index, file)
        os.rename(partial, folder)
    except BROKEN as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file}: not a whole file of kinespan pack ({error}); ask for it again") from None
    except FileNotFoundError:
        raise InputError(f"{file}: no such file") from None
    except OSError as error:
        if error.errno != errno.EINVAL:  # a damaged archive makes zipfile seek to before its beginning
            raise
        raise InputError(f"{file}: not a whole file of kinespan pack; ask for it again") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Corpus.open(folder)


def _members(archive: zipfile.ZipFile, file: Path) -> dict[str, zipfile.ZipInfo]:
    """The members by name. Raises InputError for any that a corpus has not, twice, or missing."""
    known = (INDEX_FILE, FRAMES_FILE, VALID_FILE, SETS_FILE)
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        if info.filename not in known or info.filename in members or info.orig_filename != info.filename:
            raise InputError(f"{file}: has {info.orig_filename!r}, which a packed corpus has not; nothing was written")
        members[info.filename] = info
    for name in known[:3]:
        if name not in members:
            raise InputError(f"{file}: not a file of kinespan pack, it has no {name}")
    return members


def _extract(archive: zipfile.ZipFile, info: zipfile.ZipInfo, folder: Path, limit: int, file: Path) -> None:
    """Write a member of at most `limit` bytes, whatever it says of itself. Raises InputError for a longer one."""
    with archive.open(info) as source, open(folder / info.filename, "xb") as target:
        if _copy(source, target, limit) > limit:
            raise InputError(f"{file}: {info.filename} is longer than {limit} bytes; nothing was written")


def _copy(source: IO[bytes], target: IO[bytes], limit: int) -> int:
    """Copy until a limit is passed; returns the number of bytes read."""
    total = 0
    while total <= limit and (chunk := source.read(CHUNK)):
        total += len(chunk)
        target.write(chunk)
    return total


def _sizes(index: Index) -> dict[str, int]:
    """The bytes of the motion files by name."""
    entries = [info.num_frames * info.num_people for info in index.infos]
    joints = [info.skeleton.num_joints for info in index.infos]
    frames = sum(12 * count * number for count, number in zip(entries, joints, strict=True))
    valid = sum(count * ((number + 7) // 8) for count, number in zip(entries, joints, strict=True))
    return {FRAMES_FILE: frames, VALID_FILE: valid}


def _check_sets(folder: Path, index: Index, file: Path) -> None:
    """Raise InputError for annotations of recordings that the corpus has not."""
    if not (folder / SETS_FILE).is_file():
        return
    names = {info.name for info in index.infos}
    with reading(folder / SETS_FILE) as connection:
        for info in set_infos(connection):
            unknown = [name for name in annotations_in(connection, *set_of(connection, info.name)) if name not in names]
            if unknown:
                raise InputError(f"{file}: set {info.name!r} annotates {unknown[0]!r}, which is not in the corpus")


# ---- anonymous -------------------------------------------------------------------------------------------------


def _anonymous_files(index: Index, sets: Path) -> Index:
    """The index with numbers for names; the file of sets, if any, is written anew."""
    width = len(str(len(index.infos)))
    names = {info.name: f"recording-{number:0{width}}" for number, info in enumerate(index.infos, 1)}
    if sets.is_file():
        _anonymous_sets(sets, names)
    codes: dict[tuple[str, str], str] = {}
    infos = []
    for info in index.infos:
        attributes = {}
        for key in GROUP_ATTRIBUTES:
            if key in info.attributes:
                number = sum(known == key for known, _ in codes) + 1
                attributes[key] = codes.setdefault((key, info.attributes[key]), f"{key}-{number}")
        skeleton = info.skeleton
        if skeleton.name not in SKELETONS or SKELETONS[skeleton.name] != skeleton:
            skeleton = replace(skeleton, name="own")
        infos.append(
            replace(info, name=names[info.name], source="", attributes=attributes, history=(), skeleton=skeleton)
        )
    splits = tuple(
        Split(f"split-{number}", {key: _renamed(fold, names) for key, fold in split.folds.items()}, split.drop_labels)
        for number, split in enumerate(index.splits, 1)
    )
    return replace(index, name="corpus", infos=tuple(infos), splits=splits, decisions=("made anonymous",))


def _renamed(fold: Fold, names: Mapping[str, str]) -> Fold:
    train, test = (tuple(names[name] for name in side) for side in (fold.train, fold.test))
    return Fold(train, test)


def _anonymous_sets(sets: Path, names: Mapping[str, str]) -> None:
    """Write the sets anew, as they are now, with numbers for the names of recordings, sets and authors."""
    with reading(sets) as connection:
        numbered = [(info, *set_of(connection, info.name)) for info in set_infos(connection)]
        content = [
            (info, annotations_in(connection, number, labels), colours_in(connection, number))
            for info, number, labels in numbered
        ]
    sets.unlink()
    authors: dict[str, str] = {}
    connection = create_file(sets)
    for number, (info, by_recording, colours) in enumerate(content, 1):
        author = authors.setdefault(info.author, f"author-{len(authors) + 1}")
        renamed = {names[name]: annotation for name, annotation in by_recording.items() if name in names}
        name = FIRST_SET if info.name == FIRST_SET else f"set-{number}"
        in_set = insert_set(connection, name, info.labels, renamed, author, "made anonymous")
        shown = {label: colour for label, colour in colours.items() if label in info.labels.names}
        write_colours(connection, in_set, shown)
    connection.execute("COMMIT")
    connection.close()
