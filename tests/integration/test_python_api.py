"""The main job from Python: paths in, a model and spans out, by the functions of the package."""

from __future__ import annotations

from pathlib import Path

import pytest
from training_cases import SMALL, TUNE, write

import kinespan
from kinespan.io import save_npz
from kinespan.runs.predict import corpus_truth

pytestmark = pytest.mark.usefixtures("one_thread")


def test_functions_of_the_package_train_localize_and_evaluate_from_paths(tmp_path: Path) -> None:
    corpus = write(tmp_path / "corpus")
    folder = str(corpus.path)
    encoder = kinespan.pretrain(folder, str(tmp_path / "pretrain"), SMALL, quiet=True)
    model = kinespan.finetune(folder, tmp_path / "finetune", TUNE, pretrained=encoder, quiet=True)
    name = corpus.names[0]
    save_npz(corpus[name], tmp_path / f"{name}.npz")
    by_path = kinespan.localize(str(tmp_path / "finetune"), [str(tmp_path / f"{name}.npz")])
    in_memory = kinespan.localize(model, [corpus[name]])
    assert by_path.segmentation[name] == in_memory.segmentation[name] == model.localize(corpus[name])
    assert by_path.proposals[name] == in_memory.proposals[name] == tuple(model.proposals(corpus[name]))
    result = kinespan.localize(model, corpus)
    assert set(result.segmentation) == set(result.proposals) == set(corpus.names)
    metrics = kinespan.evaluate(result.predictions, corpus_truth(corpus, corpus.names))
    assert 0 <= metrics.to_dict()["frame_accuracy"] <= 1


def test_learn_from_python_has_the_defaults_of_the_command(tmp_path: Path) -> None:
    with pytest.raises(kinespan.InputError, match="not a corpus"):
        kinespan.learn(tmp_path / "nowhere", tmp_path / "run")
    assert kinespan.LearnConfig().steps == 300


def test_every_public_name_of_the_package_is_there() -> None:
    assert all(hasattr(kinespan, name) for name in kinespan.__all__)
