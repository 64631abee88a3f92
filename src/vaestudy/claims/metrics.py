r"""What a claim can be decided by: one number a run, on held-out data unless training is its topic.

Two runs compare on a metric only if they agree in what it depends on besides the model's quality:
all in the test pixels (data set and binarization), and further each in its own ``same``. A log mass
and a log density do not compare, nor do :math:`\mathcal L_1` and :math:`\mathcal L_5`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from vaestudy.claims.claim import Claim
from vaestudy.claims.exact import rate_interval, share_interval
from vaestudy.claims.values import (
    OF_BOTTOM,
    VARIANCE,
    above_smallest,
    dimensions,
    epochs_to,
    error_removed,
    fate,
    final,
    gain_of_the_top,
    given_label,
    lost_accuracy,
    on_binary_pixels,
    ratio,
    tightening,
)
from vaestudy.claims.words import SHARE
from vaestudy.convergence import roughness
from vaestudy.figures.summary_data import kl_below_start, kl_dip, late_loss
from vaestudy.stats import Interval
from vaestudy.study import Study

#: From a value a model and a level to the exact interval of their mean.
Exact = Callable[[Collection[float], float], Interval]

#: Parameters in which all runs of one comparison agree, whatever the metric: the test pixels.
SAME_PIXELS = ("dataset", "binarization")


#: What a metric can be, for :attr:`Metric.span`.
ANY = (-math.inf, math.inf)
NOT_NEGATIVE = (0.0, math.inf)
OF_SHARES = (0.0, 1.0)
OF_EXPLAINED = (-math.inf, 1.0)
OF_CORRELATIONS = (-1.0, 1.0)


@dataclass(frozen=True)
class Metric:
    """A measurement of finished runs.

    Parameters
    ----------
    title
        Its name for readers.
    unit
        What it is counted in; empty for a pure number.
    values
        From a study and rows of its runs table to one value a run, indexed by ``run_id``.
    same
        Parameters in which compared runs must agree, besides ``SAME_PIXELS``.
    digits
        Decimals that a reader is shown.
    across_data
        Whether models of different data compare on it.
    split
        What it is measured on: ``test``, held-out data, or ``training``.
    estimates
        The importance-weighted estimates of log p(x) that it is made of, if it is: too few samples
        leave them short of what they estimate, more in one model than in another.
    most
        As ``values``, the most that each run can reach; None if there is no such number. Where all
        have reached it, no difference could have shown.
    exact
        The exact interval of its mean over models, if it counts them or what occurs in them.
    span
        The lowest and the highest number that it can be.
    """

    title: str
    unit: str
    values: Callable[[Study, pd.DataFrame], pd.Series]
    same: tuple[str, ...] = ()
    digits: int = 2
    across_data: bool = False
    split: Literal["test", "training"] = "test"
    estimates: tuple[str, ...] = ()
    most: Callable[[Study, pd.DataFrame], pd.Series] | None = None
    exact: Exact | None = None
    span: tuple[float, float] = ANY


#: Of points in the plane: name, title, unit, decimals, what it can be.
PLANE_METRICS = (
    ("squared_error_of_draws", "squared error of drawn codes", "squared sides of the square", 4,
     NOT_NEGATIVE),
    ("share_near_edge", "share near an edge", SHARE, 3, OF_SHARES),
    ("share_near_zero", "share near zero", SHARE, 3, OF_SHARES),
    ("class_purity", "quadrant purity", SHARE, 3, OF_SHARES),
    ("rotated_or_mirrored", "share of models that rotate or mirror", SHARE, 2, OF_SHARES),
    ("trustworthiness", "trustworthiness", "", 3, OF_SHARES),
    ("diamondness", "diamondness", "", 3, OF_CORRELATIONS),
    ("squareness", "squareness", "", 3, OF_SHARES),
    # Estimates of the distances have no bias, and may fall below zero.
    ("energy_distance_to_prior", "energy distance to the prior", "standard deviations", 4, ANY),
    # Of points on a ring of radius 1 among others.
    ("energy_distance_of_samples", "energy distance of decoder means to the data", "radii", 4, ANY),
    ("decoder_curve_length", "length of the decoder's curve", "sides of the square", 2,
     NOT_NEGATIVE),
)  # fmt: skip
#: Those that are 0 or 1 of a model, a share of models only over seeds.
_OF_MODELS = {"rotated_or_mirrored": share_interval}

_OBJECTIVE = ("likelihood", "objective", "k")
#: Bounded heads and normalised ones fix the variance that activity is.
_HEADS = ("encoder_heads",)

_OF_PLANES = {
    "neighbour_accuracy": ("accuracy of nearest codes", OF_SHARES),
    "slant_explained": ("slant that the code explains", OF_EXPLAINED),
    "slant_explained_within_class": (
        "slant within its class that the code explains",
        OF_EXPLAINED,
    ),
}

METRICS: dict[str, Metric] = {
    "nll": Metric("test NLL", "nats", final("nll"), ("likelihood",), estimates=("nll",)),
    "nll_mean": Metric(
        "test NLL of the mean",
        "nats",
        on_binary_pixels("nll_mean"),
        estimates=("nll_mean", "nll"),
    ),
    "nll_restricted": Metric(
        "test NLL restricted to {0, 1}",
        "nats",
        on_binary_pixels("nll_restricted"),
        estimates=("nll_restricted", "nll"),
    ),
    "nll_given_label": Metric(
        "test NLL given the label",
        "nats",
        given_label,
        ("likelihood",),
        estimates=("nll_given_label", "nll"),
    ),
    "conditional_accuracy_of_means": Metric(
        "share of decoder means that show the class asked for",
        "",
        final("conditional_accuracy_of_means"),
        digits=3,
        span=OF_SHARES,
    ),
    "elbo": Metric("test ELBO", "nats", final("elbo"), ("likelihood",)),
    "bound": Metric("test bound", "nats", final("bound"), _OBJECTIVE),
    "tightening": Metric("bound − ELBO of the same model", "nats", tightening, ("likelihood",)),
    "kl": Metric("KL from the prior", "nats", final("kl"), ("likelihood",), span=NOT_NEGATIVE),
    "squared_error": Metric(
        "squared error", "squared pixels", final("squared_error"), span=NOT_NEGATIVE
    ),
    "error_removed": Metric(
        "share of the smallest model's squared error that further dimensions remove",
        "",
        error_removed,
        ("n_z",),
        digits=3,
        across_data=True,
        span=OF_EXPLAINED,
    ),
    "error_to_pca": Metric(
        "squared error over that of as many principal components",
        "",
        ratio(("squared_error",), ("pca_squared_error",)),
        span=NOT_NEGATIVE,
    ),
    "sampled_kl_variance": Metric(
        "variance of the gradient with the KL sampled, over that with the KL in closed form",
        "",
        ratio([f"sampled_{name}" for name in VARIANCE], VARIANCE),
        split="training",
        span=NOT_NEGATIVE,
    ),
    "nll_clipped": Metric(
        "density NLL of clipped pixels", "nats", final("nll_clipped"), estimates=("nll_clipped",)
    ),
    "posterior_variance": Metric(
        "posterior variance", "", final("posterior_variance"), _HEADS, 3, span=NOT_NEGATIVE
    ),
    "sample_confidence_of_means": Metric(
        "classifier's confidence in decoder means",
        "",
        final("sample_confidence_of_means"),
        digits=3,
        span=OF_SHARES,
    ),
    "fid_of_means": Metric(
        "Fréchet distance of decoder means to training images",
        "squared features",
        final("fid_of_means"),
        digits=0,
        span=NOT_NEGATIVE,
    ),
    "reconstruction_accuracy": Metric(
        *("accuracy on reconstructions", "", final("reconstruction_accuracy")),
        digits=3,
        span=OF_SHARES,
    ),
    "lost_accuracy": Metric(
        "accuracy lost in reconstruction",
        "",
        lost_accuracy,
        digits=3,
        across_data=True,
        span=(-1.0, 1.0),
    ),
    "gain_of_the_top": Metric(
        "NLL of the bottom half, informed − by the prior",
        "nats",
        gain_of_the_top,
        ("likelihood",),
        estimates=OF_BOTTOM,
    ),
    "units_gained": Metric(
        "active units gained",
        "units",
        above_smallest(final("active_units")),
        (*_HEADS, "n_z"),
        1,
        across_data=True,
        most=above_smallest(dimensions),
    ),
    "active_units": Metric(
        *("active units", "units", final("active_units"), _HEADS, 1),
        most=dimensions,
        span=NOT_NEGATIVE,
    ),
    "lowest_active": Metric(
        *("fewest active units", "units", fate("lowest"), _HEADS, 1),
        most=dimensions,
        span=NOT_NEGATIVE,
    ),
    "returned_to_stay": Metric(
        *("pruned units returned to stay", "units", fate("stayed"), _HEADS, 1),
        exact=rate_interval,
        span=NOT_NEGATIVE,
    ),
    "epochs_to_1_nat": Metric(
        *("epochs to 1 nat from the last bound", "epochs", epochs_to, _OBJECTIVE, 1),
        span=NOT_NEGATIVE,
    ),
    "late_loss": Metric(
        "mean loss of ten logged batches", "nats", late_loss, _OBJECTIVE, split="training"
    ),
    "kl_dip": Metric(
        "fall of the KL and rise after it", "nats", kl_dip, _OBJECTIVE, split="training"
    ),
    "kl_below_start": Metric(
        "KL of the first batch, untrained − lowest mean over ten steps",
        "nats",
        kl_below_start,
        split="training",
    ),
    **{
        name: Metric(title, "", final(name), digits=3, span=span)
        for name, (title, span) in _OF_PLANES.items()
    },
    "roughness": Metric("scatter of the test bound", "nats", roughness, _OBJECTIVE, 3),
    **{
        name: Metric(
            *(title, unit, final(name), ("n_z", "likelihood"), digits),
            exact=_OF_MODELS.get(name),
            span=span,
        )
        for name, title, unit, digits, span in PLANE_METRICS
    },
}


def span_of(claim: Claim) -> tuple[float, float]:
    """Return the lowest and the highest number that the contrasts of a claim can be."""
    # A pending claim may name a metric that is still to come.
    metric = METRICS.get(claim.statistic.metric)
    low, high = metric.span if metric else ANY
    if claim.unitless:
        return OF_CORRELATIONS
    return (low, high) if claim.of_one_model else (low - high, high - low)
