r"""What a claim can be decided by: one number a run, on held-out data unless training is its topic.

Two runs compare on a metric only if they agree in what it depends on besides the model's quality:
all in the test pixels (data set and binarization), and further each in its own ``same``. A log mass
and a log density do not compare, nor do :math:`\mathcal L_1` and :math:`\mathcal L_5`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from vaestudy.claims.words import SHARE
from vaestudy.convergence import epochs_to_within, roughness
from vaestudy.figures.activity_data import fates
from vaestudy.figures.summary_data import kl_below_start, kl_dip, late_loss
from vaestudy.parameters import ModelParameters
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


def _given_label(study: Study, runs: pd.DataFrame) -> pd.Series:
    # A model that is told no labels says of an image what it says without one.
    untold = runs["labels"] == "none"
    parts = (("nll_given_label", runs[~untold]), ("nll", runs[untold]))
    joined: pd.Series = pd.concat([_final(name)(study, part) for name, part in parts if len(part)])
    return joined


def _tightening(study: Study, runs: pd.DataFrame) -> pd.Series:
    return _final("bound")(study, runs).sub(_final("elbo")(study, runs))


def _epochs_to(study: Study, runs: pd.DataFrame) -> pd.Series:
    return epochs_to_within(study, runs).set_index("run_id")["epochs_to"].astype(float)


def _ratio(of: Sequence[str], to: Sequence[str]) -> Callable[[Study, pd.DataFrame], pd.Series]:
    """Return a ratio of sums of final measurements."""

    def values(study: Study, runs: pd.DataFrame) -> pd.Series:
        return _total(study, runs, of) / _total(study, runs, to)

    return values


def _total(study: Study, runs: pd.DataFrame, metrics: Sequence[str]) -> pd.Series:
    return pd.concat([_final(name)(study, runs) for name in metrics], axis=1).sum(axis=1)


_VARIANCE = ("gradient_variance_encoder", "gradient_variance_decoder")


def _fate(column: str) -> Callable[[Study, pd.DataFrame], pd.Series]:
    def values(study: Study, runs: pd.DataFrame) -> pd.Series:
        return fates(study, runs).set_index("run_id")[column].astype(float)

    return values


#: Of points in the plane: name, title, unit, decimals.
PLANE_METRICS = (
    ("squared_error_of_draws", "squared error of drawn codes", "squared sides of the square", 4),
    ("share_near_edge", "share near an edge", SHARE, 3),
    ("share_near_zero", "share near zero", SHARE, 3),
    ("class_purity", "quadrant purity", SHARE, 3),
    ("rotated_or_mirrored", "share of models that rotate or mirror", SHARE, 2),
    ("trustworthiness", "trustworthiness", "", 3),
    ("diamondness", "diamondness", "", 3),
    ("squareness", "squareness", "", 3),
    ("energy_distance_to_prior", "energy distance to the prior", "standard deviations", 4),
    # Of points on a ring of radius 1 among others.
    ("energy_distance_of_samples", "energy distance of decoder means to the data", "radii", 4),
    ("decoder_curve_length", "length of the decoder's curve", "sides of the square", 2),
)


def _lost_accuracy(study: Study, runs: pd.DataFrame) -> pd.Series:
    return _final("test_accuracy")(study, runs).sub(_final("reconstruction_accuracy")(study, runs))


_OF_BOTTOM = ("nll_of_bottom_variational", "nll_of_bottom_prior")


def _gain_of_the_top(study: Study, runs: pd.DataFrame) -> pd.Series:
    informed, ignorant = (_final(name)(study, runs) for name in _OF_BOTTOM)
    return informed.sub(ignorant)


def _of_smallest(
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


def _above_smallest(
    of: Callable[[Study, pd.DataFrame], pd.Series],
) -> Callable[[Study, pd.DataFrame], pd.Series]:
    def values(study: Study, runs: pd.DataFrame) -> pd.Series:
        return of(study, runs).sub(_of_smallest(of)(study, runs))

    return values


def _error_removed(study: Study, runs: pd.DataFrame) -> pd.Series:
    error = _final("squared_error")
    return 1 - error(study, runs) / _of_smallest(error)(study, runs)


def _dimensions(study: Study, runs: pd.DataFrame) -> pd.Series:
    return runs.set_index("run_id")["n_z"].astype(float)


_OBJECTIVE = ("likelihood", "objective", "k")
#: Bounded heads and normalised ones fix the variance that activity is.
_HEADS = ("encoder_heads",)

_OF_PLANES = {
    "neighbour_accuracy": "accuracy of nearest codes",
    "slant_explained": "slant that the code explains",
    "slant_explained_within_class": "slant within its class that the code explains",
}

METRICS: dict[str, Metric] = {
    "nll": Metric("test NLL", "nats", _final("nll"), ("likelihood",), estimates=("nll",)),
    "nll_mean": Metric(
        "test NLL of the mean",
        "nats",
        _on_binary_pixels("nll_mean"),
        estimates=("nll_mean", "nll"),
    ),
    "nll_restricted": Metric(
        "test NLL restricted to {0, 1}",
        "nats",
        _on_binary_pixels("nll_restricted"),
        estimates=("nll_restricted", "nll"),
    ),
    "nll_given_label": Metric(
        "test NLL given the label",
        "nats",
        _given_label,
        ("likelihood",),
        estimates=("nll_given_label", "nll"),
    ),
    "conditional_accuracy_of_means": Metric(
        "share of decoder means that show the class asked for",
        "",
        _final("conditional_accuracy_of_means"),
        digits=3,
    ),
    "elbo": Metric("test ELBO", "nats", _final("elbo"), ("likelihood",)),
    "bound": Metric("test bound", "nats", _final("bound"), _OBJECTIVE),
    "tightening": Metric("bound − ELBO of the same model", "nats", _tightening, ("likelihood",)),
    "kl": Metric("KL from the prior", "nats", _final("kl"), ("likelihood",)),
    "squared_error": Metric("squared error", "squared pixels", _final("squared_error")),
    "error_removed": Metric(
        "share of the smallest model's squared error that further dimensions remove",
        "",
        _error_removed,
        ("n_z",),
        digits=3,
        across_data=True,
    ),
    "error_to_pca": Metric(
        "squared error over that of as many principal components",
        "",
        _ratio(("squared_error",), ("pca_squared_error",)),
    ),
    "sampled_kl_variance": Metric(
        "variance of the gradient with the KL sampled, over that with the KL in closed form",
        "",
        _ratio([f"sampled_{name}" for name in _VARIANCE], _VARIANCE),
        split="training",
    ),
    "nll_clipped": Metric(
        "density NLL of clipped pixels", "nats", _final("nll_clipped"), estimates=("nll_clipped",)
    ),
    "posterior_variance": Metric("posterior variance", "", _final("posterior_variance"), _HEADS, 3),
    "sample_confidence_of_means": Metric(
        "classifier's confidence in decoder means",
        "",
        _final("sample_confidence_of_means"),
        digits=3,
    ),
    "fid_of_means": Metric(
        "Fréchet distance of decoder means to test images", "", _final("fid_of_means"), digits=0
    ),
    "reconstruction_accuracy": Metric(
        "accuracy on reconstructions", "", _final("reconstruction_accuracy"), digits=3
    ),
    "lost_accuracy": Metric(
        "accuracy lost in reconstruction", "", _lost_accuracy, digits=3, across_data=True
    ),
    "gain_of_the_top": Metric(
        "NLL of the bottom half, informed − by the prior",
        "nats",
        _gain_of_the_top,
        ("likelihood",),
        estimates=_OF_BOTTOM,
    ),
    "units_gained": Metric(
        "active units gained",
        "units",
        _above_smallest(_final("active_units")),
        (*_HEADS, "n_z"),
        1,
        across_data=True,
        most=_above_smallest(_dimensions),
    ),
    "active_units": Metric(
        "active units", "units", _final("active_units"), _HEADS, 1, most=_dimensions
    ),
    "lowest_active": Metric(
        "fewest active units", "units", _fate("lowest"), _HEADS, 1, most=_dimensions
    ),
    "returned_to_stay": Metric(
        "pruned units returned to stay", "units", _fate("stayed"), _HEADS, 1
    ),
    "epochs_to_1_nat": Metric(
        "epochs to 1 nat from the last bound", "epochs", _epochs_to, _OBJECTIVE, 1
    ),
    "late_loss": Metric(
        "mean loss of ten logged batches", "nats", late_loss, _OBJECTIVE, split="training"
    ),
    "kl_dip": Metric(
        "fall of the KL and rise after it", "nats", kl_dip, _OBJECTIVE, split="training"
    ),
    "kl_below_start": Metric(
        "KL of the untrained model − lowest", "nats", kl_below_start, split="training"
    ),
    **{name: Metric(title, "", _final(name), digits=3) for name, title in _OF_PLANES.items()},
    "roughness": Metric("roughness of the bound", "nats an epoch", roughness, _OBJECTIVE, 3),
    **{
        name: Metric(title, unit, _final(name), ("n_z", "likelihood"), digits)
        for name, title, unit, digits in PLANE_METRICS
    },
}
