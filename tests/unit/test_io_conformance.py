"""Every reader: it knows its own files by content and no others, and broken files give an InputError, nothing else."""

from __future__ import annotations

import io
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinespan.data.annotation import Annotation, LabelSet, Span
from kinespan.data.recording import Recording
from kinespan.data.skeletons import KINECT_20
from kinespan.errors import InputError
from kinespan.io import READERS, ReadOptions, Take, detect, find_files, read, save_npz, survey_files
from kinespan.io.precog import LABELS
from makers import amass, c3d, capture, msrc12, ntu, person, pku_mmd, points, sfinge, utkinect

BVH_LIMBS = {
    "LeftUpLeg": ("Hips", "0.1 0 0"), "LeftLeg": ("LeftUpLeg", "0 -0.4 0"), "LeftFoot": ("LeftLeg", "0 -0.4 0"),
    "RightUpLeg": ("Hips", "-0.1 0 0"), "RightLeg": ("RightUpLeg", "0 -0.4 0"), "RightFoot": ("RightLeg", "0 -0.4 0"),
    "Spine": ("Hips", "0 0.2 0"), "Chest": ("Spine", "0 0.2 0"), "Head": ("Chest", "0 0.3 0"),
    "LeftArm": ("Chest", "0.2 0 0"), "LeftForeArm": ("LeftArm", "0.3 0 0"), "LeftHand": ("LeftForeArm", "0.3 0 0"),
    "RightArm": ("Chest", "-0.2 0 0"), "RightForeArm": ("RightArm", "-0.3 0 0"),
    "RightHand": ("RightForeArm", "-0.3 0 0"),
}  # fmt: skip


def write_bvh(folder: Path, frames: int = 4) -> Path:
    def joint(name, offset, depth):
        pad = "  " * depth
        channels = (
            "6 Xposition Yposition Zposition Zrotation Xrotation Yrotation"
            if depth == 0
            else ("3 Zrotation Xrotation Yrotation")
        )
        children = [(child, at) for child, (parent, at) in BVH_LIMBS.items() if parent == name]
        inside = [joint(child, at, depth + 1) for child, at in children] or [
            f"{pad}  End Site\n{pad}  {{\n{pad}    OFFSET 0 0 0.1\n{pad}  }}\n"
        ]
        kind = "JOINT" if depth else "ROOT"
        head = f"{pad}{kind} {name}\n{pad}{{\n{pad}  OFFSET {offset}\n{pad}  CHANNELS {channels}\n"
        return f"{head}{''.join(inside)}{pad}}}\n"

    width = 6 + 3 * len(BVH_LIMBS)
    values = np.random.default_rng(1).normal(scale=5, size=(frames, width))
    rows = "\n".join(" ".join(f"{value:.4f}" for value in row) for row in values)
    path = folder / "made.bvh"
    path.write_text(f"HIERARCHY\n{joint('Hips', '0 0 0', 0)}MOTION\nFrames: {frames}\nFrame Time: 0.016667\n{rows}\n")
    return path


ASF_BONES = {
    "lhipjoint": "root", "lfemur": "lhipjoint", "ltibia": "lfemur", "rhipjoint": "root", "rfemur": "rhipjoint",
    "rtibia": "rfemur", "thorax": "root", "head": "thorax", "lclavicle": "thorax", "lhumerus": "lclavicle",
    "lradius": "lhumerus", "rclavicle": "thorax", "rhumerus": "rclavicle", "rradius": "rhumerus",
}  # fmt: skip


