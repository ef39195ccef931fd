"""The pages are true: commands parse, links resolve, messages are those of the program, every name is explained."""

from __future__ import annotations

import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest
from test_layers import LAYERS

import kinespan
from kinespan.cli import COMMANDS, load_command
from kinespan.config import RecognizeConfig
from kinespan.decode.presets import DECODERS
from kinespan.encoders import ENCODERS
from kinespan.methods import METHODS
from kinespan.metrics import RULES
from kinespan.prepare.recipes import RECIPES
from kinespan.reproduce import plan_names

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
BUILT = ("_build", "gallery", "generated")
PAGES = [
    README,
    ROOT / "CONTRIBUTING.md",
    *(page for page in sorted(DOCS.rglob("*.md")) if not set(page.relative_to(DOCS).parts) & set(BUILT)),
]
NEW = ("--recipe our-lab", "--encoder two-convs")
"""Words of commands that need the additions of docs/extend.md; its own test runs them."""


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def commands() -> list[tuple[str, str]]:
    """(page, command) of each command line that begins with kinespan in a fenced block."""
    lines = [
        (name_of(page), line)
        for page in PAGES
        for block in re.findall(r"^```\n(.*?)^```$", text_of(page), re.DOTALL | re.MULTILINE)
        for line in re.sub(r"\\\n\s*", "", block).splitlines()
        if line.startswith("kinespan ")
    ]
    return [pair for pair in lines if not any(word in pair[1] for word in NEW)]


