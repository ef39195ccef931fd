"""Both sides of the steps of training: pretraining by the recipes, the cost of the snippet term and of sampling.

"Same maths" is clips in which two people are present: then the field's padding to two people is no waste, and both
sides compute the same numbers. With one person present, ours computes one and the field two.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import torch
import yaml
from numpy.typing import NDArray

from kinespan.config import FinetuneConfig, NetworkConfig, PretrainConfig, SnippetConfig
from kinespan.config.parser import parse_settings
from kinespan.data.skeletons import NTU_25
from kinespan.methods import MethodInputs
from kinespan.methods.queue import KeyQueue
from kinespan.models.localizer import Localizer
from kinespan.models.model_file import ModelSpec
from kinespan.prepare.synthetic.takes import ACTIONS, SyntheticConfig, synthetic_takes
from kinespan.train.clip_pool import ClipPool
from kinespan.train.engine import lightning_precision
from kinespan.train.finetune_module import FinetuneModule
from kinespan.train.malloc import freed_memory_kept
from kinespan.train.pretrain_module import PretrainModule
from kinespan.train.spec import with_refinement
from kinespan.transforms.normalise import Motion, model_motion

from . import conventional, counting
from .conventional_ctrgcn import CTRGCN
from .conventional_views import Views, loader
from .interleave import Job
from .options import ClipSize, RunOptions

RECIPES = Path(__file__).parents[2] / "configs" / "pretrain"
QUEUE, DIM = 32768, 128
WIDTHS = {"stgcn16": conventional.WIDTHS_16, "stgcn64": conventional.WIDTHS_64}
COUNTS = {"skeletonclr": counting.skeletonclr, "aimclr": counting.aimclr}
Snippets = Literal["off", "aligned"]


def made_motions(people: int, recordings: int = 48, frames: int = 400, joints: int = 25) -> list[Motion]:
    """Motions (T, P, J, 3) that drift; their content does not change how long a step takes."""
    rng = np.random.default_rng(0)
    motions = []
    for number in range(recordings):
        start = rng.normal(0, 0.4, (1, people, joints, 3))
        drift = rng.normal(0, 0.02, (frames, people, joints, 3)).cumsum(axis=0)
        valid = np.ones((start + drift).shape[:3], dtype=bool)
        motions.append(Motion((start + drift).astype(np.float32), valid, 30.0, f"made {number}"))
    return motions


def made_clips(size: ClipSize, count: int) -> NDArray[np.float32]:
    """Clips (N, 3, T, 25, 2) of the same motions; where one person is present the second is zeros."""
    motions = made_motions(size.people)
    clips = np.zeros((count, 3, size.frames, 25, conventional.PEOPLE), dtype=np.float32)
    rng = np.random.default_rng(1)
    for clip in clips:
        positions = motions[int(rng.integers(len(motions)))].positions
        start = int(rng.integers(len(positions) - size.frames + 1))
        clip[..., : size.people] = positions[start : start + size.frames].transpose(3, 0, 2, 1)
    return clips


def waiter(device: str) -> Callable[[], None]:
    """A call that lets the device finish, so that its time is counted."""
    return torch.cuda.synchronize if device == "cuda" else lambda: None


def value_bytes(options: RunOptions) -> int:
    """Bytes of a value in our layers."""
    return 2 if lightning_precision(options.precision) == "bf16-mixed" else 4


def conventional_step(options: RunOptions, kind: str, size: ClipSize, encoder: str = "stgcn16") -> Job:
    """A step of the field: views from workers, float32, two people padded, SGD."""
    torch.manual_seed(0)
    method = conventional.AimCLR if kind == "aimclr" else conventional.SkeletonCLR
    model = method(conventional_network(encoder), QUEUE, DIM).to(options.device).train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.1, momentum=0.9, weight_decay=1e-4)
    batches = iter(loader(conventional_views(kind, size), size.batch, workers=os.cpu_count() or 1))

    def step() -> None:
        views = [view.to(options.device, non_blocking=True) for view in next(batches)]
        loss = model(*views)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()

    return Job(step, need=step_need(kind, encoder, size, conventional.PEOPLE), wait=waiter(options.device))


def conventional_network(encoder: str) -> Any:
    """The field's network, of the size of our encoder of that name."""
    from kinespan.encoders.graph import directed_partition, spatial_partition

    if encoder == "ctrgcn":
        return CTRGCN(torch.from_numpy(directed_partition(NTU_25)), dropout=0.5)
    return conventional.STGCN(torch.from_numpy(spatial_partition(NTU_25)), widths=WIDTHS[encoder], dropout=0.5)


def step_need(kind: str, encoder: str, size: ClipSize, people: int) -> counting.Need:
    """What a step needs, on either side."""
    if encoder == "ctrgcn":
        network = counting.ctrgcn(size.frames, conventional.WIDTHS_64)
        return counting.two_views(size.batch, people, network, conventional.WIDTHS_64[-1], QUEUE, DIM)
    return COUNTS[kind](size.batch, size.frames, people, WIDTHS[encoder], QUEUE, DIM)


def conventional_views(kind: str, size: ClipSize) -> Views:
    """The field's data set of clips, which makes the views."""
    swap = np.array(NTU_25.mirror) if kind == "aimclr" else None
    return Views(made_clips(size, 256 if size.frames < 100 else 96), swap)


