r"""Adam (Kingma & Ba 2015) over the parameters of all members.

.. math::
    m \leftarrow \beta_1 m + (1-\beta_1) g,\quad v \leftarrow \beta_2 v + (1-\beta_2) g^2,\quad
    \theta \leftarrow \theta - \eta\,\hat m / (\sqrt{\hat v} + \epsilon)

Elementwise, so members stay independent. The update is the fused kernel that
``torch.optim.Adam(fused=True)`` calls. The ``Optimizer`` class around it would import the compiler
(1.4 s) at the start of every job and count steps tensor by tensor (0.13 ms a step, of 6); here the
moments lie by name, as checkpoints want them. A test holds the two against each other.

:func:`adam_update` is the same rule in plain tensor operations, for a compiled step to fuse.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Adam:
    r"""Moments and step of Adam for named parameters.

    Parameters
    ----------
    named_parameters
        What to optimise, as ``module.named_parameters()`` yields it.
    learning_rate, beta1, beta2, eps
        :math:`\eta, \beta_1, \beta_2, \epsilon`.
    """

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
        self.exp_avg = {name: torch.zeros_like(p) for name, p in self.parameters.items()}
        self.exp_avg_sq = {name: torch.zeros_like(p) for name, p in self.parameters.items()}
        first = next(iter(self.parameters.values()))
        # One count for all tensors, where the kernel wants it: on their device.
        self.count = torch.zeros((), device=first.device)

    def corrections(self, step: int) -> tuple[float, float]:
        r"""Return what changes from step to step in :func:`adam_update`.

        That is :math:`\eta / (1 - \beta_1^t)` and :math:`1 / \sqrt{1 - \beta_2^t}`, t from 1.
        """
        bias1, bias2 = 1 - self.beta1**step, 1 - self.beta2**step
        return self.learning_rate / bias1, 1 / math.sqrt(bias2)

    @property
    def step_count(self) -> int:
        """Steps taken."""
        return int(self.count)

    def zero_grad(self) -> None:
        """Drop all gradients."""
        for parameter in self.parameters.values():
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter from its gradient."""
        parameters: list[Tensor] = list(self.parameters.values())
        self.count += 1
        torch._fused_adam_(
            parameters,
            [p.grad for p in parameters if p.grad is not None],
            list(self.exp_avg.values()),
            list(self.exp_avg_sq.values()),
            [],
            [self.count] * len(parameters),
            amsgrad=False,
            lr=self.learning_rate,
            beta1=self.beta1,
            beta2=self.beta2,
            weight_decay=0.0,
            eps=self.eps,
            maximize=False,
        )

    def moments(self) -> dict[str, Tensor]:
        """Return both moments of every parameter, by name."""
        return {
            **{f"{name}.exp_avg": value for name, value in self.exp_avg.items()},
            **{f"{name}.exp_avg_sq": value for name, value in self.exp_avg_sq.items()},
        }

    def restore(self, moments: dict[str, Tensor], step_count: int) -> None:
        """Go on from the moments of :meth:`moments` after ``step_count`` steps."""
        for name, value in self.moments().items():
            value.copy_(moments[name])
        self.count.fill_(step_count)


def adam_update(
    parameter: Tensor,
    gradient: Tensor,
    exp_avg: Tensor,
    exp_avg_sq: Tensor,
    corrections: Float[Tensor, "2"],
    *,
    beta1: float,
    beta2: float,
    eps: float,
) -> None:
    """Update one parameter and its moments in place; see :meth:`Adam.corrections`."""
    first = exp_avg + (gradient - exp_avg) * (1 - beta1)
    second = exp_avg_sq * beta2 + gradient * gradient * (1 - beta2)
    step_size, root_scale = corrections
    parameter.sub_(step_size * first / (second.sqrt() * root_scale + eps))
    exp_avg.copy_(first)
    exp_avg_sq.copy_(second)
