"""Writing files whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from .errors import InputError


def write_atomically(path: Path, data: str | bytes) -> None:
    r"""Write data to a file beside `path`, then rename it: a reader never sees half a file, a failure leaves none.

    Text is written as UTF-8, with its line ends as they are. An existing file is replaced and keeps its mode.
    Raises InputError where the folder is missing or cannot be written to.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder, expected the name of a file to write")
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(data.encode("utf-8") if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            temporary.chmod(path.stat().st_mode & 0o777)
        temporary.replace(path)
    except OSError as error:
        hint = "" if path.parent.is_dir() else "; make the folder first or name another"
        raise InputError(f"cannot write {path}: {error.strerror}{hint}") from error
    finally:
        with suppress(OSError):
            temporary.unlink()
