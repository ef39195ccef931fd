"""What several commands share: settings as flags, tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from jsonargparse import ArgumentParser, Namespace

from ..errors import InputError

if TYPE_CHECKING:
    from ..config import NetworkConfig
    from ..corpus.store import Corpus

Config = TypeVar("Config")


def add_settings(parser: ArgumentParser, kind: type[Config], skip: set[str] | None = None) -> None:
    """One flag for each field of a settings dataclass, and --config for a YAML file of them; flags win."""
    parser.add_argument("--config", action="config", help="YAML file of settings; flags beside it win")
    parser.add_class_arguments(kind, nested_key=None, skip=skip or set(), fail_untyped=True)


def add_precision(parser: ArgumentParser) -> None:
    """--precision of a model that localizes."""
    from ..config import Precision

    parser.add_argument(
        "--precision",
        type=Precision,
        default="32",
        help="32: float32, the same scores everywhere; bf16: bfloat16; auto: bf16 where the machine has units for it",
    )


def settings(arguments: Namespace, kind: type[Config], parser: ArgumentParser) -> Config:
    """The settings dataclass that flags and YAML make. Raises InputError where they contradict each other."""
    made = parser.instantiate(arguments)
    return kind(**{part.name: made[part.name] for part in fields(kind) if part.name in made})  # type: ignore[arg-type]


def open_corpus(path: str | Path) -> Corpus:
    """The corpus at a path. Raises InputError where there is none, saying how to make one."""
    from ..corpus.store import Corpus

    return Corpus.open(path)


def is_corpus(path: Path) -> bool:
    """Whether a path is the folder of a corpus."""
    return path.is_dir() and (path / "index.json").is_file()


def table(rows: Sequence[Sequence[str]], indent: str = "  ") -> str:
    """Rows of text in aligned columns; the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append(indent + "  ".join(cells).rstrip())
    return "\n".join(lines)


def percent(value: float | None) -> str:
    """A fraction as per cent with one decimal; a dash where there is nothing to measure."""
    return "-" if value is None else f"{100 * value:.1f}"


METRIC_COLUMNS = ("mAP .1-.5", "mAP@.5", "frame acc.", "F1@10", "F1@25", "F1@50", "edit")


def metric_row(metrics: Mapping[str, Any]) -> list[str]:
    """The cells of METRIC_COLUMNS of a metrics.json, in per cent."""
    f1 = metrics.get("f1") or {}
    scores = metrics["map"]
    values = [metrics["map_average"]["0.1:0.5"], scores.get("0.5"), metrics.get("frame_accuracy")]
    values += [f1.get("10"), f1.get("25"), f1.get("50"), metrics.get("edit")]
    return [percent(value) for value in values]


def facts_line(facts: Mapping[str, Any]) -> str:
    """Decoder, protocol, split, fold, labels, recordings taught and seed in one line: what a figure has to say."""
    parts = []
    for name in ("decoder", "protocol", "split", "fold", "label_fraction", "taught_recordings", "seed"):
        if facts.get(name) is not None:
            parts.append(f"{name.replace('_', ' ')} {facts[name]}")
    return ", ".join(parts)


def check_device(name: str) -> str:
    """The name of a device that is there. Raises InputError for any other."""
    import torch

    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise InputError(f"--device {name}: there is no such device here; cpu always works") from None
    return name


def check_network(network: NetworkConfig) -> None:
    """Raise InputError for an unknown encoder, stream or skeleton, before a run writes anything."""
    from ..encoders import ENCODERS
    from ..skeletons import SKELETONS
    from ..transforms.streams import check_streams

    ENCODERS[network.encoder]
    check_streams(network.streams)
    if network.skeleton != "auto":
        SKELETONS[network.skeleton]


def check_decoder(name: str | None) -> None:
    """Raise InputError for an unknown decoder, before anything is worked out."""
    from ..decode_presets import DECODERS

    if name is not None and name not in DECODERS:
        raise InputError(f"--decoder {name}: there is {', '.join(DECODERS)}")


def run_folder(text: str) -> Path:
    """The folder of a run, to be made or gone on with. Raises InputError for a file."""
    path = Path(text)
    if path.exists() and not path.is_dir():
        raise InputError(f"--out {path}: is a file, expected a folder to write the run to")
    return path


def need_folder(path: Path) -> Path:
    """The folder, made if missing. Raises InputError where it cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {path}: {error.strerror}") from None
    return path
