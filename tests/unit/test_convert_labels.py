"""kinespan convert on labels, labels of any format in prepare, and answers written for other programs."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from kinespan.annotations import LabelFile, LabelRow, check_can_write, read_label_file, write_label_file
from kinespan.cli import main
from kinespan.cli.labels import written_lines
from kinespan.corpus.info import RecordingInfo
from kinespan.corpus.store import Corpus
from kinespan.data.annotation import Annotation, Event, LabelSet, Span
from kinespan.data.clock import Clock
from kinespan.data.skeletons import KINECT_20
from kinespan.errors import InputError
from kinespan.io.npz import save_npz
from kinespan.prepare.labels import LabelSettings, read_labels
from kinespan.runs.outputs import write_formats

ROWS = (
    LabelRow("take", "walk", 0.5, 2.25, "", tier="A"),
    LabelRow("take", "sit", 2.0, 3.5, "", tier="B"),
    LabelRow("take", "hit", 4.125, None, "", tier="B"),
)


def made(path: Path, rows: tuple[LabelRow, ...] = ROWS) -> Path:
    """A label file in the format of its ending."""
    names = tuple(dict.fromkeys(row.recording for row in rows))
    write_label_file(LabelFile(path, names, rows), path)
    return path


def convert(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str]:
    code = main(["convert", *map(str, words)])
    said = capsys.readouterr()
    return code, said.out + said.err


def table(path: Path) -> list[tuple[str, str, str, str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [(row["recording"], row["label"], row["start"], row["end"], row.get("tier", "")) for row in rows]


def test_labels_are_written_as_a_table_with_every_tier(tmp_path, capsys):
    code, said = convert(capsys, made(tmp_path / "take.eaf"), tmp_path / "labels.csv")
    assert code == 0
    assert table(tmp_path / "labels.csv") == [
        ("take", "walk", "0.5", "2.25", "A"), ("take", "sit", "2.0", "3.5", "B"), ("take", "hit", "4.125", "", "B")
    ]  # fmt: skip
    assert "elan, 3 rows, 1 of them instants, 1 recording" in said
    assert "tiers, kept apart: 'A' (1), 'B' (2)" in said
    assert f"written to {tmp_path / 'labels.csv'}" in said


def test_tiers_are_chosen_by_name_or_pattern(tmp_path, capsys):
    source = made(tmp_path / "take.eaf", (*ROWS, LabelRow("take", "x", 5.0, 6.0, "", tier="A2")))
    for words, count in ((["B"], 2), (["A*"], 2), (["A"], 1), (["A", "B"], 3)):
        assert convert(capsys, source, tmp_path / "labels.csv", "--overwrite", "--tier", *words)[0] == 0
        assert len(table(tmp_path / "labels.csv")) == count
    code, said = convert(capsys, source, tmp_path / "labels.csv", "--overwrite", "--tier", "C")
    assert code == 2
    assert "--tier C" in said
    assert "'A' (1), 'B' (2), 'A2' (1)" in said


@pytest.mark.parametrize(
    "name, tiers", [("a", {"a"}), ("a ", {"a "}), ("b", {" b"}), ("*", {"a", "a ", " b", "*c"}), ("?c", {"*c"})]
)
def test_a_tier_is_first_the_one_of_that_very_name(name, tiers):
    rows = tuple(LabelRow("r", "x", 0.0, 1.0, "", tier=tier) for tier in ("a", "a ", " b", "*c"))
    file = LabelFile(Path("x.eaf"), ("r",), rows)
    assert set(file.of_tiers([name]).tiers) == tiers


def test_folders_are_read_as_one_and_written_as_a_file_for_each_recording(tmp_path, capsys):
    folder = tmp_path / "codings"
    folder.mkdir()
    made(folder / "one.eaf")
    made(folder / "two.vtt")
    assert convert(capsys, folder, tmp_path / "all.boris")[0] == 0
    assert read_label_file(tmp_path / "all.boris").recordings == ("one", "two")
    code, said = convert(capsys, tmp_path / "all.boris", tmp_path / "all.eaf")
    assert code == 2
    assert "holds one recording" in said
    assert "--to elan" in said
    for to in ("elan", "eaf", ".eaf"):
        code, said = convert(capsys, tmp_path / "all.boris", tmp_path / "out", "--to", to, "--overwrite")
        assert code == 0
        assert "one.eaf: instants, written as spans of 40 ms, as ELAN needs a length: 1" in said
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["one.eaf", "two.eaf"]
    code, said = convert(capsys, tmp_path / "all.boris", tmp_path / "out", "--to", "elan")
    assert code == 2
    assert "exists already" in said


def test_what_is_neither_motion_nor_labels_is_told(tmp_path, capsys):
    path = tmp_path / "notes.txt"
    path.write_text("dear diary")
    code, said = convert(capsys, path, tmp_path / "x.csv")
    assert code == 2
    assert "of no known format" in said
    assert "Nor is it a file of labels, which are read as activitynet" in said
    code, said = convert(capsys, tmp_path / "gone.eaf", tmp_path / "x.csv")
    assert (code, said) == (2, f"kinespan: {tmp_path}/gone.eaf: no such file\n")


def test_options_for_motion_are_refused_for_labels_and_the_other_way_round(tmp_path, capsys):
    source = made(tmp_path / "take.eaf")
    code, said = convert(capsys, source, tmp_path / "x.csv", "--up", "z")
    assert code == 2
    assert "--up: for motion files, not for labels" in said
    bvh = tmp_path / "x.bvh"
    bvh.write_text("HIERARCHY\nROOT a\n")
    code, said = convert(capsys, bvh, tmp_path / "x.npz", "--tier", "A")
    assert code == 2
    assert "--tier: for labels, not for motion" in said


def test_the_unit_of_times_is_asked_for_or_told(tmp_path, capsys):
    plain = tmp_path / "plain.csv"
    plain.write_text("recording,label,start,end\nr,a,50,100\nr,b,100,150\n")
    code, said = convert(capsys, plain, tmp_path / "x.csv")
    assert code == 0
    assert "warning: all times are whole numbers, taken for seconds" in said
    code, said = convert(capsys, plain, tmp_path / "x.csv", "--overwrite", "--time", "frames")
    assert code == 2
    assert "give --fps" in said
    code, said = convert(capsys, plain, tmp_path / "x.csv", "--overwrite", "--time", "frames", "--fps", "50")
    assert code == 0
    assert table(tmp_path / "x.csv")[0] == ("r", "a", "1.0", "2.0", "")
    assert "decided: times are taken for frames (--time)" in said
    assert convert(capsys, plain, tmp_path / "x.csv", "--overwrite", "--time", "ms", "--offset", "0.5")[0] == 0
    assert table(tmp_path / "x.csv")[0] == ("r", "a", "0.55", "0.6", "")


def test_a_unit_that_nothing_says_is_asked_for(tmp_path):
    file = LabelFile(tmp_path / "x.txt", ("r",), (LabelRow("r", "a", 5.0, 6.0, ""),), open_unit="Begin Time")
    with pytest.raises(InputError, match=r"x\.txt: nothing says what the times in 'Begin Time' count; give --time"):
        file.in_seconds()
    assert file.in_seconds("milliseconds").rows[0].end == 0.006


def test_only_instants_and_spans_as_they_are_reach_the_table_of_answers(tmp_path):
    labels = LabelSet(("walk", "hit"), events=("hit",))
    answers = {
        "a": Annotation((Span(0.5, 1.5, "walk", 0.9),), labels, events=(Event(1.0, "hit", 0.8),)),
        "b/c": Annotation((), labels),
    }
    written = write_formats(answers, {"a": Clock(30.0, 90)}, tmp_path, ["elan", "boris", "csv"])
    lines = written_lines(written, tmp_path)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")) == [
        "boris/answers.boris", "csv/answers.csv", "elan/a.eaf", "elan/b/c.eaf"
    ]  # fmt: skip
    for path in ("boris/answers.boris", "elan/a.eaf"):
        rows = read_label_file(tmp_path / path).rows
        assert [(row.label, row.start, row.end) for row in rows] == [("walk", 0.5, 1.5), ("hit", 1.0, None)]
    assert "elan: a.eaf: not held by ELAN: the score of 2 rows" in lines
    conf = json.loads((tmp_path / "boris" / "answers.boris").read_text())["behaviors_conf"]
    assert {entry["code"]: entry["type"] for entry in conf.values()} == {"walk": "State event", "hit": "Point event"}


def test_formats_to_write_are_checked_by_name():
    check_can_write("elan")
    with pytest.raises(InputError, match="did you mean 'elan'"):
        check_can_write("ellan")
    with pytest.raises(InputError, match=r"can be read, not written; written are .*boris"):
        check_can_write("boris_table")


def test_labels_of_motion_are_written_for_other_programs(tmp_path, capsys):
    assert main(["prepare", "synthetic", "--recordings", "2", "--out", str(tmp_path / "made")]) == 0
    corpus = Corpus.open(tmp_path / "made")
    name = corpus.names[0]
    (tmp_path / "takes").mkdir()
    save_npz(corpus[name], tmp_path / "takes" / "labelled.npz", corpus.annotation(name))
    save_npz(corpus[name], tmp_path / "takes" / "plain.npz")
    code, said = convert(capsys, tmp_path / "takes" / "labelled.npz", tmp_path / "x.eaf")
    assert code == 0
    spans = corpus.annotation(name).spans
    assert f"motion, {len(spans)} rows" in said
    assert [row.label for row in read_label_file(tmp_path / "x.eaf").rows] == [span.label for span in spans]
    code, said = convert(capsys, tmp_path / "takes", tmp_path / "out", "--to", "elan")
    assert code == 0
    assert "recordings without labels left out: 1" in said
    code, said = convert(capsys, tmp_path / "takes" / "plain.npz", tmp_path / "y.eaf")
    assert code == 2
    assert "plain.npz: it is motion without labels" in said


def test_info_lists_tiers_and_labels_with_their_rows(tmp_path, capsys):
    assert main(["info", str(made(tmp_path / "take.eaf"))]) == 0
    said = capsys.readouterr().out
    assert "format: elan" in said
    assert "tiers:\n  A: 1\n  B: 2\n" in said
    assert "labels:\n  walk: 1\n" in said
    assert main(["info", str(tmp_path / "take.eaf"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tiers"] == {"A": 1, "B": 2}


# ---- prepare --annotations


def info(name: str) -> RecordingInfo:
    return RecordingInfo(name, 30.0, 300, 1, KINECT_20, f"{name}.bvh", "", {}, (), False)


def prepared(path: Path, *known: str, **settings: object) -> tuple[dict[str, Annotation], list[str]]:
    labels = read_labels(path, known, LabelSettings(**settings))  # type: ignore[arg-type]
    return labels.annotations([info(name) for name in known])


def test_tiers_are_not_merged_unasked_in_a_corpus(tmp_path):
    source = made(tmp_path / "take.eaf")
    with pytest.raises(InputError, match=r"labels of 2 tiers, .* 'A' \(1\), 'B' \(2\); choose by --tier"):
        prepared(source, "take")
    annotations, decisions = prepared(source, "take", tier=("A",))
    assert annotations["take"].labels.names == ("walk",)
    assert "labels of the tiers 'A' (1) (--tier), of 2" in decisions
    assert prepared(source, "take", tier=("*",))[0]["take"].labels.names == ("hit", "sit", "walk")


def test_a_folder_of_label_files_is_matched_by_name(tmp_path):
    made(tmp_path / "one.eaf", ROWS[:1])
    made(tmp_path / "two.srt", ROWS[:1])
    annotations, decisions = prepared(tmp_path, "one", "two", "three")
    assert {name: [span.label for span in each.spans] for name, each in annotations.items()} == {
        "one": ["walk"], "two": ["walk"]
    }  # fmt: skip
    assert f"labels of 2 files in {tmp_path}" in decisions
    assert "each recording has one tier, not all the same: 'A' (1), '' (1); --tier chooses" in decisions


def test_observations_are_matched_by_their_film_where_their_name_is_none(tmp_path):
    behaviours = {"0": {"type": "State event", "code": "s"}}
    events = [[1.0, "", "s", "", ""], [2.0, "", "s", "", ""]]

    def project(*names: str) -> Path:
        film = {"file": {"1": ["films/walk_01.mp4"]}, "events": events}
        path = tmp_path / "x.boris"
        path.write_text(json.dumps({"behaviors_conf": behaviours, "observations": dict.fromkeys(names, film)}))
        return path

    annotations, decisions = prepared(project("first look"), "walk_01")
    assert [(span.start, span.end) for span in annotations["walk_01"].spans] == [(1.0, 2.0)]
    assert "labels of 'first look' are of 'walk_01', by the name of their film" in decisions
    with pytest.raises(InputError, match="'first look', 'second look' are all labels of the film of 'walk_01'"):
        prepared(project("first look", "second look"), "walk_01")


def test_prepare_reads_a_folder_of_labels_beside_the_motion(tmp_path, capsys):
    assert main(["prepare", "synthetic", "--recordings", "2", "--out", str(tmp_path / "made")]) == 0
    corpus = Corpus.open(tmp_path / "made")
    (tmp_path / "takes").mkdir()
    for name in corpus.names:
        save_npz(corpus[name], tmp_path / "takes" / f"{name}.npz")
        made(tmp_path / "takes" / f"{name}.eaf", ROWS[:1])
    capsys.readouterr()
    takes = str(tmp_path / "takes")
    assert main(["prepare", takes, "--annotations", takes, "--out", str(tmp_path / "corpus")]) == 0
    said = capsys.readouterr().out
    assert "labels of 2 files in" in said
    assert "skipped" not in said
    annotated = Corpus.open(tmp_path / "corpus")
    for name in annotated.names:
        assert [span.label for span in annotated.annotation(name).spans] == ["walk"]
