"""
From Python: arrays in, tables out
==================================

Recordings and labels that are in memory, an estimator that learns from them, and what it says of
somebody new. Nothing is written and no command is needed. Motion is made here; with your own it is
``kinespan.read("take.bvh").recording``, or an array and its rate.
"""

import kinespan
from kinespan.data.plots import plot_timelines
from kinespan.prepare.synthetic.takes import SyntheticConfig, synthetic_takes

takes = list(synthetic_takes(SyntheticConfig(recordings=36)))
recordings, annotations = zip(*takes, strict=True)

# %%
# A recording is positions in metres with a rate and a skeleton. An array becomes one, a skeleton is
# given by its name, and a slice is in seconds.

positions, seen = recordings[0].positions, recordings[0].valid  # (T, P, J, 3), (T, P, J)
recording = kinespan.Recording(positions, fps=30, skeleton="ntu25", name="made", valid=seen)
print(recording)
print(recording[2.0:5.5])

# %%
# What it looks like, with its labels behind the speed of the body.

recording.plot(annotations[0])

# %%
# The same as tables. ``to_xarray`` has the layout of the package movement.

print(recording.to_dataframe().head())
print(annotations[0].to_dataframe().head())
print(recording.to_xarray())

# %%
# An estimator, as scikit-learn has them. Labels may be Annotations, or rows of (label, start, end).
# Performers are held out, so that the score is that of strangers. ``"learn"``, the default, would
# use recordings without labels as well.

performers = [each.attributes["performer"] for each in recordings]
train = [index for index, performer in enumerate(performers) if performer not in performers[:2]]
test = [index for index in range(len(performers)) if index not in train]

localizer = kinespan.ActionLocalizer("finetune", steps=200)
localizer.fit([recordings[index] for index in train], [annotations[index] for index in train])
strangers = [recordings[index] for index in test]
truth = [annotations[index] for index in test]
print(f"F1@50 on {len(test)} recordings of others: {localizer.score(strangers, truth):.2f}")

# %%
# What it says of the first of them, and what really happened.

answer = localizer.predict(strangers[:1])[0]
print(answer)
print(answer.to_dataframe())

plot_timelines({"model": answer, "truth": truth[0]})
