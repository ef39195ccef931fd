"""Parts from other packages: readers, recipes, encoders, methods, ... that are installed beside kinespan.

A package names the module that registers its parts, in its pyproject.toml:

    [project.entry-points."kinespan.plugins"]
    my-parts = "my_parts"

Plug-ins are imported the first time that a registry is listed, or asked for a name that kinespan itself does not have.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from .errors import InputError

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
                _mistakes[plugin] = f"{_owner(plugin)}: {_told(error)}; mend or uninstall it"
    if mistake := next(filter(None, _mistakes.values()), None):
        raise InputError(mistake)


def _owner(plugin: EntryPoint) -> str:
    package = f" of {plugin.dist.name} {plugin.dist.version}" if plugin.dist is not None else ""
    return f"plug-in {plugin.name!r}{package} (module {plugin.value})"


def _told(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, InputError) else f"importing it failed with {type(error).__name__}: {text}"
