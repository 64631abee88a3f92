r"""The learning rate's course over training.

That of Burda, Grosse & Salakhutdinov (2016): stage i = 0, 1, 2, ... takes :math:`3^i` passes at

.. math:: \eta_i = \eta \cdot 10^{-i/7},

eight stages or 3,280 passes in all, which end at a tenth. Fewer epochs are that course cut short.
Where there is no time for it, a half cosine (Loshchilov & Hutter 2017) falls within any number E of
epochs, so that the noise of the last steps is small in a short run as well:

.. math:: \eta_e = \frac\eta 2 \left(1 + \cos\frac{\pi (e-1)}{E}\right)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vaestudy.parameters import ModelParameters


def learning_rate(run: ModelParameters, epoch: int) -> float:
    """Return the step size in ``epoch``, counted from 1."""
    if run.lr_schedule == "constant":
        return run.learning_rate
    if run.lr_schedule == "cosine":
        return run.learning_rate * (1 + math.cos(math.pi * (epoch - 1) / run.epochs)) / 2
    stage, last = 0, 1
    while epoch > last:
        stage += 1
        last += 3**stage
    return run.learning_rate * 10 ** (-stage / 7)
