"""docs/extend.md as it stands: its files make a package, installed beside kinespan, and the commands use it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "extend.md"
FILES = {"__init__", "lab_reader", "lab_recipe", "two_convs", "byol"}


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language on the page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def install(site: Path) -> None:
    """The page's files in `site`, with the metadata that pip would make of the page's pyproject.toml."""
    (site / "our_parts").mkdir(parents=True)
    for block in blocks("python"):
        heading, code = block.split("\n", 1)
        (site / heading.removeprefix("# ")).write_text(code)
    project = tomllib.loads(blocks("toml")[0])["project"]
    info = site / f"our_parts-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    ((group, entries),) = project["entry-points"].items()
    lines = [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


def write_lab(lab: Path) -> None:
    """A data set of the made-up format: three performers, two takes each, the last file broken."""
    rng = np.random.default_rng(0)
    (lab / "motion").mkdir(parents=True)
    rows = ["recording,label,start,end"]
    for performer in ("anna", "bob", "zoe"):
        for take in (1, 2):
            steps = 900 + np.cumsum(rng.normal(scale=4, size=(90, 60)), axis=0) + np.tile(np.arange(20) * 40, 3)
            lines = ["lab motion 30 fps", *(" ".join(f"{value:.1f}" for value in frame) for frame in steps)]
            (lab / "motion" / f"{performer}_{take}.lab").write_text("\n".join(lines) + "\n")
            rows += [f"{performer}_{take},wave,0.5,1.5", f"{performer}_{take},kick,1.8,2.6"]
    (lab / "labels.csv").write_text("\n".join(rows) + "\n")
    (lab / "motion" / "zoe_3.lab").write_text("lab motion 30 fps\n1 2 3\n")


FEW = "--steps 1 --batch-size 4 --clip-frames 32 --probe-every 0"
COMMANDS = {
    "loose": "prepare lab/motion --out loose",
    "help": "prepare --recipe our-lab --help",
    "recipe": "prepare --recipe our-lab --raw lab --out corpus --guests zoe,bob --workers 2",
    "pretrain": f"pretrain corpus --out pre --encoder two-convs --method byol --options.hidden 32 --split guests {FEW}",
    "finetune": "finetune corpus --out fine --pretrained pre --split guests --steps 1 --batch-size 2 --clip-frames 32",
    "localize": "localize fine lab/motion/zoe_1.lab --out found",
    "info": "info pre",
    "list": "list all",
    "typo": "pretrain corpus --out x --encoder two-conv",
    "option": "pretrain corpus --out x --method byol --options.hiden 2",
}
DRIVER = """
import io, json, sys
from contextlib import redirect_stderr, redirect_stdout
from kinespan.cli import main
done = {}
for name, words in json.loads(sys.argv[1]).items():
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main(words.split())
        except SystemExit as end:  # --help
            code = end.code
    done[name] = (code or 0, out.getvalue(), err.getvalue())
