"""Registries of what users can plug in: readers, writers, encoders, pretraining methods, each by name.

A plug-in is an installed package whose pyproject.toml names the module that registers its entries:

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

Entry = TypeVar("Entry")


class Registry(Generic[Entry]):
    """A table from name to entry, filled by a decorator: ``@READERS.register("bvh")``. Plug-ins are in it too.

    Raises InputError for a name that is registered twice and, on look-up, for an unknown one (naming the nearest).
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, Entry] = {}
        self._papers: dict[str, str] = {}

    def register(self, name: str, paper: str = "") -> Callable[[Entry], Entry]:
        """Decorator that registers an entry by name, with the paper that it comes from, and returns it unchanged."""

        def file(entry: Entry) -> Entry:
            if name in self._entries:
                raise InputError(f"{self.kind} {name!r} is registered twice")
            self._entries[name] = entry
            self._papers[name] = paper
            return entry

        return file

    def paper(self, name: str) -> str:
        """The paper that an entry comes from, empty where none is stated."""
        return self._papers[name]

    def origin(self, name: str) -> str:
        """The package that an entry comes from, such as kinespan."""
        return str(getattr(self[name], "__module__", "")).partition(".")[0]

    def in_every_process(self, name: str) -> bool:
        """Whether an entry is kinespan's own or a plug-in's, so that another process has it too."""
        return self.origin(name) in {"kinespan", *(plugin.module.partition(".")[0] for plugin in plugins())}

    def __getitem__(self, name: str) -> Entry:
        if name not in self:
            raise unknown(self.kind, name, sorted(self._entries))
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        if name not in self._entries:
            load_plugins()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        load_plugins()
        return iter(sorted(self._entries))

    def __len__(self) -> int:
        load_plugins()
        return len(self._entries)


GROUP = "kinespan.plugins"
"""The group of entry points; the value of each is a module that registers its entries on import."""

_mistakes: dict[EntryPoint, str] = {}
"""What went wrong in each plug-in that was imported, empty where nothing did."""


@cache
def plugins() -> tuple[EntryPoint, ...]:
    """The plug-ins that are installed, by name."""
    return tuple(sorted(entry_points(group=GROUP), key=lambda plugin: (plugin.name, plugin.value)))


def load_plugins() -> None:
    """Import each plug-in once, so that its entries are registered.

    Raises InputError, naming the plug-in and where it comes from, for one that cannot be imported. It is raised again
    each time, so that nobody works without a plug-in unawares; kinespan's own entries are still available by name.
    """
    for plugin in plugins():
        if plugin not in _mistakes:
            _mistakes[plugin] = ""  # before the import: a plug-in may itself list a registry
            try:
                plugin.load()
            except Exception as error:  # whatever it is, the user has to know which plug-in raised it
                _mistakes[plugin] = f"{_owner_of(plugin)}: {_reason(error)}; repair or uninstall it"
    if mistake := next(filter(None, _mistakes.values()), None):
        raise InputError(mistake)


def _owner_of(plugin: EntryPoint) -> str:
    package = f" of {plugin.dist.name} {plugin.dist.version}" if plugin.dist is not None else ""
    return f"plug-in {plugin.name!r}{package} (module {plugin.value})"


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, InputError) else f"importing it failed with {type(error).__name__}: {text}"
