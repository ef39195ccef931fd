"""What both stages of training share: batches, the learning rate, the trainer, checkpoints and how they are resumed."""

from __future__ import annotations

import csv
import logging
import math
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import cache, cached_property
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, ProgressBar
from lightning.pytorch.loggers import CSVLogger

from ..config import FinetuneConfig, Precision, PretrainConfig
from ..errors import Interrupted
from ..models.encoder_model import EncoderModel
from ..models.precision import in_bfloat16
from ..progress import Progress
from ..runs.folder import CHECKPOINT, LOG_FILE
from ..threads import Threads, choose_threads, computing_on
from .clip_pool import ClipPool
from .malloc import freed_memory_kept
from .work import step_work


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


class ClipBatches:
    """The batches of a run, each drawn from a pool of clips, on the device, as its step begins.

    It is a resumable loader in Lightning's sense (a length, ``state_dict``, ``load_state_dict``): a checkpoint keeps
    the state of its generator, which also serves augmentation, and of the global generator, which serves dropout. A
    resumed run therefore draws what the uninterrupted one would have drawn.
    """

    def __init__(self, pool: ClipPool, clips: int, frames: int, steps: int, seed: int, trainer: L.Trainer) -> None:
        """clips, frames: of a batch. seed: each process of the trainer draws a stream of its own from it."""
        self.pool, self.clips, self.frames, self.steps = pool, clips, frames, steps
        self.seed, self.trainer = seed, trainer
        self._global_state: torch.Tensor | None = None

    @cached_property
    def generator(self) -> torch.Generator:
        """The generator of clips and augmentation, on the trainer's device, which is known once it is set up."""
        generator = torch.Generator(device=self.trainer.strategy.root_device)
        return generator.manual_seed(self.seed * 1009 + self.trainer.global_rank)

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Any]:
        self.pool.to(self.generator.device)
        # as torch's DataLoader draws a seed when it starts: dropout then draws the same numbers behind either
        torch.empty((), dtype=torch.int64).random_()
        if self._global_state is not None:
            torch.set_rng_state(self._global_state)
        while True:
            yield self.pool.draw(self.clips, self.frames, self.generator)

    def state_dict(self) -> dict[str, torch.Tensor]:
        """The state of both generators."""
        return {"clips": self.generator.get_state(), "global": torch.get_rng_state()}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Set both generators to the state of a checkpoint."""
        self.generator.set_state(state["clips"])
        self._global_state = state["global"]


class TrainingModule(L.LightningModule):
    """A LightningModule that is trained on the batches of `ClipPool.draw`."""

    batches: ClipBatches
    """Where its batches come from; `fit` sets it."""
    encoder_model: EncoderModel
    """The encoder that it trains."""

    def __init__(self, config: PretrainConfig | FinetuneConfig, pool: ClipPool) -> None:
        super().__init__()
        self.config, self.pool = config, pool
        self.steps = config.num_steps if isinstance(config, FinetuneConfig) else config.steps

    @property
    def drawn_frames(self) -> int:
        """Frames of the clips that are drawn."""
        return self.config.clip_frames

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """The batch as it is: it was drawn on the device."""
        return batch

    @property
    def generator(self) -> torch.Generator:
        """The generator of clips and augmentation, on the module's device."""
        return self.batches.generator

    def show(self, **values: float | torch.Tensor) -> None:
        """Log scalars and show them beside the progress bar."""
        self.log_dict({name: float(value) for name, value in values.items()}, prog_bar=True)

    def scheduled(self, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        """Lightning's description of an optimizer under `lr_share`."""
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self.rate_share)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def rate_share(self, step: int) -> float:
        """Share of the peak learning rate at a step."""
        return lr_share(step, self.steps, self.config.warmup, self.config.lr_drops)


