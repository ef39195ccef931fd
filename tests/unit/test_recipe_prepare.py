"""Recipes on the command line and in worker processes; what holds for every registered recipe."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pytest

from kinespan.cli import load_command, main
from kinespan.cli.help import help_text
from kinespan.config.parser import setting_texts
from kinespan.corpus import Corpus
from kinespan.corpus.info import RecordingInfo
from kinespan.corpus.splits import Split
from kinespan.corpus.splitting import split_by_values
from kinespan.data.annotation import Annotation, LabelSet, Span
from kinespan.data.recording import Recording
from kinespan.data.skeletons import NTU_25
from kinespan.errors import InputError
from kinespan.io import Take
from kinespan.prepare.prepare import prepare_recipe
from kinespan.prepare.recipes import RECIPES, Item, Recipe, Survey
from kinespan.prepare.summary import refusal_lines
from makers import utkinect

LABELS = LabelSet(("wave", "kick", "nap"))


@dataclass(frozen=True)
class Made(Recipe):
    """Text files that hold a number: the seed of the motion."""

    title: ClassVar[str] = "Made"
    paper: ClassVar[str] = "nobody"
    licence: ClassVar[str] = "none"

    sizes: Literal["small", "large"] = "small"
    """How much motion."""
    motion: tuple[str, str] | None = None
    """Two words."""
    extra: bool = False
    """A truth value."""
    body: Path | None = None
    """A file."""

    def survey(self, raw: Path) -> Survey:
        files = sorted(raw.glob("*.txt"))
        listed = (raw / "gone.txt", "listed, but no such file")
        return Survey(tuple(Item(f"r{file.stem}", file, int(file.stem)) for file in files), (listed,), (), LABELS)

    def read(self, item: Item) -> Take:
        seed = int(item.file.read_text())
        if seed % 3 == 2:
            raise InputError(f"{item.file}: frame {seed} holds nobody")
        if seed == 99:
            raise RuntimeError("a bug")
        label = LABELS.names[seed % 2] if self.sizes == "small" else "unknown"
        positions = np.random.default_rng(seed).normal(size=(30, 1, 25, 3)).astype(np.float32)
        recording = Recording(positions, 30.0, NTU_25, "whatever", attributes={"side": str(seed % 2)})
        return Take(recording, Annotation((Span(0, 2, label),), LabelSet((label,))))

    def splits(self, infos: Sequence[RecordingInfo], labels: LabelSet | None) -> tuple[Split, ...]:
        sides = [info.attributes["side"] for info in infos]
        return split_by_values("sides", infos, sides, {1: ({"0"}, {"1"})})


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Eighteen numbers, of which every third is refused."""
    folder = tmp_path / "raw"
    folder.mkdir()
    for seed in range(18):
        (folder / f"{seed:02d}.txt").write_text(str(seed))
    return folder


