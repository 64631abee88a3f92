r"""The learning rate's course over training.

That of Burda, Grosse & Salakhutdinov (2016): stage i = 0, 1, 2, ... takes :math:`3^i` passes at

.. math:: \eta_i = \eta \cdot 10^{-i/7},

eight stages or 3,280 passes in all, which end at a tenth. Fewer epochs are that course cut short.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vaestudy.parameters import ModelParameters


def learning_rate(run: ModelParameters, epoch: int) -> float:
    """Return the step size in ``epoch``, counted from 1."""
    if run.lr_schedule == "constant":
        return run.learning_rate
    stage, last = 0, 1
    while epoch > last:
        stage += 1
        last += 3**stage
    return run.learning_rate * 10 ** (-stage / 7)
