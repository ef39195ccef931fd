"""The file of a corpus's annotation sets, `annotations.sqlite`: its tables, its transactions, and changes as data.

Tables: ``sets``; ``heads``, a row for each recording that a set annotates, with its covered time; ``items``, a row for
each span, event and point label, whose number is never given again; and ``changes``, a row for each change, with what
it removed and what it added, so that it can be taken back exactly. The journal is written ahead (WAL): who reads never
waits for who writes, and a process that dies within a transaction leaves the file as it was before it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from ..errors import InputError
from .set_content import Delta, annotations_in, colours_in, labels_of_text

FRAMES_FILE = "frames.f32"
SETS_FILE = "annotations.sqlite"
WAIT = 30.0
"""Seconds to wait for another process that is changing the file."""
TABLES = (
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE sets (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, author TEXT NOT NULL, "
    "time TEXT NOT NULL, labels TEXT NOT NULL)",
    "CREATE TABLE heads (in_set INTEGER NOT NULL, recording TEXT NOT NULL, covered TEXT NOT NULL, "
    "PRIMARY KEY (in_set, recording)) WITHOUT ROWID",
    "CREATE TABLE items (number INTEGER PRIMARY KEY AUTOINCREMENT, in_set INTEGER NOT NULL, recording TEXT NOT NULL, "
    "start REAL NOT NULL, stop REAL, label TEXT NOT NULL, score REAL, person INTEGER)",
    "CREATE INDEX items_of ON items (in_set, recording)",
    "CREATE TABLE changes (number INTEGER PRIMARY KEY AUTOINCREMENT, in_set INTEGER NOT NULL, time TEXT NOT NULL, "
    "author TEXT NOT NULL, kind TEXT NOT NULL, recording TEXT, about TEXT NOT NULL, delta TEXT, undone_by INTEGER, "
    "target INTEGER)",
)
"""What the file is made with; `check_file` refuses a file that has anything else."""
FORMAT, VERSION = "kinespan-annotation-sets", "1"


@contextmanager
def in_place(file: Path, replacing: bool = False) -> Iterator[None]:
    """The folder of a corpus is not replaced by another within; with `replacing` nobody else has its sets open.

    The lock is on the frames, which a corpus has from beginning to end; where the system has no such locks, on nothing.
    Raises InputError where there is no such folder.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    frames = file.with_name(FRAMES_FILE)
    while True:
        for _ in range(100):  # one corpus is moved away a moment before the other takes its place
            if file.parent.is_dir():
                break
            time.sleep(0.01)
        else:
            raise InputError(f"{file.parent}: no such folder; it was moved or deleted, put it back or open another")
        try:
            handle = os.open(frames, os.O_RDONLY)
        except FileNotFoundError:  # no corpus, but sets by themselves
            yield
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if replacing else fcntl.LOCK_SH)
            if os.path.samestat(os.fstat(handle), os.stat(frames)):  # else it was replaced while we waited
                yield
                return
        finally:
            os.close(handle)


@contextmanager
def reading(file: Path, locked: bool = False) -> Iterator[sqlite3.Connection]:
    """A connection that reads the file as it is at one moment, in a folder that cannot be written to as well.

    locked: the caller is `in_place` already. Raises InputError, naming the file.
    """
    with ExitStack() as stack, told(file):
        if not locked:
            stack.enter_context(in_place(file))
        if os.access(file.parent, os.W_OK):
            connection = _connect(file, "mode=rw")  # where a process died, reading first restores the file
        else:
            connection = _connect(*_readable_copy(file, stack))
        stack.callback(connection.close)
        connection.execute("BEGIN")
        _check_format(connection, file)
        try:
            yield connection
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{file}: {type(error).__name__}: {error}; restore it from a copy") from None


def _readable_copy(file: Path, stack: ExitStack) -> tuple[Path, str]:
    """A file in a folder that cannot be written to, and how it is opened: a copy where it has a journal."""
    journal = file.with_name(file.name + "-wal")
    if not journal.is_file() or not journal.stat().st_size:
        return file, "mode=ro&immutable=1"
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    for each in (file, journal):
        shutil.copyfile(each, folder / each.name)
    return folder / file.name, "mode=rw"


