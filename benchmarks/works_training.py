"""Both sides of the steps of training: pretraining as the recipes have it, what the snippet term and sampling add.

"Same maths" is clips in which two people are there: then the field's padding to two people is no waste, and both sides
compute the same numbers. With one person there, ours carries one and the field two.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import torch
import yaml
from numpy.typing import NDArray

from kinespan.config import FinetuneConfig, NetworkConfig, PretrainConfig, SnippetConfig, settings_of
from kinespan.corpus.sampler import ClipPool
from kinespan.corpus.synthetic import ACTIONS, SyntheticConfig, synthetic_takes
from kinespan.localizer import Localizer
from kinespan.model_file import ModelSpec
from kinespan.pretrain import MethodInputs
from kinespan.pretrain.queue import KeyQueue
from kinespan.skeletons import NTU_25
from kinespan.train.common import lightning_precision
from kinespan.train.finetuning import FinetuneModule, with_refinement
from kinespan.train.memory import freed_memory_kept
from kinespan.train.pretraining import PretrainModule
from kinespan.transforms.normalise import Motion, model_motion

from . import conventional, counting
from .conventional_ctrgcn import CTRGCN
from .conventional_views import Views, loader
from .turns import Job

if TYPE_CHECKING:
    from .works import Setting

RECIPES = Path(__file__).parents[1] / "configs" / "pretrain"
QUEUE, DIM = 32768, 128
WIDTHS = {"stgcn16": conventional.WIDTHS_16, "stgcn64": conventional.WIDTHS_64}
COUNTS = {"skeletonclr": counting.skeletonclr, "aimclr": counting.aimclr}
Snippets = Literal["off", "aligned"]


class Size(NamedTuple):
    """Clips in a batch, frames in a clip, people in a recording."""

    batch: int
    frames: int
    people: int = 2


def made_motions(people: int, recordings: int = 48, frames: int = 400, joints: int = 25) -> list[Motion]:
    """Motions (T, P, J, 3) that drift: what they show changes no time."""
    rng = np.random.default_rng(0)
    motions = []
    for number in range(recordings):
        place = rng.normal(0, 0.4, (1, people, joints, 3))
        drift = rng.normal(0, 0.02, (frames, people, joints, 3)).cumsum(axis=0)
        valid = np.ones((frames, people), dtype=bool)
        motions.append(Motion((place + drift).astype(np.float32), valid, 30.0, f"made {number}"))
    return motions


def made_clips(size: Size, count: int) -> NDArray[np.float32]:
    """Clips (N, 3, T, 25, 2) of the same motions, a second person of zeros where there is one."""
    motions = made_motions(size.people)
    clips = np.zeros((count, 3, size.frames, 25, conventional.PEOPLE), dtype=np.float32)
    rng = np.random.default_rng(1)
    for clip in clips:
        positions = motions[int(rng.integers(len(motions)))].positions
        start = int(rng.integers(len(positions) - size.frames + 1))
        clip[..., : size.people] = positions[start : start + size.frames].transpose(3, 0, 2, 1)
    return clips


def waiter(device: str) -> Callable[[], None]:
    """Let a device finish, so that its time is counted."""
    return torch.cuda.synchronize if device == "cuda" else lambda: None


def value_bytes(setting: Setting) -> int:
    """Bytes of a value in the layers of ours."""
    return 2 if lightning_precision(setting.precision) == "bf16-mixed" else 4


def usual_step(setting: Setting, kind: str, size: Size, encoder: str = "stgcn16") -> Job:
    """A step of the field: views from workers, float32, two people padded, SGD."""
    torch.manual_seed(0)
    method = conventional.AimCLR if kind == "aimclr" else conventional.SkeletonCLR
    model = method(usual_network(encoder), QUEUE, DIM).to(setting.device).train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.1, momentum=0.9, weight_decay=1e-4)
    batches = iter(loader(usual_views(kind, size), size.batch, workers=os.cpu_count() or 1))

    def step() -> None:
        views = [view.to(setting.device, non_blocking=True) for view in next(batches)]
        loss = model(*views)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()

    return Job(step, need=step_need(kind, encoder, size, conventional.PEOPLE), wait=waiter(setting.device))


def usual_network(encoder: str) -> Any:
    """The field's network of the size of one of ours."""
    from kinespan.encoders.graph import directed_partition, spatial_partition

    if encoder == "ctrgcn":
        return CTRGCN(torch.from_numpy(directed_partition(NTU_25)), dropout=0.5)
    return conventional.STGCN(torch.from_numpy(spatial_partition(NTU_25)), widths=WIDTHS[encoder], dropout=0.5)


def step_need(kind: str, encoder: str, size: Size, people: int) -> counting.Need:
    """What a step needs, whoever takes it."""
    if encoder == "ctrgcn":
        network = counting.ctrgcn(size.frames, conventional.WIDTHS_64)
        return counting.two_views(size.batch, people, network, conventional.WIDTHS_64[-1], QUEUE, DIM)
    return COUNTS[kind](size.batch, size.frames, people, WIDTHS[encoder], QUEUE, DIM)


def usual_views(kind: str, size: Size) -> Views:
    """The field's data set of clips, which makes its views."""
    swap = np.array(NTU_25.mirror) if kind == "aimclr" else None
    return Views(made_clips(size, 256 if size.frames < 100 else 96), swap)


