"""The pages say what is so: their commands parse, their links lead somewhere, what has a name is told under it."""

from __future__ import annotations

import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest

from kinespan.cli import COMMANDS, load_command
from kinespan.config import FinetuneConfig, PretrainConfig, RecognizeConfig
from kinespan.corpus.recipes import RECIPES
from kinespan.decode_presets import DECODERS
from kinespan.encoders import ENCODERS
from kinespan.evaluate import RULES
from kinespan.pretrain import METHODS
from kinespan.reproduce import plan_names

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
NEW = ("--recipe our-lab", "--encoder two-convs")
"""Words of commands that need the parts that docs/extending.md adds; its own test runs them."""


def commands() -> list[tuple[str, str]]:
    """(page, command) of each command line that begins with kinespan in a fenced block."""
    found = []
    for page in PAGES:
        for block in re.findall(r"^```\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
            found += [(page.name, line) for line in block.splitlines() if line.startswith("kinespan ")]
    return [pair for pair in found if not any(word in pair[1] for word in NEW)]


@pytest.mark.parametrize(("page", "line"), commands())
def test_a_command_of_a_page_is_understood(page: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # where --config FILE of the pages lies
    _, name, *words = shlex.split(line.removesuffix(" [OPTIONS]"), comments=True)
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


def test_there_are_commands_to_hold() -> None:
    assert len(commands()) > 30
    assert {page for page, _ in commands()} >= {"README.md", "datasets.md", "protocols.md", "reproducing.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith("http"):
            continue
        file, _, place = target.partition("#")
        there = (page.parent / file) if file else page
        assert there.exists(), target
        if place:
            headings = re.findall(r"^#+ (.+)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            assert place in {_anchor(heading) for heading in headings}, target


def _anchor(heading: str) -> str:
    """The anchor that a heading gets: lower case, dashes for blanks, no punctuation."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_every_page_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for page in PAGES[1:]:
        assert f"]({page.relative_to(ROOT).as_posix()})" in readme


def test_what_has_a_name_is_told() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(COMMANDS) <= set(re.findall(r"`kinespan (\w+)", readme))
    datasets = (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")
    for name in RECIPES:
        assert f"`{name}`" in datasets
        assert f"--recipe {name} " in datasets
        assert re.search(rf"\b{name}\b", readme)
    protocols = (ROOT / "docs" / "protocols.md").read_text(encoding="utf-8")
    for name in set(RULES) - {"activitynet"}:
        assert f"--rule {name}" in protocols
    for name in set(DECODERS) - {"kinespan"}:
        assert f"--decoder {name}" in protocols


def test_options_of_recipes_are_told() -> None:
    datasets = (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")
    for name in RECIPES:
        for option in fields(RECIPES[name]):  # type: ignore[arg-type]
            assert f"--{option.name.replace('_', '-')}" in datasets, f"{name}: {option.name}"


def test_flags_in_running_text_are_there() -> None:
    """`--label-fraction`, `--network.normalisation.family` and so on in backticks are flags of some command."""
    known = {"--raw", "--recipe"}
    for name in COMMANDS:
        known |= set(load_command(name).flags)
    for recipe in RECIPES:
        known |= set(load_command("prepare", ["--recipe", recipe]).flags)
    known |= {"--help", "--help-all", "--version"}
    pages = [page for page in PAGES if page.name != "performance.md"]  # its flags are those of the benchmarks
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    used = set(re.findall(r"`(--[a-z][\w.-]*)", text)) - {"--options.NAME"}
    assert len(used) > 25
    assert {flag.replace("_", "-") for flag in used} <= known
    assert all(kind() for kind in (PretrainConfig, FinetuneConfig))
    assert RecognizeConfig(split="xsub").lr == 3.0, "the probe that docs/protocols.md describes"
