"""Write motion or labels in another format.

Motion is written as npz, BVH, C3D, TRC, CSV or Parquet, in metres, y up, as it was understood.

`convert take.c3d take.npz` writes one file, in the format of its suffix. `convert FOLDER OUT --to bvh` writes all
recordings of a folder, and of its subfolders, into another one. Nothing is filled in, but for BVH, which has no gaps.
What was decided is printed, and what the format does not hold. npz holds everything: positions (T, P, J, 3), joints,
parents, fps, valid (T, P, J), what was seen, canonical (J), what each joint is understood as, and the labels of the
file.

Labels are written as CSV, ELAN, BORIS, Praat, WebVTT, SubRip, Audacity and more (`kinespan list labels`):
`convert coding.eaf labels.csv` writes recording, label, start and end in seconds, and tier. `convert FOLDER labels.csv`
writes those of all files in it, each recording named after its file; `convert labels.csv OUT --to elan` a file for each
recording. Tiers are kept apart. `convert take.c3d events.eaf` writes the labels and events of a motion file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .. import io
from ..errors import InputError
from ..io.describe import take_lines
from ..prepare.converting import convert_file, convert_planned, plan_folder
from ..prepare.own_files import relative
from ..progress import counting
from .arguments import Positional
from .checks import check_out_file, check_out_folder
from .common import plural
from .labels import LabelChoice, convert_labels, is_labels
from .motion import READING

GROUPS = {"how to take labels": ("tier", "time", "offset"), **READING}


@dataclass(frozen=True, kw_only=True)
class ConvertArguments:
    """What to read and what to write."""

    file: Positional[Path]
    """File to read, or a folder."""
    out: Positional[Path]
    """File to write, in the format of its suffix, such as npz, bvh, csv, eaf; with --to a folder."""
    to: str | None = None
    """Suffix or format of the files to write into the folder OUT, such as bvh or elan."""
    overwrite: bool = False
    """Replace existing files."""


def run(arguments: ConvertArguments, labels: LabelChoice, options: io.ReadOptions) -> int:
    """Convert and print what was decided."""
    source, out, to = arguments.file, arguments.out, arguments.to
    if is_labels(source, out, to, options):
        return convert_labels(source, out, to, labels, options, overwrite=arguments.overwrite)
    labels.check_none()
    if arguments.to is not None:
        return _convert_into_folder(arguments, arguments.to.lower().removeprefix("."), options)
    if arguments.file.is_dir() and not io.is_recording_folder(arguments.file):
        raise InputError(f"{arguments.file}: is a folder; give the format to write its recordings in, such as --to npz")
    check_out_file(arguments.out)
    result = convert_file(arguments.file, arguments.out, options, overwrite=arguments.overwrite)
    assert result.take is not None
    files = " and ".join(map(str, result.written.paths))
    print("\n".join([*take_lines(result.take, result.format), *result.written.notes, f"written to {files}"]))
    return 0


def _convert_into_folder(arguments: ConvertArguments, suffix: str, options: io.ReadOptions) -> int:
    """Convert all recordings of a folder, or a file, and print what was decided about them together."""
    check_out_folder(arguments.out)
    reasons: list[str] = []
    histories: dict[str, tuple[str, ...]] = {}
    files = 0
    plan = plan_folder(arguments.file, arguments.out, suffix, options, overwrite=arguments.overwrite)
    with counting("converting") as count:
        for result in convert_planned(plan, options, overwrite=arguments.overwrite, progress=count):
            if result.take is None:
                reasons.append(result.reason)
                continue
            # The motion itself is let go.
            notes = (io.DECIDED + note for note in result.written.notes)
            histories[relative(result.source, arguments.file)] = (*result.take.recording.history, *notes)
            files += len(result.written.paths)
    if not histories:
        raise InputError(reasons[0])
    lines = [*(f"left out: {reason}" for reason in reasons), *io.decisions(histories)]
    if plan.skipped:
        lines.append(
            f"skipped {plural(len(plan.skipped), 'file')} that {'is' if len(plan.skipped) == 1 else 'are'} no recording"
        )
    of_all = f" of {len(histories) + len(reasons)}" if reasons else ""
    lines.append(f"converted {len(histories)}{of_all} recording{'' if len(histories) == 1 and not reasons else 's'}")
    print("\n".join([*lines, f"written to {arguments.out}: {plural(files, 'file')}"]))
    return 0
