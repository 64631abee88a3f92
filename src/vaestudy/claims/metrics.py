r"""What a claim can be decided by: measurements on held-out data, one number a run.

Two runs compare on a metric only if they agree in what it depends on besides the model's quality:
all in the test pixels (data set and binarization), and further each in its own ``same``. A log mass
and a log density do not compare, nor do :math:`\mathcal L_1` and :math:`\mathcal L_5`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from vaestudy.convergence import epochs_to_within, roughness
from vaestudy.figures.activity_data import fates
from vaestudy.study import Study

#: Parameters in which all runs of one comparison agree, whatever the metric: the test pixels.
SAME_PIXELS = ("dataset", "binarization")


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
    """

    title: str
    unit: str
    values: Callable[[Study, pd.DataFrame], pd.Series]
    same: tuple[str, ...] = ()
    digits: int = 2


def _final(metric: str) -> Callable[[Study, pd.DataFrame], pd.Series]:
    def values(study: Study, runs: pd.DataFrame) -> pd.Series:
        return study.final(runs, metric).set_index("run_id")["value"].astype(float)

    return values


def _on_binary_pixels(metric: str) -> Callable[[Study, pd.DataFrame], pd.Series]:
    # A Bernoulli decoder is its own reading on binary pixels, so its NLL stands for it.
    def values(study: Study, runs: pd.DataFrame) -> pd.Series:
        gaussian = runs["likelihood"] == "gaussian"
        parts = [
            _final(name)(study, part)
            for name, part in ((metric, runs[gaussian]), ("nll", runs[~gaussian]))
            if len(part)
        ]
        joined: pd.Series = pd.concat(parts)
        return joined

    return values


def _tightening(study: Study, runs: pd.DataFrame) -> pd.Series:
    return _final("bound")(study, runs).sub(_final("elbo")(study, runs))


def _epochs_to(study: Study, runs: pd.DataFrame) -> pd.Series:
    return epochs_to_within(study, runs).set_index("run_id")["epochs_to"].astype(float)


def _fate(column: str) -> Callable[[Study, pd.DataFrame], pd.Series]:
    def values(study: Study, runs: pd.DataFrame) -> pd.Series:
        return fates(study, runs).set_index("run_id")[column].astype(float)

    return values


#: Of points in the plane: name, title, unit, decimals.
PLANE_METRICS = (
    ("squared_error_of_draws", "squared error of drawn codes", "squared sides", 4),
    ("share_near_edge", "share near an edge", "share", 3),
    ("share_near_zero", "share near zero", "share", 3),
    ("class_purity", "quadrant purity", "share", 3),
    ("rotated_or_mirrored", "rotated or mirrored", "share", 2),
    ("trustworthiness", "trustworthiness", "trustworthiness", 3),
    ("diamondness", "diamondness", "diamondness", 3),
    ("squareness", "squareness", "squareness", 3),
    ("energy_distance_to_prior", "energy distance to the prior", "standard deviations", 4),
    ("decoder_curve_length", "length of the decoder's curve", "sides", 2),
)
_OBJECTIVE = ("likelihood", "objective", "k")
#: Bounded heads and normalised ones fix the variance that activity is.
_HEADS = ("encoder_heads",)

METRICS: dict[str, Metric] = {
    "nll": Metric("test NLL", "nats", _final("nll"), ("likelihood",)),
    "nll_mean": Metric("test NLL of the mean", "nats", _on_binary_pixels("nll_mean")),
    "nll_restricted": Metric(
        "test NLL restricted to {0, 1}", "nats", _on_binary_pixels("nll_restricted")
    ),
    "elbo": Metric("test ELBO", "nats", _final("elbo"), ("likelihood",)),
    "bound": Metric("test bound", "nats", _final("bound"), _OBJECTIVE),
    "tightening": Metric("bound − ELBO of the same model", "nats", _tightening, ("likelihood",)),
    "kl": Metric("KL from the prior", "nats", _final("kl"), ("likelihood",)),
    "squared_error": Metric("squared error", "squared pixels", _final("squared_error")),
    "active_units": Metric("active units", "units", _final("active_units"), _HEADS, 1),
    "lowest_active": Metric("fewest active units", "units", _fate("lowest"), _HEADS, 1),
    "returned_to_stay": Metric(
        "pruned units returned to stay", "units", _fate("stayed"), _HEADS, 1
    ),
    "epochs_to_1_nat": Metric("epochs to 1 nat", "epochs", _epochs_to, _OBJECTIVE, 1),
    "roughness": Metric("roughness of the bound", "nats an epoch", roughness, _OBJECTIVE, 3),
    **{
        name: Metric(title, unit, _final(name), ("n_z", "likelihood"), digits)
        for name, title, unit, digits in PLANE_METRICS
    },
}
