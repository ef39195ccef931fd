"""`kinespan evaluate` on files: what each rule prints and writes, and the names that the command line offers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kinespan.annotations.activitynet import write_predictions, write_truth
from kinespan.cli import main
from kinespan.data.annotation import Annotation, LabelSet, Span
from kinespan.data.predictions import Predictions, Truth

LABELS = LabelSet(("walk", "sit"))


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Two recordings, three true spans; walk is found twice, the second time as a duplicate, sit once, half right."""
    truth = {
        "x": Annotation((Span(0, 2, "walk"), Span(4, 6, "sit")), LABELS),
        "y": Annotation((Span(0, 2, "sit"),), LABELS),
    }
    found = {
        "x": (Span(0, 2, "walk", 0.9), Span(0, 1.8, "walk", 0.8), Span(4, 5, "sit", 0.7)),
        "y": (),
    }
    details = {"decoder": "stal", "training": {"seed": 3}}
    write_truth(Truth(truth, LABELS, {"x": 8.0, "y": 3.0}, {"x": 10.0}), tmp_path / "T.json")
    write_predictions(Predictions(found, details=details), tmp_path / "P.json")
    return ["evaluate", "--predictions", str(tmp_path / "P.json"), "--truth", str(tmp_path / "T.json")]


def rows(text: str) -> dict[str, list[str]]:
    """The words of each line that follow its first, by its first."""
    return {words[0]: words[1:] for line in text.splitlines() if (words := line.split())}


def test_the_command_reports_the_official_figures_of_pku_mmd(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*files, "--rule", "pku", "--out", str(tmp_path / "m.json")]) == 0
    told = capsys.readouterr().out
    # walk: its duplicate leaves the right one alone, at precision 1. sit: one of two is found.
    figures = json.loads((tmp_path / "m.json").read_text())["figures"]
    assert figures["mAP_a"] == {"0.5": pytest.approx((1.0 + 0.5) / 2)}
    # x: sit, half of recall, leaves with 2 / 3 the best precision so far; walk, the other half, with 1. y has nothing.
    assert figures["mAP_v"] == {"0.5": pytest.approx(((2 / 3) / 2 + 1 / 2 + 0) / 2)}
    assert figures["AP"] == {"0.5": pytest.approx((2 / 3 + 1) / 3)}
    assert figures["F1"] == {"0.5": pytest.approx(2 * 2 / 6)}
    # Up to .50 as above. Then sit is wrong, and up to .90 walk still counts with 1, as its duplicate leaves before it;
    # beyond, that has no true span either, so that no point lies between the whole list, 1 / 3, and the empty one.
    assert figures["2D-AP"] == pytest.approx((10 * (2 / 3 + 1) / 3 + 8 * 1 / 3 + 2 * (1 / 3) / 3) / 20)
    shown = rows(told)
    assert shown["theta"] == ["0.5"]
    assert (shown["mAP_a"], shown["mAP_v"], shown["AP"], shown["F1"]) == (["75.0"], ["41.7"], ["55.6"], ["66.7"])
    assert shown["2D-AP"][0] == "42.2"
    assert "rule pku, decoder stal, seed 3" in told
    assert "no fps for 1 recording;" in told


def test_the_command_reports_the_thresholds_asked_for(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*files, "--rule", "pku", "--tiou", "0.1", "0.3", "0.5", "0.7"]) == 0
    shown = rows(capsys.readouterr().out)
    assert shown["theta"] == ["0.1", "0.3", "0.5", "0.7"]
    assert shown["mAP_a"] == ["75.0", "75.0", "75.0", "50.0"]
    assert len(shown["F1"]) == 4


def test_the_command_reports_both_figures_of_simple_det(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*files, "--rule", "simple-det"]) == 0
    shown = rows(capsys.readouterr().out)
    assert shown["theta"] == ["0.1", "0.3", "0.5"]
    # walk 1, sit 1 / 2: at 10 fps 11 of 21 frames are shared.
    assert shown["mAP_a"] == ["75.0"] * 3
    assert shown["mAP_v"] == ["41.7"] * 3
    assert "2D-AP" not in shown


def test_the_mean_column_is_over_its_own_thresholds(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    shown = []
    for more in ([], ["--tiou", "0.9"]):
        assert main([*files, *more]) == 0
        shown.append(rows(capsys.readouterr().out)["per"][1:])
    assert shown[0][0] == shown[1][0] == "75.0"
    assert shown[1][1] == "-"


def test_predictions_are_not_decoded_again(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*files, "--decoder", "stal"]) != 0
    assert "--decoder stal: predictions are decoded already" in capsys.readouterr().err
    assert main([*files, "--decoder", "stl"]) != 0
    told = capsys.readouterr().err
    assert "unknown decoder 'stl'" in told
    assert "simple-det" in told


