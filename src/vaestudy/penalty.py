r"""Weight decay as a penalty in the objective: L2 regularization, each member's weight its own.

.. math:: \sum_m \lambda_m \frac1W \sum_{i=1}^{W} w_{mi}^2

over the W weights of a member, biases and the scales of batch normalization left out. The mean, not
the sum, so that one :math:`\lambda` means about the same for networks of different sizes.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor


def weight_penalty(
    parameters: Mapping[str, Tensor], weight_decay: Float[Tensor, "M"]
) -> Float[Tensor, ""]:
    r"""Return :math:`\sum_m \lambda_m \frac1W \sum_i w_{mi}^2`.

    Parameters
    ----------
    parameters
        By name, member first, as ``named_parameters`` gives them.
    weight_decay
        :math:`\lambda_m`.
    """
    weights = [value for name, value in parameters.items() if name.endswith("weight")]
    n = sum(weight[0].numel() for weight in weights)
    squares = torch.stack([weight.square().flatten(1).sum(1) for weight in weights]).sum(0)
    return (squares * weight_decay).sum() / n
