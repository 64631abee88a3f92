"""One number a run, from a study's tables: what :mod:`vaestudy.claims.metrics` are made of.

Each function takes a study and rows of its runs table and returns values indexed by ``run_id``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from vaestudy.convergence import epochs_to_within
from vaestudy.figures.activity_data import fates
from vaestudy.parameters import ModelParameters
from vaestudy.study import Study


def final(metric: str) -> Callable[[Study, pd.DataFrame], pd.Series]:
    """Return a reader of one final measurement."""

    def values(study: Study, runs: pd.DataFrame) -> pd.Series:
        return study.final(runs, metric).set_index("run_id")["value"].astype(float)

    return values


def on_binary_pixels(metric: str) -> Callable[[Study, pd.DataFrame], pd.Series]:
    """Return a reader of a measurement on binary pixels."""

    # A Bernoulli decoder is its own reading on binary pixels, so its NLL stands for it.
    def values(study: Study, runs: pd.DataFrame) -> pd.Series:
        gaussian = runs["likelihood"] == "gaussian"
        parts = [
            final(name)(study, part)
            for name, part in ((metric, runs[gaussian]), ("nll", runs[~gaussian]))
            if len(part)
        ]
        joined: pd.Series = pd.concat(parts)
        return joined

    return values


def given_label(study: Study, runs: pd.DataFrame) -> pd.Series:
    """Return −log p(x|y) of models that are told labels, −log p(x) of others."""
    # A model that is told no labels says of an image what it says without one.
    untold = runs["labels"] == "none"
    parts = (("nll_given_label", runs[~untold]), ("nll", runs[untold]))
    joined: pd.Series = pd.concat([final(name)(study, part) for name, part in parts if len(part)])
    return joined


def tightening(study: Study, runs: pd.DataFrame) -> pd.Series:
    """Return how far the objective's bound lies above the ELBO."""
    return final("bound")(study, runs).sub(final("elbo")(study, runs))


def epochs_to(study: Study, runs: pd.DataFrame) -> pd.Series:
    """Return the epochs until the bound is within a nat of its last value."""
    return epochs_to_within(study, runs).set_index("run_id")["epochs_to"].astype(float)


def ratio(of: Sequence[str], to: Sequence[str]) -> Callable[[Study, pd.DataFrame], pd.Series]:
    """Return a ratio of sums of final measurements."""

    def values(study: Study, runs: pd.DataFrame) -> pd.Series:
        return total(study, runs, of) / total(study, runs, to)

    return values


def total(study: Study, runs: pd.DataFrame, metrics: Sequence[str]) -> pd.Series:
    """Return the sum of final measurements."""
    return pd.concat([final(name)(study, runs) for name in metrics], axis=1).sum(axis=1)


VARIANCE = ("gradient_variance_encoder", "gradient_variance_decoder")


def fate(column: str) -> Callable[[Study, pd.DataFrame], pd.Series]:
    """Return a reader of what became of units in training."""

    def values(study: Study, runs: pd.DataFrame) -> pd.Series:
        return fates(study, runs).set_index("run_id")[column].astype(float)

    return values


def lost_accuracy(study: Study, runs: pd.DataFrame) -> pd.Series:
    """Return the classifier's accuracy on test images less that on reconstructions."""
    return final("test_accuracy")(study, runs).sub(final("reconstruction_accuracy")(study, runs))


OF_BOTTOM = ("nll_of_bottom_variational", "nll_of_bottom_prior")


def gain_of_the_top(study: Study, runs: pd.DataFrame) -> pd.Series:
    """Return the NLL of bottom halves inferred from the top, less that by the prior."""
    informed, ignorant = (final(name)(study, runs) for name in OF_BOTTOM)
    return informed.sub(ignorant)


def of_smallest(
    of: Callable[[Study, pd.DataFrame], pd.Series],
) -> Callable[[Study, pd.DataFrame], pd.Series]:
    """Return the measurement of the same model with the fewest dimensions that there is."""

    def values(study: Study, runs: pd.DataFrame) -> pd.Series:
        table = study.table("runs")
        same = [name for name in ModelParameters.model_fields if name != "n_z"] + ["seed"]
        siblings = runs[["run_id", *same]].merge(table, on=same, suffixes=("", "_sibling"))
        fewest = siblings.sort_values("n_z").groupby("run_id")["run_id_sibling"].first()
        found: pd.Series = fewest.map(of(study, table))
        return found

    return values


def above_smallest(
    of: Callable[[Study, pd.DataFrame], pd.Series],
) -> Callable[[Study, pd.DataFrame], pd.Series]:
    """Return a reader of a measurement less that of the smallest such model."""

    def values(study: Study, runs: pd.DataFrame) -> pd.Series:
        return of(study, runs).sub(of_smallest(of)(study, runs))

    return values


def error_removed(study: Study, runs: pd.DataFrame) -> pd.Series:
    """Return the share of the smallest model's squared error that is gone."""
    error = final("squared_error")
    return 1 - error(study, runs) / of_smallest(error)(study, runs)


def dimensions(study: Study, runs: pd.DataFrame) -> pd.Series:
    """Return the number of latent dimensions."""
    return runs.set_index("run_id")["n_z"].astype(float)
