"""Stage two: train a localizer on labels, frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..config import FinetuneConfig, single_fold
from ..config.parser import settings_by_keyword
from ..corpus.training_set import Source, TrainingSet, labelled_names, set_fact, training_set
from ..data.annotation import Annotation, LabelSet
from ..models.localizer import Localizer
from ..models.model_file import ModelSpec
from ..runs.folder import MODEL_FILE, REHEARSAL_FOLDER, check_run_folder, pretrained_spec
from ..runs.load import load_encoder_weights
from ..runs.settings import save_settings
from ..threads import Threads
from ..transforms.normalise import Motion
from .clip_pool import ClipPool
from .continuing import check_continues, continued_config, continued_spec, load_continued_weights
from .leakage import check_no_label_leakage
from .point_labels import with_grown_spans
from .rehearsal import length_line, rehearse, rehearses, with_rehearsal
from .seeding import seeded
from .spec import decoding_of, labelled_motions, localizer_spec
from .teachers import PseudoLabels, pseudo_labels

PSEUDO_LABEL_SHARE = 0.5
"""Share of the training clips that are of pseudo-labelled recordings, where there are teachers."""


def finetune(
    source: Source,
    out: str | Path,
    config: FinetuneConfig | None = None,
    *,
    pretrained: str | Path | None = None,
    continue_from: str | Path | None = None,
    teachers: Sequence[str | Path] = (),
    set: str | None = None,
    resume: bool = False,
    quiet: bool = False,
    threads: Threads = "auto",
    log: Callable[[str], None] = lambda line: None,
    **settings: Any,
) -> Localizer:
    """Train a Localizer on the labels of recordings and write it to `out` as model.safetensors.

    The model of the last step is kept: nothing is selected.

    Parameters:
        source: a Corpus or the folder of one, of which the training recordings of config.split are read (all where it
            is none), or a TrainingSet. The labels of the share config.label_fraction of them, chosen by seed, are used.
        out: folder of the run.
        config: the settings of `kinespan finetune`; by default those that the command has.
        settings: settings by keyword, over those of `config`: ``steps=100``, ``encoder="tcn"``.
        pretrained: a run or a model file whose encoder is trained further, or `default`, the encoder of the package.
        continue_from: a run or a model file whose whole network is trained further, where labels only grew since; the
            network, its skeleton and its rate are those of that run, and `auto` steps are fewer.
        teachers: runs or model files that pseudo-label the other recordings (see teachers.py).
        set: the annotation set whose labels are used, by default the one that the corpus has, or was opened with.
        resume: continue the run that is in `out`.
        quiet: show no progress.
        threads: to compute on; auto: one, and all free cores where steps are large (see threads.py).
        log: is called with a line on what was chosen.

    Raises InputError for bad settings, for teachers that do not fit or have no recordings to pseudo-label, for models
    that know labels which are held back here, for a run that cannot be gone on from (see continuing.py), and
    Interrupted after Ctrl-C.
    """
    out, config = Path(out), settings_by_keyword(FinetuneConfig, config, settings)
    pretrained_model = pretrained_spec(pretrained, config)
    checkpoint = check_run_folder(out, resume, MODEL_FILE)
    data = training_set(source, config.split, single_fold(config.fold), set)
    names, labels = labelled_names(data.corpus, data.names, data.drop_labels, config)
    if pretrained_model is not None:
        check_no_label_leakage(pretrained, pretrained_model, data, config)
    if continue_from is None:
        spec, trained_config = localizer_spec(data, config, labels, pretrained_model, names), config
    else:
        start = check_continues(continue_from, config, labels, pretrained=pretrained)
        spec = continued_spec(start, continue_from, data, config, labels, names)
        trained_config = continued_config(config, spec)
    data = with_grown_spans(data, names, labels, config, out, quiet)
    motions, annotations = labelled_motions(data, names, spec)
    spec = replace(spec, decode=decoding_of(spec, config, motions, annotations))
    facts = _facts(data, pretrained, continue_from)
    taught: list[PseudoLabels] = []
    if teachers:
        taught, descriptions = pseudo_labels(teachers, data, names, spec, config, quiet)
        taught_names = list(dict.fromkeys(item.motion.name for item in taught))
        spec = spec.with_training(teachers=descriptions, taught_recordings=len(taught_names))
        facts |= {"teachers": [str(path) for path in teachers], "taught_recordings": taught_names}
    save_settings(out, "finetune", config, {**facts, "labelled_recordings": list(names)}, resume=resume)
    knows_labels = pretrained_model is not None and pretrained_model.kind != "encoder"
    if rehearses(config, knows_labels or continue_from is not None):
        folder, labelled = out / REHEARSAL_FOLDER, (motions, annotations)
        rehearsal = rehearse(folder, config, spec, *labelled, pretrained, quiet=quiet, threads=threads)
        spec, trained_config = with_rehearsal(rehearsal, spec, config)
        log(length_line(rehearsal, trained_config))
    pool = _pool(motions, annotations, taught, labels)
    # Lightning takes seconds to import, and nobody should wait for it to be told of a mistake
    from .engine import fit
    from .finetune_module import FinetuneModule

    with seeded(config.seed):
        localizer = _untrained(spec, config, pretrained, continue_from)
        module = FinetuneModule(trained_config, localizer, pool)
        stage = "linear probe" if config.protocol == "linear" else "finetuning"
        fit(module, out, stage=stage, checkpoint=checkpoint, quiet=quiet, threads=threads)
        module.fold_standardisation()
    localizer = localizer.cpu().eval()
    localizer.save(out / MODEL_FILE)
    return localizer


def _untrained(
    spec: ModelSpec, config: FinetuneConfig, pretrained: str | Path | None, continue_from: str | Path | None
) -> Localizer:
    """A localizer of random weights, or of those that the run starts from."""
    localizer = Localizer(spec, dropout=0.0 if config.protocol == "linear" else config.dropout)
    if pretrained is not None:
        load_encoder_weights(localizer.encoder, pretrained)
    if continue_from is not None:
        load_continued_weights(localizer, continue_from)
    return localizer


def _pool(
    motions: Sequence[Motion],
    annotations: Sequence[Annotation | None],
    taught: Sequence[PseudoLabels],
    labels: LabelSet,
) -> ClipPool:
    """The clips of labelled recordings and of those that teachers labelled."""
    pool = ClipPool([*motions, *(item.motion for item in taught)], [*annotations, *[None] * len(taught)], labels)
    if taught:
        scores = {index: item.scores for index, item in enumerate(taught, len(motions))}
        pool.add_pseudo_labels(scores, PSEUDO_LABEL_SHARE)
    return pool


def _facts(data: TrainingSet, pretrained: str | Path | None, continue_from: str | Path | None) -> dict[str, Any]:
    """What a run keeps of its source: the corpus and its set, and the runs that it starts from."""
    facts: dict[str, Any] = {"corpus": str(data.corpus.path), "pretrained": pretrained and str(pretrained)}
    return facts | ({"from": str(continue_from)} if continue_from else {}) | set_fact(data.corpus)
