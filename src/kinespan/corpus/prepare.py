"""From files to a corpus: read what can be read, name what cannot, write the corpus atomically."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from .. import io
from ..annotation import Annotation, LabelSet
from ..errors import InputError
from ..recording import Recording
from . import annotation_file
from .index import RecordingInfo
from .recipes import RECIPES
from .splits import Split, SplitRule, default_split, group_split, recording_split, ruled_split
from .synthetic import SyntheticConfig, synthetic_takes
from .writer import CorpusWriter

Progress = Callable[[int, int], None]
"""Called with (files done, files in all) after each file."""

_POOL_BYTES = 24 * 2**20
"""Below this much to read, starting processes costs more than it saves."""


@dataclass(frozen=True)
class PrepareSummary:
    """What `prepare` did: what was read, what was refused and why, how much motion, what it is labelled with."""

    path: Path
    name: str
    recordings: int
    annotated: int
    seconds: float
    frames: int
    people: int
    """Most person slots in a recording."""
    skeletons: tuple[str, ...]
    label_seconds: Mapping[str, float]
    label_spans: Mapping[str, int]
    splits: Mapping[str, int]
    """Number of folds by name of the split."""
    refused: tuple[tuple[Path, str], ...] = ()
    """(file, reason) of each file that could not be used."""
    passed_over: tuple[Path, ...] = ()
    """Files of no known format, or of another than was asked for."""
    cut_spans: int = 0
    """Spans that reached over the end of their recording and were cut to it."""

    def lines(self) -> tuple[str, ...]:
        """The summary for people, a line a fact."""
        lines = [
            f"corpus {self.name!r}: {self.recordings} recordings, {self.seconds / 60:.1f} min of motion, "
            f"{self.frames} frames, up to {self.people} {'person' if self.people == 1 else 'people'}",
            f"skeletons: {', '.join(self.skeletons)}",
        ]
        if self.annotated:
            lines.append(f"annotated: {self.annotated} of {self.recordings} recordings")
            width = max(map(len, self.label_spans))
            for label, spans in self.label_spans.items():
                lines.append(f"  {label:<{width}}  {spans:>6} spans  {self.label_seconds[label]:>9.1f} s")
        else:
            lines.append("annotated: nothing")
        if self.cut_spans:
            lines.append(f"cut to the end of their recording: {self.cut_spans} spans")
        if self.splits:
            lines.append("splits: " + ", ".join(f"{name} (folds: {folds})" for name, folds in self.splits.items()))
        if self.passed_over:
            some = ", ".join(str(file) for file in self.passed_over[:3])
            more = ", ..." if len(self.passed_over) > 3 else ""
            lines.append(f"files passed over, no recordings: {len(self.passed_over)} ({some}{more})")
        for file, reason in self.refused:
            lines.append(f"refused: {reason}" if str(file) in reason else f"refused: {file}: {reason}")
        return (*lines, f"written to {self.path}")

    def __str__(self) -> str:
        return "\n".join(self.lines())


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

    A recording is named after its file; where two files share a stem, after their path in the folder. A file that
    cannot be read is left out and named in the summary. `annotations` (ActivityNet JSON, or CSV with the header
    recording,label,start,end) takes the place of whatever labels the files hold; recordings that it does not list
    stay unlabelled. Labels are the union of those of the files. Official splits are added where the format has a
    recipe and `split` names no group, else one by the rule `split` where recordings are annotated. With much to
    read, `workers` processes share the work (default: one a core; they start anew, so a script calls this under
    ``if __name__ == "__main__"``); results do not depend on it.

    Raises InputError for a source without one readable file, annotations of unknown recordings, and an `out` that is
    taken. Then, as when interrupted, nothing is left at `out`.
    """
    source, out = Path(source), Path(out)
    files, passed_over = io.survey_files(source, format)
    jobs = [
        _Job(file, kind, own, _relative(file, source), options or io.ReadOptions())
        for (file, kind), own in zip(files, _names([file for file, _ in files], source), strict=True)
    ]
    given: dict[str, Annotation] | None = None
    if annotations is not None:
        given = annotation_file.read(Path(annotations))
        annotation_file.check_names(given, [job.name for job in jobs], Path(annotations))
        passed_over = [file for file in passed_over if file.absolute() != Path(annotations).absolute()]
    with CorpusWriter(out, name or out.resolve().name, overwrite=overwrite) as writer:
        gathered = _Gathered(passed_over=tuple(passed_over))
        for done, (job, take, reason) in enumerate(_read_all(jobs, workers), start=1):
            gathered.take(writer, job, take, reason, given)
            if progress is not None:
                progress(done, len(jobs))
        if not writer.infos:
            reasons = "; ".join(reason for _, reason in gathered.refused[:3])
            raise InputError(f"{source}: none of {len(jobs)} files can be used: {reasons}")
        formats = {kind for _, kind in files}
        return gathered.finish(writer, lambda labels: _splits(writer.infos, labels, formats, split or SplitRule()))


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
        gathered = _Gathered()
        for done, (recording, annotation) in enumerate(synthetic_takes(config), start=1):
            gathered.add(writer, recording, annotation)
            if progress is not None:
                progress(done, config.recordings)
        performers = len({info.attributes["performer"] for info in writer.infos})
        splits = [group_split(writer.infos, "performer", min(4, performers), seed=0)] if performers > 1 else []
        return gathered.finish(writer, lambda _: splits)


