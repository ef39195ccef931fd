"""Whether a device computes our numbers, in each precision: features, a step's loss and gradients, frame scores.

The reference is the same code in float64 on the CPU, from equal weights, clips and random draws. So without a GPU the
CPU itself is checked, in float32, in bfloat16 and, with the factors of products rounded as a GPU would, in TF32.
"""

from __future__ import annotations

import contextlib
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import kinespan
from kinespan.config import AugmentConfig, MethodConfig, NetworkConfig, PretrainConfig, SnippetConfig
from kinespan.data.annotation import LabelSet
from kinespan.data.skeletons import NTU_25
from kinespan.methods.queue import KeyQueue
from kinespan.models.input_spec import InputSpec
from kinespan.models.localizer import Localizer
from kinespan.models.model_file import ModelSpec
from kinespan.train.clip_pool import ClipPool
from kinespan.train.pretrain_module import PretrainModule
from kinespan.transforms.normalise import Motion

from .cases_training import made_motions, without_trainer

Precision = Literal["float64", "float32", "tf32", "bf16"]
PRECISIONS: tuple[Precision, ...] = ("float32", "tf32", "bf16")
TOLERANCES: dict[str, dict[Precision, float]] = {
    "features": {"float32": 1e-5, "tf32": 2e-2, "bf16": 0.1},
    "loss": {"float32": 1e-5, "tf32": 5e-3, "bf16": 5e-2},
    "gradients": {"float32": 2e-2, "tf32": 0.2, "bf16": 0.5},
    "scores": {"float32": 1e-4, "tf32": 2e-2, "bf16": 0.1},
}
"""The largest error allowed. features, gradients: norm of the error over the norm of the reference (of all levels and
all parameters together; a ReLU that switches by rounding changes single values by more). loss: the same of one number.
scores: the largest error of a probability. float32 keeps 24 bits, TF32 multiplies 11, bfloat16 keeps 8."""
LABELS = LabelSet(("walk", "sit", "wave", "turn"))


class CheckSize(NamedTuple):
    """Clips in a batch, frames in a clip, keys in a queue, frames that are localized."""

    batch: int = 8
    frames: int = 64
    queue: int = 4096
    localized: int = 400


class Check(NamedTuple):
    """An error of a network in a precision, and the largest allowed."""

    encoder: str
    precision: Precision
    what: str
    error: float
    most: float

    @property
    def passed(self) -> bool:
        """Whether the error is small enough; NaN is not."""
        return self.error <= self.most


USUAL, SMALL, TINY = CheckSize(), CheckSize(4, 32, 1024, 240), CheckSize(2, 16, 64, 60)
"""On a GPU; on the CPU, where they take a minute; in tests."""


def checks(encoder: str, device: str, size: CheckSize = USUAL) -> list[Check]:
    """Every number of a network, in every precision that the device has, against the CPU in float64."""
    reference = numbers(encoder, "cpu", "float64", size)
    results = []
    for precision in PRECISIONS:
        for what, value in numbers(encoder, device, precision, size).items():
            difference = value - reference[what]
            error = difference.abs().max() if what == "scores" else difference.norm() / reference[what].norm()
            results.append(Check(encoder, precision, what, float(error), TOLERANCES[what][precision]))
    return results


def numbers(encoder: str, device: str, precision: Precision, size: CheckSize) -> dict[str, Tensor]:
    """What is compared, in float64 on the CPU: features, loss and gradients of a pretraining step, frame scores."""
    exact = torch.float64 if precision == "float64" else torch.float32
    module = step_module(encoder, size)
    motion = made_motion(size.localized)
    localizer = localizer_of(module, encoder, motion).to(device, exact)
    localizer.precision = "bf16" if precision == "bf16" else "32"
    if precision == "float64":
        motion = replace(motion, positions=motion.positions.astype(np.float64))
    module.to(device, exact)
    step_alone = without_trainer(module)
    module.pool.to(device)
    module.pool.positions = module.pool.positions.to(exact)
    half = torch.autocast(device, torch.bfloat16, enabled=precision == "bf16")
    with exactly(precision, device):
        module.eval()
        with torch.no_grad(), half, same_draws(precision):
            view = module.pool.draw(size.batch, size.frames, module.generator)[0]
            pyramid = module.encoder_model.encoder(view.positions, view.present)
            scores = localizer.motion_scores(motion, window=8.0)
        module.train()
        with half, same_draws(precision):
            loss = step_alone()
        loss.backward()
    gradients = [weight.grad.flatten() for weight in module.method.parameters() if weight.grad is not None]
    values = {
        "features": torch.cat([level.flatten() for level in pyramid.maps]), "loss": loss[None],
        "gradients": torch.cat(gradients), "scores": torch.from_numpy(scores).flatten(),
    }  # fmt: skip
    return {name: value.detach().cpu().double() for name, value in values.items()}


