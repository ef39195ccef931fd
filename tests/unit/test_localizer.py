"""The Localizer: no seams, no matter of person order, model files that are enough in themselves."""

from __future__ import annotations

import pickle
import warnings
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from model_cases import with_changes

from kinespan.config import Normalisation
from kinespan.data.annotation import Annotation, LabelSet, Span
from kinespan.data.recording import Recording
from kinespan.data.skeletons import COCO_17, KINECT_20, NTU_25
from kinespan.decode import DecodeConfig
from kinespan.encoders.layers import TemporalConv
from kinespan.errors import InputError
from kinespan.models.fusion import FUSIONS
from kinespan.models.input_spec import InputSpec
from kinespan.models.localizer import Localizer
from kinespan.models.model_file import ModelSpec, save_weights
from kinespan.runs.load import load_model
from kinespan.runs.predict import localize
from kinespan.transforms.normalise import Motion

LABELS = LabelSet(("walk", "sit", "wave"))
FPS = 10.0


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def spec_of(**changes):
    spec = ModelSpec(
        kind="localizer",
        input=InputSpec(KINECT_20, FPS, ("joint", "joint_motion"), Normalisation()),
        encoder="stgcn16_light",
        fusion="nested_u",
        labels=LABELS,
    )
    return with_changes(spec, **changes)


def moving(frames, people=1, skeleton=KINECT_20, fps=FPS, seed=0, valid=None, name="take"):
    """A body that wobbles: a rest pose plus a slow random walk of every joint."""
    rng = np.random.default_rng(seed)
    rest = np.random.default_rng(99).uniform(-0.5, 0.5, (skeleton.num_joints, 3)) + np.array([0, 1, 0])
    steps = rng.standard_normal((frames, people, skeleton.num_joints, 3)) * 0.1
    positions = rest + steps.cumsum(axis=0) + np.arange(people)[:, None, None]
    return Recording(positions.astype(np.float32), fps, skeleton, name, valid)


def motion_of(recording):
    return Motion(recording.positions.copy(), recording.valid.copy(), recording.fps, recording.name)


