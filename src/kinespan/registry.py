"""Names for the parts that users plug in: readers, writers, encoders, pretraining methods.

A package that is installed beside kinespan names, in its pyproject.toml, the module that registers its parts:

    [project.entry-points."kinespan.plugins"]
    my-parts = "my_parts"

Plug-ins are imported the first time that a registry is listed, or asked for a name that kinespan itself does not have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from .errors import InputError, unknown

Part = TypeVar("Part")


class Registry(Generic[Part]):
    """A table from name to part, filled by a decorator: ``@READERS.register("bvh")``.

    It holds the parts of plug-ins too.
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


GROUP = "kinespan.plugins"
"""The group of entry points; the value of each is a module that registers parts as it is imported."""

_mistakes: dict[EntryPoint, str] = {}
"""What went wrong in each plug-in that was imported, empty where nothing did."""


@cache
def plugins() -> tuple[EntryPoint, ...]:
    """The plug-ins that are installed, by name."""
    return tuple(sorted(entry_points(group=GROUP), key=lambda plugin: (plugin.name, plugin.value)))


def load_plugins() -> None:
    """Import each plug-in once, so that its parts are registered.

    Raises InputError, naming the plug-in and where it comes from, for one that cannot be imported. It is raised again
    each time, so that nobody works without a plug-in unawares; kinespan's own parts can still be had by name.
    """
    for plugin in plugins():
        if plugin not in _mistakes:
            _mistakes[plugin] = ""  # before it is imported: a plug-in may itself look up what there is
            try:
                plugin.load()
            except Exception as error:  # whatever it is, the user has to know whose it is
                _mistakes[plugin] = f"{_owner_of(plugin)}: {_reason(error)}; mend or uninstall it"
    if mistake := next(filter(None, _mistakes.values()), None):
        raise InputError(mistake)


def _owner_of(plugin: EntryPoint) -> str:
    package = f" of {plugin.dist.name} {plugin.dist.version}" if plugin.dist is not None else ""
    return f"plug-in {plugin.name!r}{package} (module {plugin.value})"


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, InputError) else f"importing it failed with {type(error).__name__}: {text}"
