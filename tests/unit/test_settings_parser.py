"""The parser of settings: what each type takes from YAML and from flags, and what a mistake is called."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Literal

import pytest

from kinespan.config import FinetuneConfig, LearnConfig, NetworkConfig, PretrainConfig, RecognizeConfig
from kinespan.config.parser import merged, parse_settings, parse_value, read_yaml, setting_texts
from kinespan.errors import InputError


@dataclass(frozen=True)
class Inner:
    """Settings in settings."""

    width: int = 1
    """Width of it."""
    ratio: float = 0.5
    """Ratio, in
    two lines."""


@dataclass(frozen=True)
class Outer:
    """Every type that a setting may have."""

    inner: Inner = field(default_factory=lambda: Inner(width=7))
    word: Literal["auto", "on", "off"] = "auto"
    count: int | Literal["auto"] = "auto"
    split: str | None = None
    names: tuple[Literal["a", "b"], ...] = ()
    shares: tuple[float, ...] = ()
    pair: tuple[str, str] | None = None
    options: dict[str, bool | int | float | str] = field(default_factory=dict)
    yes: bool = False
    file: Path | None = None

    def __post_init__(self) -> None:
        """Refuse a contradiction."""
        if self.yes and self.word == "off":
            raise InputError("yes is true, but word is off")


@pytest.mark.parametrize(
    ("hint", "given", "expected"),
    [
        (int, 3, 3), (int, "3", 3), (int, "-3", -3), (float, 3, 3.0), (float, "1e-3", 1e-3), (float, 0.1, 0.1),
        (bool, True, True), (bool, "false", False), (str, "x", "x"), (Path, "a/b", Path("a/b")),
        (str | None, None, None), (str | None, "none", None), (str | None, "xsub", "xsub"), (int | None, "4", 4),
        (Literal["auto", "32"], 32, "32"), (Literal["on", "off"], False, "off"),
        (int | Literal["auto"], "auto", "auto"), (int | Literal["auto"], "2", 2),
        (tuple[str, ...], ["a", "b"], ("a", "b")), (tuple[str, ...], "[a, b]", ("a", "b")), (tuple[int, ...], [], ()),
        (tuple[float, ...], "0.5,1", (0.5, 1.0)), (tuple[str, str] | None, ["a", "b"], ("a", "b")),
        (dict[str, bool | int | float | str], {"a": "1", "b": "0.5", "c": "true", "d": "x"},
         {"a": 1, "b": 0.5, "c": True, "d": "x"}),
    ],
)  # fmt: skip
def test_values_of_each_type_are_parsed(hint: object, given: object, expected: object) -> None:
    value = parse_value(hint, given, "it")
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("hint", "given", "named"),
    [
        (int, "abc", "it: found 'abc', expected a whole number"),
        (int, 1.5, "it: found 1.5, expected a whole number"),
        (int, True, "it: found True, expected a whole number"),
        (float, "abc", "it: found 'abc', expected a number"),
        (float, None, "it: found None, expected a number"),
        (bool, 1, "it: found 1, expected true or false"),
        (str, 1, "it: found 1, expected text"),
        (int | None, "x", "it: found 'x', expected a whole number"),
        (float | Literal["auto"], "x", "it: found 'x', expected a number or auto"),
        (Literal["a", "b"], "c", "it: found 'c', expected one of a, b"),
        (tuple[float, ...], 3, "it: found 3, expected a list, each a number"),
        (tuple[Literal["a", "b"], ...], ["a", "c"], "it: found 'c', expected one of a, b"),
        (tuple[str, str], ["a"], "it: found ['a'], expected 2 values, each text"),
        (dict[str, int], 3, "it: found 3, expected settings by name"),
    ],
)
def test_values_of_another_type_are_refused_by_name(hint: object, given: object, named: str) -> None:
    with pytest.raises(InputError) as error:
        parse_value(hint, given, "it")
    assert str(error.value) == named


def test_nested_settings_keep_the_defaults_of_what_is_left_out() -> None:
    assert parse_settings(Outer, {"inner": {"ratio": 2}}) == Outer(inner=Inner(width=7, ratio=2.0))
    given = {"steps": 3, "extreme": {"shear": 0.1}, "network": {"streams": ["bone"]}}
    assert parse_settings(PretrainConfig, given) == PretrainConfig(
        steps=3,
        extreme=replace(PretrainConfig().extreme, shear=0.1),
        network=NetworkConfig(streams=("bone",)),
    )


@pytest.mark.parametrize("kind", [PretrainConfig, FinetuneConfig, LearnConfig, RecognizeConfig, Outer])
def test_settings_survive_plain_data(kind: type) -> None:
    assert parse_settings(kind, asdict(kind())) == kind()
    assert parse_settings(kind, {}) == kind()


def test_errors_name_the_file_and_the_path_or_the_flag() -> None:
    with pytest.raises(InputError, match=r"^my\.yaml: inner\.width: found 'x', expected a whole number$"):
        parse_settings(Outer, {"inner": {"width": "x"}}, "my.yaml")
    with pytest.raises(InputError, match=r"^--inner\.width: found 'x', expected a whole number$"):
        parse_settings(Outer, {"inner": {"width": "x"}}, "my.yaml", {"inner.width": "--inner.width"})
    with pytest.raises(InputError, match=r"^my\.yaml: unknown setting 'inner\.widht'; did you mean 'inner\.width'\?"):
        parse_settings(Outer, {"inner": {"widht": 1}}, "my.yaml")
    with pytest.raises(InputError, match=r"^unknown setting 'zzz'; available: width, ratio$"):
        parse_settings(Inner, {"zzz": 1})
    with pytest.raises(InputError, match=r"^my\.yaml: inner: found 3, expected settings by name$"):
        parse_settings(Outer, {"inner": 3}, "my.yaml")
    with pytest.raises(InputError, match=r"^my\.yaml: extreme: flip is 2\.0, expected 0 to 1$"):
        parse_settings(PretrainConfig, {"extreme": {"flip": 2}}, "my.yaml")
    with pytest.raises(InputError, match=r"^my\.yaml: yes is true, but word is off$"):
        parse_settings(Outer, {"yes": True, "word": False}, "my.yaml")


def test_texts_are_the_docstrings_under_fields() -> None:
    assert setting_texts(Inner) == {"width": "Width of it.", "ratio": "Ratio, in two lines."}
    assert set(setting_texts(PretrainConfig)) == {field.name for field in fields(PretrainConfig)}


def test_settings_are_merged_block_by_block() -> None:
    assert merged({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}, "d": 4}) == {"a": {"b": 1, "c": 3}, "d": 4}


def test_files_that_hold_no_settings_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    with pytest.raises(InputError, match=r"my\.yaml: no such file"):
        read_yaml(file)
    for text, named in (("a: [", "not YAML"), ("- a\n", "found list, expected settings by name")):
        file.write_text(text)
        with pytest.raises(InputError, match=rf"my\.yaml: {named}"):
            read_yaml(file)
    file.write_text("a: {b: 1}\n")
    assert read_yaml(file) == {"a": {"b": 1}}
