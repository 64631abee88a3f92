"""How many cores a fit takes: one, unless its steps are large enough to share.

A step of a small network is dozens of operations of tens of microseconds, at the end of each of
which threads wait for one another. On an idle machine a second one gains little; beside other work
a wait may last until the scheduler returns to the thread that is behind, and fits have taken twice
to fifty times as long (docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import torch

from vaestudy.train import TrainState

#: Operations of a step from which threads share it: some twenty milliseconds of a core.
WORTH_SHARING: Final = 2e9


def step_operations(state: TrainState) -> float:
    """Return about how many operations a step takes: two a weight and sample, thrice."""
    run = state.runs[0]
    weights = sum(parameter.numel() for parameter in state.model.parameters())
    return 6.0 * weights * run.batch_size * run.k


@contextmanager
def cores_for(state: TrainState) -> Iterator[None]:
    """Train on one core if a step is small; afterwards the caller has as many threads as before.

    A Python thread that first uses PyTorch meanwhile begins with one core as well, and keeps it.
    """
    if state.device.type != "cpu" or step_operations(state) >= WORTH_SHARING:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
