"""kinespan convert and info on motion files, and options of reading on the commands that read them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from kinespan.cli import COMMANDS, load_command, main
from kinespan.cli.motion import READING
from kinespan.corpus.store import Corpus
from kinespan.errors import InputError
from kinespan.io import ReadOptions, read
from kinespan.io.describe import MAX_LINES
from makers import person, points
from unit.test_io_conformance import FIXTURES, write_bvh

MOTION_COMMANDS = ("prepare", "info", "convert", "localize", "stream", "report")


def write_npz(folder, name="take.npz", **fields):
    np.savez(
        folder / name,
        **{
            "positions": person.standing().astype(np.float32),
            "joints": np.array(person.JOINTS),
            "parents": np.array(person.PARENTS),
            **fields,
        },
    )
    return folder / name


@pytest.mark.parametrize("name", MOTION_COMMANDS)
def test_every_command_that_reads_motion_has_the_options_of_reading(name):
    flags = load_command(name).flags
    assert {f"--{option.replace('_', '-')}" for options in READING.values() for option in options} <= flags.keys()
    assert name in COMMANDS


@pytest.mark.parametrize("name", FIXTURES)
def test_convert_writes_what_was_read_and_reads_it_back(name, tmp_path, capsys):
    path, out = FIXTURES[name](tmp_path), tmp_path / "out.npz"
    asked = points.ASKED.get(name, ReadOptions())
    flags = [word for option, value in asked.given().items() for word in (f"--{option}", str(value))]
    assert main(["convert", str(path), str(out), *flags]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) <= MAX_LINES + 1
    assert printed[0].startswith("recording ")
    assert printed[-1] == f"written to {out}"
    take, again = read(path, options=asked), read(out)
    assert again.recording.checksum() == take.recording.checksum()
    assert again.recording.skeleton == take.recording.skeleton
    assert again.annotation == take.annotation
    assert dict(again.recording.attributes) == dict(take.recording.attributes)
    np.testing.assert_array_equal(again.recording.valid, take.recording.valid)


def test_convert_refuses_other_suffixes_existing_files_and_missing_folders(tmp_path, capsys):
    path = write_bvh(tmp_path)
    for out, message in (
        ("out.fbx", "no format to write has the suffix '.fbx'; expected .bvh, .c3d, .csv, .npz, .parquet, .trc"),
        ("out", "no format to write has the suffix ''; expected .bvh"),
        ("gone/out.npz", "does not exist"),
    ):
        assert main(["convert", str(path), str(tmp_path / out)]) == 2
        assert message in capsys.readouterr().err
    out = tmp_path / "out.npz"
    out.write_text("mine")
    assert main(["convert", str(path), str(out)]) == 2
    assert "exists already; name another file, or replace it with --overwrite" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert main(["convert", str(path), str(out), "--overwrite", "--fps", "10"]) == 0
    assert read(out).recording.fps == 10


def test_info_says_in_ten_lines_what_was_decided(tmp_path, capsys):
    positions = 100 * person.standing()[:, None, :, [0, 2, 1]] * np.array([1, -1, 1])
    positions[3, 0, 4] = np.nan
    history = json.dumps([f"note {number}" for number in range(20)])
    attributes = json.dumps({"performer": "anna"})
    path = write_npz(tmp_path, positions=positions, attributes=attributes, history=history)
    assert main(["info", str(path), "--fps", "30"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == MAX_LINES
    assert lines[:5] == [
        "recording take: npz, 1 person, 21 joints (npz21)",
        "time: 20 frames at 30 a second, 0.67 s",
        "joints: 21 of 21 are parts of a whole person",
        "attributes: performer anna",
        "seen: 99.76 % of the joints",
    ]
    assert lines[-2].startswith("decided: the unit is centimetres, by the body (1.71 m tall, not 171.4 m by")
    assert lines[-1].startswith("decided: z is up, not y, by the body (")
    assert "earlier notes: see --json" in lines[5]
    assert main(["info", str(path), "--fps", "30", "--json", "--up", "y"]) == 0
    *_, decided, doubted = json.loads(capsys.readouterr().out)["history"]
    assert decided.startswith("decided: the unit is")
    assert doubted.startswith("warning: --up is y, but z is")


def test_options_of_reading_are_refused_where_nothing_is_read(tmp_path, capsys):
    write_bvh(tmp_path)
    assert main(["prepare", str(tmp_path), "--out", str(tmp_path / "corpus")]) == 0
    for words in (
        ["info", str(tmp_path / "corpus"), "--fps", "30"],
        ["localize", "model", str(tmp_path / "corpus"), "--out", str(tmp_path / "x"), "--up", "-y"],
    ):
        assert main(words) == 2
        assert "for motion files, not for a corpus" in capsys.readouterr().err


def test_a_given_rate_is_only_for_files_that_state_none_among_several_formats(tmp_path, capsys):
    write_bvh(tmp_path)  # 60 frames a second
    write_npz(tmp_path)
    assert main(["prepare", str(tmp_path), "--out", str(tmp_path / "both"), "--fps", "25"]) == 0
    corpus = Corpus.open(tmp_path / "both")
    assert {info.name: info.fps for info in corpus.infos} == {"made": 60, "take": 25}
    assert any("the rate of the file stays; --fps is for those of several formats" in line for line in corpus.decisions)
    (tmp_path / "take.npz").unlink()
    assert main(["prepare", str(tmp_path), "--out", str(tmp_path / "one"), "--fps", "25"]) == 0
    assert [info.fps for info in Corpus.open(tmp_path / "one").infos] == [25]


def test_a_corpus_keeps_what_was_decided_about_its_files(tmp_path, capsys):
    for number in range(3):
        write_npz(tmp_path, f"{number}.npz", fps=30.0, positions=person.standing() * (1 if number else 1000))
    assert main(["prepare", str(tmp_path), "--out", str(tmp_path / "corpus")]) == 0
    decisions = Corpus.open(tmp_path / "corpus").decisions
    assert "1 of 3 recordings, 0: the unit is millimetres, by the body (1.71 m tall, not 1714 m" in decisions[0]
    capsys.readouterr()
    assert main(["info", str(tmp_path / "corpus")]) == 0
    assert f"decided:\n  {decisions[0]}\n" in capsys.readouterr().out


def test_what_was_read_with_is_kept_as_plain_data(tmp_path):
    options = ReadOptions(fps=25, unit="cm", up="-y", asf=tmp_path / "x.asf", skip_frames=2)
    data = json.loads(json.dumps(options.given()))
    assert data == {"fps": 25, "unit": "cm", "up": "-y", "asf": str(tmp_path / "x.asf"), "skip_frames": 2}
    assert ReadOptions.of(data) == options
    assert ReadOptions.of({}) == ReadOptions()
    with pytest.raises(InputError, match="unknown option of reading 'speed'"):
        ReadOptions.of({"speed": 2})


def test_files_without_a_reader_say_what_they_are(tmp_path, capsys):
    np.save(tmp_path / "000001.npy", np.zeros((5, 263)))
    (tmp_path / "anna.asf").write_text("# made\n:version 1.10\n")
    for name, message in (("000001.npy", "prepare --recipe humanml3d"), ("anna.asf", "give the .amc file")):
        assert main(["info", str(tmp_path / name)]) == 2
        assert message in capsys.readouterr().err
    assert main(["prepare", str(tmp_path), "--out", str(tmp_path / "corpus")]) == 2
    assert "no recording of a known format among 2 files, such as .asf: an Acclaim" in capsys.readouterr().err


def test_files_that_hold_no_motion_say_why(tmp_path, capsys):
    (tmp_path / "gait.c3d").write_bytes(b"\x02P" + bytes(510))
    (tmp_path / "empty.bvh").touch()
    path = write_npz(tmp_path)
    (tmp_path / "cut.npz").write_bytes(path.read_bytes()[:300])
    write_npz(tmp_path, "none.npz", positions=np.zeros((0, 1, len(person.JOINTS), 3)))
    (tmp_path / "folder").mkdir()
    for name, message in (
        ("gait.c3d", "of no known format"),
        ("empty.bvh", "the file is empty"),
        ("cut.npz", "cut off"),
        ("none.npz", "so no frame"),
    ):
        assert main(["info", str(tmp_path / name), "--fps", "30"]) == 2
        assert message in capsys.readouterr().err
    assert main(["convert", str(tmp_path / "folder"), str(tmp_path / "out.npz")]) == 2
    said = capsys.readouterr().err
    assert "folder: is a folder; give the format to write its recordings in, such as --to npz" in said


@pytest.mark.parametrize("flag", ["--asf", "--body-model"])
def test_a_file_of_an_option_has_to_exist_also_where_the_format_has_no_use_for_it(flag, tmp_path, capsys):
    assert main(["info", str(write_npz(tmp_path)), "--fps", "30", flag, str(tmp_path / "gone")]) == 2
    assert f"{flag} {tmp_path / 'gone'}: no such file" in capsys.readouterr().err
