"""The text of a label file in any of the encodings that programs write, and its XML."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from xml.etree import ElementTree

from ..errors import InputError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""Byte order marks, and the encoding that each says."""
_NAMES = {"utf-16-le": "UTF-16", "utf-16-be": "UTF-16", "gb2312": "GB2312", "cp1252": "Windows-1252"}


def read_text(path: Path) -> tuple[str, tuple[str, ...]]:
    """The text of a file, lines ended by LF, and a note on its encoding where that is not UTF-8.

    The encoding is that of the byte order mark, else UTF-8, else UTF-16 where zero bytes say so, else the one of GB2312
    and Windows-1252 that can be. Raises InputError where the file cannot be read, or is no text.
    """
    return decoded(file_bytes(path), path)


def decoded(data: bytes, path: Path) -> tuple[str, tuple[str, ...]]:
    """As `read_text`, of the bytes of a file."""
    mark, said = next(((mark, name) for mark, name in _MARKS if data.startswith(mark)), (b"", ""))
    names = (said,) if said else _candidates(data)
    for name in names:
        try:
            text = data[len(mark) :].decode(name)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        if name == "gb2312" and _looks_western(text):
            continue
        notes = () if name == "utf-8" else (f"decided: the encoding is {_NAMES[name]}{'' if said else ', not UTF-8'}",)
        return text.replace("\r\n", "\n").replace("\r", "\n"), notes
    raise InputError(f"{path}: its bytes are no text in {' or '.join(_NAMES.get(name, 'UTF-8') for name in names)}")


def file_bytes(path: Path) -> bytes:
    """The content of a file. Raises InputError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None


def read_xml(path: Path) -> ElementTree.Element:
    """The root of an XML file. Raises InputError, naming the line, for a file that is not XML."""
    try:
        return ElementTree.fromstring(file_bytes(path))
    except ElementTree.ParseError as error:
        line, column = error.position
        raise InputError(f"{path}, line {line}: not XML from character {column + 1} on: {error.msg}") from None
    except (ValueError, LookupError) as error:  # an encoding that is none
        raise InputError(f"{path}: not XML that can be read: {error}") from None


def plain_head(head: bytes) -> bytes:
    """The first bytes of a file as if it were UTF-8 without a mark, for sniffing."""
    return head.removeprefix(codecs.BOM_UTF8).replace(b"\0", b"").lstrip(b"\xff\xfe \t\r\n")


def _looks_western(text: str) -> bool:
    """Whether text read as GB2312 has a Chinese character inside a Latin word wherever it has one.

    Two letters with accents side by side, as in Größe, are the bytes of one.
    """
    foreign = re.findall(r"([A-Za-z]?)[^\x00-\x7f]+(?=([A-Za-z]?))", text)
    return bool(foreign) and all(before or after for before, after in foreign)


def _candidates(data: bytes) -> tuple[str, ...]:
    """Encodings of a file without a mark, the likeliest first."""
    zeros = data[:1000].count(0)
    if 4 * zeros > len(data[:1000]):
        return ("utf-16-le",) if data[1:2] == b"\0" else ("utf-16-be",)
    return ("utf-8", "gb2312", "cp1252")