def our_module(
    setting: Setting, kind: str, size: Size, snippets: Snippets = "off", encoder: str = "stgcn16"
) -> PretrainModule:
    """Pretraining by the long recipe of configs/pretrain, at a size of the yardstick, its queues full."""
    file = RECIPES / f"{kind}_paper_recipe.yaml"
    config = settings_of(PretrainConfig, yaml.safe_load(file.read_text()), file.name)
    network = replace(config.network, encoder=encoder, streams=("position",), fps=30.0)
    options = {**config.options, "mine_from": 0.0} if kind == "aimclr" else config.options
    config = replace(
        config, network=network, options=options, snippet=SnippetConfig(variant=snippets), batch_size=size.batch,
        clip_frames=size.frames, precision=setting.precision,
    )  # fmt: skip
    torch.manual_seed(0)
    pool = ClipPool(made_motions(size.people), device=setting.device)
    return with_full_queues(PretrainModule(config, NTU_25, pool).to(setting.device).train())


def with_full_queues(module: PretrainModule) -> PretrainModule:
    """The module as it is after its first few hundred steps: every queue full, of random keys of no recording."""
    for part in module.modules():
        if isinstance(part, KeyQueue):
            keys = torch.nn.functional.normalize(torch.randn_like(part.keys), dim=1)
            part.put(keys, torch.full((len(keys),), -1, device=keys.device))
    return module


def our_step(setting: Setting, kind: str, size: Size, snippets: Snippets = "off", encoder: str = "stgcn16") -> Job:
    """A step of ours as its trainer takes it."""
    module = our_module(setting, kind, size, snippets, encoder)
    need, step = step_need(kind, encoder, size, size.people), stepper(module, setting)
    return Job(step, need=need, value_bytes=value_bytes(setting), wait=waiter(setting.device))


def stepper(module: Any, setting: Setting) -> Callable[[], None]:
    """One whole training step of a module: draw, forward, backward, optimiser, momentum networks."""
    module.note = lambda **values: None  # there is no trainer to log to
    optimizer = module.configure_optimizers()["optimizer"]
    half = lightning_precision(setting.precision) == "bf16-mixed"
    memory = contextlib.ExitStack()
    memory.enter_context(freed_memory_kept())  # as the trainer does, for as long as there is the step

    def step(memory: contextlib.ExitStack = memory) -> None:
        with torch.autocast(setting.device, torch.bfloat16) if half else contextlib.nullcontext():
            loss = module.training_step(0, 0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if isinstance(module, PretrainModule):
            module.method.after_step()

    return step


def usual_sampling(setting: Setting, kind: str, size: Size) -> Job:
    """A batch of views of the field, all by one process: what its workers have to do for a step."""
    batches = iter(loader(usual_views(kind, size), size.batch, workers=0))
    return Job(lambda: next(batches), need=_views_need(size, conventional.PEOPLE))


def our_sampling(setting: Setting, kind: str, size: Size) -> Job:
    """Clips drawn and both views made of them."""
    module = our_module(setting, kind, size)
    config = module.config

    def sample() -> None:
        clips, _ = module.pool.draw(size.batch, size.frames, module.generator)
        augmentation = {"basic": config.augment, "extreme": config.extreme}
        inputs = MethodInputs(clips, 0.0, augmentation, module.encoder_model.input, module.generator)  # type: ignore[arg-type]
        inputs.view()
        inputs.view()

    return Job(sample, need=_views_need(size, size.people), wait=waiter(setting.device))


def _views_need(size: Size, people: int) -> counting.Need:
    """A clip is read and written twice, once for each view."""
    return counting.Need(values=4 * size.batch * size.frames * people * 25 * 3)


def made_takes(setting: Setting) -> list[Any]:
    """Takes of the built-in corpus."""
    return list(synthetic_takes(SyntheticConfig(recordings=2 if setting.quick else 8)))


def default_pretraining(setting: Setting, encoder: str, snippets: Snippets) -> Job:
    """A step of `kinespan pretrain` as it is by default."""
    network = NetworkConfig(encoder=encoder)
    config = PretrainConfig(network=network, snippet=SnippetConfig(variant=snippets), precision=setting.precision)
    module = PretrainModule(config, NTU_25, default_pool(setting, network)).to(setting.device).train()
    return Job(stepper(module, setting), wait=waiter(setting.device))


def default_finetuning(setting: Setting, encoder: str) -> Job:
    """A step of `kinespan finetune` as it is by default, from scratch: the cost is the same."""
    network = NetworkConfig(encoder=encoder)
    config = FinetuneConfig(network=network, precision=setting.precision)
    pool = default_pool(setting, network)
    module = FinetuneModule(config, our_localizer(network, setting.device), pool)
    return Job(stepper(module.to(setting.device).train(), setting), wait=waiter(setting.device))


def default_pool(setting: Setting, network: NetworkConfig) -> ClipPool:
    """Clips of the built-in corpus."""
    takes = made_takes(setting)
    motions = [model_motion(take, NTU_25, network.fps, network.normalisation) for take, _ in takes]
    return ClipPool(motions, [annotation for _, annotation in takes], ACTIONS, device=setting.device)


def our_localizer(network: NetworkConfig, device: str) -> Localizer:
    """An untrained localizer: weights change no time."""
    spec = replace(ModelSpec.of_network(network, NTU_25), kind="localizer", fusion="nested_u", labels=ACTIONS)
    return Localizer(with_refinement(spec, FinetuneConfig())).to(device)
