"""Slow, plain-loop references of decoding and evaluation, written from the protocols and not from the package."""

from __future__ import annotations

import math

import numpy as np


def overlap(a, b):
    shared = max(0.0, min(a.end, b.end) - max(a.start, b.start))
    return shared / (max(a.end, b.end) - min(a.start, b.start)) if shared else 0.0


def area_under(hits, count):
    """Interpolated AP of hits, best first: mean over the true spans of the best precision once so many are found."""
    right = [sum(hits[: place + 1]) for place in range(len(hits))]
    return (
        sum(max((n / (i + 1) for i, n in enumerate(right) if n >= wanted), default=0) for wanted in range(1, count + 1))
        / count
    )


def activitynet_ap(predictions, truth, label, threshold):
    """AP of one label: each prediction walks down the true spans of its recording, best tIoU first."""
    goals = [(name, span) for name in sorted(truth) for span in sorted(truth[name]) if span.label == label]
    found = [(name, span) for name in sorted(predictions) for span in predictions[name] if span.label == label]
    found.sort(key=lambda item: (-item[1].score, item[0], item[1].start, item[1].end))
    taken, hits = set(), []
    for name, span in found:
        walk = sorted((i for i, goal in enumerate(goals) if goal[0] == name), key=lambda i: -overlap(span, goals[i][1]))
        hit = 0
        for i in walk:
            if overlap(span, goals[i][1]) < threshold:
                break
            if i not in taken:
                taken.add(i)
                hit = 1
                break
        hits.append(hit)
    return area_under(hits, len(goals)) if goals else math.nan


def ranked(group, label=None):
    """(recording, span) of predictions, best first, as ties are settled."""
    items = [(name, span) for name, spans in group.items() for span in spans if label in (None, span.label)]
    return sorted(items, key=lambda item: (-item[1].score, item[0], item[1].start, item[1].end, item[1].label))


def in_order(group, label=None):
    """(recording, span) of truth by recording and time."""
    items = [(name, span) for name, spans in group.items() for span in spans if label in (None, span.label)]
    return sorted(items, key=lambda item: (item[0], item[1].start, item[1].end, item[1].label))


def frames_of(span, fps, more=0):
    """The set of whole frames of a span, some more at its end."""
    return set(range(round(span.start * fps), round(span.end * fps) + more))


def share(a, b):
    """Intersection over union of two sets."""
    return len(a & b) / len(a | b) if a | b else 0.0


def stal_ap(predictions, truth, label, threshold, fps):
    """AP of one label on sets of whole frames; true spans lack their last frame, and each is found once."""
    free = [(name, frames_of(span, fps, -1)) for name, span in in_order(truth, label)]
    count, hits = len(free), []
    for name, span in ranked(predictions, label):
        near = [(share(frames_of(span, fps), goal[1]), -i) for i, goal in enumerate(free) if goal[0] == name]
        overlap_, place = max(near, default=(0.0, 0))
        hits.append(overlap_ >= threshold)
        if hits[-1]:
            del free[-place]
    return area_under(hits, count) if count else math.nan


def simple_det_ap(predictions, truth, label, threshold, fps):
    """AP of one label on sets of whole frames, one more at each end; only the best true span of each may be found."""
    goals = [(name, frames_of(span, fps, 1)) for name, span in in_order(truth, label)]
    found_before, hits = set(), []
    for name, span in ranked(predictions, label):
        near = [(share(frames_of(span, fps, 1), goal[1]), -i) for i, goal in enumerate(goals) if goal[0] == name]
        overlap_, place = max(near, default=(0.0, 0))
        hits.append(overlap_ >= threshold and -place not in found_before)
        if overlap_ >= threshold:
            found_before.add(-place)
    return area_under(hits, len(goals)) if goals else math.nan


def pku_goal(proposal, goals, theta):
    """Place of the goal that a proposal (recording, span) overlaps most, by theta at least; the later of equals."""
    best = None
    for place, goal in enumerate(goals):
        if (goal[0], goal[1].label) == (proposal[0], proposal[1].label):
            value = overlap(proposal[1], goal[1])
            if value >= theta and (best is None or value >= best[0]):
                best = value, place
    return None if best is None else best[1]


def pku_ap(found, goals, theta):
    """Official AP of (recording, span) lists, `found` best first, from what is left as the list shrinks.

    A point (precision, recall) is the whole list, and what is left each time that a proposal with a goal has gone,
    from the worst one on. AP: each drop of recall, times the best precision at any point up to and with its end.
    """
    if not found or not goals:
        return 0.0
    where = [pku_goal(proposal, goals, theta) for proposal in found]
    sizes = [len(found)] + [left for left in reversed(range(len(found))) if where[left] is not None]
    right = [len({goal for goal in where[:size] if goal is not None}) for size in sizes]
    precision = [n / size if size else 0.0 for n, size in zip(right, sizes, strict=True)]
    return sum(
        max(precision[: point + 1]) * (right[point - 1] - right[point]) / len(goals) for point in range(1, len(sizes))
    )


def pku_f1(found, goals, theta):
    """Official F1: goals that some proposal reaches, against the numbers of proposals and of goals."""
    right = len({pku_goal(proposal, goals, theta) for proposal in found} - {None})
    return 2 * right / (len(found) + len(goals)) if right else 0.0


