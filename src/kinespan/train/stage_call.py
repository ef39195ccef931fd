"""A call of a training as text: its function by name, its arguments as JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from .. import config as configs
from ..config.parser import parse_settings
from ..corpus.index import encode_annotation, encode_labels
from ..corpus.store import Corpus
from ..corpus.training_set import TrainingSet
from ..errors import InputError
from ..runs.settings import settings_of


class LabelsChangedError(InputError):
    """The labels of a corpus are others than when a call was written."""


def call_text(call: partial[object]) -> str:
    """A call in one line of JSON. Raises TypeError for an argument of another kind than trainings have."""
    function = call.func
    content = {
        "function": f"{function.__module__}:{function.__name__}",
        "arguments": [_encoded(value) for value in call.args],
        "keywords": {name: _encoded(value) for name, value in call.keywords.items()},
    }
    return json.dumps(content)


def read_call(text: str) -> partial[object]:
    """The call that `call_text` wrote. Raises LabelsChangedError where the labels of its corpus changed since."""
    content = json.loads(text)
    module, _, name = content["function"].partition(":")
    keywords = {name: _decoded(value) for name, value in content["keywords"].items()}
    return partial(getattr(import_module(module), name), *map(_decoded, content["arguments"]), **keywords)


def _encoded(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Path):
        return {"path": str(value)}
    if isinstance(value, tuple | list):
        return {"items": [_encoded(item) for item in value]}
    if isinstance(value, TrainingSet):
        names = {"names": list(value.names), "drop_labels": list(value.drop_labels)}
        source = {"corpus": str(value.corpus.path), "set": value.corpus.set, "labels": labels_digest(value)}
        return {"data": {**source, **names, "split": value.split, "fold": value.fold}}
    if is_dataclass(value) and hasattr(configs, type(value).__name__):
        return {"config": type(value).__name__, "settings": settings_of(value)}
    raise TypeError(f"a call has an argument of type {type(value).__name__}, which cannot be written")


def _decoded(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if "path" in value:
        return Path(value["path"])
    if "items" in value:
        return tuple(map(_decoded, value["items"]))
    if "data" in value:
        return _training_set(value["data"])
    return parse_settings(getattr(configs, value["config"]), value["settings"], value["config"])


def _training_set(data: Mapping[str, Any]) -> TrainingSet:
    corpus = Corpus.open(data["corpus"], data["set"])
    names, dropped = tuple(data["names"]), tuple(data["drop_labels"])
    training_set = TrainingSet(corpus, names, data["split"], data["fold"], dropped)
    if labels_digest(training_set) != data["labels"]:
        raise LabelsChangedError(f"{corpus.path}: labels were changed since")
    return training_set


def labels_digest(data: TrainingSet) -> str | None:
    """A digest of the labels of all recordings; None where the corpus has none."""
    corpus = data.corpus
    if corpus.set is None or corpus.labels is None:
        return None
    rows: list[Any] = [encode_labels(corpus.labels)]
    for name in data.names:
        annotation = corpus.annotation(name)
        rows.append(annotation and encode_annotation(annotation))
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
