"""What all optimisers share: named parameters of all members, and what is kept beside each.

A rule is elementwise, so members stay independent. It is written once, as plain operations that a
compiler or a graph can take (:meth:`Optimizer.update`); what changes from step to step comes in
as a tensor (:meth:`Optimizer.corrections`), so that one graph serves all steps.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

#: A float, or a tensor of no dimension: the step's number lies on the device where a graph counts.
Number = Any


class Optimizer(ABC):
    r"""Parameters by name, their moments, and the steps taken.

    Parameters
    ----------
    named_parameters
        What to optimise, as ``module.named_parameters()`` yields it.
    learning_rate, beta1, beta2, eps
        :math:`\eta, \beta_1, \beta_2, \epsilon`; a rule takes those that it has.
    """

    #: What is kept of every parameter, in the order in which :meth:`update` takes it.
    moment_names: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        named_parameters: Iterable[tuple[str, nn.Parameter]],
        *,
        learning_rate: float,
        beta1: float,
        beta2: float,
        eps: float,
    ) -> None:
        self.parameters = dict(named_parameters)
        self.learning_rate, self.beta1, self.beta2, self.eps = learning_rate, beta1, beta2, eps
        self.kept = {
            moment: {name: torch.zeros_like(p) for name, p in self.parameters.items()}
            for moment in self.moment_names
        }
        first = next(iter(self.parameters.values()))
        # One count for all tensors, where kernels want it: on their device.
        self.count = torch.zeros((), device=first.device)

    @abstractmethod
    def corrections(self, step: Number, learning_rate: Number) -> tuple[Number, ...]:
        """Return what changes from step to step in :meth:`update`; steps count from 1."""

    @abstractmethod
    def update(
        self,
        parameter: Tensor,
        gradient: Tensor,
        moments: Sequence[Tensor],
        corrections: Float[Tensor, "C"],
    ) -> None:
        """Update one parameter and its moments in place, by plain operations."""

    @abstractmethod
    def step(self) -> None:
        """Update every parameter from its gradient."""

    @property
    def step_count(self) -> int:
        """Steps taken."""
        return int(self.count)

    def zero_grad(self) -> None:
        """Drop all gradients."""
        for parameter in self.parameters.values():
            parameter.grad = None

    def moments(self) -> dict[str, Tensor]:
        """Return the moments of every parameter, by name."""
        return {
            f"{name}.{moment}": value
            for moment, values in self.kept.items()
            for name, value in values.items()
        }

    def restore(self, moments: dict[str, Tensor], step_count: int) -> None:
        """Go on from the moments of :meth:`moments` after ``step_count`` steps."""
        for name, value in self.moments().items():
            value.copy_(moments[name])
        self.count.fill_(step_count)


@torch.no_grad()
def step_by_update(optimizer: Optimizer) -> None:
    """Take a step by :meth:`Optimizer.update`, one parameter after the other."""
    optimizer.count += 1
    found = optimizer.corrections(optimizer.step_count, optimizer.learning_rate)
    like = next(iter(optimizer.parameters.values()))
    corrections = torch.tensor(found, dtype=like.dtype, device=like.device)
    for name, parameter in optimizer.parameters.items():
        if parameter.grad is None:
            raise RuntimeError(f"{name} has no gradient; call backward() before step()")
        moments = [values[name] for values in optimizer.kept.values()]
        optimizer.update(parameter, parameter.grad, moments, corrections)
