"""A user's mistake is one clear line on standard error and exit code 2, never a traceback, and nothing half written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Command = Callable[..., Any]

# the words of a command, and what its one line must name
MISTAKES = [
    ("fintune", "unknown command 'fintune'", "'finetune'"),
    ("nonsense", "unknown command 'nonsense'", "--help"),
    ("view", "missing: PATHS"),
    ("view no-such-file", "no-such-file: no such file or folder"),
    ("label no-such-folder", "no-such-folder: no such folder; expected the folder of a corpus"),
    ("label corpus --port 70000", "--port 70000: expected 0 to 65535"),
    ("pretrain", "missing: CORPORA, --out"),
    ("pretrain corpus", "missing: --out"),
    ("pretrain corpus --out x --stepz 3", "--stepz", "did you mean '--steps'?"),
    ("pretrain corpus --out x --snippet.wieght 1", "did you mean '--snippet.weight'?"),
    ("learn corpus --out x --partner-encoder tnc", "tnc", "tcn"),
    ("learn corpus --out x --encoder tnc", "tnc", "tcn"),
    ("learn corpus --out x --label-fraction 2", "label_fraction is 2"),
    ("learn corpus --out x --pretrain-steps 0", "pretrain_steps is 0"),
    ("learn corpus --out x --teach maybe", "--teach", "maybe", "auto"),
    ("learn corpus --out x --teach on --pretrained pre", "teach is on", "prepare recordings without labels"),
    ("learn corpus --out x --pretrained missing", "missing", "no such model"),
    ("learn corpus --out fine", "fine", "holds a run already", "--resume"),
    ("learn corpus --out x --resume", "x", "start without --resume"),
    ("learn unlabelled --out x", "unlabelled", "label"),
    ("finetune corpus --out x --label-fracton 1", "did you mean '--label-fraction'?"),
    ("pretrain corpus --out x --steps many", "--steps", "many", "a whole number"),
    ("pretrain corpus --out x --steps 0", "steps is 0", "positive"),
    ("pretrain corpus --out x --method foo", "unknown method 'foo'", "skeletonclr"),
    ("pretrain corpus --out x --options.topk 2", "--options of method skeletonclr", "unknown setting 'topk'"),
    ("pretrain corpus --out x --encoder stgcn17", "unknown encoder 'stgcn17'", "did you mean 'stgcn16'?"),
    ("pretrain corpus@by-performer/x --out x", "corpus@by-performer/x", "FOLDER@SPLIT/FOLD"),
    ("pretrain corpus corpus@nope --out x", "no split 'nope'", "by-performer"),
    ("pretrain corpus --out x --network.encoder foo", "unknown encoder 'foo'", "stgcn16"),
    ("pretrain corpus --out x --network.skeleton foo", "unknown skeleton 'foo'", "ntu25"),
    ("pretrain corpus --out x --network.streams [foo]", "foo", "joint_motion"),
    ("pretrain corpus --out x --snippet.variant foo", "foo", "aligned"),
    ("pretrain corpus --out x --clip-frames 8", "clip_frames is 8", "or more: 16", "snippet.frames is 8"),
    ("pretrain corpus --out x --config unknown_key.yaml", "unknown_key.yaml", "'snipet'", "did you mean 'snippet'?"),
    ("pretrain corpus --out x --config wrong_type.yaml", "wrong_type.yaml: steps", "three", "a whole number"),
    ("pretrain corpus --out x --config broken.yaml", "broken.yaml", "not YAML"),
    ("pretrain corpus --out x --config missing.yaml", "missing.yaml", "no such file"),
    ("pretrain missing --out x", "missing", "kinespan prepare"),
    ("pretrain pre --out x", "pre", "not a corpus"),
    ("pretrain corpus --out pre", "pre", "--resume"),
    ("pretrain corpus --out a_file", "--out a_file", "folder"),
    ("pretrain corpus --out x --resume", "x", "no checkpoint"),
    ("pretrain corpus --out x --split nope", "no split 'nope'", "by-performer"),
    ("finetune corpus --out x --split by-performer --fold 9", "no fold 9", "1, 2, 3, 4"),
    ("finetune corpus --out x --label-fraction 0", "label_fraction is 0"),
    ("finetune corpus --out x --label-fraction 1.5", "label_fraction is 1.5"),
    ("finetune corpus --out x --protocol liner", "--protocol", "liner", "linear"),
    ("finetune corpus --out x --protocol scratch --pretrained pre", "--pretrained"),
    ("finetune corpus --out x --protocol linear --fusion nested_u", "nested_u"),
    ("finetune corpus --out x --pretrained missing", "missing", "no such model"),
    ("finetune corpus --out x --pretrained corpus", "corpus", "encoder.safetensors"),
    ("finetune unlabelled --out x", "unlabelled", "label"),
    ("split corpus --group performr", "performr", "did you mean 'performer'?", "performer (", "such as 'take_0000'"),
    ("split corpus --folds 99 --name x", "99 folds of 6 groups", "from 2 to 6"),
    ("split corpus --name by-performer", "split 'by-performer' already exists", "--name", "--overwrite"),
    ("split corpus --test p99 --name x", "no recording has performer 'p99'", "p00"),
    ("split missing", "missing", "kinespan prepare"),
    ("annotations missing", "missing", "kinespan prepare"),
    ("annotations corpus --set labls --write x.csv", "unknown annotation set 'labls'", "did you mean 'labels'?"),
    ("annotations corpus --compare labels nobody", "unknown annotation set 'nobody'", "labels"),
    ("annotations corpus --read a_file --undo", "--read and --undo", "one thing at a time"),
    ("annotations corpus --undo", "nothing to undo"),
    ("annotations corpus --time frames", "give it by --read"),
    ("learn corpus --out x --set nobody", "unknown annotation set 'nobody'", "labels"),
    ("evaluate --predictions p.json --truth t.json --set labels", "--set labels", "MODEL CORPUS"),
    ("pack missing x.zip", "missing", "kinespan prepare"),
    ("pack corpus nowhere/x.zip", "nowhere", "does not exist"),
    ("unpack a_file copy", "a_file", "not a whole file of kinespan pack"),
    ("unpack missing.zip copy", "missing.zip", "no such file"),
    ("finetune corpus --out x --fold all", "--fold all", "--split NAME", "by-performer"),
    ("recognize corpus", "--split is missing"),
    ("recognize unlabelled --split by-performer", "no split 'by-performer'"),
    ("recognize corpus --split by-performer --protocol 1nn", "1nn", "knn"),
    ("recognize corpus --split by-performer --neighbours 0", "neighbours is 0"),
    ("reproduce babel-4 --raw .", "unknown table 'babel-4'", "did you mean 'babel-"),
    ("reproduce babel-1 --raw nowhere", "--raw nowhere", "babel-1.yaml"),
    ("reproduce babel-1 --raw . --methods simclr", "--methods simclr", "skeletonclr"),
    ("reproduce babel-1 --raw . --protocols semi", "--protocols semi", "linear"),
    ("reproduce unknown_key.yaml --raw .", "unknown_key.yaml", "title is missing"),
    ("list encoder", "encoder", "encoders"),
    ("list methods encoders", "encoders"),
    ("list --mardown", "--mardown", "did you mean '--markdown'?"),
    ("ensemble", "missing: MODELS, --out"),
    ("ensemble fine fine --out mean", "--out mean", ".safetensors"),
    ("ensemble fine --out x.safetensors", "at least two models"),
    ("ensemble fine missing --out x.safetensors", "missing", "no such model"),
    ("ensemble fine pre --out x.safetensors", "pre/encoder.safetensors", "pretrained encoder"),
    ("ensemble fine pre/encoder.safetensors --out x.safetensors", "pretrained encoder", "kinespan finetune"),
    ("ensemble fine fine --weights 1 --out x.safetensors", "--weights: found 1 for 2 models"),
    ("ensemble fine fine --weights 1 -1 --out x.safetensors", "-1", "positive"),
    ("localize pre/encoder.safetensors corpus --out x", "pretrained encoder", "kinespan finetune"),
    ("localize missing corpus --out x", "missing"),
    ("localize fine/spans.csv corpus --out x", "fine/spans.csv", "safetensors"),
    ("localize fine missing.bvh --out x", "missing.bvh"),
    ("localize fine broken.bvh --out x", "broken.bvh"),
    ("localize fine empty --out x", "empty", "no recording of a known format"),
    ("localize fine corpus one.npz --out x", "corpus", "alone"),
    ("localize fine one.npz --out x --split by-performer", "--split"),
    ("localize fine corpus --out x --fps 30", "--fps", "not for a corpus"),
    ("localize fine one.npz --out x --skip-frames 100000", "one.npz", "--skip-frames is 100000"),
    ("localize fine corpus --out a_file", "--out a_file"),
    ("localize fine corpus --out fine", "--out fine", "folder of a run"),
    ("evaluate fine corpus --subset test", "--subset", "--split"),
    ("evaluate --predictions fine/proposals.json --truth fine/truth.json --subset test", "unknown subset 'test'"),
    ("localize fine corpus --out x --device nothing", "--device nothing", "cpu"),
    ("stream", "missing: MODEL"),
    ("stream fine", "missing: --fps"),
    ("stream fine --fps 30 --up z", "--up", "not for standard input"),
    ("stream fine missing.bvh", "missing.bvh"),
    ("stream fine one.npz --skeleton ntu25", "--skeleton", "a file has its own"),
    ("stream fine one.npz --torso 0", "torso", "found 0"),
    ("evaluate", "--predictions", "MODEL CORPUS"),
    ("evaluate fine", "MODEL CORPUS"),
    ("evaluate fine corpus --predictions fine/proposals.json", "--truth", "MODEL CORPUS"),
    ("evaluate fine corpus --tiou 0", "--tiou 0"),
    ("evaluate fine corpus --rule coco", "--rule", "coco", "activitynet"),
    ("evaluate --predictions missing.json --truth fine/truth.json", "missing.json"),
    ("evaluate --predictions fine/metrics.json --truth fine/truth.json", "fine/metrics.json", "'results'"),
    ("evaluate --predictions fine/truth.json --truth fine/truth.json", "fine/truth.json", "'results'"),
    ("evaluate --predictions fine/spans.csv --truth fine/truth.json", "fine/spans.csv", "not JSON"),
    ("evaluate --predictions no_segment.json --truth fine/truth.json", "no_segment.json", "segment"),
    ("evaluate fine corpus --decoder viterbi", "unknown decoder 'viterbi'", "found-skel"),
    ("localize fine one.npz --out x --decoder viterbi", "unknown decoder 'viterbi'", "found-skel"),
    ("evaluate --predictions fine/proposals.json --truth fine/truth.json --decoder stal", "--decoder stal", "MODEL"),
    ("prepare missing --out x", "missing"),
    ("prepare --recipe ntu6 --raw . --out x", "unknown recipe 'ntu6'", "'ntu60'"),
    ("prepare --recipe ntu60 --out x", "missing: --raw"),
    ("prepare --recipe ntu60 --raw nowhere --out x", "nowhere", "no such folder"),
    ("prepare --recipe ntu60 --raw empty --out x", "empty", "nturgb+d_skeletons/S001C001P001R001A001.skeleton"),
    ("prepare --recipe ntu60 --raw empty --out x --bodies both", "--bodies", "both", "energy"),
    ("prepare --recipe ntu60 --raw empty --out x --labels subset1", "--labels"),
    ("prepare --recipe babel --raw empty --out x", "empty", "babel_v1.0_release/train.json"),
    ("prepare --recipe babel --raw empty --out x --labels tal20", "--labels tal20", "--rules fixed"),
    ("prepare one.npz --recipe precog --raw empty --out x", "unexpected argument 'one.npz'", "--raw"),
    ("prepare one.npz --out x --workers 0", "--workers 0", "1 or more"),
    ("prepare empty --out x", "empty"),
    ("prepare synthetic --out corpus", "--out corpus", "--overwrite"),
    ("prepare synthetic --out x --recordings 0", "recordings is 0"),
    ("prepare one.npz --out x --format c4d", "unknown format 'c4d'", "precog"),
    ("prepare one.npz --out x --annotations missing.csv", "missing.csv"),
    ("info missing", "missing"),
    ("info a_file", "a_file", "known format"),
    ("split missing --folds 2", "missing"),
    ("split corpus --group shoe", "shoe", "performer"),
    ("split corpus --group performer", "by-performer", "--overwrite"),
    ("info corpus --fps 30", "--fps", "not for a corpus"),
    ("info fine --up z --unit cm", "--unit, --up", "not for a model"),
    ("info one.npz --up w", "--up", "expected one of x, y, z, -x, -y, -z"),
    ("info one.npz --unit yards", "--unit", "m, cm, mm, in, ft"),
    ("info one.npz --fps 0", "--fps is 0.0", "positive"),
    ("info one.npz --format c4d", "unknown format 'c4d'"),
    ("convert one.npz", "missing: OUT"),
    ("convert missing.bvh x.npz", "missing.bvh"),
    ("convert broken.bvh x.npz", "broken.bvh"),
    ("convert one.npz x.xyz", "x.xyz", "expected .", ".npz"),
    ("convert one.npz x.npz --tier A", "--tier", "for labels, not for motion"),
    ("convert one.npz x.csv --to srt", "one.npz", "motion without labels"),
    ("localize fine corpus --out x --write ellan", "unknown annotation format 'ellan'", "did you mean 'elan'?"),
    ("convert one.npz one.npz", "one.npz", "exists already", "--overwrite"),
    ("convert one.npz nowhere/x.npz", "nowhere"),
    ("info empty", "empty", "no corpus and no finished run", "prepare it"),
    ("report fine/metrics.json --out r.html", "predictions"),
    ("report corpus --out r.html", "proposals.json"),
    ("report fine --out nowhere/r.html", "nowhere"),
    ("report fine --out r.html --most 0", "--most 0"),
    ("report fine --out r.pdf", "--out r.pdf", ".html"),
    ("demo --out corpus", "--out corpus"),
    ("demo --out x --scale 0", "--scale 0"),
    ("completion fish", "fish", "bash"),
]


@pytest.fixture(scope="session")
def bad_files(done_jobs: Path) -> Path:
    """The finished jobs with files beside them that are wrong in one way each."""
    from kinespan.corpus import Corpus, CorpusWriter
    from kinespan.io import save_npz

    folder = done_jobs
    (folder / "unknown_key.yaml").write_text("steps: 3\nsnipet:\n  variant: paper\n")
    (folder / "wrong_type.yaml").write_text("steps: three\n")
    (folder / "broken.yaml").write_text("steps: [3\n")
    (folder / "a_file").write_text("neither motion nor model\n")
    (folder / "broken.bvh").write_text("HIERARCHY\nROOT hips\n{\n")
    (folder / "empty").mkdir()
    spans = {"take": [{"label": "wave", "score": 1.0, "segment": [2.0]}]}
    (folder / "no_segment.json").write_text(json.dumps({"version": "1.0", "results": spans}))
    corpus = Corpus.open(folder / "corpus")
    save_npz(corpus[corpus.names[0]], folder / "one.npz")
    with CorpusWriter(folder / "unlabelled", "unlabelled") as writer:
        writer.add(corpus[corpus.names[0]])
    return folder


@pytest.mark.parametrize("words, named", [(first, rest) for first, *rest in MISTAKES], ids=lambda case: str(case)[:60])
def test_a_mistake_is_one_line(
    words: str, named: list[str], bad_files: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bad_files)
    before = set(os.listdir())
    done = command(*words.split())
    assert done.code == 2
    assert done.err.startswith("kinespan: ")
    assert done.err.count("\n") == 1, "more than one line"
    for part in named:
        assert part in done.err
    assert "<class" not in done.err
    assert "typing." not in done.err
    assert done.out == ""
    assert set(os.listdir()) == before, "a mistake leaves nothing behind"


def test_mistakes_are_reported_before_torch_is_imported(bad_files: Path) -> None:
    code = """if True:
        import contextlib, io, json, sys
        from kinespan.cli import main
        sys.modules |= {"torch": None, "lightning": None}  # so that importing them fails
        late = []
        for words in json.loads(sys.argv[1]):
            with contextlib.redirect_stderr(io.StringIO()):
                try:
                    assert main(words.split()) == 2
                except ImportError:
                    late.append(words)
        print(json.dumps(late))
    """
    words = [first for first, *_ in MISTAKES]
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(words)], cwd=bad_files, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == []


def test_every_command_is_among_the_mistakes() -> None:
    from kinespan.cli import COMMANDS

    assert set(COMMANDS) <= {first.split()[0] for first, *_ in MISTAKES}


def test_no_argument_shows_the_overview(command: Command) -> None:
    done = command()
    assert done.code == 2
    assert "commands:" in done.out


def test_mistake_in_a_new_process() -> None:
    words = [sys.executable, "-m", "kinespan.cli", "info", "missing"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "kinespan: missing: no such file or folder\n")


def test_pickle_in_npz_is_refused(bad_files: Path, command: Command, tmp_path: Path) -> None:
    trap = tmp_path / "take.npz"
    np.savez(trap, positions=np.array([{"a": 1}], dtype=object), fps=30, skeleton="ntu25", allow_pickle=True)
    done = command("info", trap)
    assert done.code == 2
    assert "take.npz" in done.err