print(json.dumps(done))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the package is installed in."""
    path = tmp_path_factory.mktemp("extending") / "site"
    install(path)
    return path


def run(site: Path, code: str, *words: str, **paths: str) -> subprocess.CompletedProcess[str]:
    """Python in a process of its own that has the package on its path, so that no other test meets its parts."""
    path = os.pathsep.join([str(site), *paths.values()])
    env = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, env=env, cwd=site.parent, check=False
    )


@pytest.fixture(scope="module")
def done(site: Path) -> dict[str, Done]:
    """What became of each of COMMANDS."""
    write_lab(site.parent / "lab")
    ran = run(site, DRIVER, json.dumps(COMMANDS))
    assert ran.returncode == 0, ran.stderr
    return {name: Done(*what) for name, what in json.loads(ran.stdout.splitlines()[-1]).items()}


def test_the_page_has_a_short_file_for_each_part() -> None:
    found = {block.split("\n")[0]: len(block.splitlines()) for block in blocks("python")}
    assert set(found) == {f"# our_parts/{name}.py" for name in FILES}
    assert max(found.values()) <= 60
    imported = set(re.search(r"import (.+)", blocks("python")[0])[1].split(", "))  # type: ignore[index]
    assert imported == FILES - {"__init__"}, "one import"


def test_a_made_up_format_is_read(done: dict[str, Done], site: Path) -> None:
    from kinespan.corpus import Corpus

    assert done["loose"].code == 0, done["loose"].err
    assert "motion/zoe_3.lab:2: found 3 values, expected 60, x y z of 20 joints" in done["loose"].out
    corpus = Corpus.open(site.parent / "loose")
    assert corpus.names == tuple(f"{who}_{take}" for who in ("anna", "bob", "zoe") for take in (1, 2))
    recording = corpus["zoe_2"]
    text = (site.parent / "lab" / "motion" / "zoe_2.lab").read_text().splitlines()[1:]
    truth = np.array([line.split() for line in text], dtype=float).reshape(90, 1, 20, 3) / 1000
    np.testing.assert_allclose(recording.positions, truth, rtol=1e-6)
    assert (recording.fps, recording.attributes["performer"]) == (30.0, "zoe")


def test_a_recipe_has_its_flags_labels_and_splits(done: dict[str, Done], site: Path) -> None:
    from kinespan.corpus import Corpus

    assert done["help"].code == 0
    assert re.search(r"--guests TEXT\s+Performers to test on", done["help"].out)
    assert "Terms: CC BY 4.0" in done["help"].out
    assert done["recipe"].code == 0, done["recipe"].err
    corpus = Corpus.open(site.parent / "corpus")
    annotation = corpus.annotation("anna_1")
    assert annotation is not None
    assert [(span.label, span.start, span.end) for span in annotation.spans] == [("wave", 0.5, 1.5), ("kick", 1.8, 2.6)]
    fold = corpus.fold("guests", 1)
    assert (fold.train, fold.test) == (("anna_1", "anna_2"), ("bob_1", "bob_2", "zoe_1", "zoe_2"))


def test_an_encoder_and_a_method_are_trained(done: dict[str, Done], site: Path) -> None:
    from kinespan.models.model_file import read_spec

    assert done["pretrain"].code == 0, done["pretrain"].err
    spec = read_spec(site.parent / "pre" / "encoder.safetensors")
    assert spec.encoder == "two-convs"
    assert (spec.training["method"], spec.training["snippets"]) == ("byol", "aligned")
    assert "byol" in (site.parent / "pre" / "metrics.csv").read_text().splitlines()[0]
    assert "two-convs" in done["info"].out


def test_the_trained_encoder_localizes(done: dict[str, Done], site: Path) -> None:
    for name in ("finetune", "localize"):
        assert done[name].code == 0, done[name].err
    found = json.loads((site.parent / "found" / "proposals.json").read_text())
    assert list(found["results"]) == ["zoe_1"]


def test_all_parts_are_listed_and_suggested(done: dict[str, Done]) -> None:
    assert done["list"].code == 0, done["list"].err
    for part in ("lab", "our-lab", "two-convs", "byol"):
        assert f"\n  {part}\n" in done["list"].out
    assert "hidden" in done["list"].out
    assert done["typo"] == (2, "", done["typo"].err)
    assert "unknown encoder 'two-conv'; did you mean 'two-convs'?" in done["typo"].err
    assert "did you mean 'hidden'?" in done["option"].err


CONFORMANCE = """
import sys, pytest, encoder_cases
from encoder_cases import Known
import kinespan.encoders, our_parts.two_convs
for name in ("KNOWN", "NAMES", "LIGHT", "WHOLE", "BOUNDED"):
    getattr(encoder_cases, name).clear()
encoder_cases.KNOWN["two-convs"] = Known(0.0029, within=0.05)
for name in ("NAMES", "LIGHT", "BOUNDED"):
    getattr(encoder_cases, name).append("two-convs")
sys.exit(pytest.main(["-p", "no:cacheprovider", "-p", "no:xdist", "-k", "two-convs", sys.argv[1]]))
"""


def test_the_encoder_of_the_page_keeps_to_the_contract(site: Path) -> None:
    """The conformance tests of kinespan's own encoders, run over the page's."""
    units = ROOT / "tests" / "unit"
    ran = run(site, CONFORMANCE, str(units / "test_encoders_conformance.py"), units=str(units))
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-1000:]
    assert int(re.search(r"(\d+) passed", ran.stdout)[1]) > 15  # type: ignore[index]


def test_a_broken_plugin_is_one_line_that_names_it(site: Path, tmp_path: Path) -> None:
    install(tmp_path / "site")
    (tmp_path / "site" / "our_parts" / "byol.py").write_text("import grill\n")
    code = "import sys\nfrom kinespan.cli import main\nsys.exit(main(sys.argv[1:]))"
    ran = run(tmp_path / "site", code, "list", "readers")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == (
        "kinespan: plug-in 'our-parts' of our-parts 0.1 (module our_parts): importing it failed with "
        "ModuleNotFoundError: No module named 'grill'; repair or uninstall it\n"
    )
    assert run(tmp_path / "site", code, "--help").returncode == 0