# ---- writing ---------------------------------------------------------------------------------------------------


@dataclass
class _Gathered:
    """What comes to light while recordings are written, and how it becomes a finished corpus."""

    passed_over: tuple[Path, ...] = ()
    refused: list[tuple[Path, str]] = field(default_factory=list)
    annotations: dict[str, Annotation] = field(default_factory=dict)
    cut: int = 0

    def take(
        self, writer: CorpusWriter, job: _Job, take: io.Take | None, reason: str, given: dict[str, Annotation] | None
    ) -> None:
        """Write what was read from a file, with its own or the given annotation, or note why not."""
        if take is None:
            self.refused.append((job.file, reason))
            return
        annotation = take.annotation if given is None else given.get(job.name)
        try:
            self.add(writer, take.recording, annotation)
        except InputError as error:
            self.refused.append((job.file, str(error)))

    def add(self, writer: CorpusWriter, recording: Recording, annotation: Annotation | None) -> None:
        """Write a recording; its annotation waits until the labels of all are known."""
        cut = 0
        if annotation is not None:
            annotation, cut = annotation_file.fit(annotation, recording.duration)
        writer.add(recording)
        self.cut += cut
        if annotation is not None:
            self.annotations[recording.name] = annotation

    def finish(self, writer: CorpusWriter, splits: Callable[[LabelSet | None], Sequence[Split]]) -> PrepareSummary:
        """Write annotations over one label set, add the splits, and sum up."""
        labels = _union(self.annotations.values())
        seconds: dict[str, float] = defaultdict(float)
        spans: Counter[str] = Counter()
        for name, annotation in self.annotations.items():
            assert labels is not None
            writer.annotate(name, Annotation(annotation.spans, labels, annotation.covered))
            for span in annotation.spans:
                seconds[span.label] += span.duration
                spans[span.label] += 1
        made = splits(labels)
        for split in made:
            writer.add_split(split)
        names = labels.names if labels is not None else ()
        return PrepareSummary(
            path=writer.path,
            name=writer.name,
            recordings=len(writer.infos),
            annotated=len(self.annotations),
            seconds=sum(info.duration for info in writer.infos),
            frames=sum(info.num_frames for info in writer.infos),
            people=max(info.num_people for info in writer.infos),
            skeletons=tuple(dict.fromkeys(info.skeleton.name for info in writer.infos)),
            label_seconds={label: seconds[label] for label in names},
            label_spans={label: spans[label] for label in names},
            splits={split.name: len(split.folds) for split in made},
            refused=tuple(self.refused),
            passed_over=self.passed_over,
            cut_spans=self.cut,
        )


