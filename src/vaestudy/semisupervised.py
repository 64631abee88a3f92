r"""Labels that are known of some images only: the generative semi-supervised model (M2).

With :math:`L(x, y)` a bound on :math:`\log p(x|y)`, a uniform prior of C classes and a classifier
:math:`q(y|x)`,

.. math::
    w_y = \begin{cases} 1[y = y_x] & \text{where the label is known} \\ q(y|x) & \text{where not}
    \end{cases}, \qquad
    J(x) = \sum_y w_y\,L(x, y) - KL(w \| p(y))

is a bound on :math:`\log p(x, y_x)`, or on :math:`\log p(x)`: the source's two bounds in one
formula. The sum over y is taken, not sampled: every image is passed through the model under every
label. Of known labels the classifier learns by :math:`\alpha \log q(y_x|x)` besides.

References
----------
Kingma, Rezende, Mohamed & Welling (2014), Semi-supervised learning with deep generative models.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vaestudy.layers import MemberLinear, hidden_layers

if TYPE_CHECKING:
    from vaestudy.latent_terms import LatentTerms


class LabelPosterior(nn.Module):
    """The classifiers q(y|x) of M members.

    Parameters
    ----------
    members
        M.
    widths
        D, and the hidden layers'.
    n_classes
        C.
    activation
        A name in ``layers.ACTIVATIONS``.
    """

    def __init__(
        self, members: int, widths: tuple[int, ...], n_classes: int, activation: str
    ) -> None:
        super().__init__()
        self.hidden = hidden_layers(members, widths, activation, batch_norm=False)
        self.logits = MemberLinear(members, widths[-1], n_classes)

    def forward(self, pixels: Float[Tensor, "M B D"]) -> Float[Tensor, "M B C"]:
        """Return log q(y|x)."""
        return torch.log_softmax(self.logits(self.hidden(pixels)), -1)


def under_every_label(pixels: Float[Tensor, "M B D"], n_classes: int) -> Float[Tensor, "M BC E"]:
    """Return every image with each of the C labels beside it, an image's labels in a row."""
    labels = torch.eye(n_classes, dtype=pixels.dtype, device=pixels.device)
    members, n, n_features = pixels.shape
    images = pixels.unsqueeze(2).expand(members, n, n_classes, n_features)
    return torch.cat([images, labels.expand(members, n, *labels.shape)], -1).flatten(1, 2)


@dataclass(frozen=True)
class LabelTerms:
    """What an objective may need of images whose labels are known or not, in nats.

    The same names as in :class:`vaestudy.latent_terms.LatentTerms`, as expectations over labels.

    Parameters
    ----------
    each
        Terms of every image under every label; its batch axis is B times C.
    log_q
        log q(y|x).
    known
        One-hot where the label is known, else zeros.
    """

    each: LatentTerms
    log_q: Float[Tensor, "M B C"]
    known: Float[Tensor, "M B C"]

    @cached_property
    def weights(self) -> Float[Tensor, "M B C"]:
        """The labels' probabilities w: 0 and 1 where the label is known, else q(y|x)."""
        unknown = 1 - self.known.sum(-1, keepdim=True)
        return self.known + unknown * self.log_q.exp()

    @cached_property
    def label_kl(self) -> Float[Tensor, "M B"]:
        """KL(w || p(y)) with p(y) = 1/C: log C where the label is known."""
        # Where it is known, w log w is 0 for every class.
        unknown = 1 - self.known.sum(-1)
        return math.log(self.log_q.shape[-1]) + unknown * (self.log_q.exp() * self.log_q).sum(-1)

    @property
    def log_px_z(self) -> Float[Tensor, "M K B"]:
        """Mean over labels of log p(x|z, y)."""
        each = self.each.log_px_z.unflatten(-1, self.weights.shape[1:])
        mean: Tensor = (self.weights.unsqueeze(1) * each).sum(-1)
        return mean

    @property
    def kl(self) -> Float[Tensor, "M B"]:
        """KL(q(y, z|x) || p(y) p(z)), of code and label together."""
        each = self.each.kl.unflatten(-1, self.weights.shape[1:])
        of_code: Tensor = (self.weights * each).sum(-1)
        return of_code + self.label_kl

    @property
    def means(self) -> Float[Tensor, "M B U"]:
        """Mean of z under q(y, z|x)."""
        return self._over_labels(self.each.means)

    @property
    def kl_per_unit(self) -> Float[Tensor, "M B U"]:
        """Mean over labels of KL(q(z_u|x, y) || p(z_u))."""
        return self._over_labels(self.each.kl_per_unit)

    def _over_labels(self, each: Tensor) -> Tensor:
        by_label = each.unflatten(1, self.weights.shape[1:])
        mean: Tensor = (self.weights.unsqueeze(-1) * by_label).sum(2)
        return mean


def marginal_terms(
    terms_of: Callable[[Tensor, Tensor], LatentTerms],
    classifier: LabelPosterior,
    pixels: Float[Tensor, "M B D"],
    known: Float[Tensor, "M B C"],
    eps: Float[Tensor, "M K B Z"],
) -> LabelTerms:
    """Return the terms of every image under every label, each with the same noise.

    ``terms_of`` is the forward pass of a model that is told the label.
    """
    n_classes = known.shape[-1]
    rows = under_every_label(pixels, n_classes)
    each = terms_of(rows, eps.repeat_interleave(n_classes, 2))
    return LabelTerms(each, classifier(pixels), known)


def m2(
    terms: LabelTerms,
    beta: Float[Tensor, "M"],
    *,
    bound: Callable[[LatentTerms, Tensor], Tensor],
    weight: float,
) -> Float[Tensor, "M B"]:
    r"""Return the bound J(x), to be followed together with the classification loss.

    .. math:: \sum_y w_y\,L(x, y) - \beta\,KL(w \| p(y))

    The gradient is that of :math:`J + \alpha \log q(y_x|x)` where the label is known; the value
    stays a bound.

    Parameters
    ----------
    terms, beta
        The forward pass, and the KL weight of each member.
    bound
        L, an objective.
    weight
        :math:`\alpha`, the weight of one known label.
    """
    each = bound(terms.each, beta).unflatten(-1, terms.weights.shape[1:])
    value: Tensor = (terms.weights * each).sum(-1) - beta[:, None] * terms.label_kl
    told = weight * (terms.known * terms.log_q).sum(-1)
    return value + (told - told.detach())
