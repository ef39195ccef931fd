"""Corpora of hands, of people whose joints have strange names, and of both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinespan import Corpus, io
from kinespan.cli import main
from kinespan.data.joint_map import joint_map
from kinespan.data.skeletons import NTU_25
from kinespan.errors import InputError
from kinespan.prepare.prepare import prepare

HAND = ["palm", "thumb_1", "thumb_2", "index_1", "index_2"]
PERSON = ["Hips", "Spine", "Neck", "Head"]
PERSON += [f"{side}{name}" for side in ("Left", "Right") for name in ("Arm", "ForeArm", "Hand", "UpLeg", "Leg", "Foot")]
PARENTS = [-1, 0, 1, 2, *(parent for first in (4, 10) for parent in (1, first, first + 1, 0, first + 3, first + 4))]


def save(path: Path, joints: list[str], parents: list[int], seed: int = 0) -> None:
    path.parent.mkdir(exist_ok=True)
    positions = np.random.default_rng(seed).normal(size=(20, 1, len(joints), 3)).astype(np.float32)
    np.savez(path, positions=positions, fps=30.0, unit="m", up="y", joints=np.array(joints), parents=np.array(parents))


def odd(names: list[str]) -> list[str]:
    return [name.replace("UpLeg", "Strut") for name in names]


def test_a_corpus_of_hands(tmp_path: Path) -> None:
    for number in range(2):
        save(tmp_path / "in" / f"hand_{number}.npz", HAND, [-1, 0, 1, 0, 3], number)
    prepare(tmp_path / "in", tmp_path / "corpus")
    corpus = Corpus.open(tmp_path / "corpus")
    (skeleton,) = {info.skeleton for info in corpus.infos}
    assert skeleton.joints == tuple(HAND)
    assert not skeleton.has_heading


@pytest.mark.parametrize(("joints", "parents"), [(HAND, [-1, 0, 1, 0, 3]), (odd(PERSON), PARENTS)], ids=["hand", "odd"])
def test_what_no_network_could_be_built_on_is_refused(tmp_path: Path, joints: list[str], parents: list[int]) -> None:
    save(tmp_path / "in" / "walk.npz", PERSON, PARENTS)
    save(tmp_path / "in" / "other.npz", joints, parents)
    with pytest.raises(InputError, match=r"no skeleton in common: make another corpus of other, or .*left_hip"):
        prepare(tmp_path / "in", tmp_path / "corpus")
    assert not (tmp_path / "corpus").exists()


def test_a_joint_file_makes_people_of_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(tmp_path / "in" / "walk.npz", odd(PERSON), PARENTS)
    assert main(["info", str(tmp_path / "in" / "walk.npz")]) == 0
    printed = capsys.readouterr().out
    assert "not understood: LeftStrut, RightStrut" in printed
    lab = tmp_path / "lab.yaml"
    lab.write_text("joints: {" + printed.partition("joints: {")[2].splitlines()[0])
    assert main(["info", str(tmp_path / "in" / "walk.npz"), "--joints", str(lab)]) == 0
    assert "parts of a whole person" in capsys.readouterr().out
    out = tmp_path / "corpus"
    assert main(["prepare", str(tmp_path / "in"), "--joints", str(lab), "--out", str(out)]) == 0
    (info,) = Corpus.open(out).infos
    assert info.skeleton.name == "lab"
    joint_map(info.skeleton, NTU_25)


def test_what_convert_writes_is_understood_the_same_when_read_back(tmp_path: Path) -> None:
    save(tmp_path / "in" / "walk.npz", odd(PERSON), PARENTS)
    (tmp_path / "lab.yaml").write_text("{joints: {LeftStrut: left_hip}, leave_out: [Head]}")
    out = tmp_path / "out.npz"
    command = ["convert", str(tmp_path / "in" / "walk.npz"), str(out), "--joints", str(tmp_path / "lab.yaml")]
    assert main(command) == 0
    content = np.load(out)
    canonical = dict(zip(content["joints"].tolist(), content["canonical"].tolist(), strict=True))
    assert (canonical["LeftStrut"], canonical["RightStrut"], "Head" in canonical) == ("left_hip", "", False)
    fields = ("positions", "fps", "joints", "parents", "canonical")
    np.savez(tmp_path / "plain.npz", **{name: content[name] for name in fields})
    assert io.read(tmp_path / "plain.npz").recording.skeleton.body_parts == io.read(out).recording.skeleton.body_parts