def write_amc(folder: Path, frames: int = 4) -> Path:
    bones = "".join(
        f"  begin\n    id {number}\n    name {name}\n    direction 1 0 0\n    length 2.5\n    axis 0 0 20 XYZ\n"
        f"    dof rx ry rz\n    limits (-1 1)\n  end\n"
        for number, name in enumerate(ASF_BONES, start=1)
    )
    tree = "".join(f"    {parent} {name}\n" for name, parent in ASF_BONES.items())
    (folder / "HDM_zz.asf").write_text(
        "# made\n:version 1.10\n:name x\n:units\n  mass 1.0\n  length 0.45\n  angle deg\n"
        ":root\n  order TX TY TZ RX RY RZ\n  axis XYZ\n  position 0 0 0\n  orientation 0 0 0\n"
        f":bonedata\n{bones}:hierarchy\n  begin\n{tree}  end\n"
    )
    rng = np.random.default_rng(2)
    text = "#!made\n:FULLY-SPECIFIED\n:DEGREES\n"
    for frame in range(frames):
        text += f"{frame + 1}\nroot " + " ".join(f"{value:.3f}" for value in rng.normal(size=6)) + "\n"
        text += "".join(f"{name} {' '.join(f'{x:.3f}' for x in rng.normal(size=3))}\n" for name in ASF_BONES)
    path = folder / "HDM_zz_kickLFront1Reps_003_120.amc"
    path.write_text(text)
    return path


def write_precog(folder: Path, labels=(0, 1, 1, 0)) -> Path:
    rng = np.random.default_rng(3)
    lines = ["; ".join(KINECT_20.joints)]
    for label in labels:
        joints = [" ".join(f"{value:.5f}" for value in point) for point in rng.normal(size=(20, 3))]
        lines.append(";".join([*joints, str(label)]))
    path = folder / "Seq2_7.csv"
    path.write_text("\n".join(lines))
    return path


def write_npz(folder: Path) -> Path:
    positions = np.random.default_rng(4).normal(size=(4, 1, 20, 3))
    annotation = Annotation((Span(0.0, 0.05, LABELS.names[0]),), LabelSet(LABELS.names))
    return save_npz(Recording(positions, 30.0, KINECT_20, "made"), folder / "made.npz", annotation)


def write_amass(folder: Path) -> Path:
    amass.write_body(folder)
    return amass.write_amass(folder / "made_poses.npz", amass.random_poses(np.random.default_rng(5), 4))


def write_ntu(folder: Path) -> Path:
    return ntu.write_ntu(folder, ["S001C002P003R001A050"], np.random.default_rng(6), frames=(4, 4))[0]


def write_pku_mmd(folder: Path) -> Path:
    rng = np.random.default_rng(7)
    return pku_mmd.write_video(folder, "0002-L", pku_mmd.moving(rng, 1, 4)[:, None] + [0, 0, 3], None)[0]


def write_msrc12(folder: Path) -> Path:
    rng = np.random.default_rng(8)
    return msrc12.write_recording(folder / "P1_1_3_p02.csv.gz", msrc12.stamps(rng, 4), rng.normal(size=(4, 20, 3)))


def write_sfinge(folder: Path) -> Path:
    return sfinge.write_hands(folder / "5.txt", sfinge.hands(np.random.default_rng(9), 4))


def write_utkinect(folder: Path) -> Path:
    utkinect.write_joints(folder, 2, 1, (100, 101, 103, 104))
    return folder / "joints_s02_e01.txt"


def write_c3d(folder: Path) -> Path:
    return c3d.write(folder / "made.c3d", 1000 * capture.z_up(capture.WALKER), list(person.JOINTS), analog=2)


def write_trc(folder: Path) -> Path:
    return capture.write_trc(folder / "made.trc", 1000 * capture.WALKER, person.JOINTS)


def write_motive(folder: Path) -> Path:
    columns = [("Bone", f"Anna:{name}", capture.WALKER[:, joint]) for joint, name in enumerate(person.JOINTS)]
    return capture.write_motive(folder / "made.csv", columns)


def write_qualisys(folder: Path) -> Path:
    return capture.write_qualisys(folder / "made.tsv", 1000 * capture.z_up(capture.WALKER), person.JOINTS)


def write_motion_bids(folder: Path) -> Path:
    return capture.write_bids(folder, capture.z_up(capture.WALKER), person.JOINTS)


def write_mvnx(folder: Path) -> Path:
    return capture.write_mvnx(
        folder / "made.mvnx", [capture.z_up(capture.WALKER)], person.JOINTS, person.PARENTS, marks=[(1, "turn")]
    )


