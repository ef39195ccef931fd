"""Names in a label file: which recording a row is of, and one spelling for each label."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ...annotations.label_file import LabelFile, LabelRow, listed
from ...annotations.text_table import nearest_column, number, read_table
from ...data.annotation import natural_key
from ...errors import InputError


@dataclass(frozen=True)
class Pair:
    """A line of the table of `--match`: the name of a recording in the label file, and that of its motion."""

    labels: str
    motion: str
    offset: float | None
    """Seconds to add to its labels."""


def read_pairs(path: Path) -> tuple[Pair, ...]:
    """The table of `--match`: columns ``labels``, ``motion`` and, if need be, ``offset`` (seconds).

    Raises InputError, naming file and line, for anything else.
    """
    if not path.is_file():
        raise InputError(f"--match {path}: no such file; expected a table with the columns labels,motion")
    table = read_table(path, {"labels": ("labels",), "motion": ("motion",), "offset": ("offset",)})
    for column in ("labels", "motion"):
        if column not in table.columns:
            raise InputError(
                f"{path}: no column {column}{nearest_column(column, table.header)}; expected the header labels,motion: "
                "the name of a recording in the label file, and that of its motion file"
            )
    pairs = []
    for line, texts in table.rows:
        cells = {name: text.strip() for name, text in texts.items()}
        if not cells["labels"] or not cells["motion"]:
            raise InputError(f"{path}, line {line}: one of labels and motion is empty; give both")
        try:
            offset = number(cells["offset"]) if cells.get("offset") else None
        except ValueError:
            raise InputError(f"{path}, line {line}: offset is {cells['offset']!r}, expected seconds") from None
        pairs.append(Pair(cells["labels"], cells["motion"], offset))
    if not pairs:
        raise InputError(f"{path}: no pair after the header")
    return tuple(pairs)


def match_recordings(
    file: LabelFile, known: Sequence[str], pairs: Sequence[Pair], pairs_file: Path | None, decisions: list[str]
) -> dict[str, tuple[tuple[str, float | None], ...]]:
    """The recordings, with the seconds to add, that each name of a label file stands for.

    A name is matched by `pairs`, else as it is, else whatever its case, file ending and folder. Raises InputError for
    names that are no recording, with the nearest ones, and for a name that could be several.
    """
    index = _NameIndex(known)
    by_pair: dict[str, list[tuple[str, float | None]]] = defaultdict(list)
    for pair in pairs:
        motion = index.find(pair.motion, f"{pairs_file}: motion")
        if motion is None:
            raise InputError(_unknown([pair.motion], known, f"{pairs_file}: names"))
        by_pair[name_key(pair.labels)].append((motion, pair.offset))
    matches: dict[str, tuple[tuple[str, float | None], ...]] = {}
    missing: list[str] = []
    by_medium: dict[str, list[str]] = {}
    for name in file.recordings:
        targets = by_pair.get(name_key(name)) or by_pair.get(name_key(_bare(name)))
        if targets:
            matches[name] = tuple(targets)
        elif (recording := index.find(name, str(file.path))) is not None:
            matches[name] = ((recording, None),)
        elif (recording := index.find(file.media.get(name, ""), str(file.path))) is not None:
            matches[name] = ((recording, None),)
            by_medium.setdefault(recording, []).append(name)
        else:
            missing.append(name)
    _check_media(by_medium, matches, file.path, decisions)
    if missing:
        error = _unknown(missing, known, f"{file.path}: annotates")
        raise InputError(f"{error}, or pair the names by --match FILE")
    _tell_matches(matches, by_pair, pairs_file, by_medium, decisions)
    return matches


def _check_media(
    by_medium: Mapping[str, Sequence[str]],
    matches: Mapping[str, tuple[tuple[str, float | None], ...]],
    file: Path,
    decisions: list[str],
) -> None:
    """Tell which names were matched by their films. Raises InputError where several names are one recording then."""
    for recording, names in by_medium.items():
        others = [name for name, targets in matches.items() if any(target == recording for target, _ in targets)]
        if len(others) > 1:
            raise InputError(
                f"{file}: {listed(others)} are all labels of the film of {recording!r}, which are not merged; say by "
                "--match FILE which one counts"
            )
        decisions.append(f"labels of {names[0]!r} are of {recording!r}, by the name of their film")


def _tell_matches(
    matches: Mapping[str, tuple[tuple[str, float | None], ...]],
    by_pair: Mapping[str, object],
    pairs_file: Path | None,
    by_medium: Mapping[str, Sequence[str]],
    decisions: list[str],
) -> None:
    paired = [name for name in matches if name_key(name) in by_pair or name_key(_bare(name)) in by_pair]
    if pairs_file is not None:
        if not paired:
            raise InputError(f"{pairs_file}: none of its names under labels is one of the label file's")
        decisions.append(f"recordings paired by {pairs_file.name}: {len(paired)} of {len(matches)}")
    changed = [(name, targets[0][0]) for name, targets in matches.items() if targets[0][0] != name]
    changed = [(name, to) for name, to in changed if name not in paired and name not in by_medium.get(to, ())]
    if changed:
        name, recording = changed[0]
        decisions.append(
            f"names matched but for case, folder or file ending: {len(changed)} ({name!r} is recording {recording!r})"
        )


class _NameIndex:
    """Recordings by their names as they are, and by what is left without case, folder and file ending."""

    def __init__(self, known: Sequence[str]) -> None:
        self.known = set(known)
        self.by_key: dict[str, list[str]] = defaultdict(list)
        for name in known:
            for key in dict.fromkeys((name_key(name), name_key(PurePosixPath(name).name))):
                self.by_key[key].append(name)

    def find(self, name: str, file: str) -> str | None:
        """The recording of a name, None for no recording. Raises InputError where it could be several."""
        if name in self.known:
            return name
        path = name.replace("\\", "/")
        for form in (path, _bare(path), PurePosixPath(path).name, PurePosixPath(_bare(path)).name):
            names = self.by_key.get(name_key(form), ())
            if len(names) > 1:
                raise InputError(
                    f"{file}: {name!r} could be any of the recordings {listed(names)}; write the name in full"
                )
            if names:
                return names[0]
        return None


def name_key(name: str) -> str:
    """What is left of a name without case and with any blanks as one."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _bare(name: str) -> str:
    """A name without its file ending."""
    return re.sub(r"(?<=.)\.\w{1,8}$", "", name.strip())