def made(seed=0, **changes):
    """A localizer that looks far (its temporal kernels are heavy at their ends) and whose scores change in time."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Localizer(spec_of(**changes))
        for module in model.modules():
            if isinstance(module, TemporalConv) and module.conv.kernel_size[0] > 1:
                module.conv.weight.data[:, :, [0, -1]] *= 4
            if isinstance(module, torch.nn.BatchNorm1d):
                module.momentum = 1.0  # one clip is enough to bring every layer to a common size
        clip = torch.from_numpy(moving(200, skeleton=model.spec.input.skeleton).positions.copy())[None]
        with torch.no_grad():
            logits = model.train()(clip, torch.ones(clip.shape[:4], dtype=torch.bool))
        model.head.linear.weight.data /= logits.std(dim=2).mean()
    return model.eval()


MODELS = {name: made(fusion=name) for name in FUSIONS}


# ---- no seams --------------------------------------------------------------------------------------------------------


@given(
    frames=st.integers(1, 260),
    window=st.floats(0.05, 12),
    people=st.integers(1, 2),
    gaps=st.lists(st.tuples(st.integers(0, 259), st.integers(1, 120), st.integers(0, 1)), max_size=3),
    fusion=st.sampled_from(sorted(FUSIONS)),
)
@settings(max_examples=25, deadline=None)
def test_windowed_scores_equal_one_pass(frames, window, people, gaps, fusion):
    """Scores window by window are those of one pass over the whole."""
    valid = np.ones((frames, people), dtype=bool)
    for start, length, person in gaps:
        valid[start : start + length, person % people] = False
    if not valid.any():
        valid[0, 0] = True
    motion = motion_of(moving(frames, people, valid=valid))
    model = MODELS[fusion]
    whole = model.motion_scores(motion, window=1e6)
    assert whole.shape == (frames, 4)
    assert np.allclose(model.motion_scores(motion, window=window), whole, atol=2e-5)


@pytest.mark.parametrize("fusion", list(FUSIONS))
def test_half_a_halo_changes_scores(monkeypatch, fusion):
    """With half the halo the scores differ: the tests above can fail."""
    model, motion = MODELS[fusion], motion_of(moving(300))
    whole, full = model.motion_scores(motion, window=1e6), model.halo
    monkeypatch.setattr(Localizer, "feature_halo", property(lambda model: full // 2))
    assert np.abs(model.motion_scores(motion, window=3.0) - whole).max() > 1e-3


@pytest.mark.parametrize("fusion", list(FUSIONS))
def test_no_score_depends_on_anything_outside_the_halo(fusion):
    """By the derivative of a frame's logits by every position, for frames at each place of a stride."""
    model = MODELS[fusion]
    stride = model.encoder.strides[-1]
    middle = -(-model.halo // stride) * stride + stride
    reach = 0
    for frame in range(middle, middle + stride):
        x = torch.from_numpy(moving(2 * middle + stride).positions.copy())[None].requires_grad_()
        model(x, torch.ones(x.shape[:4], dtype=torch.bool))[0, 1, frame].backward()
        touched = x.grad.abs().amax(dim=(0, 2, 3, 4)).nonzero().flatten()
        reach = max(reach, frame - int(touched.min()), int(touched.max()) - frame)
    assert model.halo - 2 * stride <= reach <= model.halo


def test_a_pass_sees_no_more_than_a_window_and_its_halo():
    model = made()
    lengths = []
    handle = model.encoder.register_forward_pre_hook(lambda module, args: lengths.append(args[0].shape[1]))
    model.motion_scores(motion_of(moving(900)), window=4.0)
    handle.remove()
    assert len(lengths) == -(-900 // 40)
    assert max(lengths) <= 40 + 2 * (model.halo + 4)


def test_motion_outside_the_halo_does_not_change_a_score():
    model = MODELS["nested_u"]
    recording = moving(2 * model.halo + 60)
    place = model.halo + 30
    other = recording.positions.copy()
    other[place] += 0.3
    before = model.motion_scores(motion_of(recording))
    after = model.motion_scores(Motion(other, recording.valid.copy(), FPS, "other"))
    moved = np.flatnonzero(np.abs(before - after).max(axis=1) > 1e-6)
    assert len(moved)
    assert moved.min() >= place - model.halo
    assert moved.max() <= place + model.halo


def test_scoring_leaves_training_mode_and_weights_unchanged():
    model = made().train()
    model.fusion.eval()
    state = {name: part.clone() for name, part in model.state_dict().items()}
    recording = moving(30)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # recordings are read-only, and nobody is told so
        model.frame_scores(recording)
    assert (model.encoder.training, model.fusion.training, model.head.training) == (True, False, True)
    assert all(torch.equal(state[name], part) for name, part in model.state_dict().items())
    assert all(part.grad is None for part in model.parameters())


# ---- people ----------------------------------------------------------------------------------------------------------


def test_person_order_does_not_change_scores():
    # normalisation goes by the first person seen, so it is left out here
    plain = Normalisation(heading="none", size="none")
    model = made(normalisation=plain)
    recording = moving(60, people=3)
    motion = motion_of(recording)
    turned = Motion(motion.positions[:, [2, 0, 1]], motion.valid[:, [2, 0, 1]], FPS, "turned")
    assert np.allclose(model.motion_scores(motion), model.motion_scores(turned), atol=1e-5)


def test_an_absent_person_does_not_change_scores():
    model = MODELS["nested_u"]
    alone = moving(50)
    positions = np.concatenate([alone.positions, np.zeros_like(alone.positions)], axis=1)
    valid = np.ones((50, 2), dtype=bool)
    valid[:, 1] = False
    beside = Recording(positions, FPS, KINECT_20, "beside", valid)
    assert np.allclose(model.frame_scores(alone), model.frame_scores(beside), atol=1e-6)


def test_frames_without_people_are_background():
    valid = np.ones((80, 1), dtype=bool)
    valid[30:60] = False
    scores = MODELS["nested_u"].frame_scores(moving(80, valid=valid))
    assert np.array_equal(scores[30:60], np.tile([1, 0, 0, 0], (30, 1)))
    assert (scores[:30, 0] < 1).all()


def test_each_person_is_localized_alone():
    model = made()
    model.spec = replace(model.spec, decode=DecodeConfig(min_score=0.0, thresholds=(0.2,)))
    valid = np.ones((120, 3), dtype=bool)
    valid[:, 1] = False
    recording = moving(120, people=3, valid=valid)
    alone = Recording(recording.positions[:, 2:], FPS, KINECT_20, "alone")
    both = [
        (model.proposals(recording, "each"), model.proposals(alone), model.proposals(recording)),
        (model.localize(recording, "each").spans, model.localize(alone).spans, model.localize(recording).spans),
    ]
    for each, of_third, together in both:
        assert {span.person for span in each} == {0, 2}
        expected = [replace(span, person=2) for span in of_third]
        own = [span for span in each if span.person == 2]
        assert [replace(span, score=None) for span in own] == [replace(span, score=None) for span in expected]
        assert [span.score for span in own] == pytest.approx([span.score for span in expected], abs=1e-5)
        assert all(span.person is None for span in together)


# ---- recordings of other kinds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("skeleton", [NTU_25, COCO_17], ids=lambda skeleton: skeleton.name)
def test_recordings_of_another_skeleton_and_rate_are_mapped_and_resampled(skeleton):
    target = NTU_25 if skeleton is COCO_17 else KINECT_20
    model = made(skeleton=target)
    recording = moving(95, skeleton=skeleton, fps=25.0)
    scores = model.frame_scores(recording)
    assert scores.shape == (38, 4)  # 3.8 seconds at ten frames a second
    assert np.allclose(scores.sum(axis=1), 1, atol=1e-5)
    for span in (*model.localize(recording).spans, *model.proposals(recording)):
        assert 0 <= span.start < span.end <= 3.8 + 1e-9


def test_skeletons_that_do_not_map_are_refused():
    odd = replace(KINECT_20, name="odd", joints=tuple(f"j{i}" for i in range(20)), body_parts=(None,) * 20)
    with pytest.raises(InputError, match="take"):
        MODELS["nested_u"].frame_scores(moving(20, skeleton=odd))


def test_overlapping_labels_have_scores_of_their_own():
    model = made(labels=replace(LABELS, exclusive=False))
    recording = moving(40)
    scores = model.frame_scores(recording)
    assert np.allclose(scores[:, 0], 1 - scores[:, 1:].max(axis=1), atol=1e-6)
    motion = model.motion_features(motion_of(recording)).T[None]
    assert not np.allclose(scores[:, 1:].sum(axis=1), 1, atol=0.05)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert motion.shape == (1, model.fusion.channels, 40)
    assert model.proposals(recording)


def test_localize_gives_the_segmentation_and_proposals_the_candidates():
    model = MODELS["nested_u"]
    recording = moving(90)
    scores = model.frame_scores(recording)
    annotation, proposals = model.localize(recording), model.proposals(recording)
    assert annotation == Annotation(tuple(model.segment(scores)), LABELS)
    assert all(earlier.end <= later.start for earlier, later in pairwise(annotation.spans))
    for span in annotation.spans:  # its score is the mean probability of its label
        frames = scores[round(span.start * FPS) : round(span.end * FPS), LABELS.index(span.label) + 1]
        assert span.score == pytest.approx(frames.mean(), abs=1e-5)
    assert proposals == model.decode(scores)
    assert [span.score for span in proposals] == sorted((span.score for span in proposals), reverse=True)


def test_an_answer_ends_with_its_recording():
    """At 25 fps 97 frames last 3.88 s, which the model, at 10, sees as 39 frames: 3.9 s."""
    model, recording = made(), moving(97, fps=25.0)
    scores = np.tile(np.float32([0, 0, 1, 0]), (39, 1))
    model.frame_scores = lambda _: scores
    assert model.localize(recording).spans == (Span(0.0, 3.88, LABELS.names[1], 1.0),)
    assert localize(model, [recording]).segmentation[recording.name] == model.localize(recording)


# ---- model files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fusion", list(FUSIONS))
@pytest.mark.parametrize("exclusive", [True, False])
def test_a_saved_model_gives_the_same_scores(tmp_path, fusion, exclusive):
    model = made(fusion=fusion, labels=replace(LABELS, exclusive=exclusive), streams=("bone", "joint"))
    model.save(tmp_path / "model.safetensors")
    recording = moving(70)
    for path in (tmp_path, tmp_path / "model.safetensors", str(tmp_path)):
        again = load_model(path)
        assert not again.training
        assert again.spec == model.spec
        assert np.array_equal(again.frame_scores(recording), model.frame_scores(recording))
        assert again.localize(recording) == model.localize(recording)


def test_load_model_refuses_files_that_are_no_model(tmp_path):
    pickled, text, foreign = tmp_path / "a.safetensors", tmp_path / "b.safetensors", tmp_path / "c.safetensors"

    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was loaded",))

    pickled.write_bytes(pickle.dumps(Trap()))
    text.write_text("not a model")
    from safetensors.torch import save_file

    save_file({"w": torch.zeros(2)}, foreign)
    empty = tmp_path / "empty"
    empty.mkdir()
    for path, hint in ((pickled, "safetensors"), (text, "safetensors"), (foreign, "kinespan"), (empty, "no such")):
        with pytest.raises(InputError, match=hint) as error:
            load_model(path)
        assert path.name in str(error.value)
    torch.save({"w": torch.zeros(2)}, tmp_path / "d.pt")
    with pytest.raises(InputError, match=r"d\.pt"):
        load_model(tmp_path / "d.pt")


def test_load_model_refuses_a_pretrained_encoder(tmp_path):
    model = made()
    path = tmp_path / "encoder.safetensors"
    save_weights(path, model.encoder.state_dict(), spec_of(kind="encoder", fusion=None, labels=None))
    with pytest.raises(InputError, match=r"encoder\.safetensors.*finetune"):
        load_model(path)


def test_weights_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    save_weights(path, made().state_dict(), spec_of(encoder="stgcn16"))
    with pytest.raises(InputError, match=r"model\.safetensors.*do not fit"):
        load_model(path)


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"labels": None}, "labels"),
        ({"encoder": "stgcn1"}, "stgcn1"),
        ({"fusion": "u"}, "fusion"),
        ({"streams": ("joints",)}, "joints"),
        ({"streams": ("joint", "joint")}, "streams"),
        ({"streams": ()}, "streams"),
    ],
)
def test_specs_without_labels_or_with_unknown_names_are_refused(changes, hint):
    with pytest.raises(InputError, match=hint):
        Localizer(spec_of(**changes))
