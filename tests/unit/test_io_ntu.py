""".skeleton files: positions as a slow reader finds them, bodies that come and go, and what is refused where."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinespan.data.skeletons import NTU_25
from kinespan.errors import InputError
from kinespan.io import detect, read
from kinespan.io.ntu import name_attributes, read_bodies
from makers.ntu import BODY_ID, ODD, body_lines, frames_of, moving, skeleton_lines, write_lines, write_ntu, write_odd

NAME = "S012C003P004R002A058"


def read_slowly(path):
    """Line by line as the format is described: frames, each a list of (bodyID, [[x, y, z] of 25 joints])."""
    with path.open() as file:
        frames = []
        for _ in range(int(file.readline())):
            bodies = []
            for _ in range(int(file.readline())):
                head = dict(zip(("id", *"abcdefghi"), file.readline().split(), strict=True))
                joints = []
                for _ in range(int(file.readline())):
                    values = dict(zip("xyzabcdefghi", map(float, file.readline().split()), strict=True))
                    joints.append([values["x"], values["y"], values["z"]])
                bodies.append((head["id"], joints))
            frames.append(bodies)
        assert not file.readline()
    return frames


def slots_slowly(frames):
    """Positions and valid, a slot for each id in order of appearance."""
    ids = []
    for bodies in frames:
        ids += [body for body, _ in bodies if body not in ids]
    positions = np.zeros((len(frames), len(ids), 25, 3))
    valid = np.zeros((len(frames), len(ids)), bool)
    for frame, bodies in enumerate(frames):
        for body, joints in bodies:
            positions[frame, ids.index(body)] = joints
            valid[frame, ids.index(body)] = True
    return positions, valid


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_bodies_that_come_and_go_agree_with_the_slow_reader(tmp_path_factory, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    ids = [BODY_ID + 1, BODY_ID, BODY_ID + 40, 7]
    present = data.draw(st.lists(st.permutations(ids).flatmap(lambda some: st.integers(0, 4).map(
        lambda count: some[:count])), min_size=1, max_size=6))  # fmt: skip
    frames = [[(body, rng.normal(size=(25, 3)) * 10.0 ** rng.integers(-6, 3)) for body in bodies] for bodies in present]
    path = write_lines(tmp_path_factory.mktemp("ntu") / "a.skeleton", skeleton_lines(frames))
    if not any(present):
        with pytest.raises(InputError, match="sample without skeletons"):
            read_bodies(path)
        return
    bodies = read_bodies(path)
    positions, valid = slots_slowly(read_slowly(path))
    assert np.array_equal(bodies.positions, positions)
    assert np.array_equal(bodies.valid, valid)
    order = list(dict.fromkeys(body for frame in present for body in frame))
    for frame, listed in enumerate(present):
        expected = [listed.index(body) if body in listed else -1 for body in order]
        assert bodies.list_position[frame].tolist() == expected


def test_ntu_positions_and_attributes(tmp_path):
    path = write_ntu(tmp_path, [NAME], np.random.default_rng(0), frames=(12, 12))[0]
    take = read(path)
    recording = take.recording
    assert take.annotation is None
    assert recording.positions.shape == (12, 2, 25, 3)
    assert (recording.fps, recording.skeleton, recording.name) == (30.0, NTU_25, NAME)
    expected = {"setup": "12", "camera": "3", "performer": "4", "replication": "2", "action": "58"}
    assert dict(recording.attributes) == expected
    assert np.array_equal(recording.positions, slots_slowly(read_slowly(path))[0].astype(np.float32))
    assert 2 < recording.positions[..., 2].mean() < 4  # metres before the camera
    heads, feet = recording.positions[:, :, 3, 1], recording.positions[:, :, [15, 19], 1]
    assert heads.min() > feet.max()  # y up


def test_attributes_come_from_the_file_name():
    assert name_attributes("S001C002P003R002A013") == {
        "setup": "1", "camera": "2", "performer": "3", "replication": "2", "action": "13",
    }  # fmt: skip
    for other in ("S001C002P003R002A013x", "s001c002p003r002a013", "S1C2P3R2A13", "walk"):
        assert name_attributes(other) is None


def test_other_columns_are_not_checked(tmp_path):
    frames = frames_of(moving(np.random.default_rng(0), 1, 5)[:, None] + [0, 0, 3])
    good = read_bodies(write_lines(tmp_path / "a.skeleton", skeleton_lines(frames)))
    for colour in ("NaN", "-1.#IND", "inf"):
        odd = read_bodies(write_lines(tmp_path / "b.skeleton", skeleton_lines(frames, colour)))
        assert np.array_equal(odd.positions, good.positions)


@pytest.mark.parametrize("end", ["\n", "\r\n", " \r\n", "\r"])
def test_any_line_ends_and_spaces_are_read(tmp_path, end):
    lines = skeleton_lines(frames_of(moving(np.random.default_rng(0), 1, 5)[:, None] + [0, 0, 3]))
    good = read_bodies(write_lines(tmp_path / "a.skeleton", lines))
    other = read_bodies(write_lines(tmp_path / "b.skeleton", [line.replace(" ", "  ") for line in lines], end))
    assert np.array_equal(other.positions, good.positions)
    (tmp_path / "c.skeleton").write_bytes(end.join(lines).encode() + 2 * end.encode())
    assert np.array_equal(read_bodies(tmp_path / "c.skeleton").positions, good.positions)


def test_three_bodies_have_a_slot_each(tmp_path):
    recording = read(write_odd(tmp_path / f"{NAME}.skeleton", "three bodies", np.random.default_rng(0), 20)).recording
    assert recording.num_people == 3
    assert np.flatnonzero(recording.present[:, 0]).tolist() == list(range(20))
    assert np.flatnonzero(recording.present[:, 1]).tolist() == list(range(6, 15))
    assert np.flatnonzero(recording.present[:, 2]).tolist() == [10, 11, 12]
    assert not recording.positions[~recording.present].any()


def test_duplicate_bodies_are_skipped_and_zero_bodies_are_invalid(tmp_path):
    here, there, zeros = np.full((25, 3), 1.5), np.full((25, 3), 2.5), np.zeros((25, 3))
    zeros[:, 2] = 1e-9  # the writer divides by z; rounded away below
    lines = skeleton_lines([[(5, here), (5, there)], [(5, there)], [(6, zeros), (5, here)]])
    lines = [line.replace("0 0 1e-09 ", "0 0 0 ") for line in lines]
    bodies = read_bodies(write_lines(tmp_path / "a.skeleton", lines))
    assert bodies.positions[:, 0, 0, 0].tolist() == [1.5, 2.5, 1.5]
    assert bodies.valid.tolist() == [[True, False], [True, False], [True, False]]
    assert bodies.list_position.tolist() == [[0, -1], [0, -1], [1, -1]]
    assert bodies.motion({}).valid.shape == (3, 2, 25)
    assert bodies.motion({}).valid.all(axis=2).tolist() == bodies.valid.tolist()
    here[4] = 0, 0, 1e-9  # a joint that the sensor did not see
    lines = [line.replace("0 0 1e-09 ", "0 0 0 ") for line in skeleton_lines([[(5, here)]])]
    bodies = read_bodies(write_lines(tmp_path / "b.skeleton", lines))
    assert np.flatnonzero(~bodies.motion({}).valid[0, 0]).tolist() == [4]


def test_duplicate_bodies_are_counted(tmp_path):
    here = np.full((25, 3), 1.5)
    bodies = read_bodies(write_lines(tmp_path / "a.skeleton", skeleton_lines([[(5, here), (5, here)]])))
    assert bodies.notes == ("skipped 1 bodies whose bodyID their frame lists twice",)


SAYS = {
    "zero bodies": r": none of its 20 frames has a body",
    "no frames": r":1: the number of frames is 0",
    "cut off": r":521: the file is cut off: joint 14 of body 1 of frame 19 of 20",
    "wrong joint count": r":4: body 1 of frame 1 of 20 has 20 joints, expected 25",
    "nan": r":11: x of joint 7 is 'NaN', expected a finite number",
    "garbage": r":1: the number of frames",
    "too long": r":562: the file goes on after its 20 frames",
    "empty": r": the file is empty",
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_files_are_refused_or_read(tmp_path, kind):
    path = write_odd(tmp_path / f"{NAME}.skeleton", kind, np.random.default_rng(0), 20)
    if kind == "three bodies":
        assert read(path).recording.num_people == 3
        return
    with pytest.raises(InputError, match=rf"{NAME}\.skeleton{SAYS[kind]}"):
        read(path, format="ntu")


def changed(line, text):
    """A good file of two frames with one line (from 1) replaced."""
    lines = skeleton_lines(frames_of(np.full((2, 1, 25, 3), 1.25)))
    lines[line - 1 : line] = [] if text is None else [text]
    return lines


@pytest.mark.parametrize(
    ("line", "text", "message"),
    [
        (1, "two", ":1: the number of frames is 'two', expected a whole number"),
        (1, "-2", ":1: the number of frames is '-2'"),
        (1, "2 2", ":1: the number of frames has 2 values, expected 1"),
        (1, "999999999", ":57: the file is cut off: the number of bodies in frame 3 of 999999999"),
        (2, "1.5", ":2: the number of bodies in frame 1 of 2 is '1.5'"),
        (2, "2", ":30: the line of body 2 of frame 1 of 2 has 1 values, expected 10"),
        (3, "1 2 3", ":3: the line of body 1 of frame 1 of 2 has 3 values, expected 10"),
        (4, "26", ":4: body 1 of frame 1 of 2 has 26 joints, expected 25"),
        (9, "1 2 3", ":9: joint 5 of body 1 of frame 1 of 2 has 3 values, expected 12"),
        (9, None, ":29: joint 25 of body 1 of frame 1 of 2 has 1 values, expected 12"),
        (57, "1 1 x " + "1 " * 9, ":57: z of joint 25 is 'x', expected a finite number"),
        (57, "1 1e999 1 " + "1 " * 9, ":57: y of joint 25 is '1e999'"),
        (57, None, ":56: the file is cut off: joint 25 of body 1 of frame 2 of 2"),
    ],
)  # fmt: skip
def test_a_broken_line_is_refused_by_number(tmp_path, line, text, message):
    path = write_lines(tmp_path / "a.skeleton", changed(line, text))
    with pytest.raises(InputError) as caught:
        read_bodies(path)
    assert f"a.skeleton{message}" in str(caught.value)


def test_ntu_files_are_recognised_by_content(tmp_path):
    rng = np.random.default_rng(0)
    late = frames_of(moving(rng, 1, 30)[:, None] + [0, 0, 3], np.arange(30)[:, None] >= 20)
    assert detect(write_lines(tmp_path / "late.txt", skeleton_lines(late))) == "ntu"
    assert detect(write_odd(tmp_path / "no.skeleton", "zero bodies", rng)) == "ntu"  # so that reading says why not
    assert detect(write_odd(tmp_path / "joints.txt", "wrong joint count", rng)) == "ntu"
    for number, other in enumerate((["12"], ["1", "0"], ["3", "1", *body_lines(5, np.ones((25, 3)))[1:]])):
        with pytest.raises(InputError, match="no known format"):
            detect(write_lines(tmp_path / f"{number}.txt", other))


def test_reading_ntu_is_fast(tmp_path):
    """Several times the line-by-line way; the bar is low, since machines are shared."""
    frames = frames_of(moving(np.random.default_rng(0), 1, 150)[:, None] + [0, 0, 3])
    path = write_lines(tmp_path / "a.skeleton", skeleton_lines(frames))

    def best(function):
        times = []
        for _ in range(4):
            start = time.perf_counter()
            function(path)
            times.append(time.perf_counter() - start)
        return min(times)

    assert best(read_bodies) < best(read_slowly) / 2
