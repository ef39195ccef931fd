"""The modules of the viewer: joined into one script without what a file must not hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import kinespan
from kinespan.viewer import bundle as bundling
from kinespan.viewer.bundle import bundle, read_asset

PACKAGE = Path(kinespan.__file__).parent
MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.js"))


def test_bundle_holds_each_module_once_and_before_those_that_use_it() -> None:
    script = bundle("report/app.js")
    scopes = re.findall(r"^const (\w+_js) = \(\(\) => \{", script, re.M)
    assert len(scopes) == len(set(scopes)) > 5
    assert scopes[-1] == "report_app_js"
    for match in re.finditer(r"^const \{.*?\} = (\w+_js);", script, re.M):
        assert script.index(f"const {match[1]} = (") < match.start()
    assert not re.search(r"^(import|export)\b", script, re.M)


def test_bundle_refuses_circles_and_names_that_are_not_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "a.js": 'import { b } from "./b.js";\nexport const a = 1;\n',
        "b.js": 'import { a } from "./a.js";\nexport const b = 1;\n',
        "c.js": 'import { z } from "./d.js";\n',
        "d.js": "const z = 1;\n",
    }
    monkeypatch.setattr(bundling, "read_asset", files.__getitem__)
    with pytest.raises(ValueError, match=r"circle: a\.js -> b\.js -> a\.js"):
        bundle("a.js")
    with pytest.raises(ValueError, match=r"c\.js imports z, which d\.js does not export"):
        bundle("c.js")


@pytest.mark.parametrize("module", MODULES)
def test_modules_are_written_so_that_they_can_be_joined_and_guarded(module: str) -> None:
    text = read_asset(module)
    imports = re.findall(r"^import\b.*$", text, re.M)
    assert all(re.fullmatch(r'import \{[^}]*\} from "\.[^"]+";', line) for line in imports), "imports"
    exports = re.findall(r"^export\b.*$", text, re.M)
    assert all(re.match(r"export (async function|function|class|const) \w+", line) for line in exports), "exports"
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
        assert word not in text, f"{word}: a name must never become markup or code"
    assert not re.search(r"\b(window|globalThis)\.\w+ =[^=]", text), "nothing global"
    assert not re.search(r"https?://(?!www\.w3\.org/)", text), "nothing from elsewhere"


def test_every_import_names_something_that_the_module_exports() -> None:
    entries = [module for module in MODULES if module.endswith(("report/app.js", "page/main.js"))]
    assert entries
    for entry in entries:
        bundle(entry)
