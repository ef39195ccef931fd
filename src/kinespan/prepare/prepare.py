"""From files to a corpus: read good files, list refused ones, resume an interrupted run, finish atomically."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from .. import io
from .._version import __version__
from ..annotations import is_label_file
from ..corpus.carry import carried_lines
from ..corpus.info import RecordingInfo
from ..corpus.splits import Split, union_of
from ..corpus.splitting import SplitRule, default_split, group_split, recording_split, ruled_split
from ..corpus.writer import CorpusWriter
from ..data.annotation import Annotation, LabelSet
from ..data.joint_report import check_common_skeleton
from ..data.recording import Recording
from ..errors import InputError
from .journal import Entry, JournalledWriter
from .labels import LabelSettings, PreparedLabels, fit, read_labels
from .own_files import OwnFiles, relative
from .reading import ReadResult, read_all
from .recipes import RECIPES, Recipe, Survey
from .summary import REFUSED_FILE, PrepareSummary
from .synthetic.takes import SyntheticConfig, synthetic_takes

__all__ = ["PrepareSummary", "Progress", "prepare", "prepare_recipe", "prepare_synthetic"]

Progress = Callable[[int, int], None]
"""Called with (files done, files in all) after each file."""


def prepare(
    source: str | Path,
    out: str | Path,
    format: str = "auto",
    annotations: str | Path | None = None,
    options: io.ReadOptions | None = None,
    name: str | None = None,
    progress: Progress | None = None,
    overwrite: bool = False,
    workers: int | None = None,
    split: SplitRule | None = None,
    labels: LabelSettings | None = None,
) -> PrepareSummary:
    """Read a file, or all files of a folder, into a corpus at `out`.

    Parameters:
        source: a file, or a folder whose files are read. A recording is named after its file; where two files share a
            stem, after their paths in the folder. A file that cannot be read is left out and listed in the summary.
        out: the folder of the corpus.
        format: a format of `kinespan.io.READERS`, or "auto" for each file's own.
        annotations: a file of labels in any format of `kinespan.annotations.FORMATS`, or a folder of such files,
            matched to the motion by name, in place of the labels of the motion files. Recordings that it does not list
            stay unlabelled. It is read when all motion is, so that an interrupted run may continue with another.
        options: frame rate, unit and the like where the files do not state them.
        name: the name of the corpus, by default that of the folder.
        progress: called after each file.
        overwrite: replace an existing corpus.
        workers: processes that read, by default one per core where there is much to read. They are spawned, so a script
            calls this under ``if __name__ == "__main__"``. The corpus does not depend on it.
        split: how to split annotated recordings where the format has no official splits, or where it names a group.
        labels: how the labels of `annotations` are taken.

    Labels are the union of those of the files. An interrupted run leaves ``OUT.partial``; the next one with the same
    settings and files resumes it. Raises InputError for a source without any readable file, annotations of unknown
    recordings, an `out` that exists, and an ``OUT.partial`` of other settings (see `JournalledWriter`).
    """
    source, out = Path(source), Path(out)
    recipe, survey = survey_own_files(source, options or io.ReadOptions(), format)
    file_labels = None
    if annotations is not None:
        file, known = Path(annotations), [item.name for item in survey.items]
        file_labels = read_label_rows(file, known, labels or LabelSettings(), recipe.options)
        tables = {path.absolute() for path in (file, labels.match if labels else None) if path is not None}
        in_folder = file.is_dir() and file.absolute()
        skipped = (path for path in survey.skipped if path.absolute() not in tables)
        others = tuple(path for path in skipped if in_folder not in path.absolute().parents or not is_label_file(path))
        survey = replace(survey, skipped=others)
    formats = {item.details.format for item in survey.items}
    official = RECIPES[min(formats)]() if len(formats) == 1 and min(formats) in RECIPES else recipe
    job = Job(recipe, survey, source, official, split or SplitRule(), file_labels)
    return run_job(job, out, name, progress, overwrite, workers)


def survey_own_files(source: Path, options: io.ReadOptions, format: str) -> tuple[OwnFiles, Survey]:
    """The files of a user's own, and what is among them."""
    recipe = OwnFiles(options if format == io.AUTO else replace(options, format=format))
    return recipe, recipe.survey(source)


def read_label_rows(
    file: Path, known: Sequence[str], settings: LabelSettings, options: io.ReadOptions
) -> PreparedLabels:
    """The labels of a file, matched to recordings by name. Raises InputError as `read_labels`."""
    labels = read_labels(file, known, settings)
    if not options.skip_frames:
        return labels
    line = "times of labels count from the first frame that is left after --skip-frames; shift them by --offset"
    return replace(labels, decisions=(*labels.decisions, line))