@pytest.fixture
def made() -> Any:
    """The recipe under the name "made", for a while."""
    RECIPES.register("made")(Made)
    yield Made
    del RECIPES._entries["made"]


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main([str(word) for word in words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


# ---- reading ---------------------------------------------------------------------------------------------------


def test_a_recipe_becomes_a_corpus(raw: Path, tmp_path: Path) -> None:
    summary = prepare_recipe(Made(), raw, tmp_path / "out")
    corpus = Corpus.open(tmp_path / "out")
    assert corpus.names == tuple(f"r{seed:02d}" for seed in range(18) if seed % 3 != 2)
    assert corpus.labels == LABELS
    assert corpus.fold("sides", 1).test == ("r01", "r03", "r07", "r09", "r13", "r15")
    assert summary.label_spans == {"wave": 6, "kick": 6, "nap": 0}
    assert summary.cut_spans == 12
    assert len(summary.refused) == 7
    text = str(summary)
    assert "refused: 6 files: such as frame 2 holds nobody (02.txt, 05.txt, 08.txt, ...)" in text
    assert f"refused: {raw / 'gone.txt'}: listed, but no such file" in text
    assert f"each of the 7 refused files: {tmp_path / 'out' / 'refused.txt'}" in text
    listed = (tmp_path / "out" / "refused.txt").read_text().splitlines()
    assert listed[1:] == [f"{raw / f'{seed:02d}.txt'}: frame {seed} holds nobody" for seed in range(2, 18, 3)]


def test_any_number_of_workers_reads_the_same(tmp_path: Path) -> None:
    from kinespan.prepare.recipes.utkinect import UTKinect

    utkinect.write_utkinect(tmp_path / "raw", 2)
    for workers in (1, 2):
        prepare_recipe(UTKinect(), tmp_path / "raw", tmp_path / str(workers), name="c", workers=workers)
    for file in ("index.json", "frames.f32", "valid.bits"):
        assert (tmp_path / "1" / file).read_bytes() == (tmp_path / "2" / file).read_bytes()


def test_a_resumed_recipe_keeps_its_refusals(raw: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 10:
            raise KeyboardInterrupt

    at_once = prepare_recipe(Made(), raw, tmp_path / "at_once", name="c")
    with pytest.raises(KeyboardInterrupt):
        prepare_recipe(Made(), raw, tmp_path / "out", name="c", progress=stop)
    with pytest.raises(InputError, match=r"other settings \(extra: False before, True now\)"):
        prepare_recipe(Made(extra=True), raw, tmp_path / "out")
    summary = prepare_recipe(Made(), raw, tmp_path / "out", name="c")
    assert summary.resumed == 10
    assert summary.refused == at_once.refused
    assert summary.label_seconds == at_once.label_seconds
    for file in ("index.json", "frames.f32", "valid.bits", "refused.txt"):
        assert (tmp_path / "out" / file).read_bytes() == (tmp_path / "at_once" / file).read_bytes()


def test_a_file_with_an_unknown_label_is_refused(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="label 'unknown' is not one of the data set's 3 labels"):
        prepare_recipe(Made(sizes="large"), raw, tmp_path / "out")
    assert list(tmp_path.iterdir()) == [raw]


def test_a_bug_in_a_recipe_loses_one_file(raw: Path, tmp_path: Path) -> None:
    (raw / "99.txt").write_text("99")
    summary = prepare_recipe(Made(), raw, tmp_path / "out")
    assert "its reader failed (RuntimeError: a bug); please report" in dict(summary.refused)[raw / "99.txt"]


def test_a_folder_without_recordings_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no recording of Made: listed, but no such file"):
        prepare_recipe(Made(), tmp_path, tmp_path / "out")
    with pytest.raises(InputError, match="nowhere: no such folder; give the folder of Made"):
        prepare_recipe(Made(), tmp_path / "nowhere", tmp_path / "out")


def test_refusals_are_grouped_by_reason() -> None:
    refused = [(Path(f"/d/{k}.x"), f"/d/{k}.x:{k}: found {k} joints") for k in range(9)]
    refused += [(Path(f"/d/{k}.y"), "listed as without skeleton") for k in range(302)]
    refused += [(Path("/d/one.z"), "/d/one.z: empty"), (Path("/d/two.z"), "/d/two.z:7: cut off")]
    assert refusal_lines(refused) == [
        "refused: 9 files: such as 0: found 0 joints (0.x, 1.x, 2.x, ...)",
        "refused: 302 files: listed as without skeleton (0.y, 1.y, 2.y, ...)",
        "refused: /d/one.z: empty",
        "refused: /d/two.z:7: cut off",
    ]
    many = [(Path(f"/d/{letter}"), letter) for letter in "abcdefghijklmnopqrstuvwxyz"]
    assert refusal_lines(many)[-1] == "refused: 6 files for other reasons"
    assert len(refusal_lines(many)) == 21


# ---- the command -----------------------------------------------------------------------------------------------


def test_prepare_recipe_from_the_command_line(
    raw: Path, tmp_path: Path, made: type[Made], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "prepare", "--recipe", "made", "--raw", raw, "--out", tmp_path / "out", "--name", "x")
    assert code == 0
    assert "corpus 'x': 12 recordings" in out
    assert "splits: sides (folds: 1)" in out


@pytest.mark.parametrize(
    "words, expected",
    [
        ("", Made()),
        ("--extra", Made(extra=True)),
        ("--extra false --sizes large", Made(sizes="large")),
        ("--motion cmu-amc some/folder --body b.npz", Made(motion=("cmu-amc", "some/folder"), body=Path("b.npz"))),
    ],
)
def test_fields_of_a_recipe_are_flags(
    words: str, expected: Made, raw: Path, made: type[Made], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Recipe] = []

    def noted(recipe: Recipe, *rest: object, **options: object) -> str:
        seen.append(recipe)
        return "done"

    monkeypatch.setattr("kinespan.cli.prepare.prepare_recipe", noted)
    assert main(["prepare", "--recipe=made", "--raw", str(raw), "--out", str(tmp_path / "out"), *words.split()]) == 0
    assert seen == [expected]


def test_help_shows_the_recipe(made: type[Made], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", "--recipe", "made", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for part in ("Made: Text files that hold a number", "nobody", "Two words.", "--sizes small|large", "--raw"):
        assert part in text
    assert "--skip-frames" not in text


@pytest.mark.parametrize(
    "words, named",
    [
        ("--recipe maid --raw raw --out x", ("unknown recipe 'maid'", "'made'")),
        ("--recipe made --raw raw --out x --exta", ("--exta", "did you mean '--extra'?")),
        ("--recipe made --raw raw --out x --skip-frames 3", ("unknown flag '--skip-frames'",)),
        ("--recipe made --raw raw --out x --sizes tiny", ("--sizes", "tiny", "large")),
        ("--recipe made --out x", ("missing: --raw",)),
        ("--out x --recipe", ("--recipe", "expected")),
        ("raw --recipe made --raw raw --out x", ("unexpected argument 'raw'", "--raw RAW")),
        ("--recipe made --raw raw --out x --workers 0", ("--workers 0",)),
        ("--recipe made --raw none --out x", ("none: no such folder", "Made")),
        ("--recipe made --raw raw --out raw", ("--out raw", "--overwrite")),
    ],
)
def test_mistakes_are_reported_in_one_line(
    words: str, named: Sequence[str], raw: Path, made: type[Made], capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(raw.parent)
    code, out, err = run(capsys, "prepare", *words.split())
    assert (code, out, err.count("\n")) == (2, "", 1)
    for part in named:
        assert part in err
    assert list(raw.parent.iterdir()) == [raw]


def test_control_c_says_how_to_resume(
    raw: Path, tmp_path: Path, made: type[Made], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Made.read

    def stops(self: Made, item: Item) -> Take:
        if item.details == 7:
            raise KeyboardInterrupt
        return read(self, item)

    words = ("prepare", "--recipe", "made", "--raw", raw, "--out", tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr(Made, "read", stops)
        code, _, err = run(capsys, *words)
    assert code == 130
    assert err.endswith("kinespan: stopped; the same command continues\n")
    code, out, err = run(capsys, *words)
    assert code == 0
    assert "resumed an interrupted run, after 7 files" in out
    assert "preparing: 8/18" in err


# ---- every recipe ----------------------------------------------------------------------------------------------

RESERVED = {"recipe", "raw", "out", "name", "overwrite", "workers", "source", "help", "config"}


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_states_title_paper_licence_and_options(name: str) -> None:
    kind = RECIPES[name]
    assert is_dataclass(kind)
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    for text in (kind.title, kind.paper, kind.licence, kind.__doc__):
        assert text
    about = setting_texts(kind)
    for one in fields(kind):
        assert one.default is not MISSING, f"{one.name} has no default"
        assert one.name not in RESERVED
        assert about.get(one.name), f"{one.name} has no docstring under it"
    assert pickle.loads(pickle.dumps(kind())) == kind()
    assert kind().splits([], None) == ()


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_has_a_parser_and_refuses_an_empty_folder(name: str, tmp_path: Path) -> None:
    text = help_text(load_command("prepare", ["--recipe", name]))
    for option in fields(RECIPES[name]):  # type: ignore[arg-type]
        assert f"--{option.name.replace('_', '-')}" in text
    with pytest.raises(InputError, match=r".{20}"):
        RECIPES[name]().survey(tmp_path)