# ---- files as other programs write them ------------------------------------------------------------------------------


def activitynet(folder: Path, database: dict[str, object], results: dict[str, object]) -> list[str]:
    """The command for plain ActivityNet files: recordings as (subset, [(label, start, end)]) and [(.., score)]."""
    truth = {
        name: {"duration": 60.0, "subset": subset, "annotations": [{"label": s[0], "segment": s[1:]} for s in spans]}
        for name, (subset, spans) in database.items()
    }
    found = {
        name: [{"label": s[0], "segment": s[1:3], "score": s[3]} for s in spans] for name, spans in results.items()
    }
    (folder / "T.json").write_text(json.dumps({"version": "1.3", "database": truth}))
    (folder / "P.json").write_text(json.dumps({"version": "1.3", "results": found}))
    return ["evaluate", "--predictions", str(folder / "P.json"), "--truth", str(folder / "T.json")]


DATABASE = {
    "t1": ("training", [("walk", 0, 10), ("hop", 20, 30)]),
    "v1": ("validation", [("walk", 0, 10)]),
    "v2": ("validation", [("sit", 5, 15)]),
    "x1": ("testing", []),
}
VALIDATION = {"v1": [("walk", 0, 10, 0.9)], "v2": [("sit", 5, 15, 0.8)]}


def test_subsets_without_predictions_are_not_missed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = activitynet(tmp_path, DATABASE, VALIDATION)
    assert main(command) == 0
    told = capsys.readouterr().out
    assert rows(told)["all"] == ["labels", *["100.0"] * 5]
    assert "evaluated on subset validation: nothing is predicted in training (1 recording), testing (1" in told
    assert "2 recordings, rule activitynet" in told
    assert main([*command, "--out", str(tmp_path / "m.json")]) == 0
    assert "evaluated on subset validation" in json.loads((tmp_path / "m.json").read_text())["facts"]["notes"][0]
    capsys.readouterr()
    assert main([*command, "--subset", "training", "validation", "testing"]) == 0
    told = capsys.readouterr().out
    assert "nothing is predicted" not in told
    # walk: one of two is found; sit is; hop is not.
    assert rows(told)["all"] == ["labels", *["50.0"] * 5]


def test_a_subset_asked_for_leaves_predictions_of_others_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = activitynet(tmp_path, DATABASE, {**VALIDATION, "t1": [("walk", 40, 50, 1.0)]})
    assert main([*command, "--subset", "validation"]) == 0
    told = capsys.readouterr().out
    assert rows(told)["all"] == ["labels", *["100.0"] * 5]
    assert "left out: predictions of 1 recording in other subsets" in told
    assert main(command) == 0
    assert "evaluated on subset training, validation: nothing is predicted in testing" in capsys.readouterr().out
    assert main([*command, "--subset", "validatoin"]) == 2
    assert "unknown subset 'validatoin'; did you mean 'validation'?" in capsys.readouterr().err
    assert main(["evaluate", "model", "corpus", "--subset", "validation"]) == 2
    assert "--subset" in capsys.readouterr().err


def test_spans_without_length_are_told_and_counted_as_the_official_evaluator_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = {**DATABASE, "v3": ("validation", [("walk", 7, 7)])}
    results = {**VALIDATION, "v2": [("sit", 5, 15, 0.8), ("sit", 41, 40, 0.9)]}
    assert main(activitynet(tmp_path, database, results)) == 0
    told = capsys.readouterr().out
    told_of_truth, told_of_predictions = told.splitlines()[1:3]
    assert told_of_truth.startswith(
        "ground truth: 1 of 5 segments end before or where they start, such as 'walk' of v3"
    )
    assert "counts them as missed" in told_of_truth
    assert told_of_predictions.startswith("predictions: 1 of 3 segments")
    assert "'sit' of v2, 41 to 40 s; left out, save that mAP counts them as wrong" in told_of_predictions
    # walk: one of two is found; sit: the wrong one has the higher score.
    assert rows(told)["all"] == ["labels", *["50.0"] * 5]
    assert main([*activitynet(tmp_path, database, results), "--rule", "pku"]) == 0
    assert "7 to 7 s; left out\n" in capsys.readouterr().out


def test_a_predicted_label_that_truth_does_not_know_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = {**VALIDATION, "v2": [("sit", 5, 15, 0.8), ("Sit", 5, 15, 0.9), ("Sit", 6, 15, 0.9)]}
    assert main(activitynet(tmp_path, DATABASE, results)) == 0
    told = capsys.readouterr().out
    assert "unknown to the ground truth and not counted in mAP: 'Sit' (2 predictions)" in told
    assert rows(told)["all"] == ["labels", *["100.0"] * 5]
