"""Videos beside recordings: matched by name, each with the second at which the motion begins, which is kept."""

from __future__ import annotations

import json
import math
import threading
from pathlib import Path

from ..errors import InputError
from ..files import write_atomically

SUFFIXES = {
    ".mp4": "video/mp4", ".m4v": "video/mp4", ".webm": "video/webm", ".mov": "video/quicktime", ".ogv": "video/ogg",
    ".mkv": "video/x-matroska",
}  # fmt: skip
"""Endings of files that are videos, and their types."""
OFFSETS_FILE = "kinespan_offsets.json"
"""In the folder of the videos: by the name of the video, the second of it at which the motion begins."""


class Videos:
    """The videos of a folder and its subfolders. A recording has the one of its name, whatever its ending and case."""

    def __init__(self, folder: Path) -> None:
        """Raises InputError where there is no such folder, or no video in it, and for broken offsets."""
        if not folder.is_dir():
            raise InputError(f"--video {folder}: no such folder")
        self.folder = folder
        self._files: dict[str, Path] = {}
        for file in sorted(folder.rglob("*")):
            if file.suffix.lower() in SUFFIXES and file.is_file() and not file.name.startswith("."):
                self._files.setdefault(file.stem.casefold(), file)
        if not self._files:
            raise InputError(f"--video {folder}: no video in it; videos end in {', '.join(SUFFIXES)}")
        self._lock = threading.Lock()
        self._offsets = self._read_offsets()

    def __len__(self) -> int:
        return len(self._files)

    def file(self, *names: str) -> Path | None:
        """The video of a recording that goes by these names, None where it has none."""
        for name in names:
            file = self._files.get(name.casefold())
            if file is not None:
                return file
        return None

    def offset(self, file: Path) -> float:
        """The second of a video at which the motion begins; 0 where nobody said."""
        return self._offsets.get(self._key(file), 0.0)

    def set_offset(self, file: Path, offset: float) -> None:
        """Keep the offset of a video. Raises InputError where it is no time, or the folder cannot be written to."""
        if not math.isfinite(offset) or abs(offset) > 1e6:
            raise InputError(f"offset is {offset}, expected seconds of the video")
        with self._lock:
            offsets = {**self._offsets, self._key(file): round(offset, 3)}
            text = json.dumps(dict(sorted(offsets.items())), indent=1, ensure_ascii=False) + "\n"
            self._offsets = offsets  # holds for as long as the server runs, also where it cannot be kept
            write_atomically(self.folder / OFFSETS_FILE, text)

    def _key(self, file: Path) -> str:
        return file.relative_to(self.folder).as_posix()

    def _read_offsets(self) -> dict[str, float]:
        file = self.folder / OFFSETS_FILE
        if not file.is_file():
            return {}
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
            offsets = {str(name): float(value) for name, value in data.items()}
        except (ValueError, TypeError, AttributeError, OSError) as error:
            raise InputError(f"{file}: not the offsets of videos ({error}); mend the file or remove it") from None
        return {name: value for name, value in offsets.items() if math.isfinite(value)}
