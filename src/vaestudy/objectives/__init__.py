r"""Objectives: functions ``(terms, beta [M]) -> [M, B]`` to maximise, in nats per datum.

The value is a bound on log p(x) (at :math:`\beta = 1`), the gradient by autograd is the
estimator's. ``bounds`` holds those whose gradient is the value's own; ``estimators`` those that
replace it by another of the same or a nearby expectation and less variance; ``divergences`` those
that replace the KL and so bound nothing; ``schedule`` the KL weight's course.

To add one: write the function, put it in ``OBJECTIVES`` (and its keyword parameters in
``parameters.OBJECTIVE_PARAMETERS``), and test its gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor

from vaestudy.objectives.bounds import ciwae, elbo, elbo_sampled, free_bits, iwae, miwae
from vaestudy.objectives.divergences import geometric_js, half_joint, jensen_shannon
from vaestudy.objectives.estimators import dreg, iwae_stl, piwae, stl
from vaestudy.objectives.schedule import beta_schedule, warmup_beta
from vaestudy.parameters import OBJECTIVE_PARAMETERS, ModelParameters
from vaestudy.semisupervised import m2

__all__ = [
    "NO_BOUNDS",
    "OBJECTIVES",
    "Objective",
    "beta_schedule",
    "ciwae",
    "dreg",
    "elbo",
    "elbo_sampled",
    "free_bits",
    "geometric_js",
    "half_joint",
    "iwae",
    "iwae_stl",
    "jensen_shannon",
    "make_objective",
    "miwae",
    "piwae",
    "stl",
    "warmup_beta",
]

#: Called with what the model's forward pass gave.
Objective = Callable[[Any, Tensor], Tensor]

#: By name; those with parameters of their own stand here with their defaults.
OBJECTIVES: dict[str, Objective] = {
    "elbo": elbo,
    "elbo-sampled": elbo_sampled,
    "iwae": iwae,
    "free-bits": free_bits,
    "stl": stl,
    "iwae-stl": iwae_stl,
    "dreg": dreg,
    "miwae": miwae,
    "piwae": piwae,
    "ciwae": ciwae,
    "jensen-shannon": jensen_shannon,
    "geometric-js": geometric_js,
    "half-joint": half_joint,
}
#: Those whose value bounds nothing, at any beta.
NO_BOUNDS = ("jensen-shannon", "geometric-js", "half-joint")


def make_objective(run: ModelParameters) -> Objective:
    """Return the run's objective, its parameters (free bits, groups, share) bound to the run's.

    With labels that are inferred it is the bound of each label, in :func:`semisupervised.m2`.
    """
    objective, own = OBJECTIVES[run.objective], OBJECTIVE_PARAMETERS.get(run.objective)
    if own is not None:
        objective = partial(objective, **{name: getattr(run, name) for name in own.names})
    if run.labels != "m2":
        return objective
    # The source's weight is of the mean over labelled images beside the mean over all.
    return partial(m2, bound=objective, weight=run.label_weight / run.label_share)
