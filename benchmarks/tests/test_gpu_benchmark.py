"""The script for GPUs, on the CPU: its checks can fail, its counts are right, it says that it timed nothing."""

from __future__ import annotations

import json

import pytest
import torch
from benchmarks.speed import conventional, counting, gpu, gpu_checks
from benchmarks.speed.cases_training import our_module, stepper
from benchmarks.speed.conventional_ctrgcn import CTRGCN
from benchmarks.speed.gpu_checks import (
    TINY,
    RoundedProducts,
    SameDraws,
    checks,
    exactly,
    round_trips,
    rounded,
    same_draws,
)
from benchmarks.speed.interleave import Measured
from benchmarks.speed.options import ClipSize, RunOptions
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from kinespan.data.skeletons import NTU_25
from kinespan.encoders import build_encoder
from kinespan.encoders.graph import directed_partition

FRAMES, JOINTS, CLIPS = 12, 25, 2
pytestmark = pytest.mark.usefixtures("one_thread")


# ---- the field's CTR-GCN ---------------------------------------------------------------------------------------------


def test_features_of_ctrgcn_are_ours() -> None:
    ours, theirs = (network.double() for network in encoders())
    positions = 0.1 * torch.randn(CLIPS, FRAMES, 2, JOINTS, 3, generator=seeded(1)).cumsum(dim=1).double()
    with exactly("float64", "cpu"), same_draws("float64"):  # norms that were made up make rounding grow
        right = ours(positions, torch.ones(positions.shape[:3], dtype=torch.bool)).maps[-1].mean(dim=2)
    features = theirs(positions.permute(0, 4, 1, 3, 2))
    torch.testing.assert_close(features, right, rtol=1e-9, atol=1e-9 * float(right.detach().abs().max()))