# ---- the same weights and clips --------------------------------------------------------------------------------------


def step_module(encoder: str, size: CheckSize) -> PretrainModule:
    """SkeletonCLR with aligned snippets, many augmentations, weights and queues as if trained; on the CPU."""
    config = PretrainConfig(
        network=NetworkConfig(encoder=encoder, streams=("position",)),
        contrast=MethodConfig(queue=size.queue),
        snippet=SnippetConfig(queue=size.queue),
        augment=AugmentConfig(flip=0.5, axis_mask=0.2, joint_mask=0.5),
        batch_size=size.batch, clip_frames=size.frames,
    )  # fmt: skip
    rng = torch.Generator().manual_seed(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = PretrainModule(config, NTU_25, ClipPool(some_absent(size.frames)))
    settle(module, rng)
    return module


def some_absent(frames: int) -> list[Motion]:
    """Motions of two people, some of whom are absent for a while, or throughout."""
    motions = []
    for number, motion in enumerate(made_motions(2, recordings=12, frames=2 * frames)):
        valid = motion.valid.copy()
        if number % 3:
            valid[frames // 2 : frames, 1] = False
        if number % 3 == 2:
            valid[:, 1] = False
        motions.append(replace(motion, positions=motion.positions * valid[..., None], valid=valid))
    return motions


def made_motion(frames: int) -> Motion:
    """One long motion of one person."""
    (motion,) = made_motions(1, recordings=1, frames=frames)
    return replace(motion, fps=15.0)


@torch.no_grad()
def settle(module: PretrainModule, rng: torch.Generator) -> None:
    """Give norms weights other than their initial ones and running statistics of real clips, and fill the queues."""
    norms = [norm for norm in module.encoder_model.encoder.modules() if isinstance(norm, nn.BatchNorm1d)]
    for norm in norms:
        norm.weight.uniform_(0.5, 1.5, generator=rng)
        norm.bias.uniform_(-0.2, 0.2, generator=rng)
        norm.momentum = None  # statistics of all clips alike
    for name, parameter in module.encoder_model.encoder.named_parameters():
        if name.endswith("alpha"):  # the learned share of a learned graph starts at 0
            parameter.fill_(0.5)
    module.encoder_model.encoder.train()
    for _ in range(3):
        view = module.pool.draw(2, module.config.clip_frames, rng)[0]
        module.encoder_model.encoder(view.positions, view.present)
    method: Any = getattr(module.method, "method", module.method)
    method.key_encoder.load_state_dict(method.encoder.state_dict())
    for queue in module.modules():
        if isinstance(queue, KeyQueue):
            keys = torch.randn(queue.keys.shape, generator=rng)
            queue.put(nn.functional.normalize(keys, dim=1), torch.full((len(keys),), -1))


def localizer_of(module: PretrainModule, encoder: str, motion: Motion) -> Localizer:
    """A localizer over the module's encoder, as confident on a motion as a trained one."""
    spec = ModelSpec(
        kind="localizer", input=InputSpec(NTU_25, 15.0, ("position",), NetworkConfig().normalisation),
        encoder=encoder, fusion="nested_u", labels=LABELS, clip_frames=module.config.clip_frames,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        localizer = Localizer(spec)
    localizer.encoder.load_state_dict(module.encoder_model.encoder.state_dict())
    head = localizer.eval().head.linear
    with torch.no_grad():
        logits = localizer.motion_features(motion, window=8.0) @ head.weight[..., 0].T
        head.weight *= 2 / logits.std()
        head.bias = nn.Parameter((-2 * logits.mean() / logits.std()).expand(len(head.weight)).clone())
    return localizer


# ---- the same draws, in a precision ----------------------------------------------------------------------------------


@contextmanager
def exactly(precision: Precision, device: str) -> Iterator[None]:
    """Set torch's default dtype, and whether products use TF32, for this precision."""
    before = torch.get_default_dtype(), torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_default_dtype(torch.float64 if precision == "float64" else torch.float32)
    if device == "cuda":
        use_tf32(precision == "tf32")
    try:
        with RoundedProducts() if precision == "tf32" and device == "cpu" else contextlib.nullcontext():
            yield
    finally:
        torch.set_default_dtype(before[0])
        if device == "cuda":
            torch.set_float32_matmul_precision(before[1])
            torch.backends.cudnn.allow_tf32 = before[2]


def use_tf32(use: bool) -> None:
    """Let float32 products and convolutions of a GPU use TF32, or not."""
    torch.set_float32_matmul_precision("high" if use else "highest")
    torch.backends.cudnn.allow_tf32 = use


def same_draws(precision: Precision) -> SameDraws:
    """Draws that do not depend on device and precision."""
    return SameDraws(torch.Generator().manual_seed(3), precision == "float64")


class SameDraws(TorchFunctionMode):
    """Draws random numbers on the CPU, in float32, for any device and dtype; where `double`, float() is double()."""

    DRAWS = (torch.rand, torch.randn, torch.randint, torch.multinomial)

    def __init__(self, generator: torch.Generator, double: bool) -> None:
        super().__init__()
        self.rng, self.double = generator, double

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.Tensor.float and self.double:
            return args[0].double()
        if func not in self.DRAWS:
            return func(*args, **kwargs)
        device = kwargs.pop("device", None)
        kwargs["generator"] = self.rng
        if func is torch.multinomial:
            device, args = args[0].device, (args[0].cpu().to(torch.float32), *args[1:])
        elif func is not torch.randint:
            kwargs["dtype"] = torch.float32
        drawn = func(*args, **kwargs)
        return drawn.to(device, torch.get_default_dtype() if drawn.is_floating_point() else drawn.dtype)


FACTORS = {
    "mm": (0, 1), "bmm": (0, 1), "addmm": (1, 2), "baddbmm": (1, 2), "convolution": (0, 1),
    "convolution_backward": (0, 1, 2),
}  # fmt: skip
"""Operations of torch that multiply, and the indices of the arguments multiplied."""


class RoundedProducts(TorchDispatchMode):
    """Products and convolutions whose factors keep the eleven bits that TF32 leaves of a float32's 24."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        factors = FACTORS.get(func.overloadpacket.__name__, ())
        args = tuple(rounded(arg) if index in factors else arg for index, arg in enumerate(args))
        return func(*args, **(kwargs or {}))


def rounded(x: Tensor) -> Tensor:
    """float32 values rounded to a mantissa of ten bits, ties to even."""
    if x.dtype != torch.float32:
        return x
    bits = x.view(torch.int32)
    return ((bits + 0xFFF + ((bits >> 13) & 1)) & ~0x1FFF).view(torch.float32)


# ---- where a step waits ----------------------------------------------------------------------------------------------


def round_trips(step: Callable[[], object], device: str) -> Counter[str]:
    """Where the host waits for the device in a step, and how often: FILE:LINE of kinespan.

    On a GPU by torch's own warnings; on the CPU the operations that would cause one: values read by Python, and results
    whose size depends on values. (Small constants sent to the device count on a GPU alone.)
    """
    if device != "cuda":
        with Waits() as waits, Copies(waits):
            step()
        return waits.counts
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return Counter(_line(w.filename, w.lineno) for w in caught if "synchronizing" in str(w.message))


class Waits(TorchDispatchMode):
    """Counts operations that wait for values of the device."""

    SIZED = ("nonzero", "masked_select", "unique", "_unique2", "unique_dim", "equal", "_local_scalar_dense")

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        by_mask = name.startswith(("index", "_index")) and len(args) > 1 and isinstance(args[1], list | tuple)
        if name in self.SIZED or (
            by_mask and any(index is not None and index.dtype == torch.bool for index in args[1])
        ):
            self.count()
        return func(*args, **(kwargs or {}))

    def count(self) -> None:
        """Add one at the line of kinespan that is running."""
        ours = [frame for frame in traceback.extract_stack() if PACKAGE in Path(frame.filename).parents]
        self.counts[_line(ours[-1].filename, ours[-1].lineno) if ours else "gradients"] += 1


class Copies(TorchFunctionMode):
    """Adds whole tensors that are read by Python to Waits."""

    def __init__(self, waits: Waits) -> None:
        super().__init__()
        self.waits = waits

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.Tensor.tolist, torch.Tensor.cpu, torch.Tensor.numpy):
            self.waits.count()
        return func(*args, **(kwargs or {}))


PACKAGE = Path(kinespan.__file__).parent


def _line(file: str, number: int | None) -> str:
    with contextlib.suppress(ValueError):
        return f"{Path(file).relative_to(PACKAGE)}:{number}"
    return f"{Path(file).name}:{number}"
