"""Convert motion files, one by one or all of a folder: read each, and write it in the format of a suffix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .. import io
from ..errors import InputError
from ..transforms.normalise import even_rate
from .own_files import relative


@dataclass(frozen=True)
class Conversion:
    """A file that was read, its format, and the files that it was written to; or why it was not."""

    source: Path
    format: str
    take: io.Take | None = None
    written: io.Written = field(default_factory=lambda: io.Written((), ()))
    reason: str = ""


def convert_file(
    source: Path, target: Path, options: io.ReadOptions, *, overwrite: bool = False, override_fps: bool = True
) -> Conversion:
    """Read a motion file and write it to another.

    Uneven frames are brought to an even rate where the format has one. Raises InputError as `io.read` and `io.write`.
    """
    writer = io.writer_of(target)
    format = io.detect(source) if options.format == io.AUTO else options.format
    take = io.read(source, format, options, override_fps=override_fps)
    recording = take.recording if writer.uneven_times else even_rate(take.recording)
    written = io.write(recording, target, take.annotation, overwrite=overwrite)
    if recording is not take.recording:
        note = f"{target.suffix} holds one rate: frames are brought to {recording.fps:g} a second by time"
        written = io.Written(written.paths, (note, *written.notes))
    return Conversion(source, format, take, written)


@dataclass(frozen=True)
class FolderPlan:
    """The recordings of a folder, the files to write them to, and the files that are no recordings."""

    files: tuple[tuple[Path, str], ...]
    """Files and their formats."""
    targets: tuple[Path, ...]
    skipped: tuple[Path, ...]


def plan_folder(
    source: Path, out: Path, suffix: str, options: io.ReadOptions, *, overwrite: bool = False
) -> FolderPlan:
    """What `convert_planned` is to do: each recording of a folder, or a file, into `out`, with the same subfolders.

    Raises InputError without a recording, for a suffix without a writer, and for existing files unless `overwrite`.
    """
    io.writer_of(Path(f"x.{suffix}"))
    files, skipped = io.survey_files(source, options.format)
    targets = target_files([file for file, _ in files], source, out, suffix)
    existing = [target for target in targets if target.exists()]
    if existing and not overwrite:
        others = f", as do {len(existing) - 1} others" if len(existing) > 1 else ""
        raise InputError(
            f"{existing[0]}: exists already{others}; name another folder, or replace files with --overwrite"
        )
    return FolderPlan(tuple(files), tuple(targets), tuple(skipped))


def convert_planned(
    plan: FolderPlan,
    options: io.ReadOptions,
    *,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Conversion]:
    """Convert the files of a plan. One that cannot be read or written has a reason, and the others go on."""
    override_fps = io.overrides_fps(plan.files)
    for number, ((file, format), target) in enumerate(zip(plan.files, plan.targets, strict=True), start=1):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            yield convert_file(file, target, options, overwrite=overwrite, override_fps=override_fps)
        except InputError as error:
            reason = str(error) if str(file) in str(error) else f"{file}: {error}"
            yield Conversion(file, format, reason=reason)
        except OSError as error:
            yield Conversion(file, format, reason=f"{file}: {error.strerror or error}")
        if progress is not None:
            progress(number, len(plan.files))


def target_files(files: Sequence[Path], source: Path, out: Path, suffix: str) -> list[Path]:
    """The file in `out` for each file of the folder `source`: its path with the suffix in place of its own.

    Of files that would share one, each keeps its own suffix before the new one.
    """
    paths = [relative(file, source).removesuffix(".gz") for file in files]
    plain = [str(Path(path).with_suffix("")) for path in paths]
    counts = Counter(plain)
    stems = (stem if counts[stem] == 1 else path for stem, path in zip(plain, paths, strict=True))
    return [out / f"{stem}.{suffix}" for stem in stems]
