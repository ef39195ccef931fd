"""The API of labels: annotation sets, their labels, what they say of a recording, undo, history, and two compared."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..corpus.set_edits import ChangedMeanwhileError, Item
from ..corpus.set_steps import NothingToStepError, Step
from ..data.annotation import Event, LabelSet, Span
from ..data.clock import Clock
from ..metrics.agreement import agreement
from .calls import Call, Fields, endpoint, refuse
from .export_api import export, report
from .http import json_answer
from .state import Page

MAX_HISTORY = 1000
"""The most changes that are listed, the newest."""
ITEM = ("start", "end", "label", "person")


def routes(page: Page) -> list[BaseRoute]:
    """The routes of labels."""

    def get(path: str, work: Callable[[Call], Response]) -> Route:
        return Route(path, endpoint(page, work), methods=["GET"])

    def post(path: str, work: Callable[[Call], Response]) -> Route:
        return Route(path, endpoint(page, work, writes=True), methods=["POST"])

    return [
        post("/api/sets", make_set),
        get("/api/labels", lambda call: _labels(call)),
        post("/api/labels", change_labels),
        get("/api/annotations/{id}", lambda call: _items(call)),
        post("/api/annotations/{id}/edit", edit),
        post("/api/annotations/{id}/watched", watch),
        post("/api/annotations/{id}/undo", partial(step, kind="undo")),
        post("/api/annotations/{id}/redo", partial(step, kind="redo")),
        get("/api/history", history),
        get("/api/compare", compare),
        get("/api/export", export),
        get("/api/report", report),
    ]


# ---- sets and their labels -------------------------------------------------------------------------------------


def set_list(page: Page) -> list[dict[str, object]]:
    """The annotation sets of what was opened, for the page."""
    infos = () if page.sets is None else page.sets.infos
    return [{"name": info.name, "author": info.author, "recordings": info.recordings} for info in infos]


def make_set(call: Call) -> Response:
    """Make a set: empty, with the labels of the set that the page opened with, or a copy of another one."""
    fields = call.fields("name", "copy")
    name, copy = fields.new_name("name"), fields.optional_text("copy")
    sets = call.sets
    names = [info.name for info in sets.infos]
    if copy is not None and copy not in names:
        refuse(f"unknown annotation set {copy!r}; available: {', '.join(names) or 'none'}", 404)
    model = copy if copy is not None else call.page.set if call.page.set in names else None
    labels = LabelSet(()) if model is None else sets.labels(model)
    annotations = {} if copy is None else sets.annotations(copy)
    sets.create(name, labels, annotations, call.author, {} if model is None else sets.colours(model))
    _tell(call, name, None, labels=True)
    return json_answer({"sets": set_list(call.page)})


def _labels(call: Call, name: str | None = None) -> Response:
    """The labels of a set."""
    name = call.set_name() if name is None else name
    summary, labels, colours = call.sets.summary(name), call.sets.labels(name), call.sets.colours(name)
    listed = [
        {
            "name": label,
            "event": label in labels.events,
            "colour": colours.get(label),
            "items": summary.labels.get(label, 0),
        }
        for label in labels.names
    ]
    return json_answer(
        {
            "labels": listed,
            "exclusive": labels.exclusive,
            "tolerance": labels.tolerance,
            "version": summary.version,
        }
    )


def change_labels(call: Call) -> Response:
    """Change the label set of a set."""
    name = call.set_name()
    kind = call.body.get("do")
    if not isinstance(kind, str) or kind not in CHANGES:
        refuse(f"do: expected one of {', '.join(CHANGES)}")
    names, change = CHANGES[kind]
    change(call, name, call.fields("do", *names))
    _tell(call, name, None if kind in ("rename", "merge") else [], labels=True)
    return _labels(call, name)


def _add_label(call: Call, name: str, fields: Fields) -> None:
    label, event = fields.new_name("name"), fields.boolean("event")

    def with_label(labels: LabelSet) -> LabelSet:
        if label in labels.names:
            refuse(f"label {label!r} exists already; choose another name")
        events = (*labels.events, label) if event else labels.events
        return replace(labels, names=(*labels.names, label), events=events)

    call.sets.change_labels(name, with_label, f"label {label!r} made", call.author)


def _rename_label(call: Call, name: str, fields: Fields) -> None:
    old, new = fields.text("name"), fields.new_name("to")
    if new in call.sets.labels(name).names:
        refuse(f"label {new!r} exists already; choose another name, or merge the two")
    call.sets.rename_label(name, old, new, call.author)


def _merge_labels(call: Call, name: str, fields: Fields) -> None:
    call.sets.merge_labels(name, fields.text("name"), fields.text("into"), call.author)


def _delete_label(call: Call, name: str, fields: Fields) -> None:
    label = fields.text("name")

    def without_label(labels: LabelSet) -> LabelSet:
        labels.index(label)
        names, events = (tuple(each for each in group if each != label) for group in (labels.names, labels.events))
        return replace(labels, names=names, events=events)

    call.sets.change_labels(name, without_label, f"label {label!r} deleted", call.author)


def _order_labels(call: Call, name: str, fields: Fields) -> None:
    names = fields.texts("names")

    def in_order(labels: LabelSet) -> LabelSet:
        if sorted(names) != sorted(labels.names):
            refuse(f"names: expected all {len(labels)} labels of the set, each once; load them again")
        return replace(labels, names=tuple(names))

    call.sets.change_labels(name, in_order, "labels put in another order", call.author)


def _colour_label(call: Call, name: str, fields: Fields) -> None:
    call.sets.set_colour(name, fields.text("name"), fields.optional_text("colour"), call.author)


def _make_event(call: Call, name: str, fields: Fields) -> None:
    label, event = fields.text("name"), fields.boolean("event")

    def with_kind(labels: LabelSet) -> LabelSet:
        labels.index(label)
        events = [each for each in labels.events if each != label]
        return replace(labels, events=(*events, label) if event else tuple(events))

    about = f"label {label!r} names {'an event' if event else 'spans'}"
    call.sets.change_labels(name, with_kind, about, call.author)


def _make_exclusive(call: Call, name: str, fields: Fields) -> None:
    exclusive = fields.boolean("exclusive")
    about = "labels exclude each other" if exclusive else "labels may overlap"
    call.sets.change_labels(name, lambda labels: replace(labels, exclusive=exclusive), about, call.author)


CHANGES: dict[str, tuple[tuple[str, ...], Callable[[Call, str, Fields], None]]] = {
    "add": (("name", "event"), _add_label),
    "rename": (("name", "to"), _rename_label),
    "merge": (("name", "into"), _merge_labels),
    "delete": (("name",), _delete_label),
    "order": (("names",), _order_labels),
    "colour": (("name", "colour"), _colour_label),
    "event": (("name", "event"), _make_event),
    "exclusive": (("exclusive",), _make_exclusive),
}
"""What can be done with labels: the fields that it takes, and the function that does it."""


# ---- the labels of a recording ---------------------------------------------------------------------------------


def _items(call: Call, status: int = 200, **more: object) -> Response:
    """What the set says of the recording, and more."""
    content = call.sets.of_recording(call.set_name(), call.recording, call.author)
    items = [{"number": number, **_item_data(item)} for number, item in content.items.items()]
    data = {
        "items": items,
        "covered": content.covered,
        "annotated": content.annotated,
        "version": content.version,
        "undo": content.can_undo,
        "redo": content.can_redo,
    }
    return json_answer(data | more, status)


def _item_data(item: Item) -> dict[str, object]:
    start, end = (item.start, item.end) if isinstance(item, Span) else (item.time, None)
    return {"start": start, "end": end, "label": item.label, "person": item.person}


def edit(call: Call) -> Response:
    """Make a change of a recording, one step of undo."""
    fields = call.fields("about", "delete", "change", "add", "watched", "unwatched")
    name, recording, author = call.set_name(), call.recording, call.author
    change = [
        (*_numbered(place_fields.get("from"), f"{place}.from"), _item(place_fields.get("to"), f"{place}.to"))
        for place, value in fields.elements("change")
        for place_fields in [Fields(value, place, ("from", "to"))]
    ]
    try:
        numbers = call.sets.edit(
            name,
            recording,
            delete=[_numbered(value, place) for place, value in fields.elements("delete")],
            change=change,
            add=[_item(value, place) for place, value in fields.elements("add")],
            watched=fields.intervals("watched"),
            unwatched=fields.intervals("unwatched"),
            about=fields.new_name("about"),
            author=author,
        )
    except ChangedMeanwhileError as error:
        return _items(call, 409, error=str(error))
    _tell(call, name, [call.id])
    return _items(call, numbers=numbers)


def _numbered(value: object, place: str) -> tuple[int, Item]:
    """The number and the item of data with a number."""
    fields = Fields(value, place, ("number", *ITEM))
    return fields.whole("number"), _item_of(fields)


def _item(value: object, place: str) -> Item:
    return _item_of(Fields(value, place, ITEM))


def _item_of(fields: Fields) -> Item:
    start, end = fields.number("start"), fields.optional_number("end")
    label, person = fields.text("label"), fields.optional_whole("person")
    return Event(start, label, None, person) if end is None else Span(start, end, label, None, person)


def watch(call: Call) -> Response:
    """Keep what was watched."""
    name, intervals = call.set_name(), call.fields("intervals").intervals("intervals")
    before = call.sets.version(name)
    call.sets.watch(name, call.recording, intervals, call.author)
    if call.sets.version(name) != before:
        _tell(call, name, [call.id])
    return _items(call)


def step(call: Call, kind: Step) -> Response:
    """Take the author's last change of the recording back, or make it again."""
    name, recording, author = call.set_name(), call.recording, call.author
    take = call.sets.undo if kind == "undo" else call.sets.redo
    try:
        change = take(name, author, recording)
    except (ChangedMeanwhileError, NothingToStepError) as error:
        return _items(call, 409, error=str(error))
    _tell(call, name, [call.id])
    return _items(call, about=change.about)