def _union(annotations: Iterable[Annotation]) -> LabelSet | None:
    """All labels in order of appearance, exclusive where all are; None without annotations."""
    found = list(dict.fromkeys(annotation.labels for annotation in annotations))
    names = tuple(dict.fromkeys(name for labels in found for name in labels.names))
    return LabelSet(names, all(labels.exclusive for labels in found)) if found else None


def _splits(
    infos: Sequence[RecordingInfo], labels: LabelSet | None, formats: set[str], rule: SplitRule
) -> Sequence[Split]:
    """By the group that the rule names; else official ones where all files are of a format with a recipe; else, where
    there are labels, by the group that recordings state, or each recording alone."""
    if rule.group is not None:
        return (ruled_split(infos, rule),)
    if len(formats) == 1 and (format := next(iter(formats))) in RECIPES:
        official = RECIPES[format]().splits(infos, labels)
        if official:
            return official
    if labels is None:
        return ()
    default = default_split(infos, rule.folds, rule.seed) or recording_split(infos, rule.folds, rule.seed)
    return () if default is None else (default,)


# ---- reading ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Job:
    """One file to read, and what its recording will be called."""

    file: Path
    format: str
    name: str
    source: str
    options: io.ReadOptions


def _relative(file: Path, source: Path) -> str:
    return file.name if file == source else file.relative_to(source).as_posix()


def _names(files: Sequence[Path], source: Path) -> list[str]:
    """The stem of each file; of files that share one, the path in the folder; with its suffix where that is shared."""
    paths = [_relative(file, source) for file in files]
    ways = ([file.stem for file in files], [os.path.splitext(path)[0] for path in paths], paths)
    counts = [Counter(way) for way in ways]
    return [
        next(name for name, count in zip(choices, counts, strict=True) if count[name] == 1)
        for choices in zip(*ways, strict=True)
    ]


Result = tuple[tuple[Any, ...] | None, Annotation | None, str]
"""What a reading process sends back: the fields of the Recording, its Annotation, and why there is neither."""


def _read_one(job: _Job) -> Result:
    """Read a file, in whatever process. A file that cannot be read gives a reason, never an error."""
    try:
        take = io.read(job.file, job.format, job.options)
    except (InputError, OSError) as error:
        return None, None, str(error)
    except Exception as error:  # one bad file in thousands must not lose the others
        what = f"{type(error).__name__}: {error}"
        return None, None, f"{job.file}: the reader for {job.format} failed ({what}); please report this file"
    read = take.recording
    source = job.source if read.source == job.file.name else read.source
    # A Recording holds a mapping proxy, which cannot be sent to another process.
    fields = (read.positions, read.fps, read.skeleton, job.name, read.mask, source, dict(read.attributes), read.history)
    return fields, take.annotation, ""


def _read_all(jobs: Sequence[_Job], workers: int | None) -> Iterator[tuple[_Job, io.Take | None, str]]:
    """Each job with its Take, or None and the reason, in order; only a few are held in memory at a time."""
    if workers is None:
        much = sum(job.file.stat().st_size for job in jobs) >= _POOL_BYTES
        workers = min(os.cpu_count() or 1, len(jobs)) if much else 1
    results = map(_read_one, jobs) if workers <= 1 else _in_processes(jobs, workers)
    for job, (fields, annotation, reason) in zip(jobs, results, strict=True):
        yield job, None if fields is None else io.Take(Recording(*fields), annotation), reason


def _in_processes(jobs: Sequence[_Job], workers: int) -> Iterator[Result]:
    """Read in processes that start anew: forking one that runs threads, as numeric libraries do, may hang."""
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_start_worker)

    def submit(some: Iterable[_Job]) -> None:
        with _interrupts_held():  # a job may start a process, which keeps what is held here
            running.extend(pool.submit(_read_one, job) for job in some)

    running: deque[Future[Result]] = deque()
    waiting = iter(jobs)
    try:
        submit(islice(waiting, 2 * workers))
        while running:
            yield running.popleft().result()
            submit(islice(waiting, 1))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back for a moment. It goes to every process of a terminal; only the one that writes answers it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker() -> None:
    """Leave Ctrl-C to the process that writes, and end with it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
