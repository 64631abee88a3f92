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

from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from vaestudy.optimizer import Number, Optimizer


class Adam(Optimizer):
    """Moments and step of Adam for named parameters."""

    moment_names: ClassVar[tuple[str, ...]] = ("exp_avg", "exp_avg_sq")

    def corrections(self, step: Number, learning_rate: Number) -> tuple[Number, ...]:
        r"""Return :math:`\eta / (1 - \beta_1^t)` and :math:`1 / \sqrt{1 - \beta_2^t}`."""
        return learning_rate / (1 - self.beta1**step), (1 - self.beta2**step) ** -0.5

    def update(
        self, parameter: Tensor, gradient: Tensor, moments: Sequence[Tensor], corrections: Tensor
    ) -> None:
        """Apply :func:`adam_update`."""
        first, second = moments
        rates = {"beta1": self.beta1, "beta2": self.beta2, "eps": self.eps}
        adam_update(parameter, gradient, first, second, corrections, **rates)

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter from its gradient."""
        parameters: list[Tensor] = list(self.parameters.values())
        self.count += 1
        torch._fused_adam_(
            parameters,
            [p.grad for p in parameters if p.grad is not None],
            list(self.kept["exp_avg"].values()),
            list(self.kept["exp_avg_sq"].values()),
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
