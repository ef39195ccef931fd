"""
Learning from few labels
========================

Twenty-four recordings, of which four have labels. ``learn`` pretrains on all of them, trains two
networks on the four, lets both pseudo-label the rest, trains two more on both, and averages
those. Steps are cut down here so that it runs in seconds, so the figures are lower than they
could be; leave ``pretrain_steps``, ``steps`` and ``encoder`` out for the defaults.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

import kinespan
from kinespan.prepare.prepare import prepare_synthetic
from kinespan.prepare.synthetic.takes import SyntheticConfig
from kinespan.report import write_report
from kinespan.report.gather import gather
from kinespan.train.learning import run_tests

folder = Path(tempfile.mkdtemp())
prepare_synthetic(folder / "corpus", SyntheticConfig(recordings=24))

# %%
# Three of the twelve performers are held out. Of the other recordings a fifth keeps its labels.

settings = {"split": "by-performer", "label_fraction": 0.2}
quick = {"pretrain_steps": 40, "steps": 80, "encoder": "tcn"}
result = kinespan.learn(folder / "corpus", folder / "run", quiet=True, log=print, **settings, **quick)

# %%
# Every stage, tested on the performers held out.

corpus = kinespan.Corpus.open(folder / "corpus")
figures = run_tests(result, corpus, folder / "run", "by-performer", 1, quiet=True)
for stage, metrics in figures.items():
    accuracy, f1 = metrics["frame_accuracy"], metrics["f1"]["50"]
    print(f"{stage:16} frame accuracy {accuracy:.2f}   F1@50 {f1:.2f}")

fig, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
colours = ["#3457d5" if stage == "model" else "#b7bfd1" for stage in figures]
ax.barh(list(figures), [100 * metrics["f1"]["50"] for metrics in figures.values()], color=colours)
ax.invert_yaxis()
ax.set(xlabel="F1@50 on performers held out, per cent")

# %%
# The report: one page that opens offline, with three of the recordings that were tested.

write_report(gather([folder / "run"], most=3, title="Learning from few labels"), Path("report.html"))