FIXTURES = {
    "amass": write_amass, "amc": write_amc, "bvh": write_bvh, "c3d": write_c3d, "motion-bids": write_motion_bids,
    "motive": write_motive, "msrc12": write_msrc12, "mvnx": write_mvnx, "npz": write_npz, "ntu": write_ntu,
    "pku-mmd": write_pku_mmd, "precog": write_precog, "qualisys": write_qualisys, "sfinge3d": write_sfinge,
    "trc": write_trc, "utkinect": write_utkinect,
}  # fmt: skip


FIXTURES |= points.FIXTURES


def test_every_reader_has_a_fixture():
    assert sorted(FIXTURES) == list(READERS), "a new reader needs a function here that writes a tiny file of its format"


@pytest.mark.parametrize("name", READERS)
def test_every_reader_reads_its_file(name, tmp_path):
    path = FIXTURES[name](tmp_path)
    assert path.suffix in READERS[name].suffixes
    assert READERS[name].about
    asked = points.ASKED.get(name, ReadOptions())
    take = read(path, options=asked)
    assert isinstance(take, Take)
    recording = take.recording
    assert recording.num_frames == 4
    assert recording.positions.dtype == np.float32
    assert recording.source == path.name or name == "npz"
    assert str(tmp_path) not in " ".join(recording.history)
    assert any(note.startswith(f"read as {name}: ") and "up" in note for note in recording.history)
    assert read(str(path), format=name, options=asked).recording.checksum() == recording.checksum()


@pytest.mark.parametrize("name", READERS)
def test_exactly_one_reader_recognises_each_file_under_any_suffix(name, tmp_path):
    path = FIXTURES[name](tmp_path)
    other = path.rename(path.with_suffix(".dat"))
    head = other.read_bytes()[:4096]
    names = [other_name for other_name in READERS if READERS[other_name].sniff(other, head)]
    assert ([other_name for other_name in names if other_name != "csv"] or names) == [name]  # csv is any table
    assert detect(other) == name


@pytest.mark.parametrize("name", READERS)
def test_read_options_apply_to_every_format(name, tmp_path):
    path = FIXTURES[name](tmp_path)
    asked = points.ASKED.get(name, ReadOptions())
    plain = read(path, options=replace(asked, unit=1.0, up="y")).recording
    changed = read(path, options=ReadOptions(fps=50.0, skip_frames=1, unit=0.5, up="y")).recording
    assert changed.fps == 50.0
    assert any("dropped the first 1 frames" in note for note in changed.history)
    np.testing.assert_allclose(changed.positions, plain.positions[1:] * 0.5, rtol=1e-6)
    x, y, z = np.moveaxis(plain.positions, -1, 0)
    z_up = read(path, options=replace(asked, unit=1.0, up="z")).recording
    np.testing.assert_allclose(z_up.positions, np.stack([x, z, -y], -1), atol=1e-6)
    x_up = read(path, options=replace(asked, unit=1.0, up="x")).recording
    np.testing.assert_allclose(x_up.positions, np.stack([-y, x, z], -1), atol=1e-6)
    with pytest.raises(InputError, match=f"{path.name}: --skip-frames is 4.*only 4"):
        read(path, options=ReadOptions(skip_frames=4))


@pytest.mark.parametrize(
    "wrong",
    [
        {"fps": 0.0}, {"fps": float("nan")}, {"unit": -1.0}, {"unit": "yard"}, {"skip_frames": -1}, {"up": "w"},
        {"min_label_frames": -2}, {"min_confidence": -0.1},
    ],
)  # fmt: skip
def test_bad_read_options_are_refused(wrong):
    with pytest.raises(InputError, match=f"--{next(iter(wrong)).replace('_', '-')} is"):
        ReadOptions(**wrong)


