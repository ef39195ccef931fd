"""From the paths of a command line to a workspace: motion files and folders, a corpus, a run, predictions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import io
from ..corpus.annotation_sets import AnnotationSets
from ..corpus.store import INDEX_FILE, Corpus
from ..data.annotation import natural_key
from ..errors import InputError
from ..runs.answers import Answers
from ..runs.folder import ENCODER_FILE, FOLDS_FILE, MODEL_FILE, PROPOSALS_FILE
from ..runs.settings import load_settings
from .models import ANSWERS
from .workspace import Workspace

_HEAD_BYTES = 4096


@dataclass
class Opened:
    """What the paths hold."""

    workspace: Workspace
    sets: AnnotationSets | None = None
    """The annotation sets, of a corpus."""
    models: list[Path] = field(default_factory=list)
    """Runs and model files among the paths."""
    set: str | None = None
    """The annotation set that the first run was trained on."""


@dataclass
class _Kinds:
    """Paths by what they are."""

    corpora: list[Path] = field(default_factory=list)
    models: list[Path] = field(default_factory=list)
    answers: list[Path] = field(default_factory=list)
    motion: list[Path] = field(default_factory=list)


def open_paths(paths: Sequence[Path], options: io.ReadOptions | None = None) -> Opened:
    """The workspace of the paths; motion is listed and not read.

    Predictions are shown with the recordings that they name, or, where motion files or a corpus stand beside them,
    with those of the same name. Of a run, its predictions or else the corpus that it was trained on. Raises InputError
    where a path is missing or nothing that can be shown.
    """
    options = options or io.ReadOptions()
    kinds = _sorted(paths)
    answers = _answers(kinds)
    corpora = kinds.corpora or ([] if kinds.motion else _corpora_of(answers, kinds.models))
    if len(corpora) > 1 or (corpora and kinds.motion):
        raise InputError(f"{corpora[-1]}: a corpus is opened alone; leave the other paths out")
    if corpora and options.given():
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in options.given())
        raise InputError(f"{flags}: for motion files, not for a corpus")
    title = ", ".join(path.resolve().name for path in paths[:3]) + (" and more" if len(paths) > 3 else "")
    corpus = Corpus.open(corpora[0]) if corpora else None
    details = [each.predictions.details for each in answers.values()]
    if not corpora and len(details) == 1:
        options = io.ReadOptions.of(details[0].get("read", {}) | options.given())
    workspace = Workspace(title, corpus, (*paths, *corpora), options)
    workspace.answers = answers
    workspace.shown_answers = next(iter(answers), None)
    if corpus is not None:
        names = list(dict.fromkeys(name for each in answers.values() for name in each.names if name in corpus))
        workspace.add_corpus(names if answers and not kinds.corpora else corpus.names)
    elif kinds.motion:
        _add_motion(workspace, kinds.motion)
    else:
        _add_localized(workspace, answers)
    sets = None if corpus is None else AnnotationSets.open(corpus.path)
    known = () if sets is None else [info.name for info in sets.infos]
    trained_on = [name for path in kinds.models if (name := _settings(path).get("set")) in known]
    return Opened(workspace, sets, kinds.models, next(iter(trained_on), None))


def _sorted(paths: Sequence[Path]) -> _Kinds:
    """The paths by what they are. Raises InputError for one that is missing."""
    kinds = _Kinds()
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: no such file or folder")
        if (path / INDEX_FILE).is_file():
            kinds.corpora.append(path)
        elif (path / FOLDS_FILE).is_file():
            raise InputError(f"{path}: a run of every fold; give the run of one, such as {path / 'fold1'}")
        elif any((path / name).is_file() for name in (MODEL_FILE, ENCODER_FILE)) or path.suffix == ".safetensors":
            kinds.models.append(path)
        elif (path / PROPOSALS_FILE).is_file() or _is_predictions(path):
            kinds.answers.append(path)
        else:
            kinds.motion.append(path)
    return kinds


def _is_predictions(path: Path) -> bool:
    """Whether a file is one of predictions: ActivityNet JSON."""
    if path.suffix.lower() != ".json" or not path.is_file():
        return False
    with path.open("rb") as file:
        return path.name == PROPOSALS_FILE or b'"results"' in file.read(_HEAD_BYTES)


def _answers(kinds: _Kinds) -> dict[str, Answers]:
    """The predictions, also those in the folders of runs, by a name that tells them apart."""
    homes = (folder for path in kinds.models for folder in (path, path / ANSWERS))
    predicted = [folder for folder in homes if (folder / PROPOSALS_FILE).is_file()]
    answers: dict[str, Answers] = {}
    for path in (*kinds.answers, *predicted):
        folder = path if path.is_dir() else path.parent
        name = folder.resolve().name
        while name in answers:
            name += "'"
        answers[name] = Answers(path)
    return answers


def _corpora_of(answers: dict[str, Answers], models: Sequence[Path]) -> list[Path]:
    """The corpus that predictions, or else models, say that they are of. Raises InputError where it is gone."""
    named = {Path(each.predictions.details["corpus"]): each.file for each in answers.values()
             if "corpus" in each.predictions.details}  # fmt: skip
    for path in () if answers else models:
        folder = _settings(path).get("corpus")
        if not isinstance(folder, str):
            raise InputError(f"{path}: does not say what it was trained on; give a corpus or motion files beside it")
        named[Path(folder)] = path
    for folder, file in named.items():
        if not (folder / INDEX_FILE).is_file():
            raise InputError(f"{file}: its corpus {folder} is gone; give the place of the motion beside it")
    return list(named)


def _settings(model: Path) -> Mapping[str, Any]:
    """The settings of the run that a model file is of, or that a folder is; empty where there are none."""
    return load_settings(model if model.is_dir() else model.parent)


def _add_motion(workspace: Workspace, paths: Sequence[Path]) -> None:
    """List the motion files of paths, and of folders among them."""
    files: list[tuple[Path, str, Path]] = []
    for path in paths:
        files += [(file, format, path) for file, format in io.find_files(path, workspace.options.format)]
    override_fps = io.overrides_fps([(file, format) for file, format, _ in files])
    stems = Counter(file.stem for file, _, _ in files)
    for file, format, path in files:
        name = file.stem
        if stems[name] > 1 and file != path:
            name = file.relative_to(path).with_suffix("").as_posix()
        workspace.add_file(file, name, format, override_fps=override_fps)


def _add_localized(workspace: Workspace, answers: dict[str, Answers]) -> None:
    """List the motion files that predictions name; where one is not, that is said of it."""
    names: set[str] = set()
    for each in answers.values():
        details = each.predictions.details
        files, override_fps = details.get("files", {}), bool(details.get("override_fps", True))
        for name in sorted(each.names, key=natural_key):
            if name in names:
                continue
            names.add(name)
            missing = f"the motion of {name!r} is not where it was; give its folder beside the predictions"
            workspace.add_file(Path(files.get(name, name)), name, override_fps=override_fps, if_missing=missing)
