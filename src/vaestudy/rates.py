r"""The learning rate's course over training.

That of Burda, Grosse & Salakhutdinov (2016): S stages of :math:`3^i` passes, i = 0 .. S - 1, in
which the rate falls in equal ratios to a tenth,

.. math:: \eta_i = \eta \cdot 10^{-i/(S-1)}

With S = 8 it is theirs, 3,280 passes. Fewer stages shorten it and end at the same rate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vaestudy.parameters import ModelParameters


def learning_rate(run: ModelParameters, epoch: int) -> float:
    """Return the step size in ``epoch``, counted from 1."""
    if run.lr_schedule == "constant":
        return run.learning_rate
    stages = burda_stages(run.epochs)
    stage = next(i for i in range(stages) if epoch <= (3 ** (i + 1) - 1) // 2)
    return run.learning_rate * 10 ** (-stage / max(stages - 1, 1))


def burda_stages(epochs: int) -> int:
    """Return the number S of stages of 1, 3, 9, ... epochs that make ``epochs``: (3^S - 1) / 2.

    Raises
    ------
    ValueError
        If there is none.
    """
    stages, total = 0, 0
    while total < epochs:
        total += 3**stages
        stages += 1
    if total != epochs:
        raise ValueError(
            f"epochs is {epochs} but lr_schedule is 'burda', whose stages of 1, 3, 9, ... epochs "
            f"end after {total - 3 ** (stages - 1)} or {total}; set epochs to one of these"
        )
    return stages
