"""`ActionLocalizer`: an estimator as scikit-learn has them, by itself and in scikit-learn's hands."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold, ParameterGrid, cross_val_score

import kinespan
from kinespan.config import NetworkConfig
from kinespan.errors import InputError
from kinespan.prepare.synthetic.takes import SyntheticConfig, synthetic_takes

pytestmark = pytest.mark.usefixtures("one_thread")

QUICK = {"steps": 6, "batch_size": 4, "clip_frames": 32, "precision": "32"}
TAKES = list(synthetic_takes(SyntheticConfig(recordings=6, seconds=(6.0, 8.0), fps=15.0)))
RECORDINGS = [recording for recording, _ in TAKES]
ANNOTATIONS = [annotation for _, annotation in TAKES]


def finetuning(**changes: object) -> kinespan.ActionLocalizer:
    return kinespan.ActionLocalizer("finetune", **{**QUICK, **changes})  # type: ignore[arg-type]


def test_fit_predict_and_score_of_recordings_and_annotations() -> None:
    localizer = finetuning(seed=1)
    assert localizer.fit(RECORDINGS[:4], ANNOTATIONS[:4]) is localizer
    assert localizer.labels_ == ANNOTATIONS[0].labels
    predicted = localizer.predict(RECORDINGS[4:])
    assert [annotation.labels for annotation in predicted] == [localizer.labels_] * 2
    assert predicted[0] == localizer.model_.localize(RECORDINGS[4])
    score = localizer.score(RECORDINGS[4:], ANNOTATIONS[4:])
    result = kinespan.localize(localizer.model_, RECORDINGS[4:])
    truth = {recording.name: annotation for recording, annotation in TAKES[4:]}
    assert score == pytest.approx(kinespan.evaluate(result, truth).f1["50"], abs=0.02)


def test_enough_steps_learn_the_training_recordings() -> None:
    localizer = finetuning(steps=80, batch_size=8).fit(RECORDINGS, ANNOTATIONS)
    assert localizer.score(RECORDINGS, ANNOTATIONS) > 0.5


def test_the_same_seed_gives_the_same_answer_and_another_seed_another() -> None:
    first, second, third = (finetuning(seed=seed).fit(RECORDINGS[:3], ANNOTATIONS[:3]) for seed in (0, 0, 1))
    scores = [each.model_.frame_scores(RECORDINGS[4]) for each in (first, second, third)]
    np.testing.assert_array_equal(scores[0], scores[1])
    assert not np.allclose(scores[0], scores[2])


def test_learn_uses_recordings_without_labels() -> None:
    rows = [[(span.label, span.start, span.end) for span in annotation.spans] for annotation in ANNOTATIONS[:2]]
    labels = [*rows, None, None, None, None]
    localizer = kinespan.ActionLocalizer(pretrain_steps=3, steps=2, encoder="tcn", partner_encoder="stgcn16_light")
    localizer.fit(RECORDINGS, labels)
    assert type(localizer.model_).__name__ == "Ensemble"
    assert localizer.model_.spec.training["taught_recordings"] == 4
    assert set(localizer.labels_.names) == {label for each in rows for label, _, _ in each}


def test_recordings_need_no_names() -> None:
    nameless = [kinespan.Recording(each.positions, each.fps, "ntu25", valid=each.valid) for each in RECORDINGS[:3]]
    localizer = finetuning().fit(nameless, ANNOTATIONS[:3])
    assert len(localizer.predict([nameless[0], nameless[0]])) == 2
    assert 0 <= localizer.score(nameless, ANNOTATIONS[:3]) <= 1


@pytest.mark.parametrize("spans", [[], [("walk", 0.5, 2.0)]])
def test_events_are_learnt_predicted_and_scored_within_their_tolerance(spans: list[object]) -> None:
    rows = [[*spans, ("strike", 2.5), ("strike", 4.0)]] * 2
    localizer = finetuning(steps=30).fit(RECORDINGS[:2], rows)
    assert localizer.labels_.events == ("strike",)
    answers = localizer.predict(RECORDINGS[:2])
    assert {event.label for answer in answers for event in answer.events} <= {"strike"}
    result = kinespan.localize(localizer.model_, RECORDINGS[:2])
    strikes = kinespan.Annotation((), localizer.labels_, events=[kinespan.Event(time, "strike") for time in (2.5, 4.0)])
    truth = {take.name: strikes for take in RECORDINGS[:2]}
    if not spans:
        metrics = kinespan.evaluate(result, truth)
        assert localizer.score(RECORDINGS[:2], rows) == pytest.approx(metrics.events.figures()["f1"])
        assert list(metrics.headline()) == ["F1 of events"]
    else:
        assert 0 <= localizer.score(RECORDINGS[:2], rows) <= 1


def test_people_whom_labels_name_are_told_apart() -> None:
    pairs = [
        kinespan.Recording(np.concatenate([a.positions[:80], b.positions[:80]], axis=1), 15, "ntu25")
        for a, b in zip(RECORDINGS[:2], RECORDINGS[2:4], strict=True)
    ]
    rows = [[kinespan.Span(0.5, 3.0, "wave", person=0), kinespan.Span(1.0, 4.0, "walk", person=1)]] * 2
    localizer = finetuning(steps=40).fit(pairs, rows)
    assert localizer.labels_.exclusive, "what different people do at a time is no overlap"
    assert {span.person for answer in localizer.predict(pairs) for span in answer.spans} <= {0, 1}
    assert 0 <= localizer.score(pairs, rows) <= 1


def test_labels_that_overlap_are_scored_by_map() -> None:
    rows = [[("wave", 0.5, 3.0), ("walk", 2.0, 5.0)], [("walk", 1.0, 4.0)]]
    localizer = finetuning().fit(RECORDINGS[:2], rows)
    assert not localizer.labels_.exclusive
    assert 0 <= localizer.score(RECORDINGS[:2], rows) <= 1


def test_scikit_learn_clones_searches_and_cross_validates() -> None:
    localizer = finetuning(seed=3)
    copy = clone(localizer)
    assert copy is not localizer
    assert copy.get_params() == localizer.get_params()
    scores = cross_val_score(localizer, RECORDINGS, ANNOTATIONS, cv=KFold(2))
    assert scores.shape == (2,)
    assert np.isfinite(scores).all()
    search = GridSearchCV(finetuning(), {"steps": np.array([2, 4])}, cv=KFold(2), error_score="raise")
    search.fit(RECORDINGS, ANNOTATIONS)
    assert search.best_params_["steps"] in (2, 4)
    assert len(search.predict(RECORDINGS[:2])) == 2


def test_parameters_are_those_that_were_given_or_set() -> None:
    localizer = kinespan.ActionLocalizer(steps=5, network=NetworkConfig(encoder="tcn"))
    assert localizer.get_params() == {
        "training": "learn", "pretrained": None, "people": None, "quiet": True,
        "steps": 5, "network": NetworkConfig(encoder="tcn"),
    }  # fmt: skip
    for params in ParameterGrid({"training": ["finetune"], "network__fps": [10.0], "steps": [9]}):
        assert localizer.set_params(**params) is localizer
    assert localizer.get_params()["steps"] == 9
    assert localizer.get_params()["network__fps"] == 10.0
    assert repr(kinespan.ActionLocalizer("finetune", steps=9)) == "ActionLocalizer(training='finetune', steps=9)"
    assert "not trained yet" in localizer._repr_html_()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: kinespan.ActionLocalizer(step=3), "did you mean 'steps'"),
        (lambda: kinespan.ActionLocalizer("train"), "training is 'train', expected learn or finetune"),
        (lambda: kinespan.ActionLocalizer(split="by-performer"), "split: fit trains on all"),
        (lambda: kinespan.ActionLocalizer(people="alone"), "people is 'alone'"),
        (lambda: kinespan.ActionLocalizer().set_params(batch_size=3), "unknown setting 'batch_size'"),
        (lambda: kinespan.ActionLocalizer().predict(RECORDINGS), "not trained yet; call fit"),
        (lambda: finetuning().fit(RECORDINGS[0], ANNOTATIONS[0]), "found one, expected a list"),
        (lambda: finetuning().fit([RECORDINGS[0].positions], [None]), "number 0 is of type ndarray"),
        (lambda: finetuning().fit(RECORDINGS, ANNOTATIONS[:2]), "found 2 for 6 recordings"),
        (lambda: finetuning().fit(RECORDINGS, [None] * 6), "no recording has labels"),
    ],
)
def test_mistakes_are_told(make, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_parameters_stay_as_they_were_where_one_that_is_set_is_bad() -> None:
    localizer = finetuning()
    before = localizer.get_params()
    with pytest.raises(InputError):
        localizer.set_params(steps=3, batch=4)
    assert localizer.get_params() == before


def test_untrained_estimators_go_to_other_processes() -> None:
    localizer = finetuning(seed=4)
    assert pickle.loads(pickle.dumps(localizer)).get_params() == localizer.get_params()


def test_making_an_estimator_needs_neither_torch_nor_scikit_learn() -> None:
    code = (
        "import sys, kinespan\n"
        "kinespan.ActionLocalizer('finetune', steps=3).get_params()\n"
        "print(sorted({'torch', 'lightning', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_is_no_recording_and_labels_that_are_all_missing_are_told() -> None:
    with pytest.raises(InputError, match="annotations: no recording has labels; give rows"):
        finetuning().fit(RECORDINGS, [None] * len(RECORDINGS))
    model = finetuning(steps=1).fit(RECORDINGS[:2], ANNOTATIONS[:2]).model_
    with pytest.raises(InputError, match="recording: found a ndarray, expected a Recording"):
        model.localize(RECORDINGS[0].positions)  # type: ignore[arg-type]
