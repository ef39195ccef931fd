"""Look at recordings in the browser: the skeleton moving, every annotation set, predictions, curves of joints.

Give motion files and folders of them, a corpus, the folder of a run, or predictions (proposals.json or the folder that
kinespan localize wrote); predictions beside motion files are shown with those of the same name. The page is served on
this computer only. Files dropped on it are read and shown too. Ctrl-C ends the server.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .. import io
from ..errors import InputError, import_extra
from ..models.model_file import read_spec
from .arguments import Positional
from .checks import localizer_spec, model_file
from .motion import READING

if TYPE_CHECKING:
    from ..serve.state import Page

SERVER = {"the server": ("port", "host", "no_browser")}
"""Where the page is served, under its heading in help."""
GROUPS = {**SERVER, **READING}
PORT = 8377


@dataclass(frozen=True, kw_only=True)
class ServerArguments:
    """What is beside the recordings, and where the page is served."""

    model: Path | None = None
    """Model file or run that localizes on the page."""
    video: Path | None = None
    """Folder of videos; a recording has the one of its name."""
    port: int = PORT
    """Port to listen on, else the next that is free; 0: any."""
    host: str = "127.0.0.1"
    """Address to listen on, in place of this computer's own; the link then holds a token."""
    no_browser: bool = False
    """Print the link without opening it."""


@dataclass(frozen=True, kw_only=True)
class ViewArguments(ServerArguments):
    """What to look at."""

    paths: Positional[tuple[Path, ...]]
    """Motion files, folders of them, a corpus, a run, predictions."""


def run(arguments: ViewArguments, options: io.ReadOptions) -> int:
    """Serve the page until Ctrl-C."""
    check_server(arguments, "kinespan view")

    from ..corpus.set_rows import default_author
    from ..serve.opening import open_paths
    from ..serve.state import Page

    opened = open_paths(arguments.paths, options)
    sets = opened.sets.infos if opened.sets is not None else ()
    page = Page(
        opened.workspace,
        editable=False,
        author=default_author(),
        sets=opened.sets,
        set=opened.set or (sets[0].name if sets else None),
    )
    trained = [path for path in opened.models if read_spec(model_file(path)).kind != "encoder"]
    start(page, replace(arguments, model=arguments.model or next(iter(trained), None)))
    return 0


def check_server(arguments: ServerArguments, purpose: str) -> None:
    """Raise InputError for arguments of the server that mean nothing, and without the packages that serve."""
    if not 0 <= arguments.port < 65536:
        raise InputError(f"--port {arguments.port}: expected 0 to 65535")
    if arguments.model is not None:
        localizer_spec(arguments.model)
    if arguments.video is not None and not arguments.video.is_dir():
        raise InputError(f"--video {arguments.video}: no such folder")
    for module in ("starlette", "uvicorn"):
        import_extra(module, "page", purpose)


def start(page: Page, arguments: ServerArguments) -> None:
    """Add the videos to a page, and serve it until Ctrl-C."""
    from ..serve.page_models import jobs_of_page
    from ..serve.server import serve
    from ..serve.video import Videos

    if arguments.video is not None:
        page.workspace.videos = Videos(arguments.video)
    with jobs_of_page(page, arguments.model):
        serve(page, arguments.host, arguments.port, open_browser=not arguments.no_browser)
