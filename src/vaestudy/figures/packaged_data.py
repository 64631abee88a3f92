"""The packaged model of one hidden layer, what varies it, and the data that it is fitted to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from vaestudy.components import project
from vaestudy.dataset import Dataset
from vaestudy.figures.codes import decode
from vaestudy.latent_plane import encode_means
from vaestudy.likelihoods.gaussian import Normal
from vaestudy.rng import stream_seed
from vaestudy.splits import test_pixels, train_pixels
from vaestudy.study import EmptySelectionError, Study
from vaestudy.vae import VAE

Array = NDArray[Any]

#: What makes the packaged model; its optimiser is AdaMax where nothing else is said.
_SHAPE = ("hidden", "activation", "n_z", "batch_norm", "encoder_heads", "objective")
_VARIED = ("k", "beta", "optimizer")
#: The package's own defaults, of those that a study may change.
PACKAGE: dict[str, Any] = {"hidden": "200", "n_z": 2, "batch_size": 100, "epochs": 10}
_OPTIMIZERS = {"adam": "Adam", "adamax": "AdaMax", "adagrad": "Adagrad"}
_TITLES = {
    "mnist-5k": "MNIST (5,000 digits)",
    "mnist": "MNIST",
    "fashion-2k": "Fashion-MNIST (2,500 garments)",
    "fashion-mnist": "Fashion-MNIST",
    "breast-cancer": "Breast cancer",
    "diabetes": "Diabetes",
}


@dataclass(frozen=True, eq=False)
class Variant:
    """Replicates of the packaged model, or of it with one thing changed."""

    label: str
    runs: pd.DataFrame

    @property
    def first(self) -> pd.Series:
        """One of its runs, for what they share."""
        return self.runs.iloc[0]


def find_packaged(study: Study) -> pd.Series:
    """Return a run of the packaged model on the study's own data, for its parameters.

    Raises
    ------
    EmptySelectionError
        If the study has trained none.
    """
    runs = study.table("runs")
    keep = runs["dataset"].eq(study.base["dataset"]) & runs["optimizer"].eq("adamax")
    keep &= runs["k"].eq(1) & runs["beta"].eq(1.0) & runs["status"].eq("finished")
    if not keep.any():
        raise EmptySelectionError(f"{study.config.study!r} has no model trained with AdaMax")
    return runs[keep].iloc[0]


def find_variants(study: Study) -> list[Variant]:
    """Return the packaged model and all that varies its samples, KL weight or optimiser."""
    packaged = find_packaged(study)
    runs = _like(study, packaged)
    runs = runs[runs["dataset"] == packaged["dataset"]]
    groups = [Variant(_label(part.iloc[0], packaged), part) for _, part in
              runs.groupby("combination_id", sort=False)]  # fmt: skip
    return sorted(groups, key=lambda variant: variant.first["run_id"] != packaged["run_id"])


def _like(study: Study, run: pd.Series) -> pd.DataFrame:
    """Return the finished runs of the same shape, whatever they are trained on and by."""
    runs = study.table("runs")
    keep = runs["status"].eq("finished")
    for name in _SHAPE:
        keep &= runs[name] == run[name]
    return runs[keep].reset_index(drop=True)


def _label(run: pd.Series, packaged: pd.Series) -> str:
    said = []
    if run["k"] != packaged["k"]:
        said.append(f"{run['k']} samples, {_epochs(run['epochs'])}")
    if run["beta"] != packaged["beta"]:
        said.append(rf"KL averaged ($\beta = {run['beta']:g}$)")
    if run["optimizer"] != packaged["optimizer"]:
        said.append(_OPTIMIZERS[run["optimizer"]])
    return ", ".join(said) or f"packaged model: AdaMax, 1 sample, {_epochs(run['epochs'])}"


def _epochs(n: int) -> str:
    return f"{n} epoch{'s' if n > 1 else ''}"


@dataclass(frozen=True, eq=False)
class Fitted:
    """One data set, and the models of it that are looked at.

    Parameters
    ----------
    title
        Its name for readers.
    data
        Its rows.
    runs
        The replicates.
    model
        The first of them.
    """

    title: str
    data: Dataset
    runs: pd.DataFrame
    model: VAE

    @property
    def run_id(self) -> str:
        """The run whose model is looked at."""
        return str(self.runs["run_id"].iloc[0])

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns, or their numbers."""
        return self.data.feature_names or tuple(f"x{i}" for i in range(self.rows.shape[1]))

    @cached_property
    def rows(self) -> torch.Tensor:
        """The test rows, as models are shown them."""
        return test_pixels(self.data, self._binarization)

    @cached_property
    def codes(self) -> Array:
        """Means of q(z|x) of the test rows: the use *reduce*."""
        return encode_means(self.model, self.rows)

    @cached_property
    def nearest(self) -> Array:
        """The decoder's mean at each code: the use *nearest representation*."""
        return decode(self.model, self.codes)

    @cached_property
    @torch.no_grad()
    def spread(self) -> Array | None:
        """Mean standard deviation of each column given its code; None of a fixed likelihood."""
        if not isinstance(self.model.likelihood, Normal):
            return None
        params = self.model.decode(torch.from_numpy(self.codes)[None])
        _, logvar = self.model.likelihood.moments(params)
        return (0.5 * logvar[0]).exp().mean(0).numpy()

    @cached_property
    def projected(self) -> Array:
        """The test rows as n_z principal components see them."""
        train = train_pixels(self.data, self._binarization)
        return project(train, self.rows, self.codes.shape[1]).numpy()

    @torch.no_grad()
    def drawn(self, n: int, *, means: bool) -> Array:
        """Return n new rows, or the decoder's means in their place: the use *generate*."""
        generator = torch.Generator().manual_seed(stream_seed(0, "drawn"))
        z = torch.randn(1, n, self.codes.shape[1], generator=generator)
        params, likelihood = self.model.decode(z), self.model.likelihood
        drawn = likelihood.mean(params) if means else likelihood.sample(params, generator)
        return drawn[0].numpy()

    @property
    def _binarization(self) -> str:
        return str(self.runs["binarization"].iloc[0])