def stretches(holds):
    """(first, end) of each longest stretch of frames that hold, frame by frame."""
    out, first = [], None
    for t, yes in enumerate([*holds, False]):
        if yes and first is None:
            first = t
        elif not yes and first is not None:
            out.append((first, t))
            first = None
    return out


def moving_mean(scores, reach):
    """Each frame's scores (T, C) averaged with those of at most `reach` frames to either side."""
    rows = [scores[max(0, t - reach) : t + reach + 1].mean(axis=0, dtype=np.float64) for t in range(len(scores))]
    return np.array(rows).reshape(scores.shape).astype(np.float32)


def simple_det_decode(scores, reach=10, limit=0.4):
    """Convention A: (label, first, end, score), by place, of stretches of action named by their best mean score."""
    scores = moving_mean(scores, reach)
    out = []
    for first, end in stretches([1 - np.float32(row[0]) >= np.float32(limit) for row in scores]):
        means = [np.mean(scores[first:end, column], dtype=np.float64) for column in range(1, scores.shape[1])]
        out.append((means.index(max(means)), first, end, max(means)))
    return out


def found_skel_decode(scores, limit=0.02):
    """Convention B: (label, first, end, score), by label and place, of each label's stretches above the limit."""
    return [
        (label, first, end, np.mean(scores[first:end, label + 1], dtype=np.float64))
        for label in range(scores.shape[1] - 1)
        for first, end in stretches([value > np.float32(limit) for value in scores[:, label + 1]])
    ]


def stal_decode(column):
    """STAL's proposals of the scores (T,) of one label: sorted (first frame, end as stored, score)."""
    total, proposals = len(column), []
    for limit in (0.03, 0.035, 0.04, 0.045, 0.05):
        for first, end in stretches([value > np.float32(limit) for value in column]):
            length = end - first
            if length < 3:
                continue
            wide = range(max(0, int(first - 0.25 * length)), min(total - 1, int(end + 0.25 * length + 1)))
            margin = [t for t in wide if not first <= t <= end]
            outer = np.mean(column[margin], dtype=np.float64) if margin else 0.0
            inner = np.mean(column[first : end + 1], dtype=np.float64)
            proposals.append((first, end + 1, inner - 0.6 * outer))
    left, kept = sorted(proposals, key=lambda item: item[2]), []
    while left:
        best = left.pop()
        kept.append(best)
        # Both ends count, and the part is of the worse one's own length.
        whole = set(range(best[0], best[1] + 1))
        left = [
            item
            for item in left
            if sum(t in whole for t in range(item[0], item[1] + 1)) / (item[1] - item[0] + 1) <= 0.2
        ]
    return sorted(kept)


def soft_decode(column, thresholds, min_frames, margin, weight, sigma, min_score):
    """Runs with their contrast and gaussian soft-NMS over all of them at once: sorted (first, end, score)."""
    total, proposals = len(column), []
    for limit in thresholds:
        for first, end in stretches([value > np.float32(limit) for value in column]):
            if end - first >= min_frames:
                wide = math.ceil(margin * (end - first))
                around = [*column[max(0, first - wide) : first], *column[end : min(total, end + wide)]]
                outer = np.mean(around, dtype=np.float64) if around else 0.0
                proposals.append([first, end, np.mean(column[first:end], dtype=np.float64) - weight * outer])
    left, kept = [item for item in proposals if item[2] >= min_score], []
    while left:
        best = max(left, key=lambda item: item[2])
        left.remove(best)
        kept.append(tuple(best))
        for item in left:
            shared = max(0, min(best[1], item[1]) - max(best[0], item[0]))
            union = best[1] - best[0] + item[1] - item[0] - shared
            item[2] *= math.exp(-((shared / union) ** 2) / sigma)
        left = [item for item in left if item[2] >= min_score]
    return sorted(kept)


def levenshtein(a, b):
    """By the definition, from both ends inwards."""
    if not a or not b:
        return len(a) + len(b)
    return min(
        levenshtein(a[1:], b) + 1,
        levenshtein(a, b[1:]) + 1,
        levenshtein(a[1:], b[1:]) + (a[0] != b[0]),
    )


def segments(ids, dropped=(0, -100)):
    """(id, start, end) of each run, frame by frame."""
    out, start = [], 0
    for t in range(1, len(ids) + 1):
        if t == len(ids) or ids[t] != ids[start]:
            if ids[start] not in dropped:
                out.append((int(ids[start]), start, t))
            start = t
    return out


def f1_counts(found, true, k):
    """tp, fp, fn of the segments of one recording: each may find the true one of its label that it overlaps most."""
    left, goals = segments(found), segments(true)
    hit = set()
    for label, start, end in left:
        near = [
            (share(set(range(start, end)), set(range(goal[1], goal[2]))), -place)
            for place, goal in enumerate(goals)
            if goal[0] == label
        ]
        value, place = max(near, default=(0.0, 0))
        if value >= k:
            hit.add(-place)
    return len(hit), len(left) - len(hit), len(goals) - len(hit)