@contextmanager
def changing(file: Path) -> Iterator[sqlite3.Connection]:
    """A transaction that changes the file: all of it is kept, or, after an error, nothing.

    Raises InputError, naming the file, where another process changes it for longer than `WAIT` seconds.
    """
    with told(file), in_place(file):
        connection = _connect(file, "mode=rw")
        try:
            connection.execute("BEGIN IMMEDIATE")
            _check_format(connection, file)
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        finally:
            connection.close()


def create_file(file: Path) -> sqlite3.Connection:
    """A new file with its tables, in a transaction that the caller commits."""
    connection = sqlite3.connect(file, timeout=WAIT, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN IMMEDIATE")
    for table in TABLES:
        connection.execute(table)
    connection.executemany("INSERT INTO facts VALUES (?, ?)", [("format", FORMAT), ("version", VERSION)])
    return connection


def place_file(fresh: Path, file: Path) -> None:
    """Give a new file its name. Raises FileExistsError where another one has it already."""
    try:
        os.link(fresh, file)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if file.exists():
            raise FileExistsError(file) from None
        fresh.rename(file)


def copy_file(source: Path, target: Path) -> None:
    """Copy the file as it is at one moment, without its journal; the caller is `in_place`. Raises InputError."""
    with reading(source, locked=True) as connection, sqlite3.connect(target) as copy:
        connection.execute("COMMIT")
        connection.backup(copy)
    copy.close()


def check_file(file: Path) -> None:
    """Check a file that comes from somewhere else: its tables, and that every row can be read. Raises InputError."""
    with told(file):
        connection = _connect(file, "mode=rw")
        try:
            objects = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")
            made = [row[0] for row in objects if not row[0].startswith("CREATE TABLE sqlite_sequence")]
            if made != list(TABLES):
                raise InputError(f"{file}: has other tables than annotation sets have")
            if connection.execute("PRAGMA quick_check").fetchone()[0] != "ok":
                raise InputError(f"{file}: damaged; ask for another copy")
            _check_format(connection, file)
            for number, text in connection.execute("SELECT number, labels FROM sets").fetchall():
                annotations_in(connection, number, labels_of_text(text))
                colours_in(connection, number)
            for (delta,) in connection.execute("SELECT delta FROM changes WHERE delta IS NOT NULL"):
                Delta.from_text(delta)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{file}: {type(error).__name__}: {error}; ask for another copy") from None
        finally:
            connection.close()


def _connect(file: Path, mode: str) -> sqlite3.Connection:
    """A connection; it makes no file. Raises sqlite3.Error."""
    uri = f"{file.absolute().as_uri()}?{mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=WAIT, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA synchronous = FULL")  # what was answered for is on the disk
    return connection


def _check_format(connection: sqlite3.Connection, file: Path) -> None:
    """Raise InputError for a file of another format or version."""
    facts: dict[str, Any] = dict(connection.execute("SELECT name, value FROM facts").fetchall())
    if facts.get("format") != FORMAT:
        raise InputError(f"{file}: not the annotation sets of a corpus, expected format {FORMAT!r}")
    if facts.get("version") != VERSION:
        raise InputError(f"{file}: version is {facts.get('version')!r}, this kinespan reads {VERSION}; update kinespan")


@contextmanager
def told(file: Path) -> Iterator[None]:
    """Errors of SQLite as InputError that names the file."""
    try:
        yield
    except UnicodeDecodeError as error:  # SQLite quotes the damaged part in its own error
        raise InputError(f"{file}: damaged ({error}); restore it from a copy") from None
    except sqlite3.Error as error:
        if "locked" in str(error):
            raise InputError(f"{file}: another process has been changing it for {WAIT:g} s; try again") from None
        if not file.is_file():
            raise InputError(f"{file}: no such file") from None
        mend = "free the disk, or check who may write there" if "disk" in str(error) or "readonly" in str(error) else (
            "restore it from a copy"
        )  # fmt: skip
        raise InputError(f"{file}: {error}; {mend}") from None
