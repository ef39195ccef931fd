"""Show what is in a recording, a file of labels, a corpus or a model."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import io
from ..annotations import detect_labels, is_label_file, read_label_file
from ..corpus.store import Corpus
from ..errors import InputError
from ..io.describe import take_lines
from ..models.model_file import read_spec, read_weights
from ..runs.folder import ENCODER_FILE, FOLDS_FILE, METRICS_FILE, MODEL_FILE
from ..runs.outputs import headline
from .arguments import Positional
from .checks import is_corpus, model_file
from .labels import is_motion
from .motion import READING, check_no_options

GROUPS = READING


@dataclass(frozen=True, kw_only=True)
class InfoArguments:
    """What to show."""

    path: Positional[Path]
    """Motion file, file of labels, folder of a corpus, model file or folder of a run."""
    json: bool = False
    """Print JSON."""


def run(arguments: InfoArguments, options: io.ReadOptions) -> int:
    """Print the facts."""
    path = arguments.path
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if is_corpus(path):
        check_no_options(options, "a corpus")
        facts = corpus_facts(path)
    elif (path / FOLDS_FILE).is_file():
        facts = folds_facts(path)
    elif io.is_recording_folder(path):
        return _print_recording(path, options, arguments.json)
    elif path.is_dir() and not any((path / name).is_file() for name in (ENCODER_FILE, MODEL_FILE)):
        raise InputError(f"{path}: no corpus and no finished run; of a folder of motion, give one file, or prepare it")
    elif path.is_dir() or path.suffix == ".safetensors":
        check_no_options(options, "a model")
        facts = model_facts(path)
    elif options.format == io.AUTO and is_label_file(path) and not is_motion(path):
        check_no_options(options, "labels")
        facts = label_facts(path)
    else:
        return _print_recording(path, options, arguments.json)
    print(json.dumps(facts, indent=1, default=str) if arguments.json else "\n".join(_lines(facts)))
    return 0


def _print_recording(path: Path, options: io.ReadOptions, as_json: bool) -> int:
    """Print the facts of a motion file."""
    format = io.detect(path) if options.format == io.AUTO else options.format
    take = io.read(path, format, options)
    lines = [json.dumps(recording_facts(take, format), indent=1, default=str)] if as_json else take_lines(take, format)
    print("\n".join(lines))
    return 0


def recording_facts(take: io.Take, format: str) -> dict[str, Any]:
    """The facts of a motion file."""
    recording = take.recording
    facts: dict[str, Any] = {
        "kind": "recording",
        "name": recording.name,
        "format": format,
        "skeleton": recording.skeleton.name,
        "joints": recording.skeleton.num_joints,
        "fps": recording.fps,
        "frames": recording.num_frames,
        "seconds": round(recording.duration, 3),
        "people": recording.num_people,
        "valid": round(float(recording.valid.mean()), 4),
        "attributes": dict(recording.attributes),
        "history": list(recording.history),
    }
    if take.annotation is not None:
        facts["labels"] = list(take.annotation.labels.names)
        facts["spans"] = [
            {"label": span.label, "start": round(span.start, 3), "end": round(span.end, 3)}
            for span in take.annotation.spans
        ]
        if take.annotation.events:
            facts["events"] = [{"label": event.label, "time": round(event.time, 3)} for event in take.annotation.events]
    return facts


def label_facts(path: Path) -> dict[str, Any]:
    """The facts of a file of labels: its recordings, tiers and labels, with their rows."""
    file = read_label_file(path)
    return {
        "kind": "labels",
        "format": detect_labels(path),
        "recordings": list(file.recordings),
        "rows": len(file.rows),
        "instants": sum(row.end is None for row in file.rows),
        "tiers": file.tiers if any(file.tiers) else {},
        "labels": dict(Counter(row.label for row in file.rows).most_common()),
        "notes": list(file.notes),
    }


def corpus_facts(path: Path) -> dict[str, Any]:
    """The facts of a corpus; its frames are not read."""
    corpus = Corpus.open(path)
    infos = corpus.infos
    splits = {}
    for name, split in corpus.splits.items():
        folds = {str(k): {"train": len(fold.train), "test": len(fold.test)} for k, fold in split.folds.items()}
        splits[name] = {"folds": folds, "drop_labels": list(split.drop_labels)}
    return {
        "kind": "corpus",
        "name": corpus.name,
        "recordings": len(infos),
        "annotated": sum(info.annotated for info in infos),
        "seconds": round(sum(info.duration for info in infos), 3),
        "frames": sum(info.num_frames for info in infos),
        "people": max(info.num_people for info in infos),
        "fps": sorted({info.fps for info in infos}),
        "skeletons": sorted({info.skeleton.name for info in infos}),
        **_label_facts(corpus),
        "splits": splits,
        "decided": list(corpus.decisions),
    }


def _label_facts(corpus: Corpus) -> dict[str, Any]:
    """The label set of the only annotation set, or the labels of each of several."""
    if len(corpus.sets) > 1:
        return {"annotation_sets": {str(info): list(info.labels.names) for info in corpus.sets}}
    labels = corpus.labels
    return {
        "labels": None if labels is None else list(labels.names),
        "exclusive": None if labels is None else labels.exclusive,
        **({} if labels is None or not labels.events else {"events": labels.events, "tolerance": labels.tolerance}),
    }


def folds_facts(path: Path) -> dict[str, Any]:
    """The facts of a run of every fold: the headline figures, mean and standard deviation."""
    content = json.loads((path / FOLDS_FILE).read_text(encoding="utf-8"))
    facts = {name: content[name] for name in ("command", "corpus", "split")}
    figures: dict[str, Any] = {}
    for name in ("mean", "deviation"):
        values = content[name].get("model", content[name])  # of `learn`, the figures of its model
        figures[name] = {key: value for key, value in headline(values).items() if value is not None}
    measured = {name: values for name, values in figures.items() if values}
    return {"kind": "run of every fold", **facts, "folds": list(content["folds"]), **measured}


def model_facts(path: Path) -> dict[str, Any]:
    """The facts of a model: its metadata, its measured figures and its size."""
    file = model_file(path)
    data = read_spec(file).to_dict()
    data = {"kind": data["kind"], **data.pop("input"), **data}
    data["skeleton"] = data["skeleton"]["name"]
    measured = file.parent / METRICS_FILE
    if measured.is_file():
        data["metrics"] = headline(json.loads(measured.read_text(encoding="utf-8")))
    weights = read_weights(file)
    learned = [weights[name] for name in weights if "running_" not in name and "num_batches" not in name]
    if data["kind"] == "ensemble":
        data["members"] = [
            {"weight": weight, "streams": ", ".join(member["input"]["streams"]), "encoder": member["encoder"]}
            for member, weight in zip(data["members"], data.pop("weights"), strict=True)
        ]
    else:
        del data["members"], data["weights"]
    size = {"parameters": sum(tensor.numel() for tensor in learned), "bytes": file.stat().st_size}
    return {"file": str(file), **{key: value for key, value in data.items() if key != "format"}, **size}


def _lines(facts: dict[str, Any], indent: str = "") -> list[str]:
    """Facts as indented text."""
    lines = []
    for name, value in facts.items():
        if value and isinstance(value, dict):
            lines += [f"{indent}{name}:", *_lines(value, indent + "  ")]
        elif value and name == "decided":
            lines += [f"{indent}{name}:", *(f"{indent}  {line}" for line in value)]
        elif value and isinstance(value, list | tuple) and isinstance(value[0], dict):
            lines += [f"{indent}{name}:", *(f"{indent}  {'  '.join(map(str, item.values()))}" for item in value)]
        else:
            text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
            lines.append(f"{indent}{name}: {'none' if text in (None, '', {}) else text}")
    return lines
