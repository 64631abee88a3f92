r"""The optimisers by name: Adam, and two that are compared with it.

AdaMax (Kingma & Ba 2015, section 7.1) divides by a decaying maximum in place of a mean square,

.. math::
    m \leftarrow \beta_1 m + (1-\beta_1) g,\quad u \leftarrow \max(\beta_2 u, |g| + \epsilon),\quad
    \theta \leftarrow \theta - \frac{\eta}{1 - \beta_1^t}\,\frac mu

and Adagrad (Duchi, Hazan & Singer 2011) by the root of the sum of all squares so far,

.. math::
    s \leftarrow s + g^2,\quad \theta \leftarrow \theta - \eta\, g / (\sqrt s + \epsilon)

Both as ``torch.optim`` has them, and a test holds them against it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar, Final

import torch
from torch import Tensor, nn

from vaestudy.adam import Adam
from vaestudy.config import RunConfig
from vaestudy.optimizer import Number, Optimizer, step_by_update


class AdaMax(Optimizer):
    """Decaying mean of gradients over their decaying maximum."""

    moment_names: ClassVar[tuple[str, ...]] = ("exp_avg", "exp_inf")

    def corrections(self, step: Number, learning_rate: Number) -> tuple[Number, ...]:
        r"""Return :math:`\eta / (1 - \beta_1^t)`."""
        return (learning_rate / (1 - self.beta1**step),)

    def update(
        self, parameter: Tensor, gradient: Tensor, moments: Sequence[Tensor], corrections: Tensor
    ) -> None:
        """Update one parameter, m and u in place."""
        exp_avg, exp_inf = moments
        first = exp_avg + (gradient - exp_avg) * (1 - self.beta1)
        largest = torch.maximum(exp_inf * self.beta2, gradient.abs() + self.eps)
        parameter.sub_(corrections[0] * first / largest)
        exp_avg.copy_(first)
        exp_inf.copy_(largest)

    def step(self) -> None:
        """Update every parameter from its gradient."""
        step_by_update(self)


class Adagrad(Optimizer):
    """Gradients over the root of the sum of their squares; beta1 and beta2 play no part."""

    moment_names: ClassVar[tuple[str, ...]] = ("sum",)

    def corrections(self, step: Number, learning_rate: Number) -> tuple[Number, ...]:
        r"""Return :math:`\eta`."""
        return (learning_rate,)

    def update(
        self, parameter: Tensor, gradient: Tensor, moments: Sequence[Tensor], corrections: Tensor
    ) -> None:
        """Update one parameter and s in place."""
        (total,) = moments
        larger = total + gradient * gradient
        parameter.sub_(corrections[0] * gradient / (larger.sqrt() + self.eps))
        total.copy_(larger)

    def step(self) -> None:
        """Update every parameter from its gradient."""
        step_by_update(self)


OPTIMIZERS: Final[Mapping[str, type[Optimizer]]] = MappingProxyType(
    {"adam": Adam, "adamax": AdaMax, "adagrad": Adagrad}
)


def make_optimizer(
    run: RunConfig, named_parameters: Iterable[tuple[str, nn.Parameter]]
) -> Optimizer:
    """Return the optimiser that a run names, with its learning rate and constants."""
    return OPTIMIZERS[run.optimizer](
        named_parameters,
        learning_rate=run.learning_rate,
        beta1=run.adam_beta1,
        beta2=run.adam_beta2,
        eps=run.adam_eps,
    )
