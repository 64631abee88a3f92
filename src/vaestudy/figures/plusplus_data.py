"""What the chapter on VAE++ compares: models of one hidden layer on thresholded or grey pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from vaestudy.figures.spans import difference_within, mean_within
from vaestudy.splits import test_pixels
from vaestudy.stats import Interval
from vaestudy.study import EmptySelectionError, Study
from vaestudy.vae import VAE

#: What sets the chapter's models apart in every study; how long they train is a study's own.
_MODEL: dict[str, Any] = {
    "binarization": "threshold",
    "activation": "tanh",
    "adam_eps": 1e-8,
    "n_z": 2,
}
_SCHEDULE = ("hidden", "batch_size", "learning_rate", "epochs")

#: The source's own model and budget, of those that a study may change.
SOURCE: dict[str, Any] = {"hidden": "500", "batch_size": 200, "epochs": 5, "images": 60_000}

#: Classes of Fashion-MNIST, in its order.
CLOTHES = (
    "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"
)  # fmt: skip

#: The source's losses after each epoch, of single runs: by latent dimension, by K.
PRINTED: dict[tuple[str, int], tuple[float, ...]] = {
    ("n_z", 2): (182.70, 180.21, 176.26, 173.30, 170.37),
    ("n_z", 3): (162.96, 161.10, 157.54, 153.28, 148.76),
    ("k", 5): (163.98, 155.40, 154.45, 152.87, 151.98),
    ("k", 10): (149.26, 147.35, 144.34, 142.14, 140.98),
}

LIKELIHOODS = {
    "bernoulli": "Bernoulli",
    "gaussian": "Gaussian",
    "continuous-bernoulli": "continuous Bernoulli",
    "beta": "Beta",
}


def plus_runs(study: Study, **parameters: Any) -> pd.DataFrame:
    """Return the runs that equal the chapter's two-dimensional model but for ``parameters``.

    Raises
    ------
    EmptySelectionError
        If there are none.
    """
    return study.runs(**{**_MODEL, **dict.fromkeys(_SCHEDULE, ...), **parameters})


def levels(study: Study, parameter: str, **others: Any) -> list[Any]:
    """Return the values of ``parameter`` among the chapter's runs that else equal ``others``."""
    return sorted(plus_runs(study, **{parameter: ..., **others})[parameter].unique().tolist())


def few_dimensions(study: Study) -> list[int]:
    """Return the latent dimensions that were tried on digits, up to the source's ten.

    Raises
    ------
    EmptySelectionError
        If there are none.
    """
    found = [n_z for n_z in levels(study, "n_z") if n_z <= 10]
    if not found:
        raise EmptySelectionError(f"{study.config.study!r} has no model of ten dimensions or fewer")
    return found


def other_dataset(study: Study) -> str:
    """Return the second data set of the chapter, the clothes.

    Raises
    ------
    EmptySelectionError
        If the study has none.
    """
    names = [name for name in levels(study, "dataset") if name != study.base["dataset"]]
    if not names:
        raise EmptySelectionError(f"the study {study.config.study!r} has no second data set")
    return str(names[0])


@dataclass(frozen=True)
class Pictures:
    """A trained model with the test images that it is shown.

    Parameters
    ----------
    run_id
        The first seed's.
    model
        One member.
    grey, pixels
        Test images before and after binarization, [T, D] in [0, 1].
    classes
        Of the test images.
    image_shape
        Height and width.
    """

    run_id: str
    model: VAE
    grey: NDArray[np.float32]
    pixels: torch.Tensor
    classes: NDArray[np.int64]
    image_shape: tuple[int, int]

    @property
    def exemplars(self) -> NDArray[np.int64]:
        """The first test image of every class, in the order of the classes."""
        return np.unique(self.classes, return_index=True)[1]


def pictures(study: Study, **parameters: Any) -> Pictures:
    """Return the first seed's model of a combination, with its test images."""
    run = plus_runs(study, **parameters).sort_values("seed").iloc[0]
    dataset = study.dataset_named(str(run["dataset"]))
    return Pictures(
        str(run["run_id"]),
        study.model(str(run["run_id"])),
        (dataset.test.numpy() / 255).astype(np.float32),
        test_pixels(dataset, str(run["binarization"])),
        dataset.test_labels.numpy(),
        dataset.image_shape,
    )


def by_seed(study: Study, metric: str, **parameters: Any) -> pd.Series:
    """Return a final measurement of a combination, one value a seed; empty if it was not taken."""
    final = study.final(plus_runs(study, **parameters), metric)
    return final.set_index("seed")["value"].astype(float)


def mean_of(study: Study, metric: str, **parameters: Any) -> Interval | None:
    """Return the mean over seeds of a final measurement; None where it was not taken."""
    values = by_seed(study, metric, **parameters)
    if values.empty:
        return None
    return mean_within(values, metric, plus_runs(study, **parameters))


def gap(study: Study, metric: str, a: dict[str, Any], b: dict[str, Any]) -> Interval:
    """Return the paired difference a − b of a final measurement."""
    return difference_within(by_seed(study, metric, **a), by_seed(study, metric, **b), metric)


def noted(study: Study, metric: str, digits: int, **parameters: Any) -> str:
    """Return a mean for the margin of a picture; empty where it was not measured."""
    found = mean_of(study, metric, **parameters)
    return "" if found is None else f"{found.mean:,.{digits}f}"
