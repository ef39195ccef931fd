"""Stage one: pretrain an encoder on recordings, without their labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..config import PretrainConfig, single_fold
from ..config.parser import settings_by_keyword
from ..corpus.training_set import Source, choose_skeleton, joined_annotations, training_set
from ..models.model_file import ModelSpec, save_weights
from ..runs.folder import ENCODER_FILE, check_run_folder
from ..runs.settings import save_settings
from ..threads import Threads
from .clip_pool import ClipPool
from .leakage import training_data_facts
from .reuse import key_fact
from .seeding import seeded

SHORT_SHARE = 0.05
"""Recordings shorter than a clip are left out where they hold at most this share of the motion."""


def clip_sources(lengths: Sequence[int], clip_frames: int) -> list[int]:
    """Indices of the recordings that clips are drawn from, given the length of each in frames.

    Recordings shorter than a clip are left out where that costs next to nothing: where they hold at most a twentieth
    (`SHORT_SHARE`) of the motion. Where they hold more, as in corpora of trimmed actions, all recordings are used, and
    a clip of a short one is padded at its end.
    """
    short_frames = sum(frames for frames in lengths if frames < clip_frames)
    padded = short_frames > SHORT_SHARE * sum(lengths)
    return [index for index, frames in enumerate(lengths) if padded or frames >= clip_frames]


def pretrain(
    source: Source | Sequence[Source],
    out: str | Path,
    config: PretrainConfig | None = None,
    *,
    resume: bool = False,
    quiet: bool = False,
    threads: Threads = "auto",
    log: Callable[[str], None] = lambda line: None,
    **settings: Any,
) -> Path:
    """Pretrain an encoder on one or several corpora and write it to `out`; returns the path of encoder.safetensors.

    Parameters:
        source: a Corpus or the folder of one, of which the training recordings of config.split are read (all where it
            is none); a TrainingSet; or several of these. Labels are used by the frame probe alone.
        out: folder of the run.
        config: the settings of `kinespan pretrain`; by default those that the command has.
        settings: settings by keyword, over those of `config`: ``steps=100``, ``encoder="tcn"``.
        resume: continue the run that is in `out`.
        quiet: show no progress.
        threads: to compute on; auto: one, and all free cores where steps are large (see threads.py).
        log: is called with a line on the steps and the motion.

    Raises InputError for bad settings and Interrupted after Ctrl-C.
    """
    out, config = Path(out), settings_by_keyword(PretrainConfig, config, settings)
    checkpoint = check_run_folder(out, resume, ENCODER_FILE)
    sources = [source] if isinstance(source, Source) else source
    sets = [training_set(each, config.split, single_fold(config.fold)) for each in sources]
    network = config.network
    skeleton = choose_skeleton(network.skeleton, sets)
    spec = ModelSpec.of_network(network, skeleton)
    motions = [spec.input.motion(data.corpus[name]) for data in sets for name in data.names]
    annotations, labels = joined_annotations(sets)
    used = clip_sources([motion.num_frames for motion in motions], config.clip_frames)
    pool = ClipPool([motions[index] for index in used], [annotations[index] for index in used], labels)
    log(f"{config.steps} steps on {pool.seconds / 60:.1f} minutes of motion")
    # Lightning takes seconds to import, and nobody should wait for it to be told of a mistake
    from .engine import fit
    from .pretrain_module import PretrainModule
    from .probe import FrameProbe

    with seeded(config.seed):
        module = PretrainModule(config, skeleton, pool)
        facts = {"corpus": [str(data.corpus.path) for data in sets], "recordings": len(pool)}
        facts |= key_fact(sets, config, out, resume)
        save_settings(out, "pretrain", config, facts, resume=resume)
        probed = config.probe_every and sum(pool.annotated(index) for index in range(len(pool))) >= 2
        callbacks = [FrameProbe(pool, config.probe_every)] if probed else []
        fit(module, out, stage="pretraining", checkpoint=checkpoint, callbacks=callbacks, quiet=quiet, threads=threads)
    spec = replace(
        spec,
        clip_frames=module.method.view_frames(config.clip_frames),
        training={"stage": "pretrain", **training_data_facts(sets), "recordings": len(pool), "seconds": pool.seconds,
                  "seed": config.seed, "method": config.method, "snippets": config.snippet.variant,
                  "steps": config.steps},
    )  # fmt: skip
    save_weights(out / ENCODER_FILE, module.method.encoder.state_dict(), spec)
    return out / ENCODER_FILE
