"""The order of the layers, read from the source: lower ones never import higher ones, and what is heavy stays lazy."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Literal, NamedTuple

import pytest

import kinespan

SOURCE = Path(kinespan.__file__).parent

# Lowest first. A unit is a module or a package directly under kinespan; it may import units of lower rows only.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("_version", "arrays", "child", "errors", "progress", "threads"),
    ("config", "files", "losses", "registry"),
    ("data",),
    ("annotations", "decode", "encoders", "io", "metrics", "transforms", "viewer"),
    ("corpus", "models"),
    ("methods", "prepare", "retrieval", "runs", "stream"),
    ("train",),
    ("report",),
    ("reproduce", "serve"),
    ("cli",),
    ("kinespan",),  # the package itself, which offers names of all the others
)
RANK = {unit: rank for rank, units in enumerate(LAYERS) for unit in units}

# Units in which nothing needs torch, not even late; all of the others but `train` do without lightning.
WITHOUT_TORCH = {
    "_version", "annotations", "arrays", "config", "data", "decode", "errors", "files", "io", "metrics", "progress",
    "registry", "report",
}  # fmt: skip


class Import(NamedTuple):
    """Module `source` imports module `target`, both by their full dotted names; `kind` says when it runs."""

    source: str
    target: str
    line: int
    kind: Literal["import", "call", "types"]
    """import: with the module; call: inside a function; types: never, it is for annotations."""


def module_name(file: Path) -> str:
    parts = ["kinespan", *file.relative_to(SOURCE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(file): file for file in sorted(SOURCE.rglob("*.py"))}


def unit(module: str) -> str:
    """kinespan.io.bvh belongs to unit io, kinespan itself to unit kinespan."""
    return module.split(".")[1] if "." in module else module


def imports(module: str) -> Iterator[Import]:
    """Every import of a module: of kinespan, a relative one made absolute, and of others."""
    file = FILES[module]
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    tree = ast.parse(file.read_text(encoding="utf-8"))
    kinds: dict[int, Literal["call", "types"]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            kinds |= {id(inner): "call" for inner in ast.walk(node)}
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            kinds |= {id(inner): "types" for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, alias.name, node.lineno, kinds.get(id(node), "import"))
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                full = f"{base}.{alias.name}"
                target = "kinespan._version" if full == "kinespan.__version__" else full if full in FILES else base
                yield Import(module, target, node.lineno, kinds.get(id(node), "import"))


ALL = [statement for module in FILES for statement in imports(module)]
OURS = [statement for statement in ALL if statement.target in FILES]


def test_house_has_at_most_eleven_rows() -> None:
    assert len(LAYERS) <= 11


def test_every_unit_is_in_the_table_once() -> None:
    assert {unit(module) for module in FILES} == set(RANK), "put a new module into LAYERS, as low as it can be"
    assert len(RANK) == sum(map(len, LAYERS)), "a unit stands twice in LAYERS"


def test_imports_known_by_hand_are_read() -> None:
    """The reader of imports is itself held to cases known by hand."""
    pairs = {(statement.source, statement.target) for statement in OURS}
    assert ("kinespan.io.bvh", "kinespan.io.base") in pairs or ("kinespan.io.bvh", "kinespan.errors") in pairs
    assert ("kinespan.models.localizer", "kinespan.encoders") in pairs
    assert ("kinespan.models.model_file", "kinespan._version") in pairs
    assert any(
        statement.target == "kinespan.runs.load" and statement.kind == "call"
        for statement in OURS
        if unit(statement.source) == "cli"
    )
    assert len(OURS) > 100


def test_no_unit_imports_a_higher_one() -> None:
    upward = [
        f"{source}:{line} imports {target}"
        for source, target, line, _ in OURS
        if unit(source) != unit(target) and RANK[unit(target)] >= RANK[unit(source)]
    ]
    assert not upward


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    graph: dict[str, set[str]] = {module: set() for module in FILES}
    for statement in OURS:
        if statement.source not in (statement.target, "kinespan") and statement.kind != "types":
            graph[statement.source].add(statement.target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other in a circle: {' <- '.join(error.args[1])}")


def test_torch_and_lightning_stay_in_their_units() -> None:
    def uses(library: str) -> set[str]:
        return {unit(statement.source) for statement in ALL if statement.target.split(".")[0] == library}

    assert not uses("torch") & WITHOUT_TORCH
    assert uses("lightning") <= {"train"}


@pytest.mark.parametrize("code", ["import kinespan", "import kinespan; kinespan.read", "import kinespan.cli"])
def test_importing_loads_nothing_heavy(code: str) -> None:
    heavy = "{'torch', 'lightning', 'scipy', 'matplotlib', 'rich', 'sklearn'}"
    code = f"{code}\nimport sys\nprint(sorted({heavy} & {{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["pretrain", "finetune", "learn"])
def test_training_functions_name_a_mistake_before_lightning_is_imported(name: str) -> None:
    code = (
        f"import sys, kinespan\ntry:\n    kinespan.{name}('no-corpus', 'run')\n    sys.exit('no error')\n"
        "except kinespan.InputError:\n    assert 'lightning' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["pretrain", "--help"], ["finetune", "corpus"]])
def test_help_and_mistakes_answer_without_torch(words: list[str]) -> None:
    code = (
        "import sys\nfrom kinespan.cli import main\n"
        f"try:\n    main({words})\nexcept SystemExit:\n    pass\n"
        "assert not {'torch', 'lightning'} & set(sys.modules), 'heavy import'"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


@pytest.mark.parametrize("module", FILES)
def test_each_module_says_what_it_is(module: str) -> None:
    assert ast.get_docstring(ast.parse(FILES[module].read_text(encoding="utf-8")))


FORBIDDEN = {
    r"\.cuda\(": "a device is passed in, never assumed",
    r"torch\.load\(": "no pickle is ever loaded",
    r"\bpickle\b(?! is ever)": "no pickle is ever loaded",
    r"allow_pickle=True": "no pickle is ever loaded",
    r"np\.random\.(?!default_rng|Generator|SeedSequence)": "randomness comes in through a generator",
    r"^\s*random\.|^import random": "randomness comes in through a generator",
    r"\bbreakpoint\(": "left behind",
}


@pytest.mark.parametrize("pattern", FORBIDDEN)
def test_the_source_is_free_of(pattern: str) -> None:
    statement = [
        f"{file.relative_to(SOURCE)}:{number}: {line.strip()}"
        for file in FILES.values()
        for number, line in enumerate(_code_lines(file), start=1)
        if re.search(pattern, line)
    ]
    assert not statement, FORBIDDEN[pattern]


@cache
def _code_lines(file: Path) -> list[str]:
    """The lines of a file with docstrings and comments blanked."""
    text = file.read_text(encoding="utf-8")
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            assert node.end_lineno is not None
            lines[node.lineno - 1 : node.end_lineno] = [""] * (node.end_lineno - node.lineno + 1)
    return [re.sub(r"#.*", "", line) for line in lines]