def our_module(
    options: RunOptions, kind: str, size: ClipSize, snippets: Snippets = "off", encoder: str = "stgcn16"
) -> PretrainModule:
    """Pretraining by the long recipe of configs/pretrain, at a size of the benchmark, its queues full."""
    file = RECIPES / f"{kind}_paper_recipe.yaml"
    config = parse_settings(PretrainConfig, yaml.safe_load(file.read_text()), file.name)
    network = replace(config.network, encoder=encoder, streams=("position",), fps=30.0)
    method_options = {**config.options, "mine_from": 0.0} if kind == "aimclr" else config.options
    config = replace(
        config, network=network, options=method_options, snippet=SnippetConfig(variant=snippets), batch_size=size.batch,
        clip_frames=size.frames, precision=options.precision,
    )  # fmt: skip
    torch.manual_seed(0)
    pool = ClipPool(made_motions(size.people)).to(options.device)
    return with_full_queues(PretrainModule(config, NTU_25, pool).to(options.device).train())


def with_full_queues(module: PretrainModule) -> PretrainModule:
    """The module as after its first few hundred steps: every queue full, of random keys of no recording."""
    for queue in module.modules():
        if isinstance(queue, KeyQueue):
            keys = torch.nn.functional.normalize(torch.randn_like(queue.keys), dim=1)
            queue.put(keys, torch.full((len(keys),), -1, device=keys.device))
    return module


def our_step(
    options: RunOptions, kind: str, size: ClipSize, snippets: Snippets = "off", encoder: str = "stgcn16"
) -> Job:
    """A step of ours, as in the trainer."""
    module = our_module(options, kind, size, snippets, encoder)
    need, step = step_need(kind, encoder, size, size.people), stepper(module, options)
    return Job(step, need=need, value_bytes=value_bytes(options), wait=waiter(options.device))


def stepper(module: Any, options: RunOptions) -> Callable[[], None]:
    """A whole training step of a module: draw, forward, backward, optimiser, momentum networks."""
    step_alone = without_trainer(module)
    optimizer = module.configure_optimizers()["optimizer"]
    half = lightning_precision(options.precision) == "bf16-mixed"
    memory = contextlib.ExitStack()
    memory.enter_context(freed_memory_kept())  # as the trainer does, for as long as the step lives

    def step(memory: contextlib.ExitStack = memory) -> None:
        with torch.autocast(options.device, torch.bfloat16) if half else contextlib.nullcontext():
            loss = step_alone()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if isinstance(module, PretrainModule):
            module.method.after_step()

    return step


def without_trainer(module: Any) -> Callable[[], torch.Tensor]:
    """The loss of a training step: batches are drawn as the trainer's are, and nothing is logged."""
    config, generator = module.config, torch.Generator(device=module.device).manual_seed(module.config.seed * 1009)
    module.batches, module.show = SimpleNamespace(generator=generator), lambda **values: None

    def loss() -> torch.Tensor:
        return module.training_step(module.pool.draw(config.batch_size, config.clip_frames, generator), 0)

    return loss


def conventional_sampling(options: RunOptions, kind: str, size: ClipSize) -> Job:
    """A batch of the field's views, made by one process: the work of its workers for a step."""
    batches = iter(loader(conventional_views(kind, size), size.batch, workers=0))
    return Job(lambda: next(batches), need=_views_need(size, conventional.PEOPLE))


def our_sampling(options: RunOptions, kind: str, size: ClipSize) -> Job:
    """Clips drawn, and both views made of them."""
    module = our_module(options, kind, size)
    without_trainer(module)
    config = module.config

    def sample() -> None:
        clips, _ = module.pool.draw(size.batch, size.frames, module.generator)
        augmentation = {"basic": config.augment, "extreme": config.extreme}
        inputs = MethodInputs(clips, 0.0, augmentation, module.encoder_model.input, module.generator)  # type: ignore[arg-type]
        inputs.view()
        inputs.view()

    return Job(sample, need=_views_need(size, size.people), wait=waiter(options.device))


def _views_need(size: ClipSize, people: int) -> counting.Need:
    """A clip is read and written twice, once for each view."""
    return counting.Need(values=4 * size.batch * size.frames * people * 25 * 3)


def made_takes(options: RunOptions) -> list[Any]:
    """Takes of the built-in corpus."""
    return list(synthetic_takes(SyntheticConfig(recordings=2 if options.quick else 8)))


def default_pretrain(options: RunOptions, encoder: str) -> Job:
    """A step of `kinespan pretrain` by default settings."""
    network = NetworkConfig(encoder=encoder)
    config = PretrainConfig(network=network, precision=options.precision)
    module = PretrainModule(config, NTU_25, default_pool(options, network)).to(options.device).train()
    return Job(stepper(module, options), wait=waiter(options.device))


def default_finetune(options: RunOptions, encoder: str) -> Job:
    """A step of `kinespan finetune` by default settings, from scratch: the cost is the same."""
    network = NetworkConfig(encoder=encoder)
    config = FinetuneConfig(network=network, precision=options.precision)
    pool = default_pool(options, network)
    module = FinetuneModule(config, our_localizer(network, options.device), pool)
    return Job(stepper(module.to(options.device).train(), options), wait=waiter(options.device))


def default_pool(options: RunOptions, network: NetworkConfig) -> ClipPool:
    """Clips of the built-in corpus."""
    takes = made_takes(options)
    motions = [model_motion(take, NTU_25, network.fps, network.normalisation) for take, _ in takes]
    return ClipPool(motions, [annotation for _, annotation in takes], ACTIONS).to(options.device)


def our_localizer(network: NetworkConfig, device: str) -> Localizer:
    """An untrained localizer; weights do not change how long it takes."""
    spec = replace(ModelSpec.of_network(network, NTU_25), kind="localizer", fusion="nested_u", labels=ACTIONS)
    return Localizer(with_refinement(spec, FinetuneConfig())).to(device)
