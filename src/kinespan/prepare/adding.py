"""Adding recordings, and labels, to a corpus that exists: `kinespan prepare --add`."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .. import io
from ..annotations.label_file import listed
from ..corpus.splits import union_of
from ..corpus.store import Corpus
from ..corpus.writer import CorpusWriter
from ..data.annotation import Annotation
from ..data.display import counted
from ..data.joint_report import check_common_skeleton
from ..errors import InputError
from .labels import LabelSettings, PreparedLabels
from .prepare import Job, Progress, read_label_rows, run_job, survey_own_files
from .summary import PrepareSummary


@dataclass(frozen=True)
class AddSummary:
    """What was added to a corpus, for programs and for people."""

    path: Path
    added: tuple[str, ...]
    """The names of the recordings that were added."""
    present: tuple[str, ...]
    """Recordings of the source that the corpus has already, which were not read."""
    labelled: tuple[str, ...]
    """Recordings, new and old, that were given labels."""
    kept: tuple[str, ...]
    """Recordings whose labels were left as they are, though new ones were given."""
    recordings: int
    """Recordings in the corpus now."""
    read: PrepareSummary | None = None
    """The new recordings by themselves; None where there are none."""
    decisions: tuple[str, ...] = ()
    """Plain lines about labels."""

    def __str__(self) -> str:
        """The summary for people, one fact per line."""
        lines = [] if self.read is None else str(self.read).splitlines()[:-1]
        if self.present:
            lines.append(f"in the corpus already, not read again: {counted(len(self.present), 'recording')} "
                         f"({listed(self.present)})")  # fmt: skip
        lines += [f"decided: {line}" for line in self.decisions]
        if self.kept:
            lines.append(f"labels left as they are: {counted(len(self.kept), 'recording')} ({listed(self.kept)})")
        lines.append(
            f"added to {self.path}: {counted(len(self.added), 'recording')}, labels of "
            f"{counted(len(self.labelled), 'recording')}; it has {counted(self.recordings, 'recording')} now"
        )
        if self.added:
            lines.append("new recordings are in none of its splits; kinespan split adds one")
        return "\n".join(lines)


def add_recordings(
    source: str | Path,
    out: str | Path,
    format: str = "auto",
    annotations: str | Path | None = None,
    options: io.ReadOptions | None = None,
    set: str | None = None,
    progress: Progress | None = None,
    workers: int | None = None,
    labels: LabelSettings | None = None,
) -> AddSummary:
    """Add the recordings of a file or folder, and labels, to the corpus at `out`, which is replaced when all is read.

    Parameters: as of `prepare`, and
        annotations: labels of new recordings, and of those that the corpus has without labels.
        set: the annotation set that gets the labels, by default the only one.

    Recordings are told apart by name: those that the corpus has already are not read. Raises InputError where there is
    nothing to add, and as `prepare`.
    """
    source, base = Path(source), Corpus.open(out, set)
    recipe, survey = survey_own_files(source, options or io.ReadOptions(), format)
    present = tuple(item.name for item in survey.items if item.name in base)
    items = tuple(item for item in survey.items if item.name not in base)
    file_labels = None
    if annotations is not None:
        known = [*base.names, *(item.name for item in items)]
        file_labels = read_label_rows(Path(annotations), known, labels or LabelSettings(), recipe.options)
    elif not items:
        raise InputError(f"{source}: nothing to add, the corpus has all of its {len(present)} recordings already")
    if (annotations is not None or base.sets) and len(base.sets) > 1 and set is None:
        base.labels  # noqa: B018 - raises, and lists the sets
    added, summary = None, None
    folder = base.path.resolve().with_name(f"{base.path.resolve().name}.added")
    if items:
        job = Job(recipe, replace(survey, items=items), source, recipe)
        summary = run_job(job, folder, base.name, progress, True, workers)
        added = Corpus.open(folder)
    result = _join(base, added, file_labels)
    shutil.rmtree(folder, ignore_errors=True)
    return replace(result, present=present, read=summary and replace(summary, splits={}))


def _join(base: Corpus, added: Corpus | None, file_labels: PreparedLabels | None) -> AddSummary:
    """Write the corpus anew with the recordings of both, and the labels of the file or of the new ones' own files."""
    infos = [*base.infos, *(() if added is None else added.infos)]
    check_common_skeleton({info.name: info.skeleton for info in infos})
    decisions: Sequence[str] = ()
    if file_labels is not None:
        given, decisions = file_labels.annotations(infos)
    else:
        given = {} if added is None else _annotations(added)
    old = _annotations(base)
    labelled = {name: annotation for name, annotation in given.items() if name not in old}
    prepared = base.prepared_annotations()
    written = {**prepared, **{name: each for name, each in labelled.items() if name not in prepared}}
    union = union_of(annotation.labels for annotation in written.values())
    with CorpusWriter(base.path, base.name, union, overwrite=True) as writer:
        writer.additions = None if base.set is None else (base.set, labelled)
        for recording in (*base, *(() if added is None else added)):
            annotation = written.get(recording.name)
            writer.add(recording, None if annotation is None or union is None else replace(annotation, labels=union))
        for split in base.splits.values():
            writer.add_split(split)
        for line in dict.fromkeys([*base.decisions, *(() if added is None else added.decisions), *decisions]):
            if line not in writer.decisions:
                writer.decide(line)
        for file in ("refused.txt",):
            if (base.path / file).is_file():
                writer.attach(file, (base.path / file).read_text(encoding="utf-8"))
    return AddSummary(
        base.path,
        added=() if added is None else added.names,
        present=(),
        labelled=tuple(labelled),
        kept=tuple(name for name in given if name in old),
        recordings=len(infos),
        decisions=tuple(decisions),
    )


def _annotations(corpus: Corpus) -> dict[str, Annotation]:
    """The annotations of the chosen set of a corpus by recording."""
    pairs = ((name, corpus.annotation(name)) for name in corpus.names)
    return {name: annotation for name, annotation in pairs if annotation is not None}
