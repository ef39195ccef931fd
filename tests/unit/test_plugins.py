"""Plug-ins: discovered by entry point, imported when needed and not before, named if broken."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kinespan import registry
from kinespan.errors import InputError
from kinespan.registry import Registry

PARTS: Registry[str] = Registry("toy")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path to install plug-ins into; what they leave behind is undone."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(registry, "_mistakes", {})
    monkeypatch.setattr(PARTS, "_entries", {"own": "ours"})
    monkeypatch.setattr(PARTS, "_papers", {"own": ""})
    registry.plugins.cache_clear()
    yield tmp_path
    registry.plugins.cache_clear()
    for name in set(sys.modules) - before:
        if name.startswith("toy_"):
            del sys.modules[name]


def install(site: Path, module: str, code: str, version: str = "1.2") -> None:
    """A module that registers parts, and the metadata that pip would write for its package."""
    (site / f"{module}.py").write_text(f"from {__name__} import PARTS\n{code}\n")
    info = site / f"{module}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[{registry.GROUP}]\n{module.replace('_', '-')} = {module}\n")


def test_entries_of_plugins_are_listed_and_looked_up(site: Path) -> None:
    install(site, "toy_one", "PARTS.register('one', paper='Them, 2024')(1)")
    install(site, "toy_two", "PARTS.register('two')(2)")
    assert [plugin.name for plugin in registry.plugins() if plugin.name.startswith("toy")] == ["toy-one", "toy-two"]
    assert PARTS["two"] == 2
    assert list(PARTS) == ["one", "own", "two"]
    assert PARTS.paper("one") == "Them, 2024"


@pytest.mark.parametrize("look", [lambda: PARTS["one"], lambda: "one" in PARTS, lambda: list(PARTS)])
def test_a_plugin_is_imported_when_it_is_needed_and_not_before(site: Path, look: object) -> None:
    install(site, "toy_one", "PARTS.register('one')(1)")
    assert PARTS["own"] == "ours"
    assert "own" in PARTS
    assert "toy_one" not in sys.modules
    assert callable(look)
    look()
    assert "toy_one" in sys.modules


def test_a_plugin_is_imported_once_and_may_list_registries(site: Path) -> None:
    install(site, "toy_one", "PARTS.register(f'one{len(list(PARTS))}')(1)\nassert PARTS['own'] == 'ours'")
    assert list(PARTS) == ["one1", "own"]
    assert list(PARTS) == ["one1", "own"]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import no_such_module", "importing it failed with ModuleNotFoundError: No module named 'no_such_module'"),
        ("1 / 0", "importing it failed with ZeroDivisionError: division by zero"),
        ("PARTS.register('own')(3)", "toy 'own' is registered twice"),
        ("raise ValueError('two\\nlines')", "importing it failed with ValueError: two lines"),
    ],
)
def test_a_broken_plugin_is_named_with_its_error(site: Path, code: str, told: str) -> None:
    install(site, "toy_bad", code)
    install(site, "toy_good", "PARTS.register('good')(1)")
    for _ in range(2):  # the second time as well: nobody works without a plug-in unawares
        with pytest.raises(InputError) as caught:
            list(PARTS)
        assert str(caught.value) == (
            f"plug-in 'toy-bad' of toy_bad 1.2 (module toy_bad): {told}; repair or uninstall it"
        )
    assert PARTS["own"] == "ours", "what is ours needs no plug-in"
    assert PARTS["good"] == 1, "one broken plug-in does not take the others along"


def test_entry_points_are_read_once(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def entry_points(group: str) -> list[object]:
        asked.append(group)
        return []

    monkeypatch.setattr(registry, "entry_points", entry_points)
    for _ in range(3):
        assert list(PARTS) == ["own"]
    assert asked == ["kinespan.plugins"]
