"""The built-in corpus: is it a body, does it move as it is labelled, and is it as hard as it has to be?"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier

from kinespan.data.annotation import Annotation, Span
from kinespan.data.recording import Recording
from kinespan.data.skeletons import NTU_25
from kinespan.errors import InputError
from kinespan.prepare.synthetic.actions import DISTRACTORS, LABELLED, Draw, smooth_step, through
from kinespan.prepare.synthetic.body import CHANNELS, INDEX, Body, forward_kinematics, mirrored, pose
from kinespan.prepare.synthetic.takes import (
    ACTIONS,
    NUM_PERFORMERS,
    SyntheticConfig,
    make_recording,
    synthetic_takes,
)

Take = tuple[Recording, Annotation]

PAIRS = (
    ("sit down", "stand up"), ("pick up", "put down"), ("push", "pull"), ("circle clockwise", "circle anticlockwise"),
    ("turn left", "turn right"), ("walk forward", "walk backward"),
)  # fmt: skip
"""Pairs of labelled actions that only direction or order distinguishes."""

JOINT = {name: index for index, name in enumerate(NTU_25.joints)}
CLEAN = SyntheticConfig(recordings=24, noise=0.0, dropouts=0.0)


@pytest.fixture(scope="module")
def clean() -> list[Take]:
    """Two recordings a performer as they are, without a sensor."""
    return list(synthetic_takes(CLEAN))


def _of(takes: list[Take], label: str) -> list[tuple[NDArray[np.float64], Span, float]]:
    """(positions (T, J, 3) of the span, the span, fps) of every span with the label."""
    found = []
    for recording, annotation in takes:
        for span in annotation.spans:
            if span.label == label:
                first, last = round(span.start * recording.fps), round(span.end * recording.fps)
                found.append((recording.positions[first:last, 0].astype(float), span, recording.fps))
    assert len(found) >= 4
    return found


def _heading(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """The way the hips face (T,), radians from +z towards +x."""
    left = positions[:, JOINT["left hip"]] - positions[:, JOINT["right hip"]]
    return np.asarray(np.unwrap(np.arctan2(-left[:, 2], left[:, 0])))


# The body


def _stand(body: Body, **degrees: float) -> NDArray[np.float64]:
    return forward_kinematics(body, pose(**degrees)[None])[0]


def test_a_body_at_attention_is_as_tall_as_its_bones() -> None:
    body = Body.of(1.8)
    joints = _stand(body)
    bend = np.deg2rad(2)  # a straight knee keeps half of its four degrees of softness
    legs = body.thigh + body.shin * np.cos(bend) + body.ankle_height
    assert joints[JOINT["base of spine"], 1] == pytest.approx(legs + 0.25 * body.hips, abs=1e-3)
    assert joints[JOINT["head"], 1] == pytest.approx(1.8, abs=0.15)
    assert np.allclose(joints[JOINT["base of spine"], [0, 2]], 0.0)
    for left, right in NTU_25.pairs:
        assert np.allclose(joints[left] * [-1, 1, 1], joints[right])
    assert joints[JOINT["left shoulder"], 0] > 0  # facing +z, the left is at +x
    assert joints[JOINT["left foot"], 2] > joints[JOINT["left ankle"], 2]


@pytest.mark.parametrize(
    ("degrees", "joint", "above", "direction"),
    [
        ({"arm_flex": 90}, "left elbow", "left shoulder", (0, 0, 1)),
        ({"l_arm_abduct": 90}, "left elbow", "left shoulder", (1, 0, 0)),
        ({"r_arm_abduct": 90}, "right elbow", "right shoulder", (-1, 0, 0)),
        ({"arm_flex": 180}, "right elbow", "right shoulder", (0, 1, 0)),
        ({"elbow": 90}, "left wrist", "left elbow", (0, 0, 1)),
        ({"l_arm_twist": 90, "elbow": 90}, "left wrist", "left elbow", (1, 0, 0)),
        ({"l_arm_abduct": 90, "l_arm_twist": 90, "elbow": 90}, "left wrist", "left elbow", (0, 1, 0)),
        ({"hip_flex": 90, "knee": 90}, "left knee", "left hip", (0, 0, 1)),
        ({"hip_flex": 90, "knee": 90}, "left ankle", "left knee", (0, -1, 0)),
        ({"pelvis_pitch": 90}, "middle of spine", "base of spine", (0, 0, 1)),
        ({"pelvis_roll": 90}, "middle of spine", "base of spine", (1, 0, 0)),
        ({"heading": 90, "arm_flex": 90}, "left elbow", "left shoulder", (1, 0, 0)),
    ],
)
def test_channels_turn_in_their_documented_direction(
    degrees: dict[str, float], joint: str, above: str, direction: tuple[float, float, float]
) -> None:
    joints = _stand(Body.of(1.7), **degrees)
    bone = joints[JOINT[joint]] - joints[JOINT[above]]
    assert np.allclose(bone / np.linalg.norm(bone), direction, atol=0.05)


def test_a_mirrored_track_moves_a_mirrored_body() -> None:
    rng = np.random.default_rng(0)
    body = Body.of(1.7)
    track = rng.normal(0, 0.3, (20, len(CHANNELS)))
    expected = forward_kinematics(body, track)[:, NTU_25.mirror] * [-1, 1, 1]
    assert np.allclose(forward_kinematics(body, mirrored(track)), expected)


def test_the_standing_foot_does_not_slide() -> None:
    body = Body.of(1.7)
    track = np.zeros((50, len(CHANNELS)))
    track[:, INDEX["r_hip_flex"]] = np.linspace(0.3, -0.3, 50)  # carries
    track[:, INDEX["l_knee"]] = 1.2  # in the air
    joints = forward_kinematics(body, track)
    assert np.ptp(joints[:, JOINT["right foot"]], axis=0).max() < 1e-6
    leg = body.thigh + body.shin
    assert joints[-1, 0, 2] - joints[0, 0, 2] == pytest.approx(2 * leg * np.sin(0.3), rel=0.05)


# Gestures


def test_smooth_step_is_the_minimum_jerk_rise() -> None:
    u = np.array([-1.0, 0.0, 0.25, 0.5, 1.0, 2.0])
    assert np.allclose(smooth_step(u), [0, 0, 10 / 64 - 15 / 256 + 6 / 1024, 0.5, 1, 1])


def test_through_meets_its_keys_without_overshoot_and_rests_at_the_ends() -> None:
    high, low = pose(arm_flex=90), pose(arm_flex=30)
    motion = through(1.0, (0.3, high), (0.4, high), (1.0, low))
    assert np.allclose(motion.offsets(np.array([0.0, 0.3, 0.35, 1.0])), np.stack((0 * high, high, high, low)))
    curve = motion.offsets(np.linspace(0, 1, 2001))[:, INDEX["l_arm_flex"]]
    assert curve.min() >= 0
    assert curve.max() <= np.deg2rad(90) + 1e-12
    speed = np.diff(curve) * 2000
    assert abs(speed[0]) < 0.05
    assert abs(speed[-1]) < 0.05
    assert np.abs(np.diff(speed)).max() < 0.1  # no jump in velocity


@pytest.mark.parametrize("kind", [*LABELLED, *range(len(DISTRACTORS))])
@pytest.mark.parametrize("seed", range(5))
def test_a_gesture_begins_at_zero_and_leaves_the_body_in_its_state(kind: str | int, seed: int) -> None:
    seat, carry = pose(hip_flex=80, knee=80), pose(elbow=80)
    draw = Draw(np.random.default_rng(seed), 1.0, 0.5, seat=seat, carry=carry)
    gesture = LABELLED[kind] if isinstance(kind, str) else DISTRACTORS[kind]
    motion = gesture.make(draw)
    ends = motion.offsets(np.array([0.0, 1.0]))
    assert np.allclose(ends[0], 0, atol=1e-9)
    pose_of = {"standing": 0 * seat, "seated": seat, "carrying": carry}
    change = pose_of[gesture.leaves] - pose_of[gesture.during[0]] if gesture.leaves else 0 * seat
    still = [column for column, name in enumerate(CHANNELS) if name != "heading"]
    assert np.allclose(ends[1][still], change[still], atol=1e-9)
    assert 0.4 < motion.seconds < 7


# Recordings


def test_same_seed_same_corpus_and_a_recording_does_not_depend_on_the_others() -> None:
    short = SyntheticConfig(recordings=3, seconds=(6, 9))
    first = [(r.checksum(), a) for r, a in synthetic_takes(short)]
    assert first == [(r.checksum(), a) for r, a in synthetic_takes(short)]
    longer = [(r.checksum(), a) for r, a in synthetic_takes(replace(short, recordings=5))]
    assert longer[:3] == first
    alone, annotation = make_recording("take_0002", 2, short)
    assert (alone.checksum(), annotation) == first[2]
    other = [r.checksum() for r, _ in synthetic_takes(replace(short, seed=1))]
    assert not {checksum for checksum, _ in longer} & set(other)


def test_noise_and_frame_rate_do_not_change_the_actions(clean: list[Take]) -> None:
    recording, annotation = make_recording("x", 1, SyntheticConfig(dropouts=0.0))
    assert annotation == clean[1][1]
    difference = (recording.positions - clean[1][0].positions)[:, 0]
    assert difference[:, JOINT["base of spine"]].std() == pytest.approx(0.006, rel=0.2)
    fine, spans = make_recording("x", 1, replace(CLEAN, fps=90.0))
    assert [span.label for span in spans.spans] == [span.label for span in annotation.spans]
    assert np.abs(fine.positions[1::3][:100] - clean[1][0].positions[:100]).max() < 0.03


def test_shape_names_and_spans(clean: list[Take]) -> None:
    assert len(ACTIONS) >= 10
    assert ACTIONS.exclusive
    for index, (recording, annotation) in enumerate(clean):
        assert recording.positions.shape == (recording.num_frames, 1, 25, 3)
        assert 20 <= recording.duration <= 40
        assert recording.present.all()
        assert annotation.labels is ACTIONS
        assert recording.attributes["performer"] == f"p{index % NUM_PERFORMERS:02d}"
        assert 3 <= len(annotation.spans) <= 10
        assert all(span.start >= 0 and span.end <= recording.duration for span in annotation.spans)
        for one, other in zip(annotation.spans, annotation.spans[1:], strict=False):
            assert one.end <= other.start
    assert {recording.attributes["group"] for recording, _ in clean} == {"adult", "child", "older"}
    assert len({recording.name for recording, _ in clean}) == len(clean)


def test_every_action_occurs_and_varies_in_speed(clean: list[Take]) -> None:
    counts = Counter(span.label for _, annotation in clean for span in annotation.spans)
    assert set(counts) == set(ACTIONS.names)
    assert max(counts.values()) < 5 * min(counts.values())
    durations = defaultdict(list)
    for _, annotation in clean:
        for span in annotation.spans:
            durations[span.label].append(span.duration)
    for label, seconds in durations.items():
        assert max(seconds) > 1.4 * min(seconds), label


def test_bones_keep_their_length_and_differ_between_performers(clean: list[Take]) -> None:
    child, parent = np.array(NTU_25.bones).T
    lengths = []
    for recording, _ in clean[:NUM_PERFORMERS]:
        bones = np.linalg.norm(recording.positions[:, 0, child] - recording.positions[:, 0, parent], axis=-1)
        assert np.ptp(bones, axis=0).max() < 1e-4
        lengths.append(bones[0])
    ratio = np.stack(lengths) / np.stack(lengths).sum(axis=1, keepdims=True)
    assert np.ptp(np.stack(lengths).sum(axis=1)) > 1.0  # size
    assert ratio.std(axis=0).max() > 0.001  # and proportion
    assert len({tuple(np.round(length, 4)) for length in lengths}) == NUM_PERFORMERS


def test_a_foot_is_on_the_ground_except_in_jumps(clean: list[Take]) -> None:
    for recording, annotation in clean:
        feet = [JOINT["left foot"], JOINT["right foot"]]
        lowest = recording.positions[:, 0, feet, 1].min(axis=1)
        jumping = annotation.frame_ids(recording.num_frames, recording.fps) == ACTIONS.index("jump") + 1
        assert lowest.min() > -0.01
        assert lowest[~jumping].max() < 0.09  # on tiptoe the toe's joint is lowest, on the heel it is up


def test_the_body_always_moves_and_never_jerks(clean: list[Take]) -> None:
    for recording, annotation in clean:
        speed = np.linalg.norm(np.diff(recording.positions[:, 0], axis=0), axis=-1).mean(axis=1) * recording.fps
        idle = annotation.frame_ids(recording.num_frames, recording.fps)[1:] == 0
        seconds = [chunk.mean() for chunk in np.array_split(speed[idle], max(1, idle.sum() // 30))]
        assert min(seconds) > 0.01
        assert speed[~idle].mean() > 1.3 * np.median(speed[idle])
    # A jump of the velocity would stay as it is at a finer frame rate; in smooth motion the steps shrink with it.
    steps = []
    for fps in (120.0, 480.0):
        positions = make_recording("x", 1, replace(CLEAN, fps=fps))[0].positions[:, 0].astype(float)
        velocity = np.diff(positions, axis=0) * fps
        steps.append(np.linalg.norm(np.diff(velocity, axis=0), axis=-1).max())
    assert steps[1] < 0.35 * steps[0]


def test_start_headings_cover_all_directions(clean: list[Take]) -> None:
    start = np.array([_heading(recording.positions[:2, 0].astype(float))[0] for recording, _ in clean])
    assert len(set(np.floor(start / (np.pi / 2)))) == 4


def test_dropouts_are_short_and_marked() -> None:
    takes = list(synthetic_takes(SyntheticConfig(recordings=8, dropouts=6.0)))
    lost = np.concatenate([~recording.present[:, 0] for recording, _ in takes])
    assert 0.002 < lost.mean() < 0.1
    for recording, _ in takes:
        assert not recording.positions[~recording.present].any()
        assert np.abs(recording.positions[recording.present]).sum(axis=(1, 2)).min() > 0
        edges = np.flatnonzero(np.diff(np.r_[0, ~recording.present[:, 0], 0]))
        assert max(np.diff(edges)[::2], default=0) < recording.fps


def test_a_second_person_comes_and_goes_and_does_not_change_the_first(clean: list[Take]) -> None:
    config = replace(CLEAN, recordings=6, second_person=0.7)
    takes = list(synthetic_takes(config))
    assert all(recording.num_people == 2 for recording, _ in takes)
    shares = [recording.present[:, 1].mean() for recording, _ in takes]
    assert any(share == 0 for share in shares)
    assert any(0.1 < share < 0.9 for share in shares)
    for (recording, annotation), (one, spans) in zip(takes, clean, strict=False):
        assert np.array_equal(recording.positions[:, 0], one.positions[:, 0])
        assert [(s.start, s.end, s.label) for s in annotation.spans] == [(s.start, s.end, s.label) for s in spans.spans]
        assert {span.person for span in annotation.spans} == {0}
        both = recording.present.all(axis=1)
        apart = recording.positions[both][:, 0, 0] - recording.positions[both][:, 1, 0]
        assert len(apart) == 0 or np.abs(apart).max() > 0.5


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("recordings", 0), ("seconds", (3.0, 10.0)), ("seconds", (30.0, 20.0)), ("fps", 0.0), ("seed", -1),
        ("noise", -0.1), ("noise", float("nan")), ("second_person", -0.1),
    ],
)  # fmt: skip
def test_a_config_out_of_range_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(InputError, match=field):
        SyntheticConfig(**{field: value})  # type: ignore[arg-type]


# The actions are what they are called


def test_sitting_lowers_the_body_and_standing_raises_it(clean: list[Take]) -> None:
    for label, sign in (("sit down", -1), ("stand up", 1)):
        for positions, _, _ in _of(clean, label):
            assert sign * (positions[-1, 0, 1] - positions[0, 0, 1]) > 0.2


def test_turns_go_to_the_labelled_side(clean: list[Take]) -> None:
    for label, sign in (("turn left", 1), ("turn right", -1)):
        for positions, _, _ in _of(clean, label):
            heading = _heading(positions)
            assert sign * (heading[-1] - heading[0]) > np.deg2rad(35)


def test_walking_goes_in_the_labelled_direction(clean: list[Take]) -> None:
    for label, sign in (("walk forward", 1), ("walk backward", -1)):
        for positions, _, _ in _of(clean, label):
            heading = _heading(positions)[0]
            moved = (positions[-1, 0] - positions[0, 0])[[0, 2]] @ [np.sin(heading), np.cos(heading)]
            assert sign * moved > 0.3


def test_circles_turn_as_the_performer_sees_them(clean: list[Take]) -> None:
    for label, sign in (("circle clockwise", -1), ("circle anticlockwise", 1)):
        for whole, _, _ in _of(clean, label):
            positions = whole[len(whole) // 5 : -len(whole) // 5]  # without raising and lowering the arm
            left = positions[:, JOINT["left shoulder"]] - positions[:, JOINT["right shoulder"]]
            left /= np.linalg.norm(left, axis=1, keepdims=True)
            areas = []
            for side in ("left", "right"):
                hand = positions[:, JOINT[f"{side} hand"]] - positions[:, JOINT["spine shoulder"]]
                across, up = -(hand * left).sum(axis=1), hand[:, 1]  # to the performer's right, and up
                areas.append(0.5 * np.sum(across[:-1] * np.diff(up) - up[:-1] * np.diff(across)))
            assert sign * max(areas, key=abs) > 0.05


def test_picking_up_and_putting_down_go_low_and_push_and_pull_reach_out(clean: list[Take]) -> None:
    for label in ("pick up", "put down"):
        for positions, _, _ in _of(clean, label):
            hands = positions[:, [JOINT["left hand"], JOINT["right hand"]], 1].mean(axis=1)
            assert hands.min() < 0.35 * hands[[0, -1]].mean() + 0.15
    for label, later in (("push", 1), ("pull", -1)):
        for positions, _, _ in _of(clean, label):
            arms = [
                np.linalg.norm(positions[:, JOINT[f"{s} hand"]] - positions[:, JOINT[f"{s} shoulder"]], axis=1)
                for s in ("left", "right")
            ]
            arm = max(arms, key=np.ptp)
            third = len(arm) // 2
            assert later * (arm[third:].mean() - arm[:third].mean()) > 0


# As hard as it has to be, and no harder


def _canonical(recording: Recording) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Pose (T, 76) around the root, facing +z, with its height; the heading (T,); the root (T, 3)."""
    seen = np.flatnonzero(recording.present[:, 0])
    nearest = np.interp(np.arange(recording.num_frames), seen, seen).round().astype(int)
    positions = recording.positions[nearest, 0].astype(float)
    heading = _heading(positions)
    local = _facing(positions - positions[:, :1], heading[:, None])
    return np.c_[local.reshape(len(local), -1), positions[:, 0, 1]], heading, positions[:, 0]


