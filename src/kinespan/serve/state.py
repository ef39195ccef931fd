"""What the server of a page knows: what was opened, who may change it, where its models are, who listens."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..corpus.annotation_sets import AnnotationSets
from .live import Live

if TYPE_CHECKING:
    from .jobs import Jobs
    from .workspace import Workspace


@dataclass
class Page:
    """A page that is being served."""

    workspace: Workspace
    """The recordings, by id."""
    editable: bool
    """Whether labels may be changed, `kinespan label`."""
    author: str
    """The name that is entered where a browser gives none."""
    sets: AnnotationSets | None = None
    """The annotation sets of the corpus that was opened."""
    set: str | None = None
    """The set that the page opens with."""
    runs: Path | None = None
    """Folder of the models that are trained from the page, and of its jobs."""
    jobs: Jobs | None = None
    """The jobs, where there is a folder for them."""
    live: Live = field(default_factory=Live)
    """Who is told of changes."""
