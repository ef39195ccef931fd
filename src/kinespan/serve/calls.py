"""A request of the page about labels: its set, its recording, its author, and its body, checked field by field."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ..corpus.annotation_sets import AnnotationSets
from ..corpus.set_rows import PREPARED_BY
from ..data.annotation import Interval
from .http import json_body
from .state import Page

MAX_TEXT = 500
"""Characters of the longest name that may be given."""
MAX_AUTHOR = 200
"""Characters of the longest name of an author, which is a header."""


class Fields:
    """The fields of a JSON object. What is missing, of another kind or unknown is refused (422), by name."""

    def __init__(self, data: object, where: str, known: Collection[str]) -> None:
        if not isinstance(data, dict):
            refuse(f"{where or 'body'}: expected an object, found {_kind(data)}")
        unknown = [name for name in data if name not in known]
        if unknown:
            refuse(f"{where + ': ' if where else ''}unknown field {unknown[0]!r}; known are {', '.join(known)}")
        self._data: Mapping[str, Any] = data
        self._where = f"{where}." if where else ""

    def get(self, name: str) -> Any:
        """A field as it is; None where it is missing."""
        return self._data.get(name)

    def text(self, name: str) -> str:
        """A text field."""
        value = self.get(name)
        if not isinstance(value, str) or len(value) > MAX_TEXT or _has_surrogates(value):
            self._refuse(name, f"a text of at most {MAX_TEXT} characters", value)
        return str(value)

    def new_name(self, name: str) -> str:
        """A text that is to name something: visible, without blanks at its ends."""
        value = self.text(name)
        if (
            not value
            or value != value.strip()
            or any(unicodedata.category(each) in ("Cc", "Zl", "Zp") for each in value)
        ):
            self._refuse(name, "a name in one line, without blanks at its ends", value)
        return value

    def optional_text(self, name: str) -> str | None:
        """A text field that may be null or missing."""
        return None if self.get(name) is None else self.text(name)

    def boolean(self, name: str) -> bool:
        """A field that is true or false."""
        value = self.get(name)
        if not isinstance(value, bool):
            self._refuse(name, "true or false", value)
        return bool(value)

    def number(self, name: str) -> float:
        """A field that is a finite number."""
        return _number(self.get(name), self._where + name)

    def optional_number(self, name: str) -> float | None:
        """A field that is a finite number, null or missing."""
        return None if self.get(name) is None else self.number(name)

    def whole(self, name: str) -> int:
        """A field that is a whole number from 0."""
        value = self.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
            self._refuse(name, "a whole number from 0", value)
        return int(value)

    def optional_whole(self, name: str) -> int | None:
        """A field that is a whole number from 0, null or missing."""
        return None if self.get(name) is None else self.whole(name)

    def elements(self, name: str) -> list[tuple[str, Any]]:
        """The elements of a list with the names of their places; none where it is missing."""
        value = self.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            self._refuse(name, "a list", value)
        return [(f"{self._where}{name}[{index}]", each) for index, each in enumerate(value)]

    def texts(self, name: str) -> list[str]:
        """A list of texts."""
        return [Fields({"": each}, place, [""]).text("") for place, each in self.elements(name)]

    def intervals(self, name: str) -> list[Interval]:
        """A list of [start, end] in seconds."""
        intervals = []
        for place, value in self.elements(name):
            if not isinstance(value, list) or len(value) != 2:
                refuse(f"{place}: expected [start, end] in seconds, found {_kind(value)}")
            intervals.append((_number(value[0], place), _number(value[1], place)))
        return intervals

    def _refuse(self, name: str, expected: str, value: object) -> NoReturn:
        refuse(f"{self._where}{name}".rstrip(".") + f": expected {expected}, found {_kind(value)}")


def refuse(message: str, status: int = 422) -> NoReturn:
    """Refuse a request: `message` says what is wrong and what to do."""
    raise HTTPException(status, message)


def _number(value: object, place: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**53:
        return float(value)
    refuse(f"{place}: expected a finite number, found {_kind(value)}")


def _has_surrogates(text: str) -> bool:
    return any(0xD800 <= ord(character) < 0xE000 for character in text)


def _kind(value: object) -> str:
    """A value in a few words, for an error."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else f"a list of {len(value)}"
    if isinstance(value, float) and not math.isfinite(value):
        return "a number that is not finite"
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    return ascii(value)[:60]


@dataclass(frozen=True)
class Call:
    """A request about labels."""

    page: Page
    request: Request
    body: Mapping[str, Any]
    """Its body, empty where it has none."""

    @property
    def sets(self) -> AnnotationSets:
        """The annotation sets of what was opened; refused (404) where that is no corpus."""
        if self.page.sets is None:
            refuse(
                "motion files have no annotation sets: make a corpus of them with kinespan prepare, and open that", 404
            )
        return self.page.sets

    def set_name(self, parameter: str = "set") -> str:
        """The set that a parameter of the query names, by default the one that the page opened with."""
        names = [info.name for info in self.sets.infos]
        name = self.request.query_params.get(parameter, self.page.set if parameter == "set" else None)
        if name is None:
            refuse(f"which annotation set? Give {parameter}=NAME; available: {', '.join(names) or 'none'}", 400)
        if name not in names:
            refuse(f"unknown annotation set {name!r}; available: {', '.join(names) or 'none'}", 404)
        return name

    @property
    def author(self) -> str:
        """Who does it: the header X-Author, percent-encoded, else the name that the page was started with."""
        header = self.request.headers.get("x-author", "")
        try:
            name = unquote(header, errors="strict").strip()
        except UnicodeDecodeError:
            refuse("X-Author: expected percent-encoded UTF-8", 400)
        if len(name) > MAX_AUTHOR or not all(character.isprintable() for character in name):
            refuse(f"X-Author: expected a name of at most {MAX_AUTHOR} printable characters", 400)
        if name == PREPARED_BY:
            refuse(f"X-Author: {name!r} stands for labels that no person gave; choose another name", 400)
        return name or self.page.author

    @property
    def id(self) -> int:
        """The id of the recording, of the path or of the query."""
        text = str(self.request.path_params.get("id", self.request.query_params.get("recording", "")))
        if not text.isascii() or not text.isdigit() or len(text) > 15:
            refuse(f"recording {text[:40]!r}: expected the id of a recording", 404)
        return int(text)

    @property
    def recording(self) -> str:
        """The name of the recording in the corpus; refused (404) for a file, which has no labels."""
        entry = self.page.workspace.entry(self.id)
        if entry.kind != "corpus":
            refuse(f"{entry.name!r} is a motion file, which has no annotation set; recordings of a corpus have", 404)
        return str(entry.name)

    @property
    def recording_or_all(self) -> str | None:
        """The name of the recording that the query asks for; None where it asks for none."""
        return self.recording if self.request.query_params.get("recording") else None

    def fields(self, *known: str) -> Fields:
        """The fields of the body, of which these are known."""
        return Fields(self.body, "", known)


def endpoint(
    page: Page, work: Callable[[Call], Response], writes: bool = False
) -> Callable[[Request], Awaitable[Response]]:
    """A handler of requests that does its work in a thread; one that `writes` needs a page that may (403)."""

    async def handle(request: Request) -> Response:
        if writes and not page.editable:
            refuse("this page is for looking only; open it with kinespan label to change labels", 403)
        body = await json_body(request) if request.method in ("POST", "PUT") and await request.body() else {}
        return await run_in_threadpool(work, Call(page, request, body))

    return handle