def _facing(points: NDArray[np.float64], heading: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (..., 3) turned by -heading about y."""
    c, s, (x, y, z) = np.cos(heading), np.sin(heading), np.moveaxis(points, -1, 0)
    return np.stack((c * x - s * z, y, s * x + c * z), axis=-1)


def _features(recording: Recording) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of every fifth frame: what one frame shows, and the same with the movement within 15 frames of it."""
    pose_now, heading, root = _canonical(recording)
    frames = np.arange(0, recording.num_frames, 5)
    moving = [pose_now[frames]]
    for before, after in ((-15, -5), (-5, 5), (5, 15)):
        i, j = (np.clip(frames + k, 0, recording.num_frames - 1) for k in (before, after))
        moving += [
            pose_now[j] - pose_now[i],
            _facing(root[j] - root[i], heading[frames]),
            (heading[j] - heading[i])[:, None],
        ]
    return pose_now[frames], np.concatenate(moving, axis=1)


def test_pairs_differ_in_movement_but_not_in_single_poses() -> None:
    takes = list(synthetic_takes(SyntheticConfig(recordings=60)))
    features = [_features(recording) for recording, _ in takes]
    ids = [annotation.frame_ids(recording.num_frames, recording.fps)[::5] for recording, annotation in takes]
    train = [index for index in range(60) if index % NUM_PERFORMERS < 8]
    test = [index for index in range(60) if index % NUM_PERFORMERS >= 8]  # performers never seen
    truth = np.concatenate([ids[index] for index in test])
    hits, recall = np.zeros((2, len(PAIRS))), np.zeros(2)
    for kind in range(2):
        forest = ExtraTreesClassifier(60, min_samples_leaf=2, random_state=0)
        forest.fit(np.concatenate([features[i][kind] for i in train]), np.concatenate([ids[i] for i in train]))
        scores = forest.predict_proba(np.concatenate([features[i][kind] for i in test]))
        guess = scores.argmax(axis=1)
        recall[kind] = np.mean([(guess[truth == label] == label).mean() for label in range(1, len(ACTIONS) + 1)])
        for pair, (one, other) in enumerate((ACTIONS.index(a) + 1, ACTIONS.index(b) + 1) for a, b in PAIRS):
            either = (truth == one) | (truth == other)
            hits[kind, pair] = ((scores[either, other] > scores[either, one]) == (truth[either] == other)).mean()
    frame, movement = hits
    assert 0.42 < frame.mean() < 0.58, frame  # chance is 0.5
    assert frame.max() < 0.65, frame
    assert movement.mean() > 0.85, movement
    assert movement.min() > 0.62, movement
    assert recall[0] < 0.4
    assert recall[1] > 0.6