def check_names(annotated: Collection[str], known: Collection[str], file: Path) -> None:
    """Check that annotated recordings are known. Raises InputError naming the unknown ones and the nearest names."""
    names = set(known)
    unknown = [name for name in annotated if name not in names]
    if unknown:
        raise InputError(_unknown(unknown, known, f"{file}: annotates"))


def _unknown(names: Sequence[str], known: Collection[str], begin: str) -> str:
    hints = []
    for name in names[:5]:
        nearest = difflib.get_close_matches(name, known, n=1)
        hints.append(f"{name!r}" + (f" (did you mean {nearest[0]!r}?)" if nearest else ""))
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return (
        f"{begin} {', '.join(hints)}{more}, which the source does not have; "
        f"use the names of the recordings, such as {min(known, key=natural_key)!r}"
    )


def one_spelling(rows: Iterable[LabelRow], declared: Sequence[str], decisions: list[str]) -> tuple[LabelRow, ...]:
    """Rows whose labels are spelt alike where they are equal but for case and blanks (no-break ones too).

    A single letter keeps its case: ethograms have the codes a and A. The spelling is the declared one, else the most
    frequent one, else the first. Decisions name what was joined.
    """
    rows = tuple(rows)
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    for label, count in Counter(row.label for row in rows).items():
        spellings[label_key(label)][label] = count
    chosen: dict[str, str] = {}
    for key, counts in spellings.items():
        known = [name for name in declared if label_key(name) == key]
        spelling = known[0] if known else _tidy(counts.most_common(1)[0][0], has_variants=len(counts) > 1)
        chosen |= dict.fromkeys(counts, spelling)
        variants = [name for name in counts if name != spelling]
        if variants and (len(counts) > 1 or known):
            shown = ", ".join(repr(name).replace(r"\xa0", "<no-break space>") for name in variants)
            joined = plural(sum(counts[name] for name in variants), "row")
            first = next(row.where for row in rows if row.label in variants)
            decisions.append(f"label {spelling!r} is spelt {shown} too: joined ({joined}, {first})")
    return tuple(row if row.label == chosen[row.label] else replace(row, label=chosen[row.label]) for row in rows)


def label_key(label: str) -> str:
    """What is left of a label without blanks around it and, but for a single letter, without case."""
    return label.strip() if len(label.strip()) == 1 else name_key(label)


def _tidy(label: str, has_variants: bool) -> str:
    """A label without blanks around it; where it has other spellings, with any blanks within it as one."""
    return " ".join(label.split()) if has_variants else label.strip()


def plural(count: int, noun: str) -> str:
    """A count and its noun: 1 row, 2 rows."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def percent(share: float) -> str:
    """A share in per cent."""
    return f"{100 * share:.0f} %"
