"""The API of recordings: the session, the list, motion and curves, videos; see docs/page-api.md."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from .. import __version__, io
from ..annotations import FORMATS
from ..config.parser import setting_texts
from ..errors import InputError
from ..io.options import AXES, METRES
from ..viewer.curves import CURVE_KINDS, UNITS, CurveKind, least_and_greatest
from ..viewer.payload import skeleton_payload
from .calls import Fields
from .http import in_thread, json_body, seconds, whole_number, word
from .label_api import set_list
from .motion_items import item_of, items_of
from .page_models import models_payload
from .read_options import given_options, options_line, options_of
from .set_summaries import SetSummaries
from .state import Page
from .uploads import LIMITS
from .video import SUFFIXES
from .workspace import Entry, NotFoundError, OpenRecording

MAX_MOTION_BYTES = 16 * 10**6
MAX_BINS = 10_000


def routes(page: Page) -> list[BaseRoute]:
    """The routes of recordings."""
    summaries = None if page.sets is None else SetSummaries(page.sets)

    async def session(request: Request) -> Response:
        return await in_thread(_session, page)

    async def recordings(request: Request) -> Response:
        return await in_thread(_recordings, page, summaries)

    async def recording(request: Request) -> Response:
        return await in_thread(_recording, page, _id(request))

    async def read(request: Request) -> Response:
        body = await json_body(request)
        answer = await in_thread(_read_again, page, _id(request), body)
        page.live.publish("recordings", {})
        return answer

    async def motion(request: Request) -> Response:
        return await run_in_threadpool(_motion, page, request)

    async def curve(request: Request) -> Response:
        return await in_thread(_curve, page, request)

    async def video(request: Request) -> Response:
        file = await run_in_threadpool(_video_file, page, _id(request))
        return FileResponse(file, media_type=SUFFIXES[file.suffix.lower()], headers={"cache-control": "no-cache"})

    async def video_offset(request: Request) -> Response:
        body = await json_body(request)
        return await in_thread(_set_offset, page, _id(request), Fields(body, "", ("offset",)).number("offset"))

    where = "/api/recordings/{id:int}"
    return [
        Route("/api/session", session, methods=["GET"]),
        Route("/api/recordings", recordings, methods=["GET"]),
        Route(where, recording, methods=["GET"]),
        Route(f"{where}/read", read, methods=["POST"]),
        Route(f"{where}/motion", motion, methods=["GET"]),
        Route(f"{where}/curve", curve, methods=["GET"]),
        Route(f"{where}/video", video, methods=["GET"]),
        Route(f"{where}/video", video_offset, methods=["PUT"]),
    ]


def _id(request: Request) -> int:
    return int(request.path_params["id"])


# ---- the session and the list --------------------------------------------------------------------------------------


def _session(page: Page) -> dict[str, Any]:
    workspace, corpus = page.workspace, page.workspace.corpus
    return {
        "version": __version__,
        "title": workspace.title,
        "editable": page.editable,
        "author": page.author,
        "corpus": None if corpus is None else corpus.name,
        "set": page.set,
        "sets": set_list(page),
        **models_payload(page),
        "splits": {} if corpus is None else {name: len(split.folds) for name, split in corpus.splits.items()},
        "options": _options(workspace.options),
        "formats": [
            {"name": name, "about": FORMATS[name].about, "suffix": FORMATS[name].suffixes[0]}
            for name in FORMATS
            if FORMATS[name].write is not None
        ],
        "limits": {"files": LIMITS.files, "bytes": LIMITS.file_bytes},
        "jobs": page.jobs is not None,
    }


def _options(now: io.ReadOptions) -> list[dict[str, Any]]:
    """The options of reading, as `Option` of docs/page-api.md."""
    texts = setting_texts(io.ReadOptions)
    choices: dict[str, list[str]] = {
        "unit": list(METRES),
        "up": list(AXES),
        "format": [io.AUTO, *io.READERS],
        "markers": ["joints", "keep"],
    }
    options = []
    for each in fields(io.ReadOptions):
        value = getattr(now, each.name)
        options.append(
            {
                "name": each.name,
                "about": texts[each.name],
                "choices": choices.get(each.name),
                "type": "text" if each.name in choices or "Path" in str(each.type) else "number",
                "value": str(value) if isinstance(value, Path) else value,
            }
        )
    return options


def _recordings(page: Page, summaries: SetSummaries | None) -> dict[str, Any]:
    workspace = page.workspace
    counts = {} if summaries is None else summaries.now()
    items = []
    for entry in workspace.entries:
        name = entry.recording_name
        item = item_of(page, entry)
        item["labels"] = {set: each.items[name] for set, each in counts.items() if name in each.items}
        item["watched"] = {set: round(each.watched[name], 3) for set, each in counts.items() if name in each.watched}
        items.append(item)
    return {"recordings": items}


# ---- a recording ---------------------------------------------------------------------------------------------------


def _recording(page: Page, id: int) -> dict[str, Any]:
    return _payload(page, page.workspace.entry(id), page.workspace.read(id))


def _read_again(page: Page, id: int, body: dict[str, Any]) -> dict[str, Any]:
    workspace = page.workspace
    given = Fields(body, "", ("options",)).get("options")
    if not isinstance(given, dict):
        raise InputError("options: expected an object of options of reading")
    entry = workspace.entry(id)
    options = workspace.given_files(options_of(given), entry)
    return _payload(page, entry, workspace.read_again(id, options))


def _payload(page: Page, entry: Entry, opened: OpenRecording) -> dict[str, Any]:
    """A recording, as `Recording` of docs/page-api.md."""
    workspace, recording, motion = page.workspace, opened.recording, opened.motion
    ground, height, width = motion.survey
    truth, options = workspace.truth(entry.id), workspace.shown_options(entry)
    return {
        "id": entry.id,
        "name": entry.name,
        "kind": entry.kind,
        "source": recording.source,
        "attributes": [[str(name), str(value)] for name, value in recording.attributes.items()],
        "duration": opened.duration,
        "fps": recording.fps,
        "frames": recording.num_frames,
        "uneven": opened.uneven,
        "lines": [workspace.without_folders(line) for line in opened.lines],
        "options": given_options(options),
        "command": options_line(options),
        "skeleton": skeleton_payload(recording.skeleton),
        "motion": {
            "fps": recording.fps,
            "frames": recording.num_frames,
            "slots": list(motion.slots),
            "unit": motion.unit,
            "origin": motion.origin.tolist(),
            "first": motion.first,
            "facing": motion.facing,
            "ground": ground,
            "height": height,
            "width": width,
        },
        "truth": None if truth is None else items_of(truth),
        "video": _video(page, entry),
    }


def _motion(page: Page, request: Request) -> Response:
    opened = page.workspace.read(_id(request))
    frames = opened.recording.num_frames
    start, step = whole_number(request, "start", 0), whole_number(request, "step", 1, least=1)
    stop = min(whole_number(request, "stop", frames), frames)
    picks = np.arange(start, stop, step)
    people, joints = len(opened.motion.slots), opened.recording.skeleton.num_joints
    size = len(picks) * people * (joints * 6 + 1)
    if size > MAX_MOTION_BYTES:
        raise HTTPException(413, f"{size} bytes of motion, at most {MAX_MOTION_BYTES} at once; ask for fewer frames")
    body = opened.motion.steps(picks).tobytes() + opened.motion.seen(picks).tobytes()
    return Response(body, 200, {"cache-control": "no-store"}, "application/octet-stream")


def _curve(page: Page, request: Request) -> dict[str, Any]:
    kind = word(request, "kind")
    if kind not in CURVE_KINDS:
        raise HTTPException(400, f"kind is {kind[:60]!r}, expected one of {', '.join(CURVE_KINDS)}")
    checked: CurveKind = kind
    opened = page.workspace.read(_id(request))
    recording = opened.recording
    joint, person = whole_number(request, "joint"), whole_number(request, "person", recording.people[0])
    if joint >= recording.skeleton.num_joints or person >= recording.num_people:
        raise NotFoundError(
            f"joint {joint} of person {person}: the recording has {recording.skeleton.num_joints} joints and "
            f"{recording.num_people} people"
        )
    start = max(0.0, seconds(request, "start", 0.0))
    stop = min(seconds(request, "stop", opened.duration), recording.num_frames / recording.fps)
    bins = whole_number(request, "bins", 1000, least=1)
    if bins > MAX_BINS:
        raise HTTPException(413, f"bins is {bins}, at most {MAX_BINS} at once")
    if stop <= start:
        raise HTTPException(400, f"start is {start:g} and stop {stop:g} s, expected a time within the recording")
    values = opened.curve(checked, person, joint)
    # a frame belongs to the part in which it starts; the first part also has the frame that covers its start
    edges = np.ceil(np.linspace(start, stop, bins + 1) * recording.fps - 1e-6).astype(np.int64)
    edges[0] = int(start * recording.fps + 1e-6)
    low, high = least_and_greatest(values, edges)
    return {
        "kind": kind,
        "unit": UNITS[checked],
        "start": start,
        "stop": stop,
        "low": _numbers(low),
        "high": _numbers(high),
    }


def _numbers(values: np.ndarray[Any, np.dtype[np.float32]]) -> list[float | None]:
    """Four decimals; None where a value is NaN."""
    rounded = np.round(values.astype(np.float64), 4)
    return [None if value != value else value for value in rounded.tolist()]


# ---- videos --------------------------------------------------------------------------------------------------------


def _video(page: Page, entry: Entry) -> dict[str, Any] | None:
    videos = page.workspace.videos
    file = None if videos is None else videos.file(entry.name, entry.recording_name)
    if videos is None or file is None:
        return None
    return {"url": f"/api/recordings/{entry.id}/video", "offset": videos.offset(file)}


def _video_file(page: Page, id: int) -> Path:
    entry, videos = page.workspace.entry(id), page.workspace.videos
    file = None if videos is None else videos.file(entry.name, entry.recording_name)
    if file is None or not file.is_file():
        raise NotFoundError(f"recording {entry.name!r} has no video; one of its name belongs in the folder of --video")
    return file


def _set_offset(page: Page, id: int, offset: float) -> dict[str, Any]:
    file, videos = _video_file(page, id), page.workspace.videos
    assert videos is not None
    try:
        videos.set_offset(file, offset)
    except InputError as error:
        raise InputError(f"{error}; the offset holds until the server ends") from None
    return {"url": f"/api/recordings/{id}/video", "offset": videos.offset(file)}
