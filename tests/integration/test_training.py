"""Both stages of training on a few seconds of made motion: what is learnt from and what is left alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from training_cases import SMALL, STEPS, TUNE, same, write

from kinespan.config import AugmentConfig, NetworkConfig, PretrainConfig, SnippetConfig
from kinespan.corpus import Corpus
from kinespan.corpus.training_set import TrainingSet, training_set
from kinespan.data.skeletons import NTU_25
from kinespan.errors import InputError
from kinespan.methods import METHODS
from kinespan.models.model_file import read_spec, read_weights, save_weights
from kinespan.prepare.synthetic.takes import ACTIONS
from kinespan.runs.load import load_encoder, load_model
from kinespan.runs.settings import load_settings
from kinespan.train.finetune_module import FinetuneModule
from kinespan.train.finetuning import MODEL_FILE, finetune
from kinespan.train.pretrain_module import PretrainModule, method_of
from kinespan.train.pretraining import ENCODER_FILE, clip_sources, pretrain

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def losses(monkeypatch):
    """Every loss of a pretraining step, as it comes."""
    seen = []
    step = PretrainModule.training_step

    def watched(self, batch, batch_idx):
        loss = step(self, batch, batch_idx)
        seen.append((loss.item(), {name: float(value) for name, value in self.trainer.progress_bar_metrics.items()}))
        return loss

    monkeypatch.setattr(PretrainModule, "training_step", watched)
    return seen


LATE = ("crosclr",)
"""Methods that want an encoder for each stream."""


# ---- pretraining -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lengths", "used"),
    [
        ([64, 100, 300], [0, 1, 2]),
        ([63, 100, 1200], [1, 2]),  # 63 of 1363 frames: less than a twentieth
        ([63, 100, 300], [0, 1, 2]),
        ([65, 19 * 65, 10], [0, 1]),
        ([50, 19 * 50], [1]),  # a twentieth exactly
        ([51, 19 * 50], [0, 1]),
        ([10, 20], [0, 1]),
        ([], []),
    ],
)
def test_short_recordings_are_left_out_where_they_hold_at_most_a_twentieth_of_the_motion(lengths, used):
    assert clip_sources(lengths, 64) == used


def test_pretraining_without_the_left_out_recordings_gives_the_same_weights(corpus, tmp_path, monkeypatch):
    lengths = {name: corpus[name].num_frames for name in corpus.names}
    config = replace(SMALL, clip_frames=sorted(lengths.values())[3] // 8 * 8)
    long_names = tuple(name for name in corpus.names if lengths[name] >= config.clip_frames)
    assert 0 < len(long_names) < len(corpus.names)
    alone = pretrain(TrainingSet(corpus, long_names), tmp_path / "alone", config, quiet=True)
    padded = pretrain(corpus, tmp_path / "padded", config, quiet=True)
    monkeypatch.setattr("kinespan.train.pretraining.SHORT_SHARE", 0.9)
    left_out = pretrain(corpus, tmp_path / "left_out", config, quiet=True)
    assert same(read_weights(left_out), read_weights(alone))
    assert not same(read_weights(left_out), read_weights(padded))
    assert read_spec(left_out).training["recordings"] == len(long_names)
    assert read_spec(padded).training["recordings"] == len(corpus.names)


@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("variant", ["aligned", "paper", "off"])
def test_every_method_trains_with_and_without_snippets(corpus, tmp_path, losses, method, variant):
    network = replace(SMALL.network, fuse_streams="late" if method in LATE else "early")
    config = replace(SMALL, method=method, network=network, snippet=replace(SMALL.snippet, variant=variant))
    file = pretrain(corpus, tmp_path / "run", config, quiet=True)
    assert file == tmp_path / "run" / ENCODER_FILE
    assert len(losses) == STEPS
    assert all(np.isfinite(loss) for loss, _ in losses)
    assert all(("snippet" in notes) == (variant != "off") for _, notes in losses)
    assert any(loss - notes.get("snippet", 0.0) > 0.01 for loss, notes in losses)  # the method's own part
    weights, spec = read_weights(file), read_spec(file)
    assert all(torch.isfinite(part).all() for part in weights.values())
    assert (spec.kind, spec.labels, spec.fusion) == ("encoder", None, None)
    assert spec.training["method"] == method
    assert spec.training["snippets"] == variant
    assert load_settings(tmp_path / "run")["config"]["snippet"]["variant"] == variant


def test_several_corpora_are_pretrained_on_together(corpus, tmp_path):
    """Each with its own split, another skeleton among them: all are mapped to one."""
    other = write(tmp_path / "other", labelled=False)
    sets = [training_set(corpus, "by-performer", 1), training_set(other)]
    file = pretrain(sets, tmp_path / "run", replace(SMALL, steps=1, save_every=1), quiet=True)
    training = read_spec(file).training
    held_in = len(corpus.fold("by-performer", 1).train)
    assert training["recordings"] == held_in + len(other.names)
    assert training["split"] == "by-performer + all"
    model = finetune(corpus, tmp_path / "tuned", replace(TUNE, steps=1), pretrained=file.parent, quiet=True)
    assert model.spec.training["pretrained"]["corpus"] == training["corpus"]


def test_late_fusion_trains_an_encoder_for_each_stream(corpus, tmp_path):
    network = replace(SMALL.network, streams=("joint", "bone"), fuse_streams="late")
    file = pretrain(corpus, tmp_path / "run", replace(SMALL, network=network, steps=1, save_every=1), quiet=True)
    assert any(name.startswith("members.1.") for name in read_weights(file))
    model = finetune(corpus, tmp_path / "tuned", replace(TUNE, steps=1), pretrained=file.parent, quiet=True)
    assert model.encoder.channels[-1] == 2 * 128
    again = load_model(tmp_path / "tuned")
    recording = corpus[corpus.names[0]]
    assert np.array_equal(again.frame_scores(recording), model.frame_scores(recording))


def test_the_snippet_term_changes_what_is_learnt(corpus, pretrained, tmp_path):
    off = pretrain(corpus, tmp_path / "off", replace(SMALL, snippet=replace(SMALL.snippet, variant="off")), quiet=True)
    zero = pretrain(corpus, tmp_path / "zero", replace(SMALL, snippet=replace(SMALL.snippet, weight=0.0)), quiet=True)
    assert not same(read_weights(off), read_weights(pretrained / ENCODER_FILE))
    # lambda = 0 is the plain method
    assert all(
        torch.allclose(part, other, atol=1e-6)
        for part, other in zip(read_weights(off).values(), read_weights(zero).values(), strict=True)
    )


def test_the_same_seed_gives_the_same_weights_and_another_does_not(corpus, pretrained, tmp_path):
    torch.manual_seed(12345)  # what a caller does with the global generator is of no account
    before = torch.get_rng_state()
    again = pretrain(corpus, tmp_path / "again", SMALL, quiet=True)
    assert torch.equal(torch.get_rng_state(), before)
    other = pretrain(corpus, tmp_path / "other", replace(SMALL, seed=1), quiet=True)
    assert same(read_weights(again), read_weights(pretrained / ENCODER_FILE))
    assert not same(read_weights(other), read_weights(again))


def test_labels_never_change_pretrained_weights(corpus, pretrained, tmp_path):
    unlabelled = write(tmp_path / "unlabelled", labelled=False)
    assert unlabelled.labels is None
    without = pretrain(unlabelled, tmp_path / "without", SMALL, quiet=True)
    assert same(read_weights(without), read_weights(pretrained / ENCODER_FILE))


def test_the_probe_never_changes_pretrained_weights(corpus, pretrained, tmp_path, losses):
    probed = pretrain(corpus, tmp_path / "probed", replace(SMALL, probe_every=1), quiet=True)
    assert all(0 <= notes["knn"] <= 1 for _, notes in losses[1:])
    assert same(read_weights(probed), read_weights(pretrained / ENCODER_FILE))


def test_training_with_sgd_dropout_and_all_streams(corpus, tmp_path, losses):
    network = NetworkConfig(streams=("joint", "bone", "joint_motion", "bone_motion"), skeleton="kinect20")
    config = replace(SMALL, optimizer="sgd", lr=0.1, weight_decay=1e-4, dropout=0.5, network=network)
    spec = read_spec(pretrain(corpus, tmp_path / "run", config, quiet=True))
    assert (spec.input.skeleton.name, spec.input.streams) == ("kinect20", network.streams)
    assert all(np.isfinite(loss) for loss, _ in losses)


# ---- which recordings are read ---------------------------------------------------------------------------------------


@pytest.fixture
def read(monkeypatch):
    """The names of the recordings and annotations that are taken out of a corpus."""
    names = set()
    recording, annotation = Corpus.__getitem__, Corpus.annotation

    def get(self, key):
        found = recording(self, key)
        names.add(found.name)
        return found

    def annotated(self, name, *args, **kwargs):
        names.add(name)
        return annotation(self, name, *args, **kwargs)

    monkeypatch.setattr(Corpus, "__getitem__", get)
    monkeypatch.setattr(Corpus, "annotation", annotated)
    return names


@pytest.mark.parametrize("fold", [1, 3])
def test_only_training_recordings_are_ever_read(corpus, tmp_path, read, fold):
    expected = corpus.fold("by-performer", fold)
    pretrain(
        corpus, tmp_path / "a", replace(SMALL, split="by-performer", fold=fold, probe_every=2, steps=2), quiet=True
    )
    assert read == set(expected.train)
    read.clear()
    config = replace(TUNE, split="by-performer", fold=fold, steps=1)
    finetune(corpus, tmp_path / "b", config, pretrained=tmp_path / "a", quiet=True)
    assert read == set(expected.train)


def test_a_label_fraction_uses_that_many_recordings(corpus, tmp_path):
    model = finetune(corpus, tmp_path / "run", replace(TUNE, label_fraction=0.5, steps=1), quiet=True)
    assert model.spec.training["labelled_recordings"] == 3


def test_without_a_split_all_recordings_are_used(corpus, tmp_path, read):
    pretrain(corpus, tmp_path / "run", replace(SMALL, steps=1), quiet=True)
    assert read == set(corpus.names)


@pytest.mark.parametrize(("split", "fold"), [("by-shoe-size", 1), ("by-performer", 9)])
def test_unknown_splits_and_folds_are_refused(corpus, tmp_path, split, fold):
    for stage, config in ((pretrain, SMALL), (finetune, TUNE)):
        with pytest.raises(InputError, match=split):
            stage(corpus, tmp_path / "run", replace(config, split=split, fold=fold), quiet=True)
    assert not (tmp_path / "run").exists()


# ---- finetuning ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["linear", "finetune", "scratch"])
def test_each_protocol_trains_the_stated_parts(corpus, pretrained, tmp_path, protocol):
    source = None if protocol == "scratch" else pretrained
    config = replace(TUNE, protocol=protocol, dropout=0.5)
    model = finetune(corpus, tmp_path / "run", config, pretrained=source, quiet=True)
    before = read_weights(pretrained / ENCODER_FILE)
    after = model.encoder.state_dict()
    assert before.keys() == after.keys()
    equal = [name for name in before if torch.equal(before[name], after[name])]
    if protocol == "linear":
        assert len(equal) == len(before)  # batch norm figures among them
        assert not list(model.fusion.parameters())
    else:
        assert not [name for name in equal if not name.endswith(("importance", "num_batches_tracked"))]
    if protocol == "finetune":  # it began there
        near = sum(float((before[name] - after[name]).abs().mean()) for name in before if name.endswith("conv.weight"))
        far = sum(float(before[name].abs().mean()) for name in before if name.endswith("conv.weight"))
        assert near < far / 3
    assert model.spec.fusion == ("last_map" if protocol == "linear" else "nested_u")
    assert model.labels == ACTIONS
    loaded = load_model(tmp_path / "run")
    recording = corpus[0]
    assert np.array_equal(loaded.frame_scores(recording), model.frame_scores(recording))
    assert loaded.spec.training["protocol"] == protocol
    assert ("pretrained" in loaded.spec.training) == (source is not None)


def test_a_linear_probe_learns_and_scores_as_it_was_trained(corpus, pretrained, tmp_path):
    """The head that is written works on plain features: more steps, lower frame loss of the very scores it gives."""
    found = []
    for steps in (1, 60):
        config = replace(TUNE, protocol="linear", steps=steps, batch_size=8)
        model = finetune(corpus, tmp_path / str(steps), config, pretrained=pretrained, quiet=True)
        losses = []
        for name in corpus.names:
            scores = model.frame_scores(corpus[name])
            ids = corpus.annotation(name).frame_ids(len(scores), 15.0)
            losses.append(-np.log(scores[np.arange(len(ids)), ids][ids >= 0] + 1e-9))
        found.append(np.concatenate(losses).mean())
    assert found[1] < found[0] - 0.1


def test_the_head_of_a_linear_probe_is_written_for_plain_features(corpus, pretrained, tmp_path, monkeypatch):
    """It is trained on standardised features; what is written gives the same logits on features as they are."""
    kept = []
    fold = FinetuneModule.fold_standardisation

    def watched(self):
        kept.append((self.localizer.head(self._features.T[None]).detach(), self.pool.motions))
        fold(self)

    monkeypatch.setattr(FinetuneModule, "fold_standardisation", watched)
    model = finetune(corpus, tmp_path / "run", replace(TUNE, protocol="linear"), pretrained=pretrained, quiet=True)
    [(expected, motions)] = kept
    plain = torch.cat([model.motion_features(motion) for motion in motions])
    assert torch.allclose(model.head(plain.T[None]), expected, atol=1e-3)


def test_finetuning_from_a_localizer_takes_its_encoder(corpus, pretrained, tmp_path):
    first = finetune(corpus, tmp_path / "first", replace(TUNE, steps=2), pretrained=pretrained, quiet=True)
    config = replace(TUNE, protocol="linear", steps=1)
    second = finetune(corpus, tmp_path / "second", config, pretrained=tmp_path / "first" / MODEL_FILE, quiet=True)
    assert same(first.encoder.state_dict(), second.encoder.state_dict())


def test_finetuning_from_a_localizer_starts_with_a_new_fusion(corpus, pretrained, tmp_path):
    still = replace(TUNE, steps=1, lr=1e-12, weight_decay=0.0, seed=5)
    first = finetune(corpus, tmp_path / "first", replace(TUNE, steps=3), pretrained=pretrained, quiet=True)
    second = finetune(corpus, tmp_path / "second", still, pretrained=tmp_path / "first", quiet=True)
    assert torch.allclose(next(first.encoder.parameters()), next(second.encoder.parameters()), atol=1e-6)
    assert not torch.allclose(first.fusion.join.weight, second.fusion.join.weight, atol=1e-3)


def test_load_encoder_gives_the_encoder_of_a_pretrained_and_of_a_finetuned_run(corpus, pretrained, tmp_path):
    model = load_encoder(pretrained)
    assert same(model.encoder.state_dict(), read_weights(pretrained / ENCODER_FILE))
    assert not model.training
    assert model.embed(corpus[0]).features.any()
    finetuned = finetune(corpus, tmp_path / "run", TUNE, pretrained=pretrained, quiet=True)
    assert same(load_encoder(tmp_path / "run").encoder.state_dict(), finetuned.encoder.state_dict())


def test_weights_that_do_not_fit_name_their_file(corpus, pretrained, tmp_path):
    weights = read_weights(pretrained / ENCODER_FILE)
    weights[next(iter(weights))] = torch.zeros(3, 3, 1)
    save_weights(tmp_path / "odd.safetensors", weights, read_spec(pretrained / ENCODER_FILE))
    with pytest.raises(InputError, match=r"odd\.safetensors.*do not fit"):
        finetune(corpus, tmp_path / "run", TUNE, pretrained=tmp_path / "odd.safetensors", quiet=True)


def test_finetuning_twice_gives_identical_weights(corpus, pretrained, tmp_path):
    models = [finetune(corpus, tmp_path / str(i), TUNE, pretrained=pretrained, quiet=True) for i in range(2)]
    assert same(models[0].state_dict(), models[1].state_dict())


def test_contradictory_settings_are_refused(corpus, pretrained, tmp_path):
    with pytest.raises(InputError, match="scratch"):
        finetune(corpus, tmp_path / "run", replace(TUNE, protocol="scratch"), pretrained=pretrained, quiet=True)
    unlabelled = write(tmp_path / "unlabelled", labelled=False)
    with pytest.raises(InputError, match="labels"):
        finetune(unlabelled, tmp_path / "run", TUNE, quiet=True)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="finished"):
        finetune(corpus, tmp_path / "run", TUNE, pretrained=tmp_path / "empty", quiet=True)
    assert not (tmp_path / "run").exists()


# ---- that anything is learnt -----------------------------------------------------------------------------------------


def test_the_frame_loss_falls(corpus, tmp_path, monkeypatch):
    losses = []
    step = FinetuneModule.training_step

    def watched(self, batch, batch_idx):
        loss = step(self, batch, batch_idx)
        losses.append(loss.item())
        return loss

    monkeypatch.setattr(FinetuneModule, "training_step", watched)
    config = replace(TUNE, steps=40, batch_size=6, augment=AugmentConfig(crop_min=1, shear=0, rotation=0, tilt=0))
    finetune(corpus, tmp_path / "run", config, quiet=True)
    assert np.mean(losses[-5:]) < 0.75 * np.mean(losses[:5])


def test_aligned_snippets_refuse_clips_that_the_coarsest_stride_does_not_divide() -> None:
    config = PretrainConfig(clip_frames=50)
    with pytest.raises(InputError, match="choose 48 or 52"):
        method_of(config, NTU_25)
    method_of(replace(config, snippet=SnippetConfig(variant="off")), NTU_25)
