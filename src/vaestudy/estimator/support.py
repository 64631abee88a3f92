r"""Which values a likelihood is meant for, and how real data are standardised.

A density of standardised data :math:`y = (x - m) / s` is one of x by the change of variables

.. math:: \log p(x) = \log p(y) - \sum_d \log s_d

A feature that is constant has no spread to standardise by, and no density. The model does not see
it: it adds nothing to log p(x), and comes back exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from vaestudy.estimator.warning import warn_user
from vaestudy.likelihoods import LIKELIHOODS

AUTO: Final = "auto"

Array = NDArray[np.float64]


class LikelihoodWarning(UserWarning):
    """The chosen likelihood can be computed on these data, but is not meant for them."""


class ConstantWarning(UserWarning):
    """A feature that was constant in training is not any more, and the model does not see it."""


@dataclass(frozen=True)
class Facts:
    """What decides which likelihood suits: the range of the data, and whether all are 0 or 1."""

    lowest: float
    highest: float
    binary: bool

    @classmethod
    def of(cls, values: Array) -> Self:
        """Look at every value of ``values`` [N, D] that is not missing, NaN."""
        binary = bool(((values == 0) | (values == 1) | np.isnan(values)).all())
        lowest, highest = (f.reduce(values, axis=None) for f in (np.fmin, np.fmax))
        return cls(float(lowest), float(highest), binary)

    @property
    def in_unit_interval(self) -> bool:
        """Whether nothing is below 0 or above 1."""
        return self.lowest >= 0 and self.highest <= 1

    def suited(self) -> str:
        """Return the likelihood for these data: a mass on {0, 1}, a density on [0, 1] or on R."""
        if self.binary:
            return "bernoulli"
        return "continuous-bernoulli" if self.in_unit_interval else "normal"


@dataclass(frozen=True)
class Domain:
    """Where a likelihood lives.

    Parameters
    ----------
    mass
        A probability of 0s and 1s, no density.
    bounded
        Values outside [0, 1] are impossible: their likelihood is 0.
    unit_mean
        Its mean lies in (0, 1), so values far outside are never met.
    standardise
        Fitted to (x - mean) / standard deviation.
    """

    mass: bool = False
    bounded: bool = False
    unit_mean: bool = False
    standardise: bool = False


DOMAINS: Final = MappingProxyType(
    {
        "bernoulli": Domain(mass=True, bounded=True),
        "continuous-bernoulli": Domain(bounded=True),
        "gaussian": Domain(unit_mean=True),
        "normal": Domain(standardise=True),
        "beta": Domain(bounded=True),
        "squared-error": Domain(standardise=True),
    }
)


def domain_of(likelihood: str) -> Domain:
    """Return where a likelihood lives; one that says nothing is a density on the real line."""
    return DOMAINS.get(likelihood, Domain())


def choose_likelihood(asked: str, facts: Facts) -> str:
    """Return the likelihood's name for data of these facts; warn if it is asked for and odd.

    Raises
    ------
    ValueError
        If the name is unknown, or some data are impossible under it.
    """
    if asked == AUTO:
        return facts.suited()
    if asked not in LIKELIHOODS:
        known = ", ".join((AUTO, *LIKELIHOODS))
        raise ValueError(f"likelihood is {asked!r}; expected one of {known}")
    domain, spread = domain_of(asked), f"[{facts.lowest:g}, {facts.highest:g}]"
    if domain.bounded and not facts.in_unit_interval:
        raise ValueError(
            f"likelihood is {asked!r} but X holds values in {spread}, expected values in [0, 1]: "
            "scale X (MinMaxScaler), or take likelihood='normal'"
        )
    remark = _remark(domain, facts, spread)
    if remark:
        warn_user(
            f"likelihood is {asked!r} but {remark}; likelihood={facts.suited()!r} suits these data",
            LikelihoodWarning,
        )
    return asked


def warn_outside(likelihood: str, lowest: float, highest: float) -> None:
    """Warn of rows after a fit with values in [lowest, highest] that the likelihood is not for.

    A fit refuses or warns of them. Later ones have codes even so, and a scaler that was fitted to
    the rows of training brings others a little outside [0, 1] as a matter of course.
    """
    domain = domain_of(likelihood)
    if (domain.bounded or domain.unit_mean) and (lowest < 0 or highest > 1):
        warn_user(
            f"X holds values in [{lowest:g}, {highest:g}] but the model was fitted with likelihood "
            f"{likelihood!r}, which is for [0, 1]: what it gives for values outside is "
            "extrapolated; scale X as the data were that it was fitted to",
            LikelihoodWarning,
        )


def warn_between() -> None:
    """Warn of rows after a fit with values between 0 and 1 where it met 0s and 1s alone."""
    warn_user(
        "X holds values between 0 and 1 but the model was fitted to 0s and 1s, with likelihood "
        "'bernoulli': what it says of these is a cross-entropy, no log-probability; fit to rows "
        "like these if they are intensities, or make them binary",
        LikelihoodWarning,
    )


def _remark(domain: Domain, facts: Facts, spread: str) -> str:
    if domain.unit_mean and not facts.in_unit_interval:
        return f"X holds values in {spread}, and its mean cannot leave (0, 1)"
    if domain.mass and not facts.binary:
        return "X is not binary: what it gives between 0 and 1 is a cross-entropy, no density"
    if facts.binary and not domain.mass:
        return "X is binary: a density of values that are 0 or 1 says nothing of their probability"
    return ""


@dataclass(frozen=True)
class Scaling:
    """Feature by feature ``y = (x - mean) / scale``, of the D' of D features that are not constant.

    Parameters
    ----------
    mean, scale
        [D]; a constant feature has scale 0.
    """

    mean: Array
    scale: Array

    @classmethod
    def none(cls, n_features: int) -> Self:
        """Leave data as they are."""
        return cls(np.zeros(n_features), np.ones(n_features))

    @classmethod
    def of(
        cls, values: Array, weights: Array | None = None, names: Sequence[str] | None = None
    ) -> Self:
        """Standardise ``values`` [N, D]; ``names`` are the features', for messages.

        Raises
        ------
        ValueError
            If a feature's values are so large that its variance is no number.
        """
        mean = np.average(values, axis=0, weights=weights)
        with np.errstate(over="ignore"):
            scale = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=weights))
        # Squares of the smallest numbers are 0, though these are not equal.
        scale = np.where(scale > 0, scale, np.abs(values - mean).max(axis=0))
        constant = values.max(axis=0) == values.min(axis=0)
        # The mean of equal numbers is not always that number, to the last bit.
        mean, scale = np.where(constant, values[0], mean), np.where(constant, 0.0, scale)
        if not np.isfinite(scale).all():
            worst = int(np.flatnonzero(~np.isfinite(scale))[0])
            which = worst if names is None else repr(str(names[worst]))
            raise ValueError(
                f"X: feature {which} is too large to standardise (up to "
                f"{np.abs(values[:, worst]).max():g}): divide it by a constant first"
            )
        return cls(mean, scale)

    @cached_property
    def seen(self) -> NDArray[np.bool_]:
        """Which features the model sees, [D]: all but constant ones, or the first if all are."""
        varies = self.scale > 0
        return varies if varies.any() else np.arange(len(varies)) == 0

    @property
    def n_seen(self) -> int:
        """How many features the model sees, D'."""
        return int(self.seen.sum())

    def forward(self, values: Array) -> Array:
        """Return what the model sees, [..., D'], of ``values`` [..., D]."""
        if (self.scale > 0).all():
            return (values - self.mean) / self.scale
        unit = np.where(self.scale > 0, self.scale, 1.0)[self.seen]
        return (values[..., self.seen] - self.mean[self.seen]) / unit

    def backward(self, values: Array) -> Array:
        """Return the original units, [..., D], of ``values`` [..., D']."""
        original = np.empty((*values.shape[:-1], len(self.mean)))
        original[...] = self.mean
        original[..., self.seen] += values * self.scale[self.seen]
        return original

    def warn_of_unseen(self, values: Array) -> None:
        """Warn of values [N, D] in constant features that are not the constant."""
        if (self.scale > 0).all():
            return
        # As much as float32 rounds a constant by is none; neither is a missing value.
        same = np.isclose(values, self.mean, rtol=1e-6, atol=0) | np.isnan(values)
        changed = np.flatnonzero((self.scale == 0) & ~same.all(axis=0))
        if len(changed):
            which = f"feature{'s' if len(changed) > 1 else ''} {', '.join(map(str, changed))}"
            warn_user(
                f"X: {which} held one value in training and another one here, which the model does "
                "not see: fit to rows in which it varies if it matters",
                ConstantWarning,
            )

    @property
    def log_jacobian(self) -> float:
        r"""What turns a log-density of y into one of x: :math:`-\sum_d \log s_d`, in nats."""
        return -float(np.log(self.scale[self.scale > 0]).sum())
