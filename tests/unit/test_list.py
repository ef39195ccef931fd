"""What `kinespan list` says: every registered part, and the docs say the same."""

from __future__ import annotations

import pytest

from kinespan.cli import _spelt_out, main
from kinespan.cli.listing import LISTINGS, as_markdown, as_text
from kinespan.corpus.recipes import RECIPES
from kinespan.encoders import ENCODERS, build_encoder
from kinespan.io import READERS
from kinespan.pretrain import METHODS
from kinespan.skeletons import NTU_25, SKELETONS

REGISTRIES = {"methods": METHODS, "encoders": ENCODERS, "recipes": RECIPES, "readers": READERS, "skeletons": SKELETONS}


@pytest.mark.parametrize("kind", REGISTRIES)
def test_every_part_is_listed_with_every_fact(kind: str) -> None:
    columns, rows = LISTINGS[kind]()
    assert [row[0] for row in rows] == list(REGISTRIES[kind])
    empty = {"options", "suffixes"}  # a part may have none
    for row in rows:
        facts = dict(zip(columns, row, strict=True))
        assert all(fact for column, fact in facts.items() if column not in empty), facts


def test_parameters_are_counted() -> None:
    count = sum(part.numel() for part in build_encoder("stgcn64", NTU_25, 3).parameters())
    row = next(row for row in LISTINGS["encoders"]().rows if row[0] == "stgcn64")
    assert row[2:4] == (f"{count / 1e6:.2f} M", "T, T/2, T/4")


def test_the_listing_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "skeletons"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("SKELETONS\n")
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
        assert len(lines) == len(listing.rows) + 4
        bars = {line.replace("\\|", "").count("|") for line in lines[2:]}
        assert bars == {len(listing.columns) + 1}
        assert as_text(kind, listing).count("\n  ") >= len(listing.rows)


@pytest.mark.parametrize(
    ("typed", "full"),
    [
        ("a --streams joint bone b --out c", "a --network.streams=[joint,bone] b --out c"),
        ("--streams=joint,bone a", "--network.streams=[joint,bone] a"),
        ("--network.streams [joint, bone] a", "--network.streams=[joint,bone] a"),
        ("--streams foo a", "--network.streams=[foo] a"),
        ("--encoder x --snippets off", "--network.encoder x --snippet.variant off"),
        ("--encoder=x", "--network.encoder=x"),
    ],
)
def test_short_flags(typed: str, full: str) -> None:
    assert _spelt_out(typed.split(), "pretrain") == full.split()


def test_short_flags_hold_only_where_the_long_ones_are() -> None:
    assert _spelt_out(["--encoder", "x"], "prepare") == ["--encoder", "x"]
    assert _spelt_out(["--snippets", "off"], "finetune") == ["--snippets", "off"]
