"""Names for the parts that users plug in: readers, writers, encoders, pretraining methods."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from .errors import InputError, unknown
from .plugins import load_plugins

Part = TypeVar("Part")


class Registry(Generic[Part]):
    """A table from name to part, filled by a decorator: ``@READERS.register("bvh")``.

    Parts of other packages are in it as well: they are imported when it is listed or a name is missing (`plugins`).
    Raises InputError for a name taken twice and, on look-up, for an unknown one (naming the nearest).
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._parts: dict[str, Part] = {}
        self._papers: dict[str, str] = {}

    def register(self, name: str, paper: str = "") -> Callable[[Part], Part]:
        """Decorator that files a part under a name, with the paper that it comes from, and returns it unchanged."""

        def file(part: Part) -> Part:
            if name in self._parts:
                raise InputError(f"{self.kind} {name!r} is registered twice")
            self._parts[name] = part
            self._papers[name] = paper
            return part

        return file

    def paper(self, name: str) -> str:
        """The paper that a part comes from, empty where none was stated."""
        return self._papers[name]

    def __getitem__(self, name: str) -> Part:
        if name not in self:
            raise unknown(self.kind, name, sorted(self._parts))
        return self._parts[name]

    def __contains__(self, name: object) -> bool:
        if name not in self._parts:
            load_plugins()
        return name in self._parts

    def __iter__(self) -> Iterator[str]:
        load_plugins()
        return iter(sorted(self._parts))

    def __len__(self) -> int:
        load_plugins()
        return len(self._parts)