class ShowProgress(ProgressBar):
    """Drives our progress bar, and stops cleanly on Ctrl-C: the step is finished, then a checkpoint is written.

    Lightning itself would stop within a step, and what it then saved could not be resumed to the bit.
    """

    def __init__(self, stage: str, steps: int, quiet: bool) -> None:
        super().__init__()
        self.progress = Progress(stage, steps, quiet=quiet)
        self.interrupted = False
        self._previous_handler: Any = None

    def disable(self) -> None:
        """Show nothing: called in every process but the first."""
        self.progress.quiet = True

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Open the bar and listen for Ctrl-C."""
        self.progress.__enter__()
        self.progress.begin_at(trainer.global_step)

        def stop(number: int, frame: FrameType | None) -> None:
            self.interrupted = trainer.should_stop = True
            signal.signal(signal.SIGINT, self._previous_handler)  # a second Ctrl-C stops at once

        if threading.current_thread() is threading.main_thread():
            self._previous_handler = signal.signal(signal.SIGINT, stop)

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        """Show the step and the module's latest figures."""
        figures = trainer.progress_bar_metrics.items()
        self.progress.update(trainer.global_step, "  ".join(f"{name} {value:.3g}" for name, value in figures))

    def on_train_end(self, *_: Any, **__: Any) -> None:
        """Close the bar and give Ctrl-C back."""
        self.progress.__exit__(None, None, None)
        if self._previous_handler is not None:
            signal.signal(signal.SIGINT, self._previous_handler)
            self._previous_handler = None

    on_exception = on_train_end


class EarlierLog(Callback):
    """Puts the rows of metrics.csv from before a run was resumed in front of the new ones.

    Lightning's logger would start the file anew, and keep the rows of steps after the checkpoint as well.
    """

    def __init__(self, out: Path) -> None:
        """out: the folder of the run, whose log is read now."""
        with (out / LOG_FILE).open(newline="", encoding="utf-8") as file:
            # the last row may have been cut off
            self.rows = [row for row in csv.DictReader(file) if (row.get("step") or "").isdigit()]

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Hand the rows of the steps before the checkpoint to the logger."""
        if trainer.is_global_zero and isinstance(trainer.logger, CSVLogger):
            trainer.logger.experiment.metrics[:0] = [row for row in self.rows if int(row["step"]) < trainer.global_step]
            trainer.logger.save()


@cache
def _print_once(line: str) -> None:
    """Print a line beside the progress, once in this process: a run of several trainings does not repeat it."""
    print(line, file=sys.stderr)


def fit(
    module: TrainingModule,
    out: Path,
    *,
    stage: str,
    checkpoint: Path | None,
    callbacks: Sequence[Callback] = (),
    quiet: bool = False,
    threads: Threads = "auto",
) -> None:
    """Train a module for the steps of its configuration, with checkpoints in `out`. Raises Interrupted after Ctrl-C.

    threads: to compute on; on a GPU they are left as they are.
    """
    config, steps = module.config, module.steps
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    show = ShowProgress(stage, steps, quiet)
    log_every = max(1, min(10, steps // 10))
    trainer = L.Trainer(
        max_steps=steps,
        max_epochs=-1,
        precision=lightning_precision(config.precision),
        logger=CSVLogger(str(out), name="", version="", flush_logs_every_n_steps=log_every),
        log_every_n_steps=log_every,
        callbacks=[
            *callbacks,
            *([EarlierLog(out)] if checkpoint is not None and (out / LOG_FILE).is_file() else []),
            ModelCheckpoint(out, "last", every_n_train_steps=config.save_every, enable_version_counter=False),
            show,
        ],
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    batches = ClipBatches(module.pool, config.batch_size, module.drawn_frames, steps, config.seed, trainer)
    module.batches = batches
    with ExitStack() as stack:
        if trainer.strategy.root_device.type == "cpu":
            choice = choose_threads(threads, step_work(module.encoder_model, config, module.pool.valid.shape[1]))
            stack.enter_context(computing_on(choice.count))
            if not quiet:
                _print_once(str(choice))
        stack.enter_context(freed_memory_kept())
        stack.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", module=r"lightning\.")  # its advice is to developers
        trainer.fit(module, batches, ckpt_path=checkpoint, weights_only=True)
    if show.interrupted and trainer.global_step < steps:
        trainer.save_checkpoint(out / CHECKPOINT)
        raise Interrupted(f"stopped after step {trainer.global_step}; {out} keeps a checkpoint")