@pytest.mark.parametrize(("page", "line"), commands())
def test_command_on_a_page_parses(page: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # where --config FILE of the pages lies
    _, name, *words = shlex.split(line.removesuffix(" [OPTIONS]"), comments=True)
    if name == "--version":
        return
    flags = [word for word in words if word not in ("--help", "--help-all")]
    if "NAME" in flags:  # stands for any
        flags[flags.index("NAME")] = "precog"
    if words[-1:] == ["--help"]:
        flags += ["--raw", "DIR", "--out", "CORPUS"]
    command = load_command(name, flags)
    if words[-1:] not in (["--help"], ["--help-all"]) or "--recipe" in flags:
        command.parse(flags)
    for flag, known in (("--method", METHODS), ("--encoder", ENCODERS), ("--network.encoder", ENCODERS)):
        if flag in flags:
            assert flags[flags.index(flag) + 1] in known
    if name == "reproduce":
        assert words[0] in (*plan_names(), "mine.yaml")


def test_commands_are_collected_from_the_main_pages() -> None:
    assert len(commands()) > 30
    assert {page for page, _ in commands()} >= {
        "README.md",
        "docs/start/your-recordings.md",
        "docs/research/datasets.md",
        "docs/research/protocols.md",
        "docs/research/reproducing.md",
    }


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_resolve(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith("http") or re.search("generated/|gallery/", target):
            continue
        file, _, anchor = target.partition("#")
        linked = (page.parent / file) if file else page
        assert linked.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {anchor_of(heading) for heading in headings}, target


def anchor_of(heading: str) -> str:
    """The anchor that a heading gets: lower case, dashes for blanks, no punctuation."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_readme_is_one_short_page() -> None:
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120
    assert max(map(len, lines)) <= 160


def test_readme_names_what_ci_runs() -> None:
    targets = re.findall(r"^make (\w[\w-]*)", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE)
    assert targets == ["lint", "test", "docs"]
    assert f"make {' '.join(targets)}" in README.read_text(encoding="utf-8")


def test_python_on_pages_uses_names_of_the_package() -> None:
    for page in (README, DOCS / "api" / "index.md", DOCS / "start" / "python.md"):
        for block in re.findall(r"^```python\n(.*?)^```$", text_of(page), re.DOTALL | re.MULTILINE):
            compile(block, name_of(page), "exec")
            assert set(re.findall(r"\bkinespan\.(\w+)", block)) <= set(kinespan.__all__)


def test_every_public_name_is_on_the_page_of_the_api() -> None:
    names = re.findall(r"^   kinespan\.(\w+)$", text_of(DOCS / "api" / "index.md"), re.MULTILINE)
    assert set(names) == set(kinespan.__all__) - {"__version__"}


def test_drawing_of_the_layers_is_that_of_the_layer_test() -> None:
    drawn = re.findall(r' class="m u"[^>]*>(\w+)<', text_of(DOCS / "figures" / "layers.svg"))
    assert drawn == [unit for row in reversed(LAYERS) for unit in row]


def test_page_of_the_house_explains_every_unit() -> None:
    page = text_of(DOCS / "house.md")
    assert not {unit for row in LAYERS for unit in row if f"`{unit}`" not in page} - {"kinespan"}


def test_every_command_is_in_the_table_of_commands() -> None:
    rows = re.findall(r"^\| `kinespan (\w+)", text_of(DOCS / "start" / "commands.md"), re.MULTILINE)
    assert sorted(rows) == sorted(COMMANDS)


def test_every_key_of_the_page_is_in_the_guide_of_the_page() -> None:
    page = (DOCS / "start" / "page.md").read_text(encoding="utf-8")
    script = (Path(kinespan.__file__).parent / "serve" / "page" / "keys.js").read_text(encoding="utf-8")
    presses = {press for keys in re.findall(r"keys: \[(.*?)\]", script) for press in re.findall(r'"([^"]+)"', keys)}
    assert len(presses) > 40
    named = {"ArrowLeft": "←", "ArrowRight": "→", "ArrowUp": "↑", "ArrowDown": "↓", "Delete": "Del", "Escape": "Esc"}
    for press in presses - {"Backspace", "="}:
        key = press if len(press) == 1 else press.split("+")[-1]
        key = key.lower() if len(key) == 1 else named.get(key, key)
        assert f"`{key}`" in page, press


def test_every_recipe_rule_and_decoder_is_explained() -> None:
    datasets = text_of(DOCS / "research" / "datasets.md")
    for name in RECIPES:
        assert f"`{name}`" in datasets
        assert f"--recipe {name} " in datasets
        for option in fields(RECIPES[name]):  # type: ignore[arg-type]
            assert f"--{option.name.replace('_', '-')}" in datasets, f"{name}: {option.name}"
    protocols = text_of(DOCS / "research" / "protocols.md")
    for name in set(RULES) - {"activitynet"}:
        assert f"--rule {name}" in protocols
    for name in set(DECODERS) - {"kinespan"}:
        assert f"--decoder {name}" in protocols
    assert RecognizeConfig(split="xsub").lr == 3.0, "the probe that the page describes"


def test_flags_in_running_text_exist() -> None:
    """`--label-fraction`, `--network.normalisation.preprocessing` and so on in backticks are flags of some command."""
    known = {"--raw", "--recipe", "--help", "--help-all", "--version"}
    for name in COMMANDS:
        known |= set(load_command(name).flags)
    for recipe in RECIPES:
        known |= set(load_command("prepare", ["--recipe", recipe]).flags)
    used = set(re.findall(r"`(--[a-z][\w.-]*)", "".join(map(text_of, PAGES)))) - {"--options.NAME"}
    assert len(used) > 25
    assert {flag.replace("_", "-") for flag in used} <= known


def test_messages_under_troubleshooting_are_those_of_the_program() -> None:
    source = "".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "src").rglob("*.py")))
    source = re.sub(r'"\s*\n\s*f?"', "", source)  # a message over several lines of source
    terms = re.findall(r"^(`.+)\n: ", (DOCS / "start" / "troubleshooting.md").read_text(encoding="utf-8"), re.MULTILINE)
    messages = [message for term in terms for message in re.findall(r"`([^`]+)`", term)]
    assert len(messages) > 25
    for message in messages:
        # what stands for a value: a number, a quoted name, dots
        pieces = re.split(r"\d+|'[^']*'|\.\.\.|, expected|;|:|CSV|\bcuda\b", message)
        words = max((piece.strip() for piece in pieces), key=len)
        assert words in source, message
