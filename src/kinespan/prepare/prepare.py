"""From files to a corpus: read what can be read, list the rest, resume an interrupted run, finish atomically."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from .. import io
from .._version import __version__
from ..annotations import read_annotations
from ..corpus.info import RecordingInfo
from ..corpus.splits import Split
from ..corpus.splitting import SplitRule, default_split, group_split, recording_split, ruled_split
from ..corpus.writer import CorpusWriter
from ..data.annotation import Annotation, LabelSet
from ..data.recording import Recording
from ..errors import InputError
from .annotation_file import check_names, fit
from .journal import Entry, JournalledWriter
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
) -> PrepareSummary:
    """Read a file, or all files of a folder, into a corpus at `out`.

    Parameters:
        source: a file, or a folder whose files are read. A recording is named after its file; where two files share a
            stem, after their paths in the folder. A file that cannot be read is left out and listed in the summary.
        out: the folder of the corpus.
        format: a format of `kinespan.io.READERS`, or "auto" for each file's own.
        annotations: ActivityNet JSON, or CSV with the header recording,label,start,end, in place of the labels of the
            files. Recordings that it does not list stay unlabelled.
        options: what the files do not say.
        name: the name of the corpus, by default that of the folder.
        progress: called after each file.
        overwrite: replace an existing corpus.
        workers: processes that read, by default one a core where there is much to read. They are spawned, so a script
            calls this under ``if __name__ == "__main__"``. The corpus does not depend on it.
        split: how to split annotated recordings where the format has no official splits, or where it names a group.

    Labels are the union of those of the files. An interrupted run leaves ``OUT.partial``; the next one with the same
    settings and files resumes it. Raises InputError for a source without any readable file, annotations of unknown
    recordings, an `out` that exists, and an ``OUT.partial`` of other settings (see `JournalledWriter`).
    """
    source, out, rule = Path(source), Path(out), split or SplitRule()
    recipe = OwnFiles(format, options or io.ReadOptions())
    survey = recipe.survey(source)
    given: dict[str, Annotation] | None = None
    settings = {"annotations": "none"}
    if annotations is not None:
        file = Path(annotations)
        given = read_annotations(file)
        check_names(given, [item.name for item in survey.items], file)
        survey = replace(survey, skipped=tuple(p for p in survey.skipped if p.absolute() != file.absolute()))
        settings = {"annotations": hashlib.sha256(file.read_bytes()).hexdigest()[:12]}
    formats = {item.details.format for item in survey.items}
    job = _Job(recipe, survey, source, given, settings)
    return _run(
        job, out, name, lambda infos, labels: _splits(infos, labels, formats, rule), progress, overwrite, workers
    )


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

    def splits(infos: Sequence[RecordingInfo], labels: LabelSet | None) -> Sequence[Split]:
        return recipe.splits(infos, labels) or _fallback(infos, labels, SplitRule())

    return _run(_Job(recipe, survey, raw), out, name, splits, progress, overwrite, workers)


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
        collected = _Collected()
        for done, (recording, annotation) in enumerate(synthetic_takes(config), start=1):
            collected.add(writer, recording, annotation)
            if progress is not None:
                progress(done, config.recordings)
        performers = len({info.attributes["performer"] for info in writer.infos})
        splits = [group_split(writer.infos, "performer", min(4, performers), seed=0)] if performers > 1 else []
        return collected.finish(writer, lambda *_: splits)


# ---- shared by files and recipes -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Job:
    """The recordings to read, and what else the corpus depends on."""

    recipe: Recipe
    survey: Survey
    raw: Path
    given: Mapping[str, Annotation] | None = None
    """Annotations by recording in place of those of the files."""
    settings: Mapping[str, str] = field(default_factory=dict)

    def all_settings(self) -> dict[str, str]:
        """By name, what must be equal in a run that resumes an interrupted one."""
        listing = hashlib.sha256()
        for item in self.survey.items:
            listing.update(f"{item.name}\t{relative(item.file, self.raw)}\t{_stamp(item.file)}\t".encode())
            listing.update(re.sub(r" at 0x[0-9a-f]+", "", repr(item.details)).encode() + b"\n")
        files = f"{len(self.survey.items)} (listing {listing.hexdigest()[:12]})"
        given = {"kinespan": __version__, "recipe": self.recipe.title, **_options(self.recipe)}
        return {**given, **self.settings, "files": files}


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


def _run(
    job: _Job,
    out: Path,
    name: str | None,
    splits: Callable[[Sequence[RecordingInfo], LabelSet | None], Sequence[Split]],
    progress: Progress | None,
    overwrite: bool,
    workers: int | None,
) -> PrepareSummary:
    """Read the items of a survey into a corpus."""
    items, survey = job.survey.items, job.survey
    collected = _Collected(survey.skipped, list(survey.refused), survey.labels)
    with JournalledWriter(out, name or out.resolve().name, job.all_settings(), overwrite) as writer:
        for entry in writer.entries:
            collected.recall(entry)
        collected.resumed = len(writer.entries)
        for done, result in enumerate(read_all(job.recipe, items[collected.resumed :], workers), collected.resumed + 1):
            writer.journal(collected.take(writer, result, job.given))
            if progress is not None:
                progress(done, len(items))
        if not writer.infos:
            reasons = "; ".join(reason for _, reason in collected.refused[:3])
            raise InputError(f"{job.raw}: none of {len(items)} files can be used: {reasons}")
        try:
            return collected.finish(writer, splits)
        except InputError as error:
            note = f"the {len(items)} files that were read are kept in {writer.partial}"
            raise InputError(f"{error}; {note}, which the corrected command resumes") from None


@dataclass
class _Collected:
    """What is collected while recordings are written, and how it becomes a finished corpus."""

    skipped: tuple[Path, ...] = ()
    refused: list[tuple[Path, str]] = field(default_factory=list)
    labels: LabelSet | None = None
    """The whole label set, where it is known in advance."""
    annotations: dict[str, Annotation] = field(default_factory=dict)
    cut: int = 0
    resumed: int = 0

    def take(self, writer: CorpusWriter, result: ReadResult, given: Mapping[str, Annotation] | None) -> Entry:
        """Write the recording of a file, with its own or the given annotation, or note why it is refused."""
        item, reason = result.item, result.reason
        if result.take is not None:
            annotation = result.take.annotation if given is None else given.get(item.name)
            try:
                return self.add(writer, result.take.recording, annotation)
            except InputError as error:
                reason = str(error)
        self.refused.append((item.file, reason))
        return Entry(None, refused=self.refused[-1])

    def add(self, writer: CorpusWriter, recording: Recording, annotation: Annotation | None) -> Entry:
        """Write a recording; its annotation is written when the labels of all are known."""
        cut = 0
        if annotation is not None:
            annotation, cut = fit(annotation, recording.duration)
            if self.labels is not None and not set(annotation.labels.names) <= set(self.labels.names):
                unknown = sorted(set(annotation.labels.names) - set(self.labels.names))
                raise InputError(f"label {unknown[0]!r} is not one of the data set's {len(self.labels)} labels")
        entry = Entry(writer.add(recording), annotation, cut)
        self._note(entry)
        return entry

    def recall(self, entry: Entry) -> None:
        """Adopt an entry of an interrupted run."""
        if entry.info is not None:
            self._note(entry)
        elif entry.refused is not None:
            self.refused.append(entry.refused)

    def _note(self, entry: Entry) -> None:
        assert entry.info is not None
        self.cut += entry.cut
        if entry.annotation is not None:
            self.annotations[entry.info.name] = entry.annotation

    def finish(
        self,
        writer: CorpusWriter,
        splits: Callable[[Sequence[RecordingInfo], LabelSet | None], Sequence[Split]],
    ) -> PrepareSummary:
        """Write annotations over one label set, add the splits, and sum up."""
        union = _union(self.annotations.values())
        labels = union if union is None or self.labels is None else self.labels
        seconds: dict[str, float] = defaultdict(float)
        spans: Counter[str] = Counter()
        for name, annotation in self.annotations.items():
            assert labels is not None
            writer.annotate(name, Annotation(annotation.spans, labels, annotation.covered))
            for span in annotation.spans:
                seconds[span.label] += span.duration
                spans[span.label] += 1
        infos = writer.infos
        corpus_splits = splits(infos, labels)
        for split in corpus_splits:
            writer.add_split(split)
        if self.refused:
            listed = (reason if str(file) in reason else f"{file}: {reason}" for file, reason in self.refused)
            writer.attach(REFUSED_FILE, "".join(f"{' '.join(line.split())}\n" for line in listed))
        names = labels.names if labels is not None else ()
        return PrepareSummary(
            path=writer.path,
            name=writer.name,
            recordings=len(infos),
            annotated=len(self.annotations),
            seconds=sum(info.duration for info in infos),
            frames=sum(info.num_frames for info in infos),
            people=max(info.num_people for info in infos),
            skeletons=tuple(dict.fromkeys(info.skeleton.name for info in infos)),
            label_seconds={label: seconds[label] for label in names},
            label_spans={label: spans[label] for label in names},
            splits={split.name: len(split.folds) for split in corpus_splits},
            refused=tuple(self.refused),
            skipped=self.skipped,
            cut_spans=self.cut,
            resumed=self.resumed,
        )


def _union(annotations: Iterable[Annotation]) -> LabelSet | None:
    """All labels in order of appearance, exclusive where all are; None without annotations."""
    label_sets = list(dict.fromkeys(annotation.labels for annotation in annotations))
    names = tuple(dict.fromkeys(name for labels in label_sets for name in labels.names))
    return LabelSet(names, all(labels.exclusive for labels in label_sets)) if label_sets else None


def _splits(
    infos: Sequence[RecordingInfo], labels: LabelSet | None, formats: set[str], rule: SplitRule
) -> Sequence[Split]:
    """Splits by the group of the rule; else official ones where all files are of a format with a recipe."""
    if rule.group is not None:
        return (ruled_split(infos, rule),)
    if len(formats) == 1 and (format := next(iter(formats))) in RECIPES:
        official = RECIPES[format]().splits(infos, labels)
        if official:
            return official
    return _fallback(infos, labels, rule)


def _fallback(infos: Sequence[RecordingInfo], labels: LabelSet | None, rule: SplitRule) -> Sequence[Split]:
    """With labels, folds by a group attribute or by recording; else none."""
    if labels is None:
        return ()
    default = default_split(infos, rule.folds, rule.seed) or recording_split(infos, rule.folds, rule.seed)
    return () if default is None else (default,)


def _stamp(file: Path) -> str:
    """Size and time of a file, which change with its content."""
    try:
        status = file.stat()
    except OSError:
        return "missing"
    return f"{status.st_size} {status.st_mtime_ns}"
