"""From words to settings: flags, short flags, lists, files of settings, and the help of a command."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from kinespan.cli import COMMANDS, load_command
from kinespan.cli.checks import ENCODER_NAMES, METHOD_OPTIONS
from kinespan.cli.help import help_text
from kinespan.encoders import ENCODERS
from kinespan.errors import InputError
from kinespan.methods import METHODS

TRAINING = ("learn", "pretrain", "finetune", "recognize")
ABLATIONS = ("--snippet.soft-targets", "--snippet.same-recording-negatives", "--snippet.margin", "--refine-features")


def parse(words: str) -> list[Any]:
    name, *rest = words.split()
    return load_command(name, rest).parse(rest)


@pytest.mark.parametrize(
    ("words", "corpora", "streams"),
    [
        ("a --streams joint bone b", ("a", "b"), ("joint", "bone")),
        ("--streams=joint,bone a", ("a",), ("joint", "bone")),
        ("--network.streams [joint, bone] a", ("a",), ("joint", "bone")),
        ("--streams bone a b", ("a", "b"), ("bone",)),
        ("a", ("a",), ("joint", "joint_motion")),
    ],
)
def test_streams_are_a_list_of_words(words: str, corpora: tuple[str, ...], streams: tuple[str, ...]) -> None:
    arguments, config = parse(f"pretrain {words} --out x")
    assert (arguments.corpora, config.network.streams) == (corpora, streams)


def test_short_flags_stand_for_the_long_ones() -> None:
    _, config = parse("pretrain a --out x --encoder tcn --snippets off")
    assert (config.network.encoder, config.snippet.variant) == ("tcn", "off")
    assert parse("learn a --out x --encoder=tcn")[1].network.encoder == "tcn"
    assert parse("reproduce babel-1 --raw . --snippets off paper")[0].snippets == ("off", "paper")
    with pytest.raises(InputError, match="unknown flag '--snippets'"):
        parse("finetune a --out x --snippets off")


@pytest.mark.parametrize("flag", ["--label-fraction 0.5", "--label_fraction 0.5", "--label-fraction=0.5"])
def test_flags_have_dashes_or_underscores(flag: str) -> None:
    assert parse(f"finetune a --out x {flag}")[1].label_fraction == 0.5


def test_truth_values_need_no_word_after_the_flag() -> None:
    arguments, config = parse(
        "pretrain --resume a --snippet.soft-targets false --out x --snippet.same-recording-negatives"
    )
    assert (arguments.resume, arguments.corpora) == (True, ("a",))
    assert (config.snippet.soft_targets, config.snippet.same_recording_negatives) == (False, True)


def test_options_of_a_method_are_typed_by_their_words() -> None:
    _, config = parse("pretrain a --out x --options.top-k 2 --options.share=0.5 --options.name x")
    assert config.options == {"top_k": 2, "share": 0.5, "name": "x"}


def test_negative_numbers_are_values() -> None:
    assert parse("ensemble a b --weights 1 -1 --out x")[0].weights == (1.0, -1.0)


def test_flags_win_over_the_file_and_the_last_flag_wins(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("steps: 3\nnetwork: {fps: 10, encoder: tcn}\nsplit: xsub\n")
    words = f"pretrain a --out x --config {tmp_path / 'my.yaml'} --steps 4 --steps 5 --network.fps 20 --split none"
    _, config = parse(words)
    assert (config.steps, config.network.fps, config.network.encoder, config.split) == (5, 20.0, "tcn", None)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("pretrain a --out", "--out: no value given, expected a path"),
        ("pretrain a --out x --network.fps abc", "--network.fps: found 'abc', expected a number"),
        ("pretrain a --out x --encoder", "--encoder: no value given, expected text"),
        ("pretrain a --out x --streams --fold 1", "--streams: no value given"),
        ("info a b", "unexpected argument 'b'; usage: kinespan info PATH"),
        ("info", "missing: PATH; see kinespan info --help"),
        ("completion fish", "SHELL: found 'fish', expected one of bash, zsh, tcsh"),
    ],
)
def test_errors_name_the_flag(words: str, named: str) -> None:
    with pytest.raises(InputError, match=f"^{named.replace('?', '[?]')}"):
        parse(words)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_argument_has_help_and_all_help_shows_it(name: str) -> None:
    command = load_command(name)
    text = help_text(command, everything=True)
    for argument in command.arguments:
        assert argument.text, argument.name
        assert argument.name in text
    assert text.startswith(f"usage: kinespan {name}")


@pytest.mark.parametrize("name", TRAINING)
def test_help_of_training_shows_ten_settings_in_groups(name: str) -> None:
    command = load_command(name)
    assert sum(map(len, command.groups.values())) == 10
    text, everything = help_text(command), help_text(command, everything=True)
    assert all(f"\n{heading}:\n" in text for heading in command.groups)
    assert "--help-all shows" in text
    for flag in ABLATIONS:
        assert flag not in text
        assert (flag in everything) == (flag in command.flags)


def test_names_without_torch_are_those_of_the_registries() -> None:
    """Those of plug-ins are looked up in the registries themselves."""
    assert set(ENCODER_NAMES) == {name for name in ENCODERS if ENCODERS[name].__module__.startswith("kinespan.")}
    options = {name: tuple(option.name for option in fields(METHODS[name].Options)) for name in METHODS}
    assert {
        name: options[name] for name in METHODS if METHODS[name].__module__.startswith("kinespan.")
    } == METHOD_OPTIONS


def test_short_flag_in_a_settings_file_is_answered_with_its_block(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("encoder: tcn\n")
    with pytest.raises(InputError, match=r"unknown setting 'encoder'; in a file it is network: \{encoder: \.\.\.\}"):
        parse(f"pretrain corpus --out x --config {file}")
