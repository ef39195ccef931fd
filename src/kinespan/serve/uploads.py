"""Files dropped on the page: streamed into a folder of the server, which is removed at its end, and read from there."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from starlette.concurrency import run_in_threadpool
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from .. import io
from ..errors import InputError
from .http import in_thread, json_answer
from .motion_items import item_of
from .state import Page
from .workspace import Entry, NotFoundError


@dataclass(frozen=True)
class UploadLimits:
    """How much may be dropped."""

    files: int = 1000
    """Files of a batch."""
    file_bytes: int = 2 * 2**30
    """Bytes of a file."""
    total_bytes: int = 8 * 2**30
    """Bytes of all files that were dropped since the server began."""
    at_once: int = 8
    """Uploads under way at the same time; a browser that is told 429 tries again."""


LIMITS = UploadLimits()
COMPANIONS = {".asf", ".yaml", ".yml", ".tsv", ".json", ".txt", ".md"}
"""Endings of files that belong to recordings beside them, or describe them; nobody is told that they hold no motion."""
_BATCH = re.compile(r"[A-Za-z0-9]{1,64}")
_MAX_NAME = 120
_SPARE_BYTES = 256 * 2**20
"""Bytes of the disk that stay free."""


@dataclass
class _Batch:
    folder: Path
    names: dict[str, str] = field(default_factory=dict)
    """The name that a file was dropped under, by the name that it is stored under."""


class _Anything(Convertor[str]):
    """The rest of a path, whatever it holds; that of Starlette ends at a new line."""

    regex = r"(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("anything", _Anything())


class Uploads:
    """The batches of files that were dropped on a page."""

    def __init__(self, page: Page, limits: UploadLimits = LIMITS) -> None:
        self._page, self._limits = page, limits
        self._folder = Path(tempfile.mkdtemp(prefix="kinespan-dropped-"))
        self._batches: dict[str, _Batch] = {}
        self._lock = threading.Lock()
        self._under_way = 0
        self._total = 0
        page.workspace.roots.append(self._folder / "batch")  # only its parent is cut from messages

    def close(self) -> None:
        """Remove the files."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def routes(self) -> list[BaseRoute]:
        """The routes of uploads."""
        return [
            Route("/api/uploads/{batch}", self._read, methods=["POST"]),
            Route("/api/uploads/{batch}/{name:anything}", self._store, methods=["PUT"]),
        ]

    # ---- storing -----------------------------------------------------------------------------------------------

    async def _store(self, request: Request) -> Response:
        """Store the body of a request under the name in its path."""
        with self._turn():
            file = await run_in_threadpool(self._reserve, request.path_params["batch"], request.path_params["name"])
            size = 0
            partial = file.with_name(f".{file.name}.part")
            try:
                with await run_in_threadpool(open, partial, "xb") as stream:
                    async for chunk in request.stream():
                        size += len(chunk)
                        self._count(len(chunk), size)
                        await run_in_threadpool(_write, stream, chunk)
                await run_in_threadpool(os.replace, partial, file)
            except BaseException as error:
                partial.unlink(missing_ok=True)
                self._forget(request.path_params["batch"], file, size)
                if isinstance(error, ClientDisconnect):  # nobody is there to be told
                    return Response(status_code=400)
                raise
        return json_answer({"name": request.path_params["name"], "bytes": size}, 201)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One of the uploads under way. Raises HTTPException 429 where there are too many."""
        if self._under_way >= self._limits.at_once:
            text = f"{self._under_way} uploads are under way; try again in a second"
            raise HTTPException(429, text, {"retry-after": "1"})
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    def _reserve(self, batch_name: str, name: str) -> Path:
        """The file to store a name under. Raises HTTPException for a bad batch and one that is full."""
        if not _BATCH.fullmatch(batch_name):
            raise HTTPException(400, "a batch is named by 1 to 64 letters and digits")
        with self._lock:
            batch = self._batches.get(batch_name)
            if batch is None:
                batch = _Batch(self._folder / "batch" / f"{len(self._batches)}-{batch_name}")
                batch.folder.mkdir(parents=True)
                self._batches[batch_name] = batch
            if len(batch.names) >= self._limits.files:
                raise HTTPException(413, f"{len(batch.names)} files at once, at most {self._limits.files}; drop fewer")
            if name in batch.names.values():
                raise HTTPException(409, f"a file named {name[:80]!r} is in the batch already")
            stored = _unused(safe_name(name), batch.names)
            batch.names[stored] = name
            return batch.folder / stored

    def _count(self, more: int, size: int) -> None:
        """Count bytes that arrived. Raises HTTPException 413 where they are too many."""
        limits = self._limits
        with self._lock:
            self._total += more
            total = self._total
        if size > limits.file_bytes:
            raise HTTPException(413, f"more than {limits.file_bytes} bytes in a file; open it with kinespan view FILE")
        if total > limits.total_bytes or shutil.disk_usage(self._folder).free < _SPARE_BYTES:
            raise HTTPException(413, "no room for more files; open them with kinespan view FILE")

    def _forget(self, batch_name: str, file: Path, size: int) -> None:
        """A file of a batch did not arrive."""
        with self._lock:
            self._total -= size
            if batch_name in self._batches:
                self._batches[batch_name].names.pop(file.name, None)

    # ---- reading -----------------------------------------------------------------------------------------------

    async def _read(self, request: Request) -> Response:
        """Read the files of a batch, and list those of a known format; one that cannot be read has its error."""
        answer = await in_thread(self._read_batch, request.path_params["batch"])
        self._page.live.publish("recordings", {})
        return answer

    def _read_batch(self, batch_name: str) -> dict[str, Any]:
        with self._lock:
            batch = self._batches.pop(batch_name, None)
            if batch is not None:  # the name may be used again
                self._batches[f"read {len(self._batches)} {batch_name}"] = batch
        if batch is None:
            raise NotFoundError(f"no files were stored in batch {batch_name[:64]!r}")
        self._page.workspace.drop_folders.add(batch.folder)
        entries: list[Entry] = []
        errors: list[dict[str, str]] = []
        for file, format, reason in _recordings(batch.folder, self._page.workspace.options.format):
            name = batch.names.get(file.name, "dropped folder" if file == batch.folder else file.name)
            shown = PurePosixPath(name.replace("\\", "/")).stem[:_MAX_NAME] or "dropped file"
            if reason is None:
                entry = self._page.workspace.add_file(file, shown, format, kind="dropped")
                entries.append(entry)
                with suppress(InputError):  # the entry has the error; other options of reading may mend it
                    self._page.workspace.read(entry.id)
                continue
            errors.append({"name": name, "error": self._told(reason, file, batch, name)})
        return {"recordings": [item_of(self._page, entry) for entry in entries], "errors": errors}

    def _told(self, error: str, file: Path, batch: _Batch, name: str) -> str:
        """An error that names the file as it was dropped, and no folder of the server."""
        return error.replace(str(file), name).replace(f"{batch.folder}/", "").replace(str(batch.folder), name)


def _recordings(folder: Path, format: str) -> Iterator[tuple[Path, str, str | None]]:
    """The recordings in a folder with their formats; other files with the reason why they are none."""
    if io.is_recording_folder(folder):  # such as one of JSON files of a frame each
        yield folder, io.detect(folder), None
        return
    recordings = 0
    others: list[tuple[Path, str]] = []
    for file in sorted(folder.iterdir()):
        if file.name.startswith("."):  # not whole yet
            continue
        try:
            name = io.detect(file) if format == io.AUTO else format
        except InputError as error:
            others.append((file, str(error)))
        else:
            recordings += 1
            yield file, name, None
    for file, reason in others:
        if not recordings or file.suffix.lower() not in COMPANIONS:
            yield file, "", reason


def safe_name(name: str) -> str:
    """A file name that every system allows, as like the name as can be; its ending stays."""
    base = re.split(r"[/\\]", name)[-1]
    clean = re.sub(r"[^\w .()+-]", "_", base).strip(" .")
    stem, dot, suffix = clean.rpartition(".")
    if not dot or len(suffix) > 16:
        stem, suffix = clean, ""
    limit = _MAX_NAME
    while len(stem.encode()) > limit:
        stem = stem[:-1]
    return f"{stem or 'file'}.{suffix}" if suffix else stem or "file"


def _unused(name: str, names: dict[str, str]) -> str:
    """The name, or with a number where it is taken; some systems do not tell capitals apart."""
    used = {each.casefold() for each in names}
    path, number = PurePosixPath(name), 1
    while name.casefold() in used:
        number += 1
        name = f"{path.stem} ({number}){path.suffix}"
    return name


def _write(stream: BinaryIO, chunk: bytes) -> None:
    stream.write(chunk)