def prepare_recipe(
    recipe: Recipe,
    raw: str | Path,
    out: str | Path,
    name: str | None = None,
    progress: Progress | None = None,
    overwrite: bool = False,
    workers: int | None = None,
) -> PrepareSummary:
    """Read a public data set, as it is distributed, from the folder `raw` into a corpus at `out`.

        prepare_recipe(Ntu60(), "nturgb+d_skeletons", "ntu60")

    Names, labels, attributes and official splits are those of the recipe; without official splits it is split as
    `prepare` does, and all else is as in `prepare`. Raises InputError where `raw` is not this data set, and as
    `prepare`.
    """
    raw, out = Path(raw), Path(out)
    if not raw.exists():
        raise InputError(f"{raw}: no such folder; give the folder of {recipe.title}")
    survey = recipe.survey(raw)
    if not survey.items:
        reasons = "; ".join(reason for _, reason in survey.refused[:3])
        raise InputError(f"{raw}: holds no recording of {recipe.title}{': ' + reasons if reasons else ''}")
    return run_job(Job(recipe, survey, raw, recipe, SplitRule()), out, name, progress, overwrite, workers)


def prepare_synthetic(
    out: str | Path,
    config: SyntheticConfig | None = None,
    name: str = "synthetic",
    progress: Progress | None = None,
    overwrite: bool = False,
) -> PrepareSummary:
    """Write the built-in corpus, with the split ``by-performer`` (folds 1..4, or as many as there are performers)."""
    config = config or SyntheticConfig()
    with CorpusWriter(out, name, overwrite=overwrite) as writer:
        entries: list[Entry] = []
        for recording, annotation in synthetic_takes(config):
            entries.append(_add(writer, recording, annotation))
            if progress is not None:
                progress(len(entries), config.recordings)
        performers = len({info.attributes["performer"] for info in writer.infos})
        splits = [group_split(writer.infos, "performer", min(4, performers), seed=0)] if performers > 1 else []
        return _finish(writer, entries, Survey(()), lambda *_: splits)


# ---- shared by files and recipes -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Job:
    """The recordings to read, and everything else that the corpus depends on."""

    recipe: Recipe
    survey: Survey
    raw: Path
    official: Recipe
    """The recipe whose official splits are used."""
    split: SplitRule = field(default_factory=SplitRule)
    """How to split without official splits, or where it names a group."""
    labels: PreparedLabels | None = None
    """Labels in place of those of the files."""

    def all_settings(self) -> dict[str, str]:
        """The settings, by name, that must be equal in a run that resumes an interrupted one."""
        listing = hashlib.sha256()
        for item in self.survey.items:
            listing.update(f"{item.name}\t{relative(item.file, self.raw)}\t{_stamp(item.file)}\t".encode())
            listing.update(re.sub(r" at 0x[0-9a-f]+", "", repr(item.details)).encode() + b"\n")
        files = f"{len(self.survey.items)} (listing {listing.hexdigest()[:12]})"
        recipe = {"kinespan": __version__, "recipe": self.recipe.title, **_options(self.recipe)}
        labels = "none" if self.labels is None else "those of a file"
        return {**recipe, "annotations": labels, "files": files}

    def splits(self, infos: Sequence[RecordingInfo], labels: LabelSet | None) -> Sequence[Split]:
        """By the group of the rule, else the official ones, else, with labels, by an attribute or by recording."""
        rule = self.split
        if rule.group is not None:
            return (ruled_split(infos, rule),)
        official = self.official.splits(infos, labels)
        if official or labels is None:
            return official
        default = default_split(infos, rule.folds, rule.seed) or recording_split(infos, rule.folds, rule.seed)
        return () if default is None else (default,)


def _options(settings: Any) -> dict[str, str]:
    """The fields of a dataclass as text, with those of nested dataclasses."""
    options: dict[str, str] = {}
    for field_ in fields(settings):
        value = getattr(settings, field_.name)
        if is_dataclass(value):
            options |= _options(value)
        else:
            is_file = isinstance(value, Path) and value.is_file()
            options[field_.name] = f"{value} ({_stamp(value)})" if is_file else str(value)
    return options