def history(call: Call) -> Response:
    """The changes of a set, or of one recording in it, the newest `MAX_HISTORY`, first to last."""
    changes = call.sets.history(call.set_name(), call.recording_or_all, MAX_HISTORY)
    names = ("number", "time", "author", "kind", "about", "undone")
    return json_answer({"changes": [{name: getattr(each, name) for name in names} for each in changes]})


# ---- two annotators --------------------------------------------------------------------------------------------


def compare(call: Call) -> Response:
    """How far two sets agree, and where they differ."""
    left, right = (call.sets.annotations(call.set_name(side)) for side in ("left", "right"))
    clocks = {name: Clock(info.fps, info.num_frames) for name, info in call.sets.recordings.items()}
    result = agreement(left, right, clocks)
    differences = [
        {"recording": call.page.workspace.id_of(row.recording), "name": row.recording}
        | {name: getattr(row, name) for name in ("start", "end", "left", "right", "person")}
        for row in result.differences
    ]
    data = {name: _finite(value) for name, value in asdict(replace(result, differences=())).items()}
    return json_answer({**data, "differences": differences})


def _finite(value: Any) -> Any:
    """A figure, or figures by name, with None for what cannot be measured."""
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


def _tell(call: Call, name: str, ids: list[int] | None, labels: bool = False) -> None:
    """Tell every browser of a change of a set; ids: of the recordings that are different, None for any."""
    data = {"set": name, "version": call.sets.version(name), "recordings": ids, "labels": labels}
    call.page.live.publish("change", {**data, "author": call.author})
