r"""The KL weight's course over training.

Linear warm-up over :math:`N_T` epochs (Sønderby et al. 2016), or C cycles within them, of each of
which a fraction R rises (cyclical annealing, Fu et al. 2019); in epoch t, counted from 1:

.. math::
    \beta_t = \beta \min(1, \tau / R), \quad
    \tau = \tfrac{C(t-1)}{N_T} \bmod 1 \text{ while } t \le N_T, \text{ then } \beta_t = \beta

C = R = 1 is linear warm-up; :math:`\beta` is 1 but for the :math:`\beta`-VAE (Higgins et al. 2017).
"""

from __future__ import annotations

from vaestudy.parameters import ModelParameters


def warmup_beta(epoch: int, warmup: int, cycles: int = 1, rise: float = 1.0) -> float:
    """Return beta in ``epoch`` (counted from 1): 0 in the first, 1 once ``warmup`` are over.

    Parameters
    ----------
    epoch, warmup
        Epoch, and how many epochs annealing takes in all.
    cycles
        How often beta starts again from 0 within ``warmup``.
    rise
        Fraction of each cycle in which beta rises; 1 for the rest of it.

    Raises
    ------
    ValueError
        If ``epoch`` is below 1.

    References
    ----------
    Fu et al. (2019), Cyclical annealing schedule: 4 cycles over all of training, half rising.
    """
    if epoch < 1:
        raise ValueError(f"epoch is {epoch}; epochs are counted from 1")
    done = epoch - 1
    if done >= warmup:
        return 1.0
    # In whole numbers, so that a cycle begins at exactly 0.
    return min(1.0, (done * cycles % warmup) / warmup / rise)


def beta_schedule(run: ModelParameters, epoch: int) -> float:
    """Return the weight of the run's KL term in ``epoch``: annealed, times the run's ``beta``."""
    annealed = warmup_beta(epoch, run.warmup, run.warmup_cycles, run.warmup_rise)
    return run.beta * annealed
