"""Ensembles: the weighted mean of the members' scores, one file, and refusal of members that do not match."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from model_cases import with_changes
from safetensors.torch import save_file

from kinespan.cli import main
from kinespan.config import Normalisation
from kinespan.data.annotation import LabelSet
from kinespan.data.recording import Recording
from kinespan.data.skeletons import KINECT_20, NTU_25
from kinespan.decode import decode
from kinespan.errors import InputError
from kinespan.models.base import Model
from kinespan.models.ensemble import Ensemble, ensemble, ensemble_spec
from kinespan.models.input_spec import InputSpec
from kinespan.models.localizer import Localizer
from kinespan.models.model_file import ModelSpec, read_spec, read_weights, save_weights
from kinespan.runs.load import load_encoder, load_model
from kinespan.runs.predict import localize

LABELS = LabelSet(("walk", "sit"))
FPS = 10.0


def spec_of(**changes):
    spec = ModelSpec(
        kind="localizer", input=InputSpec(KINECT_20, FPS, ("joint",), Normalisation()),
        encoder="stgcn16_light", fusion="last_map", labels=LABELS,
    )  # fmt: skip
    return with_changes(spec, **changes)


def made(seed, **changes):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Localizer(spec_of(**changes)).eval()
        model.head.linear.weight.data *= 20  # scores that are far apart
    return model


def moving(frames=40, people=1, seed=0, valid=None, name="take"):
    rng = np.random.default_rng(seed)
    rest = np.random.default_rng(99).uniform(-0.5, 0.5, (20, 3)) + np.array([0, 1, 0])
    positions = rest + rng.standard_normal((frames, people, 20, 3)).cumsum(axis=0) * 0.1
    return Recording(positions.astype(np.float32), FPS, KINECT_20, name, valid)


class Fixed(Model):
    """A model whose scores are given."""

    def __init__(self, scores, **changes):
        super().__init__(spec_of(**changes))
        self.scores = np.array(scores, dtype=np.float32)

    def frame_scores(self, recording, window=60.0):
        return self.scores


# ---- scores ----------------------------------------------------------------------------------------------------------


def test_scores_are_the_weighted_mean_computed_by_hand():
    one = Fixed([[0.5, 0.3, 0.2], [0.0, 0.0, 1.0]])
    two = Fixed([[0.1, 0.7, 0.2], [0.5, 0.5, 0.0]])
    assert ensemble([one, two]).frame_scores(moving()) == pytest.approx(np.array([[0.3, 0.5, 0.2], [0.25, 0.25, 0.5]]))
    found = ensemble([one, two], [3, 1]).frame_scores(moving())  # weights need not add up to one
    assert found == pytest.approx(np.array([[0.4, 0.4, 0.2], [0.125, 0.125, 0.75]]))
    assert found.dtype == np.float32


def test_overlapping_labels_keep_the_meaning_of_background():
    """1 - the largest mean, not the mean of 1 - the largest."""
    labels = LabelSet(LABELS.names, exclusive=False)
    members = [Fixed([[0.1, 0.9, 0.2]], labels=labels), Fixed([[0.2, 0.4, 0.8]], labels=labels)]
    assert ensemble(members).frame_scores(moving()) == pytest.approx(np.array([[0.35, 0.65, 0.5]]))


def test_members_see_streams_skeleton_and_normalisation_of_their_own():
    members = [
        made(0),
        made(1, streams=("bone", "joint_motion"), normalisation=Normalisation(heading="none", size="none")),
        made(2, streams=("bone",), skeleton=NTU_25, encoder="stgcn16", fusion="nested_u"),
    ]
    recording = moving(valid=np.arange(40)[:, None] < 35)
    model = ensemble(members, [0.6, 0.6, 0.4])
    each = [member.frame_scores(recording) for member in members]
    expected = (0.6 * each[0] + 0.6 * each[1] + 0.4 * each[2]) / 1.6
    scores = model.frame_scores(recording, window=1.0)
    assert np.allclose(scores, expected, atol=2e-5)
    assert np.array_equal(scores[35:], np.tile([1.0, 0.0, 0.0], (5, 1)))  # nobody is there
    assert not np.allclose(expected, each[0], atol=1e-2)


def test_spans_are_decoded_from_the_mean():
    model = ensemble([made(0), made(1)])
    recording = moving(60, people=2)
    scores = model.frame_scores(recording)
    proposals = model.proposals(recording)
    assert proposals
    assert proposals == decode(scores, FPS, LABELS, model.spec.decode)
    assert {span.person for span in model.proposals(recording, "each")} == {0, 1}
    result = localize(model, [recording])
    assert result.segmentation["take"].spans == tuple(model.segment(scores))
    assert np.array_equal(result.scores["take"], scores)


def test_an_ensemble_of_a_model_with_itself_equals_the_model():
    member = made(0)
    recording = moving()
    assert np.allclose(ensemble([member, member], [0.3, 2]).frame_scores(recording), member.frame_scores(recording))


# ---- files -----------------------------------------------------------------------------------------------------------


def test_the_file_of_an_ensemble_is_enough_without_those_of_its_members(tmp_path):
    members = [made(0), made(1, streams=("bone",))]
    for number, member in enumerate(members):
        member.save(tmp_path / f"{number}.safetensors")
    model = ensemble([load_model(tmp_path / f"{number}.safetensors") for number in (0, 1)], [2, 1])
    model.save(tmp_path / "ensemble.safetensors")
    for number in (0, 1):
        (tmp_path / f"{number}.safetensors").unlink()
    again = load_model(tmp_path / "ensemble.safetensors")
    assert isinstance(again, Ensemble)
    assert not again.training
    assert again.spec == model.spec == read_spec(tmp_path / "ensemble.safetensors")
    recording = moving()
    assert np.array_equal(again.frame_scores(recording), model.frame_scores(recording))
    assert again.localize(recording) == model.localize(recording)


def test_an_ensemble_can_be_a_member_of_another(tmp_path):
    members = [made(seed) for seed in range(3)]
    recording = moving()
    model = ensemble([ensemble(members[:2]), members[2]], [2, 1])
    model.save(tmp_path / "m.safetensors")
    expected = np.mean([member.frame_scores(recording) for member in members], axis=0)
    assert np.allclose(load_model(tmp_path / "m.safetensors").frame_scores(recording), expected, atol=1e-6)


def test_the_spec_joins_the_facts_of_the_members():
    first = {"corpus": "a", "seed": 0, "split": "s", "pretrained": {"method": "m", "seed": 1}, "steps": 5}
    second = {"corpus": "a", "seed": 1, "split": None, "pretrained": {"method": "m", "seed": 2}, "steps": 5}
    one = spec_of(training=first, licence="CC0")
    two = spec_of(training=second, licence="MIT", streams=("bone",))
    spec = ensemble_spec([one, two, one])
    assert (spec.kind, spec.input.streams, spec.weights) == ("ensemble", ("joint", "bone"), (1, 1, 1))
    assert spec.training == {
        "corpus": "a", "seed": "0 + 1 + 0", "split": "s + none + s", "steps": 5,
        "pretrained": {"method": "m", "seed": "1 + 2 + 1"},
    }  # fmt: skip
    assert spec.licence == "CC0; MIT"
    assert spec.members == (one, two, one)
    bare = spec_of(training={"seed": 0})
    assert ensemble_spec([one, bare]).training["pretrained"] == {"method": "m", "seed": 1, "models": "1 of 2"}


@pytest.mark.parametrize(
    "change", [{"members": []}, {"weights": [1.0]}, {"kind": "localizer"}, {"members": [{}]}, {"weights": ["a", "b"]}]
)
def test_files_with_inconsistent_members_are_refused(tmp_path, change):
    data = ensemble([made(0), made(1)]).spec.to_dict()
    metadata = {"kinespan": json.dumps({**data, **change})}
    save_file({"a": torch.zeros(1)}, tmp_path / "m.safetensors", metadata=metadata)
    with pytest.raises(InputError, match=r"m\.safetensors"):
        read_spec(tmp_path / "m.safetensors")


def test_weights_of_another_model_are_refused(tmp_path):
    model = ensemble([made(0), made(1)])
    save_weights(tmp_path / "m.safetensors", model.members[0].state_dict(), model.spec)
    with pytest.raises(InputError, match=r"m\.safetensors.*do not fit"):
        load_model(tmp_path / "m.safetensors")


def test_an_ensemble_has_no_encoder_to_finetune_from(tmp_path):
    ensemble([made(0), made(1)]).save(tmp_path / "m.safetensors")
    with pytest.raises(InputError, match=r"m\.safetensors: an ensemble has no encoder"):
        load_encoder(tmp_path / "m.safetensors")


# ---- members that do not match ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"fps": 12.5}, r"two.*12\.5 frames a second, one 10;"),
        ({"labels": LabelSet(("walk", "run"))}, r"two.*those of one: it lacks sit and has run besides"),
        ({"labels": LabelSet(("walk", "sit", "run"))}, r"it has run besides"),
        ({"labels": LabelSet(("sit", "walk"))}, "another order"),
        ({"labels": LabelSet(LABELS.names, exclusive=False)}, "labels are overlapping, those of one exclusive"),
    ],
)
def test_members_must_share_labels_and_rate(changes, hint):
    with pytest.raises(InputError, match=hint):
        ensemble_spec([spec_of(), spec_of(**changes)], names=["one", "two"])


@pytest.mark.parametrize("weights", [[1], [1, 1, 1], [1, 0], [1, -1], [1, float("nan")], [float("inf"), 1]])
def test_weights_that_are_not_positive_are_refused(weights):
    with pytest.raises(InputError, match="--weights"):
        ensemble_spec([spec_of(), spec_of()], weights)


def test_an_ensemble_of_one_model_is_refused():
    with pytest.raises(InputError, match="at least two models, found 1"):
        ensemble_spec([spec_of()])


# ---- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made(0).save("joint/model.safetensors")
    made(1, streams=("joint_motion",)).save("motion/model.safetensors")
    return tmp_path


def test_the_command_writes_one_file(runs, capsys):
    assert main(["ensemble", "joint", "motion", "--weights", "0.6", "0.4", "--out", "out/ensemble.safetensors"]) == 0
    printed = capsys.readouterr().out
    assert "0.6 x joint: joint\n" in printed
    assert "0.4 x motion: joint_motion\n" in printed
    spec = read_spec(runs / "out" / "ensemble.safetensors")
    assert spec.weights == (0.6, 0.4)
    assert len(read_weights(runs / "out" / "ensemble.safetensors")) == 2 * len(made(0).state_dict())
    for flags in ([], ["--json"]):
        assert main(["info", "out/ensemble.safetensors", *flags]) == 0
    lines, _, data = capsys.readouterr().out.partition("{")
    assert "members:\n  0.6  joint  stgcn16_light\n  0.4  joint_motion  stgcn16_light\n" in lines
    facts = json.loads("{" + data)
    assert facts["kind"] == "ensemble"
    assert facts["members"][1] == {"weight": 0.4, "streams": "joint_motion", "encoder": "stgcn16_light"}
    assert main(["info", "joint"]) == 0
    assert "members" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["joint", "--out", "m.safetensors"], "at least two models"),
        (["joint", "motion", "--out", "m.pt"], "m.pt: expected the name of a file that ends in .safetensors"),
        (["joint", "nowhere", "--out", "m.safetensors"], "nowhere"),
        (["joint", "motion", "--weights", "1", "--out", "m.safetensors"], "--weights: found 1 for 2 models"),
        (["joint", "slow", "--out", "m.safetensors"], "slow: it scores 5 frames a second, joint 10"),
    ],
)
def test_mistakes_of_the_ensemble_command_are_named(runs, capsys, words, hint):
    made(2, fps=5.0).save("slow/model.safetensors")
    assert main(["ensemble", *words]) == 2
    assert hint in capsys.readouterr().err
    assert not (runs / "m.safetensors").exists()
