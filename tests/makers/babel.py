"""A made BABEL: its json files, and AMASS or CMU ASF/AMC motion in which each category moves in its own way."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from .amass import write_amass, write_body

RELEASE = "babel_v1.0_release"
CLASSES = ("walk", "stand", "turn", "jump", "sit", "run", "stand up", "kick", "jog", "wave", "dance", "gesture")
OTHERS = ("transition", "bend")
LIMBS = ("left_hip", "right_hip", "left_knee", "right_knee", "left_shoulder", "right_shoulder", "left_elbow",
         "right_elbow")  # fmt: skip
_SMPL = (1, 2, 4, 5, 16, 17, 18, 19)
_BONES = ("lfemur", "rfemur", "ltibia", "rtibia", "lhumerus", "rhumerus", "lradius", "rradius")
PLACES = {"walk": 0, "stand": 1, "hand movements": 2, "turn": 3, "jump": 16, "sit": 18, "run": 21, "stand up": 26,
          "kick": 31, "gesture": 32, "jog": 34, "wave": 39, "dance": 43}  # fmt: skip

Segment = tuple[float, float, Sequence[str] | None]
"""start_t, end_t, act_cat of a frame label."""

# bone: parent, direction, length in the units of CMU's files (0.45 to the inch)
ASF_BONES = {
    "lhipjoint": ("root", "0.7 -0.6 0.2", 2.3), "lfemur": ("lhipjoint", "0.34 -0.94 0", 7.3),
    "ltibia": ("lfemur", "0.34 -0.94 0", 7.5), "lfoot": ("ltibia", "0.1 -0.3 0.9", 2.2),
    "rhipjoint": ("root", "-0.7 -0.6 0.2", 2.3), "rfemur": ("rhipjoint", "-0.34 -0.94 0", 7.3),
    "rtibia": ("rfemur", "-0.34 -0.94 0", 7.5), "rfoot": ("rtibia", "-0.1 -0.3 0.9", 2.2),
    "lowerback": ("root", "0 1 0", 2.0), "upperback": ("lowerback", "0 1 0", 2.0),
    "thorax": ("upperback", "0 1 0", 2.0),
    "lowerneck": ("thorax", "0 1 0", 1.6), "head": ("lowerneck", "0 1 0.2", 1.8),
    "lclavicle": ("thorax", "0.9 0.4 0", 3.5), "lhumerus": ("lclavicle", "1 0 0", 5.0),
    "lradius": ("lhumerus", "1 0 0", 3.3), "lwrist": ("lradius", "1 0 0", 1.7), "lhand": ("lwrist", "1 0 0", 0.7),
    "rclavicle": ("thorax", "-0.9 0.4 0", 3.5), "rhumerus": ("rclavicle", "-1 0 0", 5.0),
    "rradius": ("rhumerus", "-1 0 0", 3.3), "rwrist": ("rradius", "-1 0 0", 1.7), "rhand": ("rwrist", "-1 0 0", 0.7),
}  # fmt: skip


# ---- json ------------------------------------------------------------------------------------------------------


def record(
    sid: int, feat_p: str, dur: float, segments: Sequence[Segment] | None, extra: bool = False
) -> dict[str, Any]:
    """A record as BABEL has it; `extra` as in the extra files, with several annotators."""

    def annotation(labels: list[dict[str, Any]]) -> dict[str, Any]:
        return {"babel_lid": f"{sid}-l", "anntr_id": "a", "mul_act": len(labels) > 1, "labels": labels}

    def label(number: int, act_cat: Sequence[str] | None) -> dict[str, Any]:
        name = " and ".join(act_cat or ["something"])
        categories = None if act_cat is None else list(act_cat)
        return {"raw_label": name, "proc_label": name, "seg_id": f"{sid}-{number}", "act_cat": categories}

    first = segments[0][2] if segments else ["stand"]
    seq = annotation([label(99, first)])
    frame = None
    if segments is not None:
        frame = annotation(
            [{**label(n, names), "start_t": start, "end_t": end} for n, (start, end, names) in enumerate(segments)]
        )
    anns = {"seq_anns": [seq], "frame_anns": [None, frame]} if extra else {"seq_ann": seq, "frame_ann": frame}
    return {"babel_sid": sid, "url": f"https://example.org/{sid}.mp4", "feat_p": feat_p, "dur": dur, **anns}


def write_release(raw: Path, parts: dict[str, list[dict[str, Any]]], rates: dict[str, float] | None = None) -> Path:
    """Write the json files: records by part, the order of the categories, the table of rates; returns their folder."""
    folder = raw / RELEASE
    folder.mkdir(parents=True, exist_ok=True)
    for part, records in parts.items():
        (folder / f"{part}.json").write_text(json.dumps({str(one["babel_sid"]): one for one in records}))
    (folder / "action_label_2_idx.json").write_text(json.dumps(category_order()))
    if rates is not None:
        (folder / "featp_2_fps.json").write_text(json.dumps(rates))
    return folder


def category_order() -> dict[str, int]:
    """150 categories by place, the known ones where BABEL has them."""
    free = iter(place for place in range(150) if place not in PLACES.values())
    names = [*OTHERS, *(f"category {number}" for number in range(150 - len(PLACES) - len(OTHERS)))]
    return PLACES | {name: next(free) for name in names}


# ---- motion ----------------------------------------------------------------------------------------------------


def limb_angles(rng: np.random.Generator, segments: Sequence[Segment], dur: float, fps: float) -> np.ndarray:
    """Angles (T, 8) of `LIMBS` in radians: each category swings each limb at its own rate and breadth, with noise."""
    frames = round(dur * fps)
    times = np.arange(frames) / fps
    angles = np.zeros((frames, len(LIMBS)))
    for start, end, names in segments:
        own = np.random.default_rng(zlib.crc32((names or ["nothing"])[0].encode()))
        rate, breadth, bend = own.uniform(0.5, 2.5), own.uniform(0, 0.8, len(LIMBS)), own.uniform(-0.6, 0.6, len(LIMBS))
        phase = own.uniform(0, 2 * np.pi, len(LIMBS)) + rng.uniform(0, 2 * np.pi)
        inside = (times >= start) & (times < end)
        swing = np.sin(2 * np.pi * rate * rng.uniform(0.9, 1.1) * times[inside, None] + phase)
        angles[inside] = bend + breadth * swing
    return angles + rng.normal(scale=0.01, size=angles.shape)


def poses_of(angles: np.ndarray) -> np.ndarray:
    """AMASS poses (T, 156), standing upright along z, from limb angles (T, 8)."""
    poses = np.zeros((len(angles), 52, 3))
    poses[:, 0, 0] = np.pi / 2
    for limb, joint in enumerate(_SMPL):
        poses[:, joint, 1 if joint >= 16 else 0] = angles[:, limb]
    return poses.reshape(len(angles), -1).astype(np.float32)


def write_cmu(root: Path, subject: str, trial: str, angles: np.ndarray) -> Path:
    """Write SUBJECT/SUBJECT.asf and SUBJECT/SUBJECT_TRIAL.amc as CMU hands them out; returns the AMC file."""
    folder = root / subject
    folder.mkdir(parents=True, exist_ok=True)
    bones = tree = ""
    for number, (name, (parent, direction, length)) in enumerate(ASF_BONES.items(), start=1):
        bones += f"  begin\n    id {number}\n    name {name}\n    direction {direction}\n    length {length}\n"
        bones += "    axis 0 0 0 XYZ\n" + ("    dof rx\n    limits (-160 160)\n" if name in _BONES[:4] else "")
        bones += ("    dof ry\n    limits (-160 160)\n" if name in _BONES[4:] else "") + "  end\n"
        tree += f"    {parent} {name}\n"
    (folder / f"{subject}.asf").write_text(
        "# AST/ASF file\n:version 1.10\n:name VICON\n:units\n  mass 1.0\n  length 0.45\n  angle deg\n"
        ":root\n  order TX TY TZ RX RY RZ\n  axis XYZ\n  position 0 0 0\n  orientation 0 0 0\n"
        f":bonedata\n{bones}:hierarchy\n  begin\n{tree}  end\n"
    )
    lines = ["#!OML:ASF", ":FULLY-SPECIFIED", ":DEGREES"]
    for frame, row in enumerate(np.rad2deg(angles)):
        lines += [f"{frame + 1}", f"root {0.01 * frame:.4f} 17 {0.02 * frame:.4f} 0 0 0"]
        lines += [f"{bone} {value:.4f}" for bone, value in zip(_BONES, row, strict=True)]
    path = folder / f"{subject}_{trial}.amc"
    path.write_text("\n".join(lines) + "\n")
    return path


# ---- all of it -------------------------------------------------------------------------------------------------

_SETS = (
    ("CMU/CMU/{0:02d}/{0:02d}_{1:02d}_poses.npz", 120.0),
    ("KIT/KIT/{0}/walk{1:02d}_poses.npz", 100.0),
    ("BMLrub/BioMotionLab_NTroje/rub{0:03d}/00{1:02d}_motion_poses.npz", 60.0),
)


def write_babel(
    folder: Path,
    rng: np.random.Generator,
    sequences: int = 12,
    seconds: tuple[float, float] = (4.0, 7.0),
    classes: Sequence[str] = CLASSES[:4],
    motion: Literal["amass", "cmu-amc"] = "amass",
    extra: int = 0,
) -> Path:
    """Write a whole BABEL below `folder` and return it: a third of the sequences is val, every class is in each part.

    Actions of 1 to 2 s follow one another without gaps, one in six of them of a category outside `classes`; about one
    in three goes on for 0.3 s into the next. AMASS lies in ``amass`` with the made body in ``smplh``; CMU's files in
    ``cmu``. `extra` adds that many sequences to extra_train.json.
    """
    parts: dict[str, list[dict[str, Any]]] = {"train": [], "val": [], "test": [], "extra_train": []}
    rates: dict[str, float] = {}
    turns = {part: _cycle(rng, classes) for part in parts}
    for number in range(sequences + extra):
        part = "extra_train" if number >= sequences else "val" if number % 3 == 2 else "train"
        pattern, fps = _SETS[0 if motion == "cmu-amc" else (number // 3) % len(_SETS)]
        feat_p = pattern.format(number % 5 + 1, number // 5 + 1)
        dur = round(float(rng.uniform(*seconds)), 3)
        segments = _timeline(rng, dur, turns[part])
        angles = limb_angles(rng, segments, dur, fps)
        if motion == "cmu-amc":
            subject, trial = Path(feat_p).name.split("_")[:2]
            write_cmu(folder / "cmu", subject, trial, angles)
        else:
            drift = np.array((0, 0, 1.1)) + np.outer(np.arange(len(angles)) / fps, (0.3, 0.1, 0.0))
            write_amass(folder / "amass" / feat_p.split("/", 1)[1], poses_of(angles), fps, drift)
        rates[feat_p] = fps
        parts[part].append(record(1000 + number, feat_p, dur, segments, extra=part == "extra_train"))
    parts["test"].append(record(9999, "CMU/CMU/99/99_01_poses.npz", 5.0, None))
    write_release(folder, parts, rates)
    if motion == "amass":
        write_body(folder)
    return folder


def _cycle(rng: np.random.Generator, classes: Sequence[str]) -> Any:
    """All classes in an order of chance, again and again."""
    while True:
        yield from (classes[place] for place in rng.permutation(len(classes)))


def _timeline(rng: np.random.Generator, dur: float, turns: Any) -> list[Segment]:
    segments: list[Segment] = []
    at = 0.0
    while at < dur:
        end = dur if dur - at < 2.0 else at + float(rng.uniform(1.0, 2.0))
        name = OTHERS[int(rng.integers(len(OTHERS)))] if rng.random() < 1 / 6 else next(turns)
        over = 0.3 if rng.random() < 1 / 3 else 0.0
        segments.append((round(at, 3), round(min(dur, end + over), 3), [name]))
        at = end
    order = rng.permutation(len(segments))
    return [segments[place] for place in order]
