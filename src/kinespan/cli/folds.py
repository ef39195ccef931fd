"""What commands share that train: `--fold all`, a run for every fold of a split, and stopping so that work is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ..errors import Interrupted
from ..runs.folder import CHECKPOINT, FOLDS_FILE, MODEL_FILE
from ..runs.folds import (
    Figures,
    check_folds_folder,
    fold_folder,
    is_run_of_folds,
    read_folds,
    run_of_fold,
    summary_of,
)
from ..runs.outputs import write_metrics
from ..runs.settings import check_same, load_settings, save_settings, settings_of
from .common import figures_table


@dataclass(frozen=True)
class FoldCommand:
    """How a command runs one fold, given its arguments and settings with the folder and the number of the fold."""

    name: str
    result: str
    """The file in a fold's folder that says that the fold is finished."""
    check: Callable[[Any, Any], None]
    """Raises InputError for anything wrong, before anything is written."""
    train: Callable[[Any, Any], Figures]
    """Trains, tests, prints, and returns the figures."""


def run_folds(command: FoldCommand, arguments: Any, config: Any, numbers: Sequence[int]) -> dict[str, Any]:
    """Run every fold that is not finished; returns the content of folds.json.

    All folds are checked before the first is trained. Raises InputError as the command does, and Interrupted after
    Ctrl-C.
    """
    out: Path = arguments.out
    check_folds_folder(out, command.name, arguments.resume)
    corpora = arguments.corpora if hasattr(arguments, "corpora") else arguments.corpus
    facts = {"corpus": _as_text(corpora)} | {
        name.removesuffix("_"): value
        for name in ("pretrained", "from_", "teachers", "set")
        if (value := _as_text(getattr(arguments, name, None)))
    }
    if arguments.resume:
        check_same(out, load_settings(out), {**facts, "config": settings_of(config)})
    done = {
        number: figures
        for number, figures in read_folds(out).items()
        if (fold_folder(out, number) / command.result).is_file()
    }
    jobs = {number: fold_job(arguments, config, number) for number in numbers}
    for number, job in jobs.items():
        if number not in done:
            command.check(*job)
    save_settings(out, command.name, config, facts, resume=arguments.resume)
    content: dict[str, Any] = {"command": command.name, **facts, "split": config.split}
    with resumable(out, is_run_of_folds):
        for position, (number, job) in enumerate(jobs.items(), start=1):
            before = ", done before" if number in done else ""
            print(f"fold {number}, {position} of {len(jobs)}: {job[0].out}{before}", flush=True)
            if number not in done:
                done[number] = command.train(*job)
            summary = summary_of(done, content)
            write_metrics(summary, out / FOLDS_FILE)
    return summary


def fold_job(arguments: Any, config: Any, number: int) -> tuple[Any, Any]:
    """The arguments and settings of one fold of a command with `--fold all`."""
    folder = fold_folder(arguments.out, number)
    config = replace(config, fold=number)
    return at_fold(replace(arguments, out=folder, resume=has_begun(folder)), config), config


def has_begun(out: Path) -> bool:
    """Whether there is anything in the folder of a run that it can be resumed from."""
    files = any((out / name).is_file() for name in (CHECKPOINT, MODEL_FILE))
    return files or load_settings(out).get("stage") == "learn"


def at_fold(arguments: Any, config: Any) -> Any:
    """Arguments in which a run of every fold (--pretrained, --from, --teachers) is the run of the fold of `config`.

    Raises InputError where there is none.
    """
    changes: dict[str, Any] = {}
    for name in {field.name for field in fields(arguments)} & {"pretrained", "from_", "teachers"}:
        value = getattr(arguments, name)
        if isinstance(value, tuple):
            changes[name] = tuple(_run_at(path, config) for path in value)
        elif is_run_of_folds(value):
            changes[name] = str(_run_at(value, config))
    return replace(arguments, **changes)


def _run_at(path: str | Path, config: Any) -> str | Path:
    return run_of_fold(path, config.split, config.fold) if is_run_of_folds(path) else path


@contextmanager
def resumable(out: Path, begun: Callable[[Path], bool] = has_begun) -> Iterator[None]:
    """Ctrl-C within says that --resume continues, where `begun` says that the folder has something to resume from.

    Raises Interrupted.
    """
    try:
        yield
    except Interrupted:
        raise
    except KeyboardInterrupt:
        if not begun(out):
            raise
        raise Interrupted(f"stopped; {out} keeps what was done") from None


def print_fold_table(summary: Mapping[str, Any], stage: str | None = None) -> None:
    """Print the metrics of every fold in per cent, their mean and their standard deviation.

    stage: the name of the figures, where each fold has those of several models.
    """
    rows = {f"fold {number}": figures for number, figures in summary["folds"].items()}
    rows |= {"mean": summary["mean"], "deviation": summary["deviation"]}
    print(figures_table({name: row if stage is None else row[stage] for name, row in rows.items()}))


def _as_text(value: Any) -> Any:
    """A path, or a tuple of them, as text; None as it is."""
    return [str(path) for path in value] if isinstance(value, tuple) else value and str(value)