def run_job(
    job: Job, out: Path, name: str | None, progress: Progress | None, overwrite: bool, workers: int | None
) -> PrepareSummary:
    """Read the items of a survey into a corpus."""
    items = job.survey.items
    with JournalledWriter(out, name or out.resolve().name, job.all_settings(), overwrite) as writer:
        entries = list(writer.entries)
        resumed = len(entries)
        for result in read_all(job.recipe, items[resumed:], workers):
            entries.append(_entry(writer, result, job))
            writer.journal(entries[-1])
            if progress is not None:
                progress(len(entries), len(items))
        if not writer.infos:
            refused = (*job.survey.refused, *(entry.refused for entry in entries if entry.refused))
            reasons = "; ".join(reason for _, reason in refused[:3])
            raise InputError(f"{job.raw}: none of {len(items)} files can be used: {reasons}")
        try:
            return _finish(writer, entries, job.survey, job.splits, resumed, job.labels)
        except InputError as error:
            note = f"the {len(items)} files that were read are kept in {writer.partial}"
            raise InputError(f"{error}; {note}, which the corrected command resumes") from None


def _entry(writer: CorpusWriter, result: ReadResult, job: Job) -> Entry:
    """Write the recording of a file, with its annotation unless labels come from a file. A bad file is refused."""
    item, reason = result.item, result.reason
    if result.take is not None:
        annotation = result.take.annotation if job.labels is None else None
        try:
            return _add(writer, result.take.recording, annotation, job.survey.labels)
        except InputError as error:
            reason = str(error)
    return Entry(None, refused=(item.file, reason))


def _add(
    writer: CorpusWriter, recording: Recording, annotation: Annotation | None, labels: LabelSet | None = None
) -> Entry:
    """Write a recording; its annotation is written when the labels of all recordings are known.

    Raises InputError for a label that is not one of `labels`, where they are known in advance.
    """
    cut = 0
    if annotation is not None:
        annotation, cut = fit(annotation, recording.duration)
        unknown = sorted(set(annotation.labels.names) - set(labels.names)) if labels is not None else []
        if labels is not None and unknown:
            raise InputError(f"label {unknown[0]!r} is not one of the data set's {len(labels)} labels")
    return Entry(writer.add(recording), annotation, cut)


def _finish(
    writer: CorpusWriter,
    entries: Sequence[Entry],
    survey: Survey,
    splits: Callable[[Sequence[RecordingInfo], LabelSet | None], Sequence[Split]],
    resumed: int = 0,
    file_labels: PreparedLabels | None = None,
) -> PrepareSummary:
    """Write annotations over one label set, add the splits, list the refused files, and sum up."""
    annotations = {entry.info.name: entry.annotation for entry in entries if entry.info and entry.annotation}
    decisions = (*survey.decisions, *io.decisions({info.name: info.history for info in writer.infos}))
    if file_labels is not None:
        annotations, label_decisions = file_labels.annotations(writer.infos)
        decisions = (*decisions, *label_decisions)
    labels = union_of(annotation.labels for annotation in annotations.values())
    if labels is not None and survey.labels is not None:
        labels = survey.labels
    if writer.overwrite:
        decisions = (*decisions, *carried_lines(writer.path, labels))
    for line in decisions:
        writer.decide(line)
    names = labels.names if labels is not None else ()
    seconds, spans, events = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for name, annotation in annotations.items():
        assert labels is not None
        writer.annotate(name, replace(annotation, labels=labels))
        for span in annotation.spans:
            seconds[span.label] += span.duration
            spans[span.label] += 1
        for event in annotation.events:
            events[event.label] += 1
    infos = writer.infos
    check_common_skeleton({info.name: info.skeleton for info in infos})
    corpus_splits = splits(infos, labels)
    for split in corpus_splits:
        writer.add_split(split)
    refused = (*survey.refused, *(entry.refused for entry in entries if entry.refused))
    if refused:
        lines = (reason if str(file) in reason else f"{file}: {reason}" for file, reason in refused)
        writer.attach(REFUSED_FILE, "".join(f"{' '.join(line.split())}\n" for line in lines))
    return PrepareSummary(
        path=writer.path,
        name=writer.name,
        recordings=len(infos),
        annotated=len(annotations),
        seconds=sum(info.duration for info in infos),
        frames=sum(info.num_frames for info in infos),
        people=max(info.num_people for info in infos),
        skeletons=tuple(dict.fromkeys(info.skeleton.name for info in infos)),
        label_seconds=seconds,
        label_spans=spans,
        label_events=events,
        splits={split.name: len(split.folds) for split in corpus_splits},
        refused=refused,
        skipped=survey.skipped,
        cut_spans=sum(entry.cut for entry in entries),
        resumed=resumed,
        decisions=writer.decisions,
    )


def _stamp(file: Path) -> str:
    """Size and time of a file, which change with its content."""
    try:
        status = file.stat()
    except OSError:
        return "missing"
    return f"{status.st_size} {status.st_mtime_ns}"
