"""What networks that run one frame after another remember: steps that are still looked at, and who was there; and when
steps come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..encoders.layers import MaskedBatchNorm
from .products import Floats, Product


@dataclass(frozen=True)
class Arrivals:
    """When the steps of a level are final: step s, which begins with frame s * step, ``late[s % len(late)]`` frames
    after that frame."""

    step: int
    late: tuple[int, ...]

    def at(self, step: int) -> int:
        """The frame that makes a step final."""
        return step * self.step + self.late[step % len(self.late)]

    @property
    def lag(self) -> int:
        """Frames after a step's first frame that it is final, at most."""
        return max(self.late)

    @property
    def period(self) -> int:
        """Frames after which all comes again."""
        return self.step * len(self.late)

    def later(self, frames: int) -> Arrivals:
        """The same, by so many frames later."""
        return Arrivals(self.step, tuple(one + frames for one in self.late))


def arrivals(step: int, period: int, at: Callable[[int], int]) -> Arrivals:
    """Those of a level whose step s is final with frame `at(s)`, in a `period` that is a multiple of its `step`."""
    return Arrivals(step, tuple(at(one) - one * step for one in range(period // step)))


ROOM = 32
"""Steps that a buffer holds at least; when it is full, what is still looked at moves to its front."""


class Steps:
    """Steps (R, n, C) that outputs to come still look at. R: rows, one for every joint of every person, or one.

    The channels may come from several sources, each as far ahead as it is; a step is ready where all have given
    their channels. ``before`` steps of zeros stand in front of the first one, as the padding of a convolution does.
    """

    def __init__(self, widths: Sequence[int], before: int = 0, rows: int = 0) -> None:
        """rows: R at the start."""
        self.offsets = [0, *accumulate(widths)]
        self.buffer: Floats = np.zeros((rows, max(ROOM, 2 * before), self.offsets[-1]), dtype=np.float32)
        self.begin = 0
        self.ends = [before] * len(widths)

    @property
    def ready(self) -> int:
        """Number of steps that all sources have given and that nobody has dropped."""
        return min(self.ends) - self.begin

    def place(self, count: int, source: int = 0) -> Floats:
        """Where the next steps (R, count, C_source) of a source belong; who asks writes them."""
        if self.ends[source] + count > self.room:
            self._make_room(count)
        end = self.ends[source]
        self.ends[source] = end + count
        return self.buffer[:, end : end + count, self.offsets[source] : self.offsets[source + 1]]

    def put(self, new: Floats, source: int = 0) -> None:
        """Take the next steps (R, n, C_source) of a source."""
        self.place(new.shape[1], source)[...] = new

    @property
    def room(self) -> int:
        """Steps that fit in before old ones must go."""
        return int(self.buffer.shape[1])

    def close(self, padding: int) -> None:
        """The last step has come: steps that not all sources have are dropped, `padding` steps of zeros follow."""
        end = min(self.ends)
        self.ends = [end] * len(self.ends)
        if end + padding > self.room:
            self._make_room(padding)
            end = self.ends[0]
        self.buffer[:, end : end + padding] = 0
        self.ends = [end + padding] * len(self.ends)

    def windows(self, count: int, kernel: int, stride: int = 1, dilation: int = 1) -> Floats:
        """The next `count` windows (R, count, kernel, C) from the first step on, as a view."""
        row, step, one = self.buffer.strides
        shape = self.buffer.shape[0], count, kernel, self.buffer.shape[2]
        strides = row, stride * step, dilation * step, one
        return np.ndarray(shape, self.buffer.dtype, self.buffer, self.begin * step, strides)

    def drop(self, count: int) -> None:
        """Forget the first `count` steps, also some that are still to come."""
        self.begin += count

    def choose(self, rows: Sequence[int], added: int) -> None:
        """Keep some rows (R',) and add `added` rows that have seen nothing."""
        fresh = np.zeros((added, *self.buffer.shape[1:]), dtype=np.float32)
        self.buffer = np.concatenate([self.buffer[list(rows)], fresh])

    def save(self) -> Any:
        """All that `load` needs to come back to here."""
        return self.buffer.copy(), self.begin, list(self.ends)

    def load(self, saved: Any) -> None:
        """Come back to where `save` was called."""
        self.buffer, self.begin, self.ends = saved

    def _make_room(self, count: int) -> None:
        shift, end = min(self.begin, max(self.ends)), max(self.ends)
        live = self.buffer[:, shift:end].copy()
        if end - shift + count > self.room // 2:  # moving that often costs more than room does
            rows, _, channels = self.buffer.shape
            self.buffer = np.zeros((rows, 2 * (end - shift + count), channels), dtype=np.float32)
        self.buffer[:, : end - shift] = live
        self.ends = [one - shift for one in self.ends]
        self.begin -= shift


class Presence:
    """Which of N people were there in the latest frames; a step of a level stands for its first frame.

    keep: frames before the latest push that are still asked for.
    """

    def __init__(self, keep: int, people: int = 0) -> None:
        self.keep = keep
        self.valid: NDArray[np.bool_] = np.zeros((people, 2 * keep), dtype=bool)
        self.origin = 0
        """The frame of column 0."""
        self.frames = self.latest = 0
        """Frames so far, and how many of them came last."""
        self.everyone = True
        """Whether all were there in all of the latest frames; ``anyone_always``: whether at any time somebody was."""
        self.anyone_always = people > 0

    def add(self, valid: NDArray[np.bool_]) -> None:
        """Take the next frames (N, n)."""
        count, end = valid.shape[1], self.frames - self.origin
        if end + count > self.valid.shape[1]:
            kept = self.valid[:, max(0, end - self.keep) : end]
            room = max(2 * self.keep, kept.shape[1] + count)
            fresh = np.zeros((len(kept), room), dtype=bool)
            fresh[:, : kept.shape[1]] = kept
            self.valid, self.origin = fresh, self.frames - kept.shape[1]
            end = kept.shape[1]
        self.valid[:, end : end + count] = valid
        self.frames, self.latest = self.frames + count, count
        if self.everyone and self.anyone_always and valid.all():
            return
        latest = self._latest(self.keep + count)  # outputs may come for frames that late before the first of these
        self.everyone = bool(latest.all())
        self.anyone_always = len(latest) > 0 and (self.everyone or bool(latest.any(axis=0).all()))

    def people(self, first: int, count: int, step: int) -> Floats | None:
        """Who was there (N, count) at steps `first` and on of `step` frames each, as 0 and 1; None: all of them."""
        if self.everyone:
            return None
        return self._at(first, count, step).astype(np.float32)

    def anyone(self, first: int, count: int, step: int) -> Floats | None:
        """Whether somebody was there (count,), as 0 and 1; None: always."""
        if self.anyone_always:
            return None
        return np.asarray(self._at(first, count, step).any(axis=0), dtype=np.float32)

    def gone(self) -> NDArray[np.bool_]:
        """Which people (N,) have not been seen in all of the frames that are kept."""
        seen = self._latest(self.keep).any(axis=1)
        return np.logical_not(seen) if self.frames >= self.keep else np.zeros(len(self.valid), dtype=bool)

    def choose(self, people: Sequence[int], added: int) -> None:
        """Keep some people and add others, who have not been there."""
        fresh = np.zeros((added, self.valid.shape[1]), dtype=bool)
        self.valid = np.concatenate([self.valid[list(people)], fresh])
        self.everyone = self.everyone and not added
        self.anyone_always = self.anyone_always and len(self.valid) > 0

    def save(self) -> Any:
        """All that `load` needs to come back to here."""
        return {**self.__dict__, "valid": self.valid.copy()}

    def load(self, saved: Any) -> None:
        """Come back to where `save` was called."""
        self.__dict__.update(saved)

    def _latest(self, count: int) -> NDArray[np.bool_]:
        end = self.frames - self.origin
        return self.valid[:, max(0, end - count) : end]

    def _at(self, first: int, count: int, step: int) -> NDArray[np.bool_]:
        start = first * step - self.origin
        return self.valid[:, start : start + (count - 1) * step + 1 : step] if count else self.valid[:, :0]


class TimeConv:
    """A convolution over time of Steps, with the norm that follows it folded in (in eval mode it is affine)."""

    def __init__(self, weight: Tensor, bias: Tensor, stride: int = 1, dilation: int = 1, rows: int = 1) -> None:
        """weight (C', C, kernel) and bias (C',); rows: R as it mostly is."""
        self.kernel, self.stride, self.dilation = weight.shape[2], stride, dilation
        self.reach = self.kernel // 2 * dilation
        self.product = Product(weight.permute(2, 1, 0).flatten(0, 1), bias, rows)
        self.inputs, self.outputs = self.product.inputs, self.product.outputs

    def ready(self, steps: Steps) -> int:
        """How many outputs can be made."""
        return max(0, (steps.ready - 2 * self.reach - 1) // self.stride + 1)

    def __call__(self, steps: Steps, count: int) -> Floats:
        """The next `count` outputs (R count, C')."""
        return self.product(steps.windows(count, self.kernel, self.stride, self.dilation))


def folded(weight: Tensor, bias: Tensor | None, norm: MaskedBatchNorm) -> tuple[Tensor, Tensor]:
    """Weight (C', ...) and bias (C',) of a linear map and the norm after it, in eval mode, as one map."""
    scale, shift = affine(norm)
    weight = weight.detach().float() * scale.view(-1, *[1] * (weight.ndim - 1))
    return weight, shift if bias is None else shift + scale * bias.detach().float()


def affine(norm: MaskedBatchNorm) -> tuple[Tensor, Tensor]:
    """Scale and shift (C,) that a norm is in eval mode."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.detach() * (norm.running_var + norm.eps).rsqrt()
    return scale, norm.bias.detach() - scale * norm.running_mean
