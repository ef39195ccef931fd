"""Preparing that is stopped goes on where it was, and never mixes what does not belong together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kinespan import io
from kinespan.corpus import Corpus
from kinespan.corpus.splitting import SplitRule
from kinespan.data.annotation import Annotation, LabelSet, Span
from kinespan.data.recording import Recording
from kinespan.data.skeletons import NTU_25
from kinespan.errors import InputError
from kinespan.prepare.own_files import OwnFiles
from kinespan.prepare.prepare import prepare
from kinespan.prepare.recipes import Item


def save(file: Path, frames: int = 60, annotation: Annotation | None = None) -> None:
    """A small motion file with random motion that depends on its name alone."""
    seed = sum(file.name.encode())
    positions = np.random.default_rng(seed).normal(size=(frames, 1, 25, 3)).astype(np.float32)
    file.parent.mkdir(parents=True, exist_ok=True)
    io.save_npz(Recording(positions, 30.0, NTU_25, file.stem, source=file.name), file, annotation)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four files, labelled."""
    source = tmp_path / "in"
    for i, actor in enumerate(("x", "x", "y", "y")):
        label = ("wave", "kick")[i % 2]
        save(source / actor / f"take{i}.npz", 60 + i, Annotation((Span(0, 1, label),), LabelSet((label,))))
    return source


def left_beside(out: Path, source: Path) -> list[Path]:
    return [path for path in out.parent.iterdir() if path not in (out, source)]


class CrashError(Exception):
    """A crash at a place that a test chooses."""


def stop_after(files: int, error: type[BaseException] = CrashError) -> Callable[[int, int], None]:
    def progress(done: int, total: int) -> None:
        if done == files:
            raise error

    return progress


