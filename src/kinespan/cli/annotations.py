"""The annotation sets of a corpus: list them, read one from a label file, write one to a file, compare two.

Without options it lists the sets. --read FILE makes a set of the labels of a file of any format, named after the file
or --set, or with --overwrite replaces labels in it. --write FILE writes a set in the format of the file's ending.
--compare A B says how far two sets agree: F1@50 of segments, kappa by frame, and where they differ. --history lists
what was changed, by whom and when; --undo and --redo take the last change back, and make it again. --rename gives a set
another name; --delete deletes it with its history.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..annotations import write_label_file, write_label_files
from ..annotations.label_file import LabelFile, listed
from ..corpus.annotation_sets import AnnotationSets
from ..corpus.set_rows import Change
from ..corpus.splits import union_of
from ..corpus.store import Corpus
from ..data.clock import Clock
from ..errors import InputError
from ..files import write_atomically
from ..metrics.agreement import Agreement, Difference, agreement
from ..prepare.labels import LabelSettings, read_labels
from .arguments import Positional
from .checks import check_out_file
from .common import percent, plural, table

GROUPS = {
    "what to do": ("read", "write", "to", "compare", "history", "undo", "redo", "rename", "delete"),
    "of which set, by whom": ("set", "author", "overwrite"),
    "labels of a file (--read)": ("tier", "unlabelled", "time", "offset", "match", "points"),
}
MAX_DIFFERENCES = 20
"""The most differences that are printed, the longest ones."""


@dataclass(frozen=True, kw_only=True)
class AnnotationsArguments:
    """The corpus, and what is done with its annotation sets."""

    corpus: Positional[Path]
    """Folder of a prepared corpus."""
    set: str | None = None
    """Annotation set; needed where the corpus has several."""
    read: Path | None = None
    """Label file of any format that becomes a set."""
    write: Path | None = None
    """File to write a set to; its ending says the format. With --to, a folder."""
    to: str | None = None
    """Format to write into the folder of --write: one of `kinespan list labels`, a file for each recording where it
    holds one only."""
    compare: tuple[str, str] | None = None
    """Two sets to compare."""
    out: Path | None = None
    """CSV file that gets every difference of --compare."""
    history: bool = False
    """List the changes of a set."""
    undo: bool = False
    """Take the last change of a set back."""
    redo: bool = False
    """Make the change again that was undone last."""
    rename: str | None = None
    """New name of the set that --set names."""
    delete: bool = False
    """Delete the set that --set names, with its history. This cannot be undone: write it to a file first."""
    author: str | None = None
    """Who makes the set or the change; by default the user of this computer."""
    overwrite: bool = False
    """Replace labels that the set has, or the file to write."""


def run(arguments: AnnotationsArguments, labels: LabelSettings) -> int:
    """Do it, and print what was done."""
    corpus = Corpus.open(arguments.corpus)
    sets = AnnotationSets.open(arguments.corpus)
    names = ("read", "write", "compare", "history", "undo", "redo", "rename", "delete")
    wanted = [name for name in names if getattr(arguments, name) not in (None, False)]
    if len(wanted) > 1:
        raise InputError(f"--{wanted[0]} and --{wanted[1]}: one thing at a time")
    if arguments.read is None and labels != LabelSettings():
        raise InputError("options for the labels of a file are given, but no file; give it by --read")
    if arguments.read is not None:
        _read(arguments, corpus, sets, labels)
    elif arguments.write is not None:
        _write(arguments, corpus, sets)
    elif arguments.compare is not None:
        _compare(arguments, corpus, sets)
    elif arguments.history:
        print(table(_history_rows(sets.history(_set_name(arguments, corpus)))))
    elif arguments.undo or arguments.redo:
        step = sets.undo if arguments.undo else sets.redo
        change = step(_set_name(arguments, corpus), by=arguments.author)
        print(f"{'undone' if arguments.undo else 'done again'}: {_about(change)} (change {change.number})")
    elif arguments.rename is not None or arguments.delete:
        _rename_or_delete(arguments, sets)
    else:
        print("\n".join(_listing(corpus, sets)))
    return 0


def _rename_or_delete(arguments: AnnotationsArguments, sets: AnnotationSets) -> None:
    """Rename or delete a set, which is named even where it is the only one."""
    if arguments.set is None:
        raise InputError("--rename and --delete: say of which annotation set, with --set NAME")
    if arguments.rename is not None:
        sets.rename_set(arguments.set, arguments.rename, arguments.author)
        print(f"set {arguments.set!r} is {arguments.rename!r} now")
    else:
        recordings = len(sets.summary(arguments.set).watched)
        sets.delete_set(arguments.set)
        print(f"set {arguments.set!r} deleted, with labels of {plural(recordings, 'recording')} and its history")


def _set_name(arguments: AnnotationsArguments, corpus: Corpus) -> str:
    """The set that is asked for, or the only one. Raises InputError."""
    chosen = corpus.with_set(arguments.set)
    if not chosen.sets:
        raise InputError(f"corpus {corpus.name!r} has no annotation set; make one of a label file with --read FILE")
    if chosen.set is None:
        chosen.labels  # noqa: B018 - raises, and lists the sets
    assert chosen.set is not None
    return chosen.set


def _listing(corpus: Corpus, sets: AnnotationSets) -> list[str]:
    if not corpus.sets:
        return [f"corpus {corpus.name!r} has no annotation set; make one of a label file with --read FILE"]
    rows = [["set", "recordings", "labels", "spans", "events", "author", "made"]]
    for info in sets.infos:
        annotations = sets.annotations(info.name).values()
        counts = [sum(len(each.spans) for each in annotations), sum(len(each.events) for each in annotations)]
        facts = (info.recordings, len(info.labels), *counts, info.author, info.time[:16].replace("T", " ") or "-")
        rows.append([info.name, *map(str, facts)])
    return [f"corpus {corpus.name!r}: {plural(len(rows) - 1, 'annotation set')}", table(rows)]


def _read(arguments: AnnotationsArguments, corpus: Corpus, sets: AnnotationSets, settings: LabelSettings) -> None:
    """Make a set of the labels of a file, or replace labels in one."""
    assert arguments.read is not None
    annotations, decisions = read_labels(arguments.read, corpus.names, settings).annotations(corpus.infos)
    name = arguments.set or arguments.read.name.split(".")[0]
    new = union_of(annotation.labels for annotation in annotations.values())
    if new is None:
        raise InputError(f"{arguments.read}: it has no labels")
    if name not in {info.name for info in sets.infos}:
        sets.create(name, new, annotations, arguments.author)
    else:
        present = [recording for recording in annotations if recording in sets.annotations(name)]
        if present and not arguments.overwrite:
            raise InputError(
                f"--read {arguments.read}: set {name!r} has labels of {plural(len(present), 'recording')} already "
                f"({listed(present)}); make another set with --set NAME, or replace them with --overwrite"
            )
        labels = union_of([sets.labels(name), new])
        sets.replace(name, annotations, arguments.author, f"read from {arguments.read.name}", labels)
    print("\n".join([*(f"decided: {line}" for line in decisions), f"set {name!r}: {_counts(len(annotations))}"]))


def _counts(recordings: int) -> str:
    return f"labels of {plural(recordings, 'recording')} read"


def _write(arguments: AnnotationsArguments, corpus: Corpus, sets: AnnotationSets) -> None:
    """Write a set to a file."""
    assert arguments.write is not None
    name = _set_name(arguments, corpus)
    annotations = sets.annotations(name)
    rows, clocks = LabelFile.of(annotations, arguments.write), _clocks(corpus)
    if arguments.to is not None:
        _, lost = write_label_files(rows, arguments.write, arguments.to, clocks, arguments.overwrite, name)
    else:
        check_out_file(arguments.write)
        if arguments.write.exists() and not arguments.overwrite:
            raise InputError(f"{arguments.write}: exists already; name another file, or replace it with --overwrite")
        lost = write_label_file(rows, arguments.write, clocks=clocks)
    for line in lost:
        print(f"not in the file: {line}")
    print(f"set {name!r}, {plural(len(annotations), 'recording')}, written to {arguments.write}")


def _clocks(corpus: Corpus) -> dict[str, Clock]:
    return {info.name: Clock(info.fps, info.num_frames) for info in corpus.infos}


def _compare(arguments: AnnotationsArguments, corpus: Corpus, sets: AnnotationSets) -> None:
    """Print how far two sets agree; with --out, write every difference."""
    assert arguments.compare is not None
    left, right = arguments.compare
    check_out_file(arguments.out)
    result = agreement(sets.annotations(left), sets.annotations(right), _clocks(corpus))
    print("\n".join(_agreement_lines(result, left, right)))
    if arguments.out is not None:
        write_atomically(arguments.out, _differences_csv(result.differences, left, right))
        print(f"{plural(len(result.differences), 'difference')} written to {arguments.out}")


def _agreement_lines(result: Agreement, left: str, right: str) -> list[str]:
    """The figures, and the longest differences."""
    time = f"{result.seconds:.1f} s that both looked at"
    lines = [f"{left} and {right}: {plural(result.recordings, 'recording')}, {time}"]
    lines.append(f"segments: F1@50 {_share(result.f1)} %")
    lines.append(f"frames: kappa {_figure(result.kappa)}")
    if not math.isnan(result.event_f1):
        lines.append(f"events within {result.tolerance:g} s: F1 {_share(result.event_f1)} %")
    if len(result.label_kappa) > 1:
        rows = [[label, _figure(value)] for label, value in result.label_kappa.items()]
        lines.append(table([["label", "kappa"], *rows]))
    longest = sorted(result.differences, key=lambda row: -row.duration)[:MAX_DIFFERENCES]
    if longest:
        lines.append(f"where they differ, {plural(len(result.differences), 'time')}, the longest first:")
        rows = [[row.recording, f"{row.start:.2f}", f"{row.end:.2f}", row.left or "-", row.right or "-"]
                for row in longest]  # fmt: skip
        lines.append(table([["recording", "start", "end", left, right], *rows]))
    return lines


def _share(value: float) -> str:
    return percent(None if math.isnan(value) else value)


def _figure(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _differences_csv(differences: Sequence[Difference], left: str, right: str) -> str:
    """A table of differences in order of recording and time."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["recording", "start", "end", left, right, "person"])
    for row in differences:
        person = "" if row.person is None else row.person
        writer.writerow([row.recording, f"{row.start:.6g}", f"{row.end:.6g}", row.left, row.right, person])
    return text.getvalue()


def _history_rows(changes: Sequence[Change]) -> list[list[str]]:
    rows = [["change", "time (UTC)", "author", "kind", "what"]]
    for change in changes:
        undone = " (undone)" if change.undone else ""
        time = change.time[:19].replace("T", " ")
        rows.append([str(change.number), time, change.author, change.kind, f"{_about(change)}{undone}"])
    return rows


def _about(change: Change) -> str:
    return change.about if change.recording is None else f"{change.recording}: {change.about}"
