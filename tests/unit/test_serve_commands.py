"""The commands view and label: what they refuse before anything is served, and a server that comes and goes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from corpus_cases import small_corpus
from serve_cases import motion_file, moving

from kinespan import cli
from kinespan.cli.label import check_corpus, chosen_set
from kinespan.corpus import AnnotationSets, CorpusWriter
from kinespan.errors import InputError


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["view"], "missing: PATHS"),
        (["view", "nowhere"], "nowhere: no such file or folder"),
        (["view", "CORPUS", "--port", "70000"], "--port 70000: expected 0 to 65535"),
        (["view", "CORPUS", "--video", "nowhere"], "--video nowhere: no such folder"),
        (["view", "CORPUS", "--model", "nowhere"], "nowhere: no such model file"),
        (["view", "CORPUS", "--up", "z"], "--up: for motion files, not for a corpus"),
        (["view", "CORPUS", "--host", "no.such.host.invalid", "--no-browser"], "--host no.such.host.invalid"),
        (["label", "nowhere"], "nowhere: no such folder"),
        (["label", "CORPUS", "--author", " "], "--author: is empty"),
        (["label", "CORPUS", "--runs", "FILE"], "is a file, expected a folder of runs"),
    ],
)
def test_a_wrong_argument_is_told(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"CORPUS": small_corpus(tmp_path), "FILE": motion_file(tmp_path, moving())}
    assert cli.main([str(places.get(word, word)) for word in words]) == 2
    assert message in capsys.readouterr().err


def test_a_wrong_argument_is_told_before_torch_and_starlette_are_imported(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom kinespan.cli import main\n"
        "assert main(['view', 'nowhere', '--port', '-1']) == 2\nassert main(['label', 'nowhere']) == 2\n"
        "assert not {'torch', 'starlette', 'uvicorn'} & set(sys.modules), 'heavy import'"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=tmp_path)


def test_without_its_packages_the_command_that_installs_them_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert cli.main(["view", str(motion_file(tmp_path, moving()))]) == 2
    assert "pip install 'kinespan[page]'" in capsys.readouterr().err


def test_a_folder_of_motion_is_told_the_command_that_prepares_it(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    motion_file(folder, moving())
    with pytest.raises(InputError) as caught:
        check_corpus(folder)
    corpus = tmp_path / "recordings-corpus"
    assert f"kinespan prepare {folder} --out {corpus}" in str(caught.value)
    assert f"kinespan label {corpus}" in str(caught.value)


def test_the_set_that_is_labelled_in_is_said_and_made_where_it_is_not_there(tmp_path: Path) -> None:
    sets = AnnotationSets.open(small_corpus(tmp_path))
    assert chosen_set(sets, None, "Ann") == ("labels", "labelling in annotation set labels as Ann")
    name, line = chosen_set(sets, "bea", "Bea")
    assert (name, "made just now, with the labels of labels" in line) == ("bea", True)
    assert sets.labels("bea") == sets.labels("labels")
    assert sets.annotations("bea") == {}
    assert "of 2: labels, bea" in chosen_set(sets, None, "Ann")[1]


def test_a_corpus_without_labels_gets_a_set(tmp_path: Path) -> None:
    with CorpusWriter(tmp_path / "bare", "bare") as writer:
        writer.add(moving())
    sets = AnnotationSets.open(tmp_path / "bare")
    assert "without labels so far" in chosen_set(sets, None, "Ann")[1]
    assert [info.name for info in sets.infos] == ["labels"]


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_server_prints_its_link_and_ends_when_it_is_told(tmp_path: Path, stop: signal.Signals) -> None:
    command = [
        sys.executable,
        "-m",
        "kinespan.cli",
        "label",
        str(small_corpus(tmp_path)),
        "--no-browser",
        "--port",
        "0",
    ]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a suite in the background ignores it
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("labelling in annotation set labels as ")
    link = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())
    assert link is not None
    with urllib.request.urlopen(f"{link[0]}api/session", timeout=20) as answer:
        assert b'"editable":true' in answer.read()
    process.send_signal(stop)
    out, error = process.communicate(timeout=10)
    assert "Traceback" not in error
    assert (process.returncode, "everything was saved" in out) == (0, True)
