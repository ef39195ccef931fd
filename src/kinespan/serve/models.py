"""The models of the page: runs in its folder of runs, and one that was given; which is loaded; what they predicted."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, unknown
from ..files import write_atomically
from ..models.model_file import ModelSpec, read_spec
from ..runs.answers import Answers, of_anybody
from ..runs.folder import METRICS_FILE, MODEL_FILE, PROPOSALS_FILE, SCORES_FILE, localizer_file
from ..runs.settings import load_settings

RUN_NAME = re.compile(r"run-(\d+)")
LOADED_FILE = "loaded.json"
MOST_ANSWERS = 16
"""Folders of answers that are kept in memory."""
LISTED_SECONDS = 0.5
"""For so long the list of models is not read again."""
ANSWERS = "answers"
"""Folder of what a model predicted for the recordings of the corpus, in the folder of its run."""
CHECKSUMS = "checksums"
"""Fact in proposals.json: the checksum of the motion that was localized, by recording."""


@dataclass(frozen=True)
class PageModel:
    """A model of the page."""

    id: str
    name: str
    file: Path
    home: Path
    """The folder of what it predicted; it is in the folder of runs, also for a model from elsewhere."""
    spec: ModelSpec
    made: float
    """Seconds since 1970."""

    def payload(self) -> dict[str, Any]:
        """What the page is told of it."""
        return {
            "id": self.id,
            "name": self.name,
            "labels": len(self.spec.labels or ()),
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.made)),
            "figures": self._figures(),
            "training": self._training(),
        }

    @property
    def made_by(self) -> str:
        """The command that made it."""
        if not self.spec.members:
            return "finetune"
        return str(load_settings(self.file.parent).get("stage", "ensemble"))

    def _figures(self) -> dict[str, Any] | None:
        """The F1 of the test recordings, where a split was chosen."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            metrics = json.loads((self.file.parent / METRICS_FILE).read_text(encoding="utf-8"))
            facts = metrics["facts"]
            return {"f1": metrics["f1"]["50"], "split": facts["split"], "fold": facts.get("fold")}
        return None

    def _training(self) -> str:
        facts = self.spec.training
        encoders = " and ".join(member.encoder for member in self.spec.members) or self.spec.encoder
        parts = [encoders, f"{facts.get('steps')} steps", f"{facts.get('labelled_recordings')} recordings"]
        parts += [f"set {facts['set']}"] if facts.get("set") else []
        parts += [f"on from {facts['started_from']}"] if facts.get("started_from") else []
        return ", ".join(parts)