def find_fitted(study: Study) -> list[Fitted]:
    """Return each data set that the study has fitted one kind of model to, its own first.

    That is the packaged model; of the user's own data, the base model, or the grid's first that
    no classes are told.
    """
    base = study.base["dataset"]
    like = _first_of_own(study) if study.config.of_own_data else find_packaged(study)
    runs = _like(study, like)
    for name in _VARIED:
        runs = runs[runs[name] == like[name]]
    names = sorted(dict.fromkeys(runs["dataset"]), key=lambda name: name != base)
    return [_fitted(study, name, runs[runs["dataset"] == name]) for name in names]


def looks_at_base(study: Study) -> bool:
    """Whether the model of the user's own data that is looked at is the base model."""
    return study.has() and study.base["labels"] == "none"


def _first_of_own(study: Study) -> pd.Series:
    if looks_at_base(study):
        return study.runs().iloc[0]
    runs = study.table("runs")
    keep = runs["dataset"].eq(study.base["dataset"]) & runs["status"].eq("finished")
    keep &= runs["labels"].eq("none")
    if not keep.any():
        raise EmptySelectionError(
            f"no run of {study.config.study!r} on its own data that is told no classes has finished"
        )
    return runs[keep].iloc[0]


def _fitted(study: Study, name: str, runs: pd.DataFrame) -> Fitted:
    first = runs[runs["combination_id"] == runs["combination_id"].iloc[0]].sort_values("seed")
    model = study.model(first["run_id"].iloc[0])
    return Fitted(title_of(study, name), study.dataset_named(name), first, model)


def title_of(study: Study, name: str) -> str:
    """Return a data set's name for readers; of the user's own, the file's."""
    own = study.config.own_data.get(name)
    return own.path.rpartition("/")[2] if own else _TITLES.get(name, name)


def explained(rows: Array, seen: Array) -> Array:
    """Return each feature's share of variance that ``seen`` explains; none of a constant one's."""
    left, total = ((rows - seen) ** 2).mean(0), rows.var(0)
    return np.where(total > 0, 1 - left / np.where(total > 0, total, 1), np.nan)