def test_operations_of_ctrgcn_agree_with_a_counter() -> None:
    _, theirs = encoders()
    with FlopCounterMode(display=False) as counter:
        theirs(torch.randn(1, 3, FRAMES, JOINTS, 1))
    need, extra, frames = counting.ctrgcn(FRAMES, conventional.WIDTHS_64), 0, FRAMES
    sizes = zip((3, *conventional.WIDTHS_64[:-1]), conventional.WIDTHS_64, conventional.STRIDES, strict=True)
    for before, after, stride in sizes:
        # it compares joints in every frame, where once, after the mean over time, is enough
        extra += 2 * (frames - 1) * JOINTS * before * 2 * 3 * max(8, before // 8)
        later = -(-frames // stride)
        extra -= 2 * (frames - later) * JOINTS * after * (after // 4)  # and leaves out what the plain branch skips
        frames = later
    assert counter.get_total_flops() == need.operations + extra


def encoders() -> tuple[nn.Module, CTRGCN]:
    """Ours and the field's, the same weights, none of them as they start."""
    torch.manual_seed(0)
    ours, theirs = build_encoder("ctrgcn", NTU_25, 3), CTRGCN(torch.from_numpy(directed_partition(NTU_25)))
    with torch.no_grad():
        for part in ours.modules():
            if isinstance(part, nn.BatchNorm1d):
                part.weight.uniform_(0.5, 1.5)
                part.bias.uniform_(-0.5, 0.5)
                part.running_mean.uniform_(-0.2, 0.2)
                part.running_var.uniform_(0.5, 1.5)
        copy_norm(ours.input_norm, theirs.input_norm)
        for mine, other in zip(ours.blocks, theirs.blocks, strict=True):
            mine.graph.alpha.fill_(0.7)
            copy_block(mine, other)
    return ours.eval(), theirs.eval()


def copy_block(mine: nn.Module, other: nn.Module) -> None:
    graph = mine.graph
    other.graph.copy_(graph.shared)
    other.alpha.copy_(graph.alpha)
    size = graph.expand.shape[2]
    start, to = graph.compare.weight.chunk(2)
    start_bias, to_bias = graph.compare.bias.chunk(2)
    for number, subset in enumerate(other.subsets):
        rows = slice(number * size, (number + 1) * size)
        fill(subset.source, start[rows], start_bias[rows])
        fill(subset.target, to[rows], to_bias[rows])
        fill(subset.expand, graph.expand[number], graph.bias[number])
        after = len(graph.expand[number])
        rows = slice(number * after, (number + 1) * after)
        fill(subset.mix, graph.transform.weight[rows], graph.transform.bias[rows])
    copy_norm(mine.graph_norm, other.norm)
    copy_time(mine.time, other.time)
    for ours, theirs in ((mine.inner, other.inner), (mine.outer, other.outer)):
        if ours is not None and ours.conv is not None:
            fill(theirs[0], ours.conv.conv.weight.flatten(1), ours.conv.conv.bias)
            copy_norm(ours.norm, theirs[1])


def copy_time(mine: nn.Module, other: nn.Module) -> None:
    begin = 0
    for branch, size in zip(other.branches, mine.sizes, strict=True):
        rows = slice(begin, begin + size)
        fill(branch[0], mine.inner.weight[rows], mine.inner.bias[rows])
        if len(branch) > 2:
            copy_norm(mine.inner_norm, branch[1], rows)
        copy_norm(mine.norm, branch[-1], rows)
        begin += size
    for conv, branch in zip(mine.convs, other.branches, strict=False):
        branch[3].load_state_dict(conv.state_dict())


def fill(conv: nn.Conv2d, weight: Tensor, bias: Tensor) -> None:
    conv.weight.copy_(weight[..., None, None])
    conv.bias.copy_(bias)


def copy_norm(mine: nn.Module, other: nn.Module, rows: slice = slice(None)) -> None:
    for name in ("weight", "bias", "running_mean", "running_var"):
        getattr(other, name).copy_(getattr(mine, name)[rows])


# ---- the checks ------------------------------------------------------------------------------------------------------


def test_every_number_passes_in_every_precision() -> None:
    results = checks("stgcn16", "cpu", TINY)
    assert {(result.precision, result.what) for result in results} == {
        (precision, what) for precision in gpu_checks.PRECISIONS for what in gpu_checks.TOLERANCES
    }
    assert all(result.passed for result in results), [result for result in results if not result.passed]
    errors = {(result.precision, result.what): result.error for result in results}
    for what in gpu_checks.TOLERANCES:  # each precision is really used
        assert errors["float32", what] < errors["tf32", what] < errors["bf16", what]


def test_a_wrong_number_fails_its_check(monkeypatch) -> None:
    def wrong(encoder, device, precision, size):
        value = torch.ones(4, dtype=torch.float64)
        value = value if precision == "float64" else value + torch.tensor([0, 0, 0, 1.0])
        return {"features": value, "scores": value, "gradients": value * torch.nan}

    monkeypatch.setattr(gpu_checks, "numbers", wrong)
    results = checks("stgcn16", "cpu", TINY)
    assert len(results) == 9
    assert not any(result.passed for result in results)
    assert {result.error for result in results if result.what == "features"} == {0.5}
    assert {result.error for result in results if result.what == "scores"} == {1.0}


def test_factors_are_rounded_to_ten_bits() -> None:
    one, half = 1.0, 2.0**-11
    given = torch.tensor([one, one + 2**-10, one + half, one + 3 * half, one + half + 2**-20, -3.0, 0.0])
    expected = [one, one + 2**-10, one, one + 4 * half, one + 2 * half, -3.0, 0.0]
    assert rounded(given).tolist() == expected
    assert rounded(given.double()) is not None
    with RoundedProducts():
        assert float(torch.mm(given[2:3, None], given[:1, None])) == one  # the factor, not the product's sum
        assert (given[2:3] + 0).tolist() == [one + half]


def test_draws_are_the_same_in_both_precisions() -> None:
    def drawn(double: bool) -> list[Tensor]:
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64 if double else torch.float32)
        try:
            with SameDraws(seeded(5), double):
                other = torch.Generator()
                draws = [torch.rand(3, generator=other), torch.randn((2, 2), generator=other, device="cpu")]
                draws.append(torch.multinomial(torch.tensor([1.0, 2.0, 3.0]).float(), 5, replacement=True))
                return [*draws, torch.randint(3, (4,), generator=other), torch.ones(1).float()]
        finally:
            torch.set_default_dtype(before)

    for single, double in zip(drawn(False), drawn(True), strict=True):
        assert torch.equal(single.double(), double.double())
    assert [part.dtype for part in drawn(True)] == [
        torch.float64,
        torch.float64,
        torch.int64,
        torch.int64,
        torch.float64,
    ]


# ---- where a step waits ----------------------------------------------------------------------------------------------


def test_waits_of_the_host_are_counted() -> None:
    x = torch.tensor([1.0, -1.0])

    def step() -> None:
        x[x > 0]
        float(x[0])
        x.nonzero()
        x.tolist()
        x[torch.tensor([0, 1])] += 1

    assert sum(round_trips(step, "cpu").values()) == 4


@pytest.mark.parametrize(("snippets", "most"), [("off", 5), ("aligned", 8)])
def test_a_step_makes_the_host_wait_no_more_often(snippets, most) -> None:
    """Once for each network, for the people present; in the trainer's module for what it logs; once for each choice of
    snippets, and once for their gradients."""
    step = stepper(our_module(RunOptions(), "skeletonclr", ClipSize(2, 16, 2), snippets), RunOptions())
    step()
    waits = round_trips(step, "cpu")
    assert sum(count for line, count in waits.items() if line.startswith("encoders/base.py")) == 2
    assert sum(waits.values()) <= most
    outside_trainer = sum(count for line, count in waits.items() if not line.startswith("train"))
    assert outside_trainer <= (2 if snippets == "off" else 4)


# ---- the script ------------------------------------------------------------------------------------------------------


def test_without_a_gpu_it_checks_and_says_that_it_timed_nothing(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    file = tmp_path / "gpu.json"
    assert gpu.main(["--quick", "--json", str(file)]) == 0
    printed = capsys.readouterr().out
    assert "No GPU here: the numbers of the CPU were checked, and nothing was timed." in printed
    assert "makes the host wait" in printed
    assert "WRONG" not in printed
    result = json.loads(file.read_text())
    assert (result["device"], result["machine"], result["rows"]) == ("cpu", None, [])
    assert all(check["passed"] for check in result["checks"])
    with pytest.raises(SystemExit, match="finds no GPU"):
        gpu.main(["--device", "cuda"])


def test_a_wrong_number_ends_the_script_with_1(monkeypatch) -> None:
    wrong = gpu_checks.Check("stgcn16", "float32", "loss", 1.0, 1e-5)
    monkeypatch.setattr(gpu_checks, "checks", lambda *_: [wrong])
    monkeypatch.setattr(gpu, "waits", lambda *_: {})
    assert gpu.main(["--quick", "--device", "cpu"]) == 1


MACHINE = {
    "device": "cuda", "name": "made", "cores": 2, "threads": 1, "torch": "0", "bandwidth": 50.0, "load_before": 0.0,
    "matrix_rate": {"float32": 100.0, "tf32": 200.0, "bfloat16": 400.0},
}  # fmt: skip


def test_a_row_by_hand(monkeypatch) -> None:
    facts = {"operations": 300.0, "bytes": 50.0, "bf16": 0.0, "peak_bytes": 7.0}
    seconds = {"conventional": 24.0, "float32": 6.0, "tf32": 4.0, "ours": 2.0, "sampling": 0.05}
    measured = {name: Measured((value, value), (value, value), facts=facts) for name, value in seconds.items()}
    measured["ours"] = Measured((2.0, 2.0), (2.0, 2.0), facts={**facts, "bf16": 1.0, "bytes": 75.0})
    monkeypatch.setattr(gpu, "measure_in_turns", lambda words, *_, **__: (measured, 0.0))
    row = gpu.measure("stgcn64", MACHINE, 1.0)
    assert row["ratio"] == 12.0
    assert row["met"] is True
    assert row["frames_per_second"] == {
        name: pytest.approx(128 * 50 / value) for name, value in seconds.items() if name != "sampling"
    }
    assert row["sampling_share"] == 0.025
    assert row["shares"]["conventional"]["matrix"] == pytest.approx(300 / 200 / 24)
    assert row["shares"]["float32"]["matrix"] == pytest.approx(300 / 100 / 6)
    assert row["shares"]["tf32"]["matrix"] == pytest.approx(300 / 200 / 4)
    # in bfloat16 it could be done in 0.75 s by its products, but moving its bytes takes 1.5 s
    assert row["shares"]["ours"] == {"matrix": 0.375, "memory": 0.75, "roofline": 0.75}
    text = "\n".join(gpu.text_lines("stgcn64", row))
    assert "12.0 times conventional, goal 10: met" in text
    assert "sampling 2.5% of a step, goal under 5%: met" in text
    assert "roofline 75%, goal over 40%: met" in text
    assert json.loads(json.dumps(row))


def test_a_side_that_fails_is_reported(monkeypatch) -> None:
    def fail(*_, **__):
        raise RuntimeError("Traceback ...\ntorch.OutOfMemoryError: CUDA out of memory")

    monkeypatch.setattr(gpu, "measure_in_turns", fail)
    row = gpu.measure("ctrgcn", MACHINE, 1.0)
    assert "failed: torch.OutOfMemoryError" in gpu.text_lines("ctrgcn", row)[0]


@pytest.mark.parametrize(
    ("name", "encoder"),
    [("conventional", "ctrgcn"), ("ours", "ctrgcn"), ("float32", "stgcn16"), ("sampling", "stgcn64")],
)
def test_sides_run(name: str, encoder: str) -> None:
    job = gpu.side(name, encoder, "cpu", quick=True)
    job.repeat()
    assert job.need.values > 0
    assert (job.need.operations > 0) == (name != "sampling")


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
