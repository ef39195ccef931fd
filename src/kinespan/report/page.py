"""The report's HTML: template, style, scripts and data in one file that needs no other."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from pathlib import Path

from .._version import __version__
from ..files import write_atomically
from ..viewer.bundle import bundle, read_asset
from .data import ReportData
from .payload import build_payload


def write_report(data: ReportData, path: Path) -> None:
    """Write the report as one HTML file, which is complete or absent.

    Raises InputError where the folder is missing or cannot be written to.
    """
    # A file name may hold bytes that are not text; they become question marks rather than an error.
    write_atomically(path, render_report(data).encode("utf-8", errors="replace").decode("utf-8"))


def render_report(data: ReportData) -> str:
    """The report as HTML text.

    Style and script are allowed by their hash and nothing else is: the page cannot load or send anything.
    """
    style = read_asset("viewer/viewer.css") + read_asset("report/page.css")
    script = bundle("report/app.js")
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    fields = {
        "policy": policy,
        "title": html.escape(data.title),
        "style": style,
        "script": script,
        "data": script_json(build_payload(data)),
        "version": html.escape(__version__),
    }
    # one pass, so that braces inside a field are left alone
    return re.sub(r"\{\{(\w+)\}\}", lambda match: fields[match[1]], read_asset("report/page.html"))


def script_json(value: object) -> str:
    """JSON for the inside of a script element: no text in it can close the element or open a comment."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _hash(text: str) -> str:
    """A Content-Security-Policy source that allows exactly this text."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
