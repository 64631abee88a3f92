"""The small model of VAE++ in three dimensions, told classes: its codes and reconstructions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from numpy.typing import NDArray

from vaestudy.evaluate import reconstruction_squared_error
from vaestudy.figures.drawing import Drawing
from vaestudy.figures.plusplus import draw_cloud
from vaestudy.figures.plusplus_data import Pictures, by_seed, pictures, plus_runs
from vaestudy.figures.plusplus_pictures import Rows
from vaestudy.figures.spans import OF_PERCENT
from vaestudy.labels import labelled, unlabelled
from vaestudy.latent_plane import encode_means, neighbour_accuracy
from vaestudy.report.phrases import change
from vaestudy.stats import mean_interval, number, paired_difference
from vaestudy.study import Study, tried
from vaestudy.vae import VAE


@dataclass(frozen=True)
class Told:
    """A model with what it is told of test images: their labels, a blank, or what it infers."""

    name: str
    parameters: dict[str, Any]
    given: Literal["label", "blank", "inferred"] = "label"

    def runs(self, study: Study) -> pd.DataFrame:
        """Return the model's runs, one a seed."""
        return plus_runs(study, **self.parameters)

    def first(self, study: Study) -> Pictures:
        """Return the first seed's model with the test images."""
        return pictures(study, **self.parameters)

    @torch.no_grad()
    def rows(self, shown: Pictures, model: VAE | None = None) -> Float[torch.Tensor, "T E"]:
        """Return the test images with what a model, the one shown by default, is told of them."""
        model = model or shown.model
        n_classes = model.architecture.n_classes
        if not n_classes:
            return shown.pixels
        if self.given == "blank":
            return unlabelled(shown.pixels, n_classes)
        labels = torch.from_numpy(shown.classes)
        if self.given == "inferred":
            labels = model.classifier(shown.pixels[None])[0].argmax(-1)
        return labelled(shown.pixels, labels, n_classes)

    def each_seed(self, study: Study, measure: Callable[..., float]) -> pd.Series:
        """Return ``measure(model, rows, classes)`` of every seed's model."""
        shown = self.first(study)

        def measured(run_id: str) -> float:
            model = study.model(run_id)
            return measure(model, self.rows(shown, model), shown.classes)

        return self.runs(study).set_index("seed")["run_id"].map(measured)


NONE = Told("no labels", {"n_z": 3})
ALL = Told("all labels", {"n_z": 3, "labels": "condition"})
#: The source blanks 30,000 labels of 60,000.
_HALF = {"n_z": 3, "labels": "blanked", "label_share": 0.5}
HALF = Told("half of them, label given", _HALF)
BLANK = Told("half of them, blank given", _HALF, "blank")
INFERRED = Told("half of them, M2, label inferred", {**_HALF, "labels": "m2"}, "inferred")


def all_told(study: Study) -> list[Told]:
    """Return the models of the comparison; that which infers labels if the study trained it."""
    inferred = [] if tried(INFERRED.runs, study) is None else [INFERRED]
    return [NONE, ALL, HALF, BLANK, *inferred]


def told_codes(study: Study) -> tuple[Pictures, NDArray[np.float32]]:
    """Return the model that is told all labels, and its codes of test images with theirs."""
    shown = ALL.first(study)
    return shown, encode_means(shown.model, ALL.rows(shown))


def cloud(study: Study) -> Drawing:
    """Draw the three-dimensional codes of test images by the model that is told all labels."""
    return draw_cloud(*told_codes(study))


def rebuilt(study: Study) -> Drawing:
    """Draw reconstructions by the models without labels, with all, and with half of them."""
    rows = Rows(study.dataset.image_shape)
    for told in all_told(study):
        shown = told.first(study)
        if not rows.names:
            rows.add("pixels as tested", shown.pixels[shown.exemplars].numpy())
            rows.gap()
        error = number(_errors(study, told).mean(), 1)
        rows.add(told.name, _rebuilt(told, shown), shown.run_id, error)
    return rows.drawing("squared error")


@torch.no_grad()
def _rebuilt(told: Told, shown: Pictures) -> NDArray[np.float32]:
    rows, model = told.rows(shown)[shown.exemplars][None], shown.model
    params = model.decode(model.encode(rows)[0], model.split(rows)[1])
    return model.likelihood.mean(params)[0].numpy()


def _errors(study: Study, told: Told) -> pd.Series:
    return told.each_seed(study, lambda model, x, _: reconstruction_squared_error(model, x).item())


def read_codes(study: Study) -> str:
    """Say of how many digits the nearest codes tell the class, by what models were told."""

    def share(told: Told) -> str:
        found = told.each_seed(
            study, lambda model, x, classes: neighbour_accuracy(encode_means(model, x), classes)
        )
        return mean_interval(100 * found).within(*OF_PERCENT).text(1)

    inferred = ""
    if INFERRED in all_told(study):
        inferred = f", and for {share(INFERRED)} per cent where M2 infers it"
    return (
        "The majority of a test digit's five nearest codes has the digit's class for "
        f"{share(NONE)} per cent of digits under the model without labels, and for {share(ALL)} "
        f"per cent under that with all; with half of them for {share(HALF)} per cent of digits "
        f"that come with their label and {share(BLANK)} per cent that come with a blank{inferred}."
    )


def read_rebuilt(study: Study) -> str:
    """Say how labels change reconstructions, and what half of them do to samples by class."""
    none, whole, half, blank = (_errors(study, told) for told in (NONE, ALL, HALF, BLANK))

    def say(a: pd.Series, b: pd.Series) -> str:
        words = "raises the squared error by", "lowers the squared error by"
        return change(paired_difference(a, b), *words, "pixels")

    text = (
        f"Telling all labels {say(whole, none)}. Knowing half of them, against all, "
        f"{say(half, whole)} for images that come with their label; to the same model a blank in "
        f"place of the label {say(blank, half)}."
    )
    if INFERRED in all_told(study):
        text += (
            " M2 needs neither: with the label that it infers itself, against the blank, it "
            f"{say(_errors(study, INFERRED), blank)}."
        )
    few, every = (
        by_seed(study, "conditional_accuracy_of_means", **told.parameters) for told in (HALF, ALL)
    )
    if few.empty or every.empty:
        return text
    samples = "the share of samples that show the class asked for by"
    words = f"raises {samples}", f"lowers {samples}", "points", 1
    return f"{text} Half of the labels {change(paired_difference(few, every).times(100), *words)}."


FIGURES: dict[str, Callable[[Study], Drawing]] = {"labels-cloud": cloud, "labels-rebuilt": rebuilt}