# --- broken files --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=list(READERS))
def whole(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    path = FIXTURES[request.param](folder)
    return request.param, path, path.read_bytes()


def try_read(name, path):
    """The Take, or None where the file was refused in the right way."""
    try:
        return read(path, format=name, options=ReadOptions(fps=30.0))
    except InputError as error:
        if path.name not in str(error):
            pytest.fail(f"the message does not name the file: {error}")
        return None


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1))
def test_a_file_cut_off_anywhere_is_read_or_refused(whole, share):
    name, path, data = whole
    cut = path.with_name("HDM_zz_cut.dat")
    cut.write_bytes(data[: int(share * len(data))])
    take = try_read(name, cut)
    assert take is None or take.recording.num_frames <= 4


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), kind=st.sampled_from(["flip", "drop", "double", "word"]))
def test_a_damaged_file_is_read_or_refused(whole, seed, kind):
    name, path, data = whole
    rng = random.Random(seed)
    at, length = rng.randrange(len(data)), rng.randrange(1, 40)
    damaged = {
        "flip": data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :],
        "drop": data[:at] + data[at + length :],
        "double": data[: at + length] + data[at:],
        "word": data[:at]
        + rng.choice([b"nan", b"1e999", b" -1 ", b"{", b"}", b"\n", b":end", b";", b"9" * 50])
        + data[at:],
    }[kind]
    broken = path.with_name("HDM_zz_broken.dat")
    broken.write_bytes(damaged)
    try_read(name, broken)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(junk=st.binary(max_size=300))
def test_junk_is_refused(whole, junk):
    name, path, _ = whole
    file = path.with_name("HDM_zz_junk.dat")
    file.write_bytes(junk)
    assert try_read(name, file) is None
    with pytest.raises(InputError, match=r"HDM_zz_junk\.dat"):
        read(file)


@pytest.mark.parametrize("name", READERS)
def test_a_missing_file_is_refused_by_name(name, tmp_path):
    with pytest.raises(InputError, match="gone: no such file"):
        read(tmp_path / "gone", format=name)
    with pytest.raises(InputError, match="a folder; give one motion file"):
        read(tmp_path)
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(InputError, match="empty"):
        read(tmp_path / "empty", format=name)


def test_an_unknown_format_names_the_nearest(tmp_path):
    with pytest.raises(InputError, match="did you mean 'bvh'"):
        read(write_bvh(tmp_path), format="bhv")


# --- folders -------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    for name, below in (("bvh", "b"), ("amc", "a/deep"), ("precog", "a")):
        (tmp_path / below).mkdir(parents=True, exist_ok=True)
        FIXTURES[name](tmp_path / below)
    write_npz(tmp_path)
    (tmp_path / "readme.txt").write_text("hello")
    (tmp_path / ".hidden").mkdir()
    write_bvh(tmp_path / ".hidden")
    return tmp_path


def test_find_files_is_recursive_and_sorted(folder):
    found, skipped = survey_files(folder)
    assert [(path.relative_to(folder).as_posix(), name) for path, name in found] == [
        ("a/Seq2_7.csv", "precog"), ("a/deep/HDM_zz_kickLFront1Reps_003_120.amc", "amc"), ("b/made.bvh", "bvh"),
        ("made.npz", "npz"),
    ]  # fmt: skip
    assert [path.name for path in skipped] == ["HDM_zz.asf", "readme.txt"]
    assert find_files(folder) == found
    assert [path.name for path, _ in find_files(folder, "bvh")] == ["made.bvh"]
    assert find_files(folder / "made.npz") == [(folder / "made.npz", "npz")]


def test_find_files_refuses_a_folder_without_recordings(folder, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(InputError, match="among 0 files"):
        find_files(empty)
    with pytest.raises(InputError, match="format precog among"):
        find_files(folder / "b", "precog")
    with pytest.raises(InputError, match="no such file or folder"):
        find_files(folder / "nowhere")
    with pytest.raises(InputError, match="unknown format"):
        find_files(folder, "tiff")


def test_an_unrelated_npz_is_not_a_recording(tmp_path):
    np.savez(tmp_path / "weights.npz", layer=np.zeros(3))
    with pytest.raises(InputError, match="no known format"):
        detect(tmp_path / "weights.npz")
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    (tmp_path / "single.npz").write_bytes(buffer.getvalue())
    with pytest.raises(InputError, match="a single array"):
        read(tmp_path / "single.npz", format="npz")
