"""The API of what leaves the page: labels in the formats of other programs, and the report."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path
from urllib.parse import quote

from starlette.responses import HTMLResponse, Response

from ..annotations import FORMATS, check_can_write, write_label_files
from ..annotations.label_file import LabelFile, file_names
from ..corpus.store import Corpus
from ..data.clock import Clock
from ..report.data import ReportData, ReportRecording
from ..report.gather import gather
from ..report.page import render_report
from ..runs.folder import PROPOSALS_FILE
from .calls import Call, refuse
from .state import Page

MAX_LOST = 3000
"""The most characters of the header X-Lost."""
MAX_IN_REPORT = 12
"""The most recordings that a report shows."""


def export(call: Call) -> Response:
    """A set, or a recording of it, in a format of labels: a file, or a zip of the files."""
    name, format = call.set_name(), call.request.query_params.get("format", "csv")
    if format not in FORMATS:
        refuse(
            f"unknown format {format[:40]!r}; available: {', '.join(each for each in FORMATS if FORMATS[each].write)}"
        )
    check_can_write(format)
    recording = call.recording_or_all
    annotations = call.sets.annotations(name)
    if recording is not None:
        annotations = {key: each for key, each in annotations.items() if key == recording}
    if not annotations:
        refuse(f"set {name!r} has no labels of {'any recording' if recording is None else repr(recording)} to export")
    clocks = {key: Clock(info.fps, info.num_frames) for key, info in call.sets.recordings.items()}
    stem = name if recording is None else recording.rsplit("/", 1)[-1]
    with tempfile.TemporaryDirectory() as folder:
        rows = LabelFile.of(annotations, Path(folder) / stem)
        _, lost = write_label_files(rows, folder, format, clocks, name=stem)
        files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        if len(files) == 1:
            file_name, content = files[0].name, files[0].read_bytes()
        else:
            file_name, content = _file_name(stem, ".zip"), _zipped(files, Path(folder))
    headers = _attached(file_name)
    if lost:
        headers["X-Lost"] = quote("\n".join(lost)[:MAX_LOST], safe="", errors="replace")
    return Response(content, media_type="application/octet-stream", headers=headers)


def _file_name(name: str, suffix: str) -> str:
    """A file name for a set or a recording."""
    return file_names([name], suffix)[0].rsplit("/", 1)[-1]


def _attached(file_name: str) -> dict[str, str]:
    """The header by which a browser keeps an answer as a file; the script of a report runs there, not on the page."""
    return {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(file_name, safe='', errors='replace')}"}


def _zipped(files: list[Path], folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, file.relative_to(folder).as_posix())
    return buffer.getvalue()


def report(call: Call) -> Response:
    """The report of a set, with what a model predicts where one is given."""
    name, recording = call.set_name(), call.recording_or_all
    model = call.request.query_params.get("model")
    corpus = _corpus(call.page)
    if model:
        only = None if recording is None else (recording,)
        folder = answers_folder(call.page, model)
        data = gather([folder], recordings=corpus.path, most=MAX_IN_REPORT, set=name, only=only)
    else:
        data = _labels_alone(call, name, recording)
    stem = name if recording is None else recording
    # a name may hold bytes that are not text; they become question marks rather than an error
    content = render_report(data).encode("utf-8", errors="replace")
    return HTMLResponse(content, headers=_attached(_file_name(stem, ".html")))


def _labels_alone(call: Call, name: str, recording: str | None) -> ReportData:
    """The report of a set without predictions."""
    corpus, annotations = _corpus(call.page), call.sets.annotations(name)
    names = list(annotations) if recording is None else [recording]
    shown = [each for each in names if each in corpus][:MAX_IN_REPORT]
    if not shown:
        refuse(f"set {name!r} has no labels to report of")
    facts = {"annotation set": name, "recordings": f"{len(names)}"}
    if len(shown) < len(names):
        facts["recordings"] = f"{len(names)}, the first {len(shown)} are shown"
    title = f"kinespan: {shown[0] if len(names) == 1 else f'{len(names)} recordings labelled'}"
    recordings = [ReportRecording(corpus[each], annotations.get(each)) for each in shown]
    return ReportData(title, call.sets.labels(name), recordings, facts=facts)


def answers_folder(page: Page, model: str) -> Path:
    """The folder with what a model predicts; refused (404) where there is none."""
    opened, models = page.workspace.answers.get(model), None if page.jobs is None else page.jobs.models
    folder = None if opened is None else opened.file.parent
    if models is not None and model in [each.id for each in models.all()]:
        folder = models.answers_folder(model)
    if folder is None or not (folder / PROPOSALS_FILE).is_file():
        refuse(f"model {model[:40]!r} has not localized these recordings; predict with it first", 404)
    return folder


def _corpus(page: Page) -> Corpus:
    corpus: Corpus | None = page.workspace.corpus
    assert corpus is not None, "annotation sets are of a corpus"
    return corpus