def contents(corpus: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in corpus.iterdir()}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("stopped", [1, 2, 4, 5])
def test_a_resumed_run_gives_the_same_corpus(
    folder: Path, tmp_path: Path, workers: int, stopped: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = folder / "x" / "a_broken.npz"  # refused in the first run, and not read again
    save(broken, 3)
    options = io.ReadOptions(skip_frames=10)
    prepare(folder, tmp_path / "at_once", name="c", options=options)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        prepare(
            folder, out, name="c", options=options, progress=stop_after(stopped, KeyboardInterrupt), workers=workers
        )
    assert not out.exists()
    if stopped == 1:  # nothing but a refused file
        assert left_beside(out, folder) == [tmp_path / "at_once"]
        return
    assert {path.name for path in left_beside(out, folder)} == {"at_once", "out.partial"}
    with pytest.raises(InputError, match="not a corpus"):
        Corpus.open(tmp_path / "out.partial")
    read = OwnFiles.read
    again: list[str] = []

    def noted(self: OwnFiles, item: Item) -> io.Take:
        again.append(item.name)
        return read(self, item)

    monkeypatch.setattr(OwnFiles, "read", noted)
    seen: list[int] = []
    summary = prepare(folder, out, name="c", options=options, progress=lambda done, total: seen.append(done), workers=1)
    everything = ["a_broken", "take0", "take1", "take2", "take3"]
    assert again == everything[stopped:]
    assert seen == list(range(stopped + 1, 6))
    assert summary.resumed == stopped
    assert f"resumed an interrupted run, after {stopped} files" in str(summary)
    assert [file for file, _ in summary.refused] == [broken]
    assert contents(out) == contents(tmp_path / "at_once")
    assert set(contents(out)) == {"index.json", "frames.f32", "valid.bits", "refused.txt"}
    assert not (tmp_path / "out.partial").exists()


@pytest.mark.parametrize("file", ["journal.jsonl", "frames.f32", "valid.bits"])
@pytest.mark.parametrize("lost", [1, 7, 2000, 20000])
def test_incomplete_files_after_a_crash_are_read_again(folder: Path, tmp_path: Path, file: str, lost: int) -> None:
    prepare(folder, tmp_path / "at_once", name="c")
    out = tmp_path / "out"
    with pytest.raises(CrashError):
        prepare(folder, out, name="c", progress=stop_after(3))
    torn = tmp_path / "out.partial" / file
    os.truncate(torn, max(0, torn.stat().st_size - lost))
    summary = prepare(folder, out, name="c")
    assert summary.resumed < 3
    assert contents(out) == contents(tmp_path / "at_once")


def test_changed_frames_are_read_again(folder: Path, tmp_path: Path) -> None:
    prepare(folder, tmp_path / "at_once", name="c")
    with pytest.raises(CrashError):
        prepare(folder, tmp_path / "out", name="c", progress=stop_after(3))
    frames = tmp_path / "out.partial" / "frames.f32"
    data = bytearray(frames.read_bytes())
    data[60 * 25 * 12 + 5] ^= 1  # in the second recording
    frames.write_bytes(data)
    assert prepare(folder, tmp_path / "out", name="c").resumed == 1
    assert contents(tmp_path / "out") == contents(tmp_path / "at_once")


def test_an_incomplete_write_leaves_no_trace(folder: Path, tmp_path: Path) -> None:
    prepare(folder, tmp_path / "at_once", name="c")
    with pytest.raises(CrashError):
        prepare(folder, tmp_path / "out", name="c", progress=stop_after(2))
    for file in ("frames.f32", "valid.bits", "journal.jsonl"):
        with (tmp_path / "out.partial" / file).open("ab") as stream:
            stream.write(b'{"written"')
    assert prepare(folder, tmp_path / "out", name="c").resumed == 2
    assert contents(tmp_path / "out") == contents(tmp_path / "at_once")


def test_a_run_of_other_settings_is_not_resumed(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(CrashError):
        prepare(folder, out, progress=stop_after(2))
    changed = io.ReadOptions(fps=10)
    with pytest.raises(InputError, match=r"2 files .* other settings \(fps: None before, 10 now\).*--overwrite"):
        prepare(folder, out, options=changed)
    save(folder / "x" / "take0.npz", 61)  # another file by the same name
    with pytest.raises(InputError, match=r"other settings \(files: 4 \(listing \w+\) before, 4 \(listing"):
        prepare(folder, out)
    summary = prepare(folder, out, options=changed, overwrite=True)
    assert summary.resumed == 0
    assert {info.fps for info in Corpus.open(out).infos} == {10.0}
    assert left_beside(out, folder) == []


def test_a_failed_split_keeps_the_files_that_were_read(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(InputError, match=r"does not match the name 'take0'; .* the 4 files .* kept in .*out\.partial"):
        prepare(folder, out, split=SplitRule("nothing(.)"))
    summary = prepare(folder, out, split=SplitRule("take(.)"))
    assert summary.resumed == 4
    assert len(Corpus.open(out).splits["by-group"].folds) == 4


def test_two_writers_of_one_corpus_exclude_each_other(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def meanwhile(done: int, total: int) -> None:
        with pytest.raises(InputError, match="another process is writing to it"):
            prepare(folder, out)

    assert prepare(folder, out, progress=meanwhile).recordings == 4


def test_a_foreign_partial_folder_is_left_alone(folder: Path, tmp_path: Path) -> None:
    save(tmp_path / "out.partial" / "mine.npz")
    with pytest.raises(InputError, match="exists, where the unfinished corpus"):
        prepare(folder, tmp_path / "out")
    assert (tmp_path / "out.partial" / "mine.npz").exists()
    prepare(folder, tmp_path / "whole.partial")
    with pytest.raises(InputError, match="exists, where the unfinished corpus"):
        prepare(folder, tmp_path / "whole")
    Corpus.open(tmp_path / "whole.partial").verify()


_INTERRUPTED = """
import signal, sys, time
from kinespan.prepare.prepare import prepare
def slow(done, total):
    print(done, flush=True)
    time.sleep(30)
if __name__ == "__main__":
    # as in a terminal: what is started in the background may have been told to ignore it
    signal.signal(signal.SIGINT, signal.default_int_handler)
    prepare(sys.argv[1], sys.argv[2], progress=slow, workers=2)
"""


def test_control_c_ends_prepare_and_it_can_be_resumed(folder: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(_INTERRUPTED)
    out = tmp_path / "out"
    command = [sys.executable, str(script), str(folder), str(out)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        os.killpg(process.pid, signal.SIGINT)  # what a terminal does: to the workers as well
        _, errors = process.communicate(timeout=120)  # a busy machine may take its time
    assert errors.count("KeyboardInterrupt") == 1  # the workers say nothing
    assert {path.name for path in left_beside(out, folder)} == {"script.py", "out.partial"}
    assert not out.exists()
    assert prepare(folder, out).resumed == 1


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_a_killed_prepare_leaves_no_process_and_no_corpus(folder: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(_INTERRUPTED)
    out = tmp_path / "out"
    command = [sys.executable, str(script), str(folder), str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        assert len(_session(process.pid)) > 1
        process.kill()
    deadline = time.monotonic() + 10
    while _session(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _session(process.pid) == []
    assert not out.exists()
    for left in left_beside(out, folder):
        with pytest.raises(InputError, match="not a corpus"):
            Corpus.open(left)
    assert prepare(folder, out).resumed == 1


def _session(leader: int) -> list[int]:
    """Processes of a session that are alive."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, session = entry.read_text().rpartition(")")[2].split()[:4]
        except OSError:  # ended meanwhile
            continue
        if int(session) == leader and state != "Z":
            found.append(int(entry.parent.name))
    return found
