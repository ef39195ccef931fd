"""Slow, plain-loop references of decoding and evaluation, written from the protocols and not from the package."""

from __future__ import annotations

import math

import numpy as np


def overlap(a, b):
    shared = max(0.0, min(a.end, b.end) - max(a.start, b.start))
    return shared / (max(a.end, b.end) - min(a.start, b.start)) if shared else 0.0


def area_under(hits, count):
    """All-point interpolated AP of hits, best first, by the VOC recipe with sentinels."""
    precision, recall, right = [0.0], [0.0], 0
    for place, hit in enumerate(hits, start=1):
        right += hit
        precision.append(right / place)
        recall.append(right / count)
    precision.append(0.0)
    recall.append(1.0)
    for i in range(len(precision) - 2, -1, -1):
        precision[i] = max(precision[i], precision[i + 1])
    return sum((recall[i] - recall[i - 1]) * precision[i] for i in range(1, len(recall)))


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


def stal_ap(predictions, truth, label, threshold, fps):
    """AP of one label on sets of whole frames; true spans lose their last frame, taken ones are removed."""
    goals = [
        (name, set(range(round(span.start * fps), round(span.end * fps) - 1)))
        for name in sorted(truth)
        for span in sorted(truth[name])
        if span.label == label
    ]
    count = len(goals)
    found = [(name, span) for name in sorted(predictions) for span in predictions[name] if span.label == label]
    found.sort(key=lambda item: (-item[1].score, item[0], item[1].start, item[1].end))
    hits = []
    for name, span in found:
        frames = set(range(round(span.start * fps), round(span.end * fps)))
        best, best_overlap = None, 0.0
        for i, (recording, goal) in enumerate(goals):
            if recording == name and len(frames & goal) / len(frames | goal) >= threshold:
                value = len(frames & goal) / len(frames | goal)
                if value > best_overlap:
                    best, best_overlap = i, value
        if best is not None:
            del goals[best]
        hits.append(int(best is not None))
    return area_under(hits, count) if count else math.nan


def pku_match(found, goals, theta):
    """Which goal each proposal (name, span) goes to; with the script's index -1 for a proposal that has none yet."""

    def hull_overlap(a, b):
        if a[0] != b[0] or a[1].label != b[1].label:
            return 0.0
        (_, a), (_, b) = a, b
        return (min(a.end, b.end) - max(a.start, b.start)) / (max(a.end, b.end) - min(a.start, b.start))

    where = [-1] * len(found)
    for x, proposal in enumerate(found):
        for y, goal in enumerate(goals):
            if goal[1].label != proposal[1].label:
                continue
            value = hull_overlap(proposal, goal)
            if value >= theta and value >= hull_overlap(proposal, goals[where[x]]):
                where[x] = y
    return where


def pku_ap(found, goals, theta):
    """The script's AP: proposals leave one by one, least confident first."""
    found = sorted(found, key=lambda item: (-item[1].score, item[0], item[1].start, item[1].end, item[1].label))[::-1]
    where = pku_match(found, goals, theta)
    taken_by = {y: where.count(y) for y in set(where) if y != -1}

    def precision_recall(left):
        right = sum(1 for value in taken_by.values() if value)
        return (right / left, right / len(goals)) if left and goals else (0.0, 0.0)

    best, recall = precision_recall(len(found))
    area, left = 0.0, len(found)
    for y in where:
        left -= 1
        if y == -1:
            continue
        taken_by[y] -= 1
        precision, new_recall = precision_recall(left)
        best = max(best, precision)
        area += best * (recall - new_recall)
        recall = new_recall
    return area


def pku_f1(found, goals, theta):
    right = len({y for y in pku_match(found, goals, theta) if y != -1})
    if not right:
        return 0.0
    precision, recall = right / len(found), right / len(goals)
    return 2 * precision * recall / (precision + recall)


def stal_decode(column):
    """STAL's proposals of the scores (T,) of one label: sorted (first frame, end as stored, score)."""
    total, proposals = len(column), []
    for threshold in (0.03, 0.035, 0.04, 0.045, 0.05):
        t = 0
        while t < total:
            if not column[t] > np.float32(threshold):
                t += 1
                continue
            s = t
            while t < total and column[t] > np.float32(threshold):
                t += 1
            e, length = t, t - s
            if length < 3:
                continue
            inner = np.mean(column[s : e + 1], dtype=np.float64)
            first, stop = max(0, int(s - 0.25 * length)), min(total - 1, int(e + 0.25 * length + 1))
            margin = [*range(first, s), *range(e + 1, stop)]
            outer = np.mean(column[margin], dtype=np.float64) if margin else 0.0
            proposals.append((s, e + 1, inner - 0.6 * outer))
    left, kept = sorted(proposals, key=lambda item: item[2]), []
    while left:
        best = left.pop()
        kept.append(best)
        left = [
            item
            for item in left
            if max(0, min(best[1], item[1]) - max(best[0], item[0]) + 1) / (item[1] - item[0] + 1) <= 0.2
        ]
    return sorted(kept)


def soft_decode(column, thresholds, min_frames, margin, weight, sigma, min_score):
    """Runs with their contrast and gaussian soft-NMS over all of them at once: sorted (first, end, score)."""
    total, proposals = len(column), []
    for threshold in thresholds:
        above = [*(bool(value > np.float32(threshold)) for value in column), False]
        start = None
        for t, up in enumerate(above):
            if up and start is None:
                start = t
            elif not up and start is not None:
                if t - start >= min_frames:
                    wide = math.ceil(margin * (t - start))
                    around = [*column[max(0, start - wide) : start], *column[t : min(total, t + wide)]]
                    outer = np.mean(around, dtype=np.float64) if around else 0.0
                    proposals.append([start, t, np.mean(column[start:t], dtype=np.float64) - weight * outer])
                start = None
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
    """tp, fp, fn of the segments of one recording."""
    left, goals = segments(found), segments(true)
    taken, tp, fp = [False] * len(goals), 0, 0
    for value, start, end in left:
        best, best_overlap = -1, -1.0
        for i, (goal, goal_start, goal_end) in enumerate(goals):
            frames, others = set(range(start, end)), set(range(goal_start, goal_end))
            share = len(frames & others) / len(frames | others) * (goal == value)
            if share > best_overlap:
                best, best_overlap = i, share
        if best >= 0 and best_overlap >= k and not taken[best]:
            taken[best] = True
            tp += 1
        else:
            fp += 1
    return tp, fp, taken.count(False)
