"""`kinespan list` shows every registered entry, and the docs show the same."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from kinespan.annotations import FORMATS
from kinespan.cli import main
from kinespan.cli.listing import LISTINGS, _options, as_markdown, as_text
from kinespan.data.skeletons import NTU_25, SKELETONS
from kinespan.decode.presets import DECODERS
from kinespan.encoders import ENCODERS, build_encoder
from kinespan.io import READERS, WRITERS
from kinespan.methods import METHODS
from kinespan.metrics import RULES
from kinespan.prepare.recipes import RECIPES

CATALOGUE = Path(__file__).parents[2] / "docs" / "research" / "catalogue.md"
REGISTRIES = {
    "methods": METHODS,
    "encoders": ENCODERS,
    "recipes": RECIPES,
    "readers": READERS,
    "writers": WRITERS,
    "labels": FORMATS,
    "skeletons": SKELETONS,
    "decoders": DECODERS,
    "rules": RULES,
}


def test_every_registry_has_a_listing() -> None:
    assert list(LISTINGS) == list(REGISTRIES)


@pytest.mark.parametrize("kind", REGISTRIES)
def test_every_entry_is_listed_with_every_fact(kind: str) -> None:
    usage, columns, rows = LISTINGS[kind]()
    assert usage.startswith("kinespan ")
    assert [row[0] for row in rows] == list(REGISTRIES[kind])
    empty = {"options", "suffixes"}  # a part may have none
    for row in rows:
        facts = dict(zip(columns, row, strict=True))
        assert all(fact for column, fact in facts.items() if column not in empty), facts


def test_parameters_of_encoders_are_counted() -> None:
    count = sum(part.numel() for part in build_encoder("stgcn64", NTU_25, 3).parameters())
    row = next(row for row in LISTINGS["encoders"]().rows if row[0] == "stgcn64")
    assert row[1:4] == ("ST-GCN at full width", f"{count / 1e6:.2f} M", "T, T/2, T/4")


@dataclass
class Options:
    """Settings of every kind."""

    rules: Literal["stal", "fixed"] = "stal"
    most_frames: int = 1000
    rate: float = 0.50
    body_model: Path | None = None
    everything: bool = False
    mirrored: bool = True


def test_options_are_shown_as_they_are_typed() -> None:
    told = "--rules stal (or fixed); --most-frames 1000; --rate 0.5; --body-model; --everything; --mirrored true"
    assert _options(Options) == told
    assert _options(Options, "--options.").startswith("--options.rules stal")


def test_decoders_show_only_settings_that_differ() -> None:
    settings = {row[0]: row[1] for row in LISTINGS["decoders"]().rows}
    assert "method runs; smooth 0; thresholds 0.1 0.2" in settings["kinespan"]
    assert "inclusive false" in settings["kinespan"]
    assert settings["found-skel"] == "thresholds 0.02; min_duration 0; outer_weight 0; nms none; min_score -inf"


def test_the_catalogue_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "all", "--markdown"]) == 0
    assert CATALOGUE.read_text(encoding="utf-8") == capsys.readouterr().out, "run `make tables` and commit the page"


def test_listing_as_text_is_wrapped(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "skeletons"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("SKELETONS\n  (kinespan pretrain CORPUS --network.skeleton NAME;")
    assert "  kinect20\n    number    20\n" in text
    assert max(map(len, text.splitlines())) <= 100
    assert main(["list"]) == 0
    every = capsys.readouterr().out
    assert [line.lower() for line in every.splitlines() if line and line[0] != " "] == list(LISTINGS)


def test_markdown_tables_are_whole() -> None:
    for kind, make in LISTINGS.items():
        listing = make()
        lines = as_markdown(kind, listing).strip().splitlines()
        assert lines[0] == f"## {kind.capitalize()}"
        assert re.fullmatch(r"`kinespan [^`]+`(;.+)?\.", lines[2])
        assert len(lines) == len(listing.rows) + 6
        bars = {line.replace("\\|", "").count("|") for line in lines[4:]}
        assert bars == {len(listing.columns) + 1}
        assert as_text(kind, listing).count("\n  ") >= len(listing.rows)