class Models:
    """The models of a folder of runs; any thread may use them."""

    def __init__(self, runs: Path, given: Path | None = None) -> None:
        """given: a run or model file from anywhere, which is loaded. Raises InputError where it is no localizer."""
        self.runs = runs
        self._lock = threading.RLock()
        self._listed: list[PageModel] = []
        self._listed_until = 0.0
        self._specs: dict[Path, tuple[int, ModelSpec]] = {}
        self._answers: dict[Path, tuple[tuple[int, ...], Answers]] = {}
        self._uncertainties: tuple[Answers | None, dict[str, float]] = (None, {})
        self._given = None if given is None else self._given_model(Path(given))
        self._loaded = self._given.id if self._given is not None else self._kept()

    def all(self) -> list[PageModel]:
        """The finished models, the newest first; a model that is just finished may be missing for a moment."""
        with self._lock:
            if time.monotonic() > self._listed_until:
                self._listed, self._listed_until = self._list(), time.monotonic() + LISTED_SECONDS
            return self._listed

    def _list(self) -> list[PageModel]:
        models = [] if self._given is None else [self._given]
        for folder in self.runs.glob("*"):
            if folder == self._given_folder or not (folder / MODEL_FILE).is_file():
                continue
            with suppress(InputError, OSError):  # it may be removed now
                models.append(self._model(folder.name, name_of_run(folder.name), folder / MODEL_FILE, folder))
        return sorted(models, key=lambda model: (model.made, model.id), reverse=True)

    def get(self, id: str) -> PageModel:
        """A model by id. Raises InputError for an unknown one."""
        models = {model.id: model for model in self.all()}
        if id not in models:
            models = {model.id: model for model in self._list()}
        if id not in models:
            raise unknown("model", id, models)
        return models[id]

    def last(self, kind: str) -> PageModel | None:
        """The newest model that `finetune`, or else `learn`, made; None where there is none."""
        return next((model for model in self._list() if model.made_by == kind), None)

    @property
    def loaded(self) -> str | None:
        """The id of the model that predicts: the chosen one, else the newest; None where none was chosen by hand."""
        with self._lock:
            if self._loaded is None and (self.runs / LOADED_FILE).is_file():
                return None
            ids = [model.id for model in self.all()]
            return self._loaded if self._loaded in ids else next(iter(ids), None)

    def load(self, id: str | None) -> None:
        """Choose the model that predicts, None: none. Raises InputError for an unknown one."""
        with self._lock:
            self._loaded = None if id is None else self.get(id).id
            self._listed_until = 0.0
            self.runs.mkdir(parents=True, exist_ok=True)
            write_atomically(self.runs / LOADED_FILE, json.dumps({"model": self._loaded}) + "\n")

    def next_run(self, taken: Collection[str] = ()) -> str:
        """The name of a folder for a new run, after those that exist and those in `taken`."""
        names = [*taken, *(folder.name for folder in self.runs.glob("run-*"))]
        numbers = [int(match[1]) for name in names if (match := RUN_NAME.fullmatch(name))]
        return f"run-{max(numbers, default=0) + 1:03d}"

    # ---- what they predicted -----------------------------------------------------------------------------------

    def answers_folder(self, id: str) -> Path:
        """The folder of the answers of a model on the recordings of the corpus: the files of `kinespan localize`."""
        return self.get(id).home / ANSWERS

    def answers(self, id: str) -> Answers | None:
        """What a model predicted for the recordings of the corpus; None before it did."""
        return self.answers_in(self.answers_folder(id))

    def answers_in(self, folder: Path) -> Answers | None:
        """The answers in a folder as they are now; None where there are none."""
        files = [folder / PROPOSALS_FILE, folder / SCORES_FILE]
        if not all(file.is_file() for file in files):
            return None
        stamp = tuple(file.stat().st_mtime_ns for file in files)
        with self._lock:
            if self._answers.get(folder, ((), None))[0] != stamp:
                self._answers.pop(folder, None)
                while len(self._answers) >= MOST_ANSWERS:
                    self._answers.pop(next(iter(self._answers)))
                self._answers[folder] = (stamp, Answers(folder))
            return self._answers[folder][1]

    def predicted(self, id: str, checksums: dict[str, str]) -> set[str]:
        """The recordings that a model has localized, of those whose motion has these checksums now."""
        with suppress(InputError):  # damaged answers are none; the job that predicts says so
            answers = self.answers(id)
            known = {} if answers is None else answers.predictions.details.get(CHECKSUMS, {})
            return {name for name, checksum in checksums.items() if known.get(name) == checksum}
        return set()

    def uncertainties(self, id: str) -> dict[str, float]:
        """How unsure a model is of each recording of the corpus that it localized, 0 to 1.

        It is one minus the mean of the highest score of a frame.
        """
        with self._lock:
            try:
                answers = self.answers(id)
                scores = {} if answers is None or answers.scores is None else answers.scores.scores
            except InputError:  # as `predicted`
                return {}
            if self._uncertainties[0] is not answers:
                values = {
                    name: float(np.clip(1 - levels.max(axis=1).mean(), 0, 1))
                    for name, each in scores.items()
                    if (levels := of_anybody(each)) is not None
                }
                self._uncertainties = (answers, values)
            return self._uncertainties[1]

    # ---- how ---------------------------------------------------------------------------------------------------

    def _given_model(self, path: Path) -> PageModel:
        """The model of a path that was given by hand; one in the folder of runs is that run."""
        file = localizer_file(path)
        if file.resolve().parent.parent == self.runs.resolve():
            folder = self.runs / file.resolve().parent.name
            return self._model(folder.name, name_of_run(folder.name), file, folder)
        stat = file.stat()
        key = hashlib.sha256(f"{file.resolve()} {stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()[:8]
        name = file.parent.name if file.name == MODEL_FILE else file.stem
        return self._model(f"given-{key}", name, file, self.runs / f"given-{key}")

    @property
    def _given_folder(self) -> Path | None:
        return None if self._given is None else self._given.home

    def _model(self, id: str, name: str, file: Path, home: Path) -> PageModel:
        made = file.stat().st_mtime_ns
        with self._lock:
            if self._specs.get(file, (0, None))[0] != made:
                self._specs[file] = (made, read_spec(localizer_file(file)))
            return PageModel(id, name, file, home, self._specs[file][1], made / 1e9)

    def _kept(self) -> str | None:
        """The model that was loaded when the page was last served."""
        with suppress(OSError, ValueError, AttributeError):
            model = json.loads((self.runs / LOADED_FILE).read_text(encoding="utf-8")).get("model")
            return model if isinstance(model, str) else None
        return None


def name_of_run(folder: str) -> str:
    """A run in words: run 2, of the folder run-002."""
    match = RUN_NAME.fullmatch(folder)
    return f"run {int(match[1])}" if match else folder


def file_answers_folder(home: Path, item: Mapping[str, Any]) -> Path:
    """The folder of the answers on a motion file: another one where it was changed, or is read in another way, since.

    item: ``path``, ``format`` and ``options``, as `Jobs.predict` takes them. Raises OSError where it is gone.
    """
    path = Path(item["path"])
    stat = path.stat()
    facts = [str(path.resolve()), stat.st_size, stat.st_mtime_ns, item.get("format"), item.get("options", {})]
    return home / f"answers-{hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]}"
