"""What both stages of training share: seeds, precision, the trainer, checkpoints and how they are resumed."""

from __future__ import annotations

import logging
import math
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader, Dataset

from ..config import FinetuneConfig, Precision, PretrainConfig
from ..errors import Interrupted
from ..files import write_atomically
from ..models.precision import in_bfloat16
from ..progress import Progress
from ..runs.folder import CHECKPOINT
from .clip_pool import ClipPool
from .malloc import freed_memory_kept


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Run a block (weights, dropout) under a seed and leave the global generators as they were."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def lightning_precision(precision: Precision) -> Literal["32-true", "bf16-mixed"]:
    """The trainer's precision on the device that it will choose."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return "bf16-mixed" if in_bfloat16(precision, device) else "32-true"


def lr_share(step: int, steps: int, warmup: float = 0.1, drops: Sequence[float] = ()) -> float:
    """Share of the peak learning rate at a step, counted from 0.

    Linear over the first share `warmup` of the steps; then a tenth for each share in `drops` that has passed, or a
    half cosine to zero where there are none.
    """
    rising = max(1, int(steps * warmup + 1e-9))
    if step < rising:
        return (step + 1) / rising
    if drops:
        return float(0.1 ** sum(step >= drop * steps for drop in drops))
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


class StepModule(L.LightningModule):
    """A module that draws its own batches on its device, step by step, from a generator that checkpoints keep."""

    def __init__(self, seed: int, pool: ClipPool) -> None:
        super().__init__()
        self.seed, self.pool = seed, pool
        self.notes: dict[str, float] = {}
        self._generator: torch.Generator | None = None
        self._states: dict[str, torch.Tensor] = {}

    @property
    def generator(self) -> torch.Generator:
        """The generator of clips and augmentation, on the module's device; each process has its own stream."""
        if self._generator is None:
            self._generator = torch.Generator(device=self.device)
            self._generator.manual_seed(self.seed * 1009 + self.global_rank)
            if "clips" in self._states:
                self._generator.set_state(self._states["clips"])
        return self._generator

    def on_train_start(self) -> None:
        """Bring the pool to the device; take up the global generator (dropout) where a checkpoint left it."""
        self.pool.to(self.device)
        if "global" in self._states:
            torch.set_rng_state(self._states["global"])

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the state of both generators."""
        checkpoint["generators"] = {"clips": self.generator.get_state(), "global": torch.get_rng_state()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the state of both generators."""
        self._states = checkpoint["generators"]

    def note(self, **values: float) -> None:
        """Log numbers and show them beside the progress bar."""
        self.notes.update(values)
        self.log_dict({name: float(value) for name, value in values.items()})

    def scheduled(self, optimizer: torch.optim.Optimizer, config: PretrainConfig | FinetuneConfig) -> dict[str, Any]:
        """Lightning's description of an optimizer under `lr_share`."""
        steps, shape = config.steps, (config.warmup, config.lr_drops)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: lr_share(step, steps, *shape))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class ShowProgress(Callback):
    """Drives our progress bar and stops cleanly on Ctrl-C: the step is finished, then a checkpoint is written."""

    def __init__(self, stage: str, steps: int, quiet: bool) -> None:
        self.progress = Progress(stage, steps, quiet=quiet)
        self.interrupted = False
        self._before: Any = None

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Open the bar and listen for Ctrl-C."""
        self.progress.__enter__()
        self.progress.begin_at(trainer.global_step)

        def stop(number: int, frame: FrameType | None) -> None:
            self.interrupted = trainer.should_stop = True
            signal.signal(signal.SIGINT, self._before)  # a second Ctrl-C is not waited for

        try:
            self._before = signal.signal(signal.SIGINT, stop)
        except ValueError:  # not in the main thread: nothing to listen to
            self._before = None

    def on_train_batch_end(self, trainer: L.Trainer, module: L.LightningModule, *_: Any) -> None:
        """Show the step and the module's latest numbers."""
        notes = module.notes if isinstance(module, StepModule) else {}
        text = "  ".join(f"{name} {value:.3g}" for name, value in notes.items())
        self.progress.update(trainer.global_step, text)

    def on_train_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Close the bar."""
        self._close()

    def on_exception(self, trainer: L.Trainer, module: L.LightningModule, exception: BaseException) -> None:
        """Close the bar."""
        self._close()

    def _close(self) -> None:
        self.progress.__exit__(None, None, None)
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None


class _Steps(Dataset[int]):
    """Step numbers: the module draws its own batches."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> int:
        return index


def fit(
    module: StepModule,
    out: Path,
    *,
    stage: str,
    steps: int,
    save_every: int,
    precision: Precision,
    checkpoint: Path | None,
    callbacks: list[Callback],
    quiet: bool,
) -> None:
    """Train a module for `steps` optimiser steps, with checkpoints in `out`. Raises Interrupted after Ctrl-C."""
    _hush()
    show = ShowProgress(stage, steps, quiet)
    save = ModelCheckpoint(out, filename="last", every_n_train_steps=save_every, enable_version_counter=False)
    trainer = L.Trainer(
        max_steps=steps,
        max_epochs=-1,
        min_epochs=0,
        precision=lightning_precision(precision),
        logger=CSVLogger(str(out), name="", version=""),
        log_every_n_steps=max(1, min(10, steps // 10)),
        callbacks=[*callbacks, save, show],
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    log = out / "metrics.csv"
    earlier = log.read_text().splitlines() if checkpoint is not None and log.is_file() else []
    loader = DataLoader(_Steps(steps), batch_size=None)
    with freed_memory_kept():
        trainer.fit(module, loader, ckpt_path=checkpoint, weights_only=True)
    if earlier and trainer.is_global_zero:
        _prepend(log, earlier)
    if show.interrupted and trainer.global_step < steps:
        trainer.save_checkpoint(out / CHECKPOINT)
        raise Interrupted(f"stopped after step {trainer.global_step}; {out} keeps a checkpoint")


def _prepend(log: Path, earlier: list[str]) -> None:
    """Put the lines of a run's log from before it was resumed in front again; the logger starts a new file."""
    later = log.read_text().splitlines() if log.is_file() else []
    if later and later[0] == earlier[0]:
        column = later[0].split(",").index("step")
        first = int(later[1].split(",")[column]) if len(later) > 1 else sys.maxsize
        kept = [line for line in earlier[1:] if int(line.split(",")[column]) < first]
        write_atomically(log, "\n".join([earlier[0], *kept, *later[1:]]) + "\n")


def _hush() -> None:
    """Keep the trainer's advice to developers away from users; its warnings about our own choices are answered here."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # batches are drawn on the device: workers would only cost
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*Checkpoint directory .* exists and is not empty.*")
    warnings.filterwarnings("ignore", message="Experiment logs directory .*")
    # steps are numbers and batches come from a generator whose state is in the checkpoint
    warnings.filterwarnings("ignore", message=".*resuming from a checkpoint that ended before the epoch ended.*")
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")
