"""ES modules as one script, for a file that must not load others."""

from __future__ import annotations

import posixpath
import re
from importlib import resources

IMPORT = re.compile(r'^import \{([^}]*)\} from "([^"]+)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async function|function|class|const) (\w+))", re.MULTILINE)


def read_asset(path: str) -> str:
    """The text of a file of the package, such as viewer/dom.js."""
    return resources.files(__package__).joinpath("..").joinpath(path).read_text(encoding="utf-8")


def bundle(entry: str) -> str:
    """A module and all that it imports as one script, each in a scope of its own.

    entry: path in the package, such as report/app.js. Modules import names of each other by relative paths and export
    functions, classes and constants, as the modules of the viewer do. Raises ValueError for modules that import each
    other in a circle, and for a name that a module does not export.
    """
    exports: dict[str, list[str]] = {}
    scripts: list[str] = []

    def add(path: str, importing: tuple[str, ...]) -> None:
        if path in importing:
            raise ValueError(f"modules import each other in a circle: {' -> '.join((*importing, path))}")
        if path in exports:
            return
        text = read_asset(path)
        for names, target in IMPORT.findall(text):
            source = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
            add(source, (*importing, path))
            missing = {name.strip() for name in names.split(",") if name.strip()} - set(exports[source])
            if missing:
                raise ValueError(f"{path} imports {', '.join(sorted(missing))}, which {source} does not export")
        exports[path] = [match[1] for match in EXPORT.finditer(text)]
        body = IMPORT.sub(lambda match: f"const {{{match[1]}}} = {_scope(path, match[2])};\n", text)
        body = EXPORT.sub("", body)
        scripts.append(f"const {_name(path)} = (() => {{\n{body}\nreturn {{ {', '.join(exports[path])} }};\n}})();\n")

    add(entry, ())
    return "\n".join(scripts)


def _scope(path: str, target: str) -> str:
    """The name of the scope of a module that is imported by a relative path."""
    return _name(posixpath.normpath(posixpath.join(posixpath.dirname(path), target)))


def _name(path: str) -> str:
    return re.sub(r"\W", "_", path)
