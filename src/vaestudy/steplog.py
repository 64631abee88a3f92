"""What single steps of training say: each of the first ones, later one in ``EVERY``.

A step's metrics are its batch's, taken before the step changes the weights, so that step 0 shows
the untrained model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vaestudy.history import SCALARS, Columns

#: After the first steps, one in so many is logged.
EVERY = 500
COLUMNS = ("run_id", "step", "metric", "value")


def is_logged(step: int, n_first: int) -> bool:
    """Whether a step, counted from 0, is logged by runs that log their first ``n_first``."""
    return step < n_first or step % EVERY == 0


@dataclass
class StepLog:
    """The batch means of ``history.SCALARS`` at some steps of training.

    Parameters
    ----------
    n_first
        Of how many first steps each is logged.
    steps
        The steps logged so far, counted from 0.
    metrics
        One tensor [S, M] each, on the device of training: copied from there once, at the end.
    """

    n_first: int
    steps: list[int] = field(default_factory=list)
    metrics: list[Tensor] = field(default_factory=list)

    def wants(self, step: int) -> bool:
        """Whether ``step`` is to be logged."""
        return is_logged(step, self.n_first)

    def add(self, step: int, measured: Float[Tensor, "S M"]) -> None:
        """Log a step; its metrics are copied, for they may lie in a buffer."""
        self.steps.append(step)
        self.metrics.append(measured.detach().double().clone())

    def member(self, member: int) -> Float[Tensor, "T S"]:
        """Return one member's metrics at all logged steps, on the host."""
        if not self.metrics:
            return torch.zeros(0, len(SCALARS), dtype=torch.float64)
        return torch.stack([value[:, member] for value in self.metrics]).cpu()

    def table(self, member: int, run_id: str) -> Columns:
        """Return one row a step × metric: run_id, step, metric, value."""
        values = self.member(member).T.numpy()
        metric, step = np.indices(values.shape).reshape(2, -1)
        return {
            "run_id": np.full(values.size, run_id),
            "step": np.array(self.steps, dtype=np.int64)[step],
            "metric": np.array(SCALARS)[metric],
            "value": values.ravel(),
        }

    @classmethod
    def restored(
        cls, n_first: int, steps: Sequence[int], members: Sequence[Float[Tensor, "T S"]]
    ) -> StepLog:
        """Return a log as it stood when each member's part of it was saved."""
        together = torch.stack(list(members), dim=-1)
        return cls(n_first, list(steps), list(together))
