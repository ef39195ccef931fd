"""An estimator as scikit-learn has them: recordings and annotations in, annotations of new recordings out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from .. import io
from ..config import FinetuneConfig, LearnConfig
from ..config.parser import settings_by_keyword
from ..data.annotation import Annotation
from ..data.display import facts_html
from ..data.predictions import Truth
from ..data.recording import Recording
from ..errors import InputError

if TYPE_CHECKING:  # torch takes seconds to import
    from ..models.base import Model
    from ..models.model_file import People
    from ..prepare.in_memory import Labels

Motion = Iterable[Recording | str | Path]
"""Recordings, or motion files; names need not differ."""
PARAMETERS = ("training", "pretrained", "people", "quiet")
"""The parameters that are not settings of the command."""
CONFIGS: dict[str, type[LearnConfig] | type[FinetuneConfig]] = {"learn": LearnConfig, "finetune": FinetuneConfig}


class ActionLocalizer:
    """Learns from recordings, of which some are labelled, and names and bounds the actions of others.

    It has what scikit-learn expects of an estimator, so that it can be cloned, searched over and cross-validated; it
    does not need scikit-learn. Behind it are `kinespan.learn` and `kinespan.finetune`, on a corpus that is gone after
    `fit`; `model_` is the network, as `kinespan.load_model` gives it.

        localizer = kinespan.ActionLocalizer("finetune", steps=200, seed=1)
        localizer.fit(recordings, [[("walk", 0.5, 3.2), ("sit down", 4.0, 5.1)], ...])
        localizer.predict(new_recordings)

    Parameters:
        training: learn: pretrain on all recordings, train two networks on the labelled ones, and let them pseudo-label
            the rest; the best that few labels give. finetune: one network on the labelled ones, in a fifth of the time.
        pretrained: a run or a model file whose encoder is trained further, or `default`, the encoder of the package.
        people: together, one answer for a recording, or each, one for each of its people, whose spans say whose they
            are; by default each if the labels name people.
        quiet: show no progress.
        settings: every other setting of the command by keyword, such as ``steps=100`` or ``encoder="tcn"``.

    Raises InputError for unknown settings and bad values. Recordings are held out by whoever calls `fit`, so that there
    are no settings for that.
    """

    def __init__(
        self,
        training: Literal["learn", "finetune"] = "learn",
        *,
        pretrained: str | Path | None = None,
        people: People | None = None,
        quiet: bool = True,
        **settings: Any,
    ) -> None:
        self.training = training
        self.pretrained = pretrained
        self.people = people
        self.quiet = quiet
        self._settings = settings
        self._config()  # raises

    def _config(self) -> LearnConfig | FinetuneConfig:
        """The settings of the training. Raises InputError."""
        if self.training not in CONFIGS:
            raise InputError(f"training is {self.training!r}, expected learn or finetune")
        if self.people not in (None, "together", "each"):
            raise InputError(f"people is {self.people!r}, expected together or each")
        for name in ("split", "fold"):
            if name in self._settings:
                raise InputError(f"{name}: fit trains on all that it is given; hold recordings out before")
        config: LearnConfig | FinetuneConfig = settings_by_keyword(CONFIGS[self.training], None, self._settings)
        return config

    def fit(self, recordings: Motion, annotations: Sequence[Labels] | Mapping[str, Labels]) -> Self:
        """Train on recordings and their labels, and return itself.

        It sets `model_`, `labels_`, the label set, and `decisions_`, what was decided about the labels, in plain lines.
        annotations: for each recording an Annotation, or rows (label, start, end) in seconds, or None where it is not
        labelled; or a mapping from the names of recordings. Raises InputError as `kinespan.write_corpus` does, and
        where nothing is labelled.
        """
        from ..prepare.in_memory import write_corpus

        takes = _takes(recordings)
        if all(each is None for each in (annotations.values() if isinstance(annotations, Mapping) else annotations)):
            raise InputError("annotations: no recording has labels; give rows (label, start, end) of some of them")
        if not isinstance(annotations, Mapping):
            takes = _renamed(takes)
        with tempfile.TemporaryDirectory(prefix="kinespan-", ignore_cleanup_errors=True) as folder:
            corpus = write_corpus(Path(folder) / "corpus", takes, annotations, name="recordings of fit")
            self.model_ = self._train(folder, corpus.path)
        self.labels_, self.decisions_ = self.model_.labels, corpus.decisions
        return self

    def _train(self, folder: str, corpus: Path) -> Model:
        """The model that is trained on a corpus."""
        config, out = self._config(), Path(folder) / "run"
        if isinstance(config, LearnConfig):
            from .learning import learn

            return learn(corpus, out, config, pretrained=self.pretrained, quiet=self.quiet).model
        from .finetuning import finetune

        return finetune(corpus, out, config, pretrained=self.pretrained, quiet=self.quiet)

    def predict(self, recordings: Motion) -> list[Annotation]:
        """What was done when in each recording: its segmentation, in their order. Raises InputError before `fit`."""
        model = self._fitted()
        return [model.localize(take, self.people) for take in _takes(recordings)]

    def score(self, recordings: Motion, annotations: Sequence[Labels] | Mapping[str, Labels]) -> float:
        """F1@50 of the segmentation, 0 to 1: a span counts as right where it shares half of its time with a true one.

        Of labels that may overlap it is the mean mAP at tIoU 0.1 to 0.5 of the proposals, of events F1 within their
        tolerance, and of spans and events the mean of the two. Recordings without labels do not count. Raises
        InputError before `fit`, and where nothing is labelled.
        """
        from ..corpus.splits import union_of
        from ..metrics import evaluate
        from ..prepare.in_memory import annotations_by_name
        from ..runs.predict import localize

        model, takes = self._fitted(), _takes(recordings)
        if not isinstance(annotations, Mapping):
            takes = _renamed(takes)
        truth, _ = annotations_by_name(takes, annotations)
        if not truth:
            raise InputError("score: none of the recordings is labelled")
        labels = union_of([model.labels, *(annotation.labels for annotation in truth.values())])
        assert labels is not None
        labelled = [take for take in takes if take.name in truth]
        result = localize(model, labelled, people=self.people)
        metrics = evaluate(
            result.predictions,
            Truth(
                {name: replace(annotation, labels=labels) for name, annotation in truth.items()},
                labels,
                {take.name: take.duration for take in labelled},
                {take.name: take.fps for take in labelled},
                people={take.name: take.people for take in labelled if truth[take.name].people},
            ),
        )
        figures = []
        if metrics.labels.names:
            figures.append(metrics.map_average["0.1:0.5"] if metrics.f1 is None else metrics.f1["50"])
        if metrics.events is not None:
            figures.append(metrics.events.figures()["f1"])
        return sum(figures) / len(figures)

    def _fitted(self) -> Model:
        """The trained model. Raises InputError before `fit`."""
        if not self.__sklearn_is_fitted__():
            raise InputError("this ActionLocalizer is not trained yet; call fit(recordings, annotations)")
        return self.model_

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters that it was made with, and those that were set since. deep: as scikit-learn has it."""
        return {**{name: getattr(self, name) for name in PARAMETERS}, **self._settings}

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name, and return itself. Raises InputError, and changes nothing, for bad ones."""
        params = {**self.get_params(), **params}
        type(self)(**params)  # raises
        for name in PARAMETERS:
            setattr(self, name, params.pop(name))
        self._settings = params
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn asks of every estimator."""
        from sklearn.utils import Tags, TargetTags

        return Tags(estimator_type=None, target_tags=TargetTags(required=True))

    def __repr__(self) -> str:
        defaults = ActionLocalizer().get_params()
        params = self.get_params().items()
        given = {name: value for name, value in params if name not in defaults or value != defaults[name]}
        return f"ActionLocalizer({', '.join(f'{name}={value!r}' for name, value in given.items())})"

    def _repr_html_(self) -> str:
        """A small table, for notebooks."""
        state = repr(self.model_) if self.__sklearn_is_fitted__() else "not trained yet"
        facts = [*self.get_params().items(), ("model_", state), ("decisions_", getattr(self, "decisions_", ()))]
        return facts_html("ActionLocalizer", [(name, value) for name, value in facts if value is not None])


def _takes(recordings: Motion) -> list[Recording]:
    """Recordings, those of files read. Raises InputError for a single one, and for what is none."""
    if isinstance(recordings, Recording | str | Path):
        raise InputError("recordings: found one, expected a list of recordings or motion files")
    takes = [io.read(item).recording if isinstance(item, str | Path) else item for item in recordings]
    for number, take in enumerate(takes):
        if not isinstance(take, Recording):
            raise InputError(f"recordings: number {number} is of type {type(take).__name__}, expected a Recording")
    return takes


def _renamed(takes: Sequence[Recording]) -> list[Recording]:
    """The recordings under different names: a name that comes again gets a number."""
    names: set[str] = set()
    renamed = []
    for take in takes:
        name, number = take.name, 1
        while name in names:
            number += 1
            name = f"{take.name} ({number})"
        names.add(name)
        renamed.append(take if name == take.name else replace(take, name=name))
    return renamed
