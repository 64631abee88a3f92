r"""The variational autoencoder.

.. math::
    q(z|x) = N(\mu(x), \mathrm{diag}\,\sigma^2(x)), \quad z = \mu + \sigma\epsilon,
    \quad p(z) = N(0, I), \quad p(x|z) = \text{likelihood}(\text{decoder}(z))

and, above z, any number of further stochastic layers (:mod:`vaestudy.hierarchy`); none by default.
M models of one architecture at once; axes M members, K samples, B batch, then D or Z.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vaestudy.convolutions import MemberConv2d, conv_networks
from vaestudy.deeper import DeeperLayer
from vaestudy.hierarchy import (
    StochasticLayer,
    climb,
    mean_and_logvar,
)
from vaestudy.latent_terms import LatentTerms
from vaestudy.layers import MemberBatchNorm, MemberLinear
from vaestudy.likelihoods import LIKELIHOODS
from vaestudy.networks import Networks, Shape, mlp_networks
from vaestudy.semisupervised import LabelPosterior, LabelTerms, marginal_terms


@dataclass(frozen=True)
class Architecture:
    """What fixes the shapes and functions of a VAE, and nothing of how it is trained.

    Parameters
    ----------
    n_features, n_z
        D and Z.
    hidden
        Widths of the encoder's hidden layers; the decoder mirrors them.
    activation, likelihood
        Names in ``layers.ACTIVATIONS`` and ``likelihoods.LIKELIHOODS``.
    batch_norm
        ``none``, ``hidden`` (every hidden layer) or ``all`` (the encoder's two heads as well).
    encoder_heads
        ``linear``, or ``bounded``: mu through a sigmoid and log sigma^2 through tanh.
    deeper
        Stochastic layers above z, from the lowest to the highest.
    network
        ``mlp``, or ``conv``: of as many parameters as the perceptrons of ``hidden``.
    n_classes
        C: classes that encoder and decoder are told, one-hot, in the last columns of x; 0 if none.
    infers_labels
        Whether there is a classifier q(y|x) for labels that are not known.
    """

    n_features: int
    n_z: int
    hidden: tuple[int, ...] = (200, 200)
    activation: str = "softplus"
    likelihood: str = "bernoulli"
    batch_norm: str = "none"
    encoder_heads: str = "linear"
    deeper: tuple[DeeperLayer, ...] = ()
    network: str = "mlp"
    n_classes: int = 0
    infers_labels: bool = False

    @property
    def widths(self) -> tuple[int, ...]:
        """Latent dimensions of all stochastic layers."""
        return (self.n_z, *(layer.n_z for layer in self.deeper))

    @property
    def n_latent(self) -> int:
        """U, the latent dimensions of all stochastic layers together."""
        return sum(self.widths)

    @property
    def n_inputs(self) -> int:
        """E = D + C, the columns of a row."""
        return self.n_features + self.n_classes


class VAE(nn.Module):
    """M variational autoencoders with multilayer perceptrons.

    Parameters
    ----------
    architecture
        Shapes and functions, the same for every member.
    members
        M.
    """

    def __init__(self, architecture: Architecture, members: int = 1) -> None:
        super().__init__()
        a = architecture
        self.architecture, self.members = a, members
        self.likelihood = LIKELIHOODS[a.likelihood]
        bn, bn_heads = a.batch_norm != "none", a.batch_norm == "all"
        shape = Shape(a.n_features, a.n_classes, a.n_z, self.likelihood.n_heads, a.hidden)
        networks = NETWORKS[a.network](shape, members, a.activation, bn)
        self.encoder = networks.encoder
        self.heads = MemberLinear(members, networks.width, 2 * a.n_z, heads=2, bias=not bn_heads)
        self.heads_norm = MemberBatchNorm(members, 2 * a.n_z) if bn_heads else nn.Identity()
        self.decoder, self.output = networks.decoder, networks.output
        functions = a.activation, a.batch_norm, a.encoder_heads
        self.deeper = nn.ModuleList(
            StochasticLayer(members, n_below, layer, *functions)
            for n_below, layer in zip(a.widths, a.deeper, strict=False)
        )
        if a.infers_labels:
            widths = (a.n_features, *a.hidden)
            self.classifier = LabelPosterior(members, widths, a.n_classes, a.activation)

    def initialize(self, generators: Sequence[torch.Generator]) -> None:
        """Draw every weight anew (Glorot normal), member m's from ``generators[m]``."""
        for module in self.modules():
            if isinstance(module, MemberLinear | MemberConv2d):
                module.initialize(generators)

    def multiply_in(self, dtype: torch.dtype | None) -> None:
        """Compute all matrix products in ``dtype``; in the parameters' own precision if None."""
        for module in self.modules():
            if isinstance(module, MemberLinear):
                module.product_dtype = dtype

    @torch.no_grad()
    def set_output_mean(self, mean: Float[Tensor, "D"]) -> None:
        """Let the output's bias be the logits of ``mean``, kept within [0.001, 0.999].

        An untrained Bernoulli decoder then says about the mean of the data whatever z is (Burda et
        al. 2016, in their code).
        """
        bias = self.output.bias
        assert bias is not None
        bias.copy_(torch.logit(mean.to(bias), eps=0.001).expand_as(bias))

    def encode(
        self, x: Float[Tensor, "M B E"]
    ) -> tuple[Float[Tensor, "M B Z"], Float[Tensor, "M B Z"]]:
        """Return mu and log sigma^2 of q(z | x), of x with its label if the model is told them."""
        heads = self.heads_norm(self.heads(self.encoder(x)))
        return mean_and_logvar(heads, self.architecture.encoder_heads == "bounded")

    def decode(
        self,
        z: Float[Tensor, "M *samples Z"],
        condition: Float[Tensor, "M *#samples C"] | None = None,
    ) -> Float[Tensor, "M *samples P"]:
        """Return the likelihood's parameters at ``z``; a model that is told labels needs those.

        Raises
        ------
        ValueError
            If it is not given any.
        """
        if self.architecture.n_classes:
            if condition is None:
                raise ValueError(
                    "condition is None, but the model decodes a code together with a class; give "
                    f"a one-hot label of {self.architecture.n_classes} classes with every code"
                )
            z = torch.cat([z, condition.expand(*z.shape[:-1], -1)], -1)
        # Rows throughout, so that no layer needs a view in and one out.
        params: Tensor = self.output(self.decoder(z.flatten(1, -2)))
        # Not a view: convolutions may leave a likelihood's two heads side by side at each pixel.
        return params.reshape(*z.shape[:-1], -1)

    def split(
        self, x: Float[Tensor, "M *rows E"]
    ) -> tuple[Float[Tensor, "M *rows D"], Float[Tensor, "M *rows C"] | None]:
        """Return the features of rows and the labels beside them, None for a model without."""
        if not self.architecture.n_classes:
            return x, None
        d = self.architecture.n_features
        return x[..., :d], x[..., d:]

    def forward(
        self, x: Float[Tensor, "M B E"], eps: Float[Tensor, "M K B U"]
    ) -> LatentTerms | LabelTerms:
        """Return the terms of every bound at z = mu + sigma * eps; deterministic given ``eps``.

        The noise of deeper layers follows that of the first, in one tensor of width U.
        """
        if not self.architecture.infers_labels:
            return self.terms_of(x, eps)
        pixels, known = self.split(x)
        assert known is not None
        return marginal_terms(self.terms_of, self.classifier, pixels, known, eps)

    def terms_of(self, x: Float[Tensor, "M B E"], eps: Float[Tensor, "M K B U"]) -> LatentTerms:
        """Return the terms of every bound on log p(x), or on log p(x|y) with labels in ``x``."""
        return self.terms(x, *self.encode(x), eps, self.likelihood.log_prob)

    def terms(
        self,
        x: Float[Tensor, "M B E"],
        mu: Float[Tensor, "M B Z"],
        logvar: Float[Tensor, "M B Z"],
        eps: Float[Tensor, "M K B U"],
        log_prob: Callable[[Tensor, Tensor], Tensor],
    ) -> LatentTerms:
        """Return the terms of an encoded ``x``, log p(x|z) by ``log_prob`` of x and parameters."""
        own, *further = eps.split(self.architecture.widths, dim=-1)
        z = torch.addcmul(mu.unsqueeze(1), (0.5 * logvar).exp().unsqueeze(1), own)
        pixels, condition = self.split(x)
        params = self.decode(z, None if condition is None else condition.unsqueeze(1))
        log_px_z = log_prob(pixels.unsqueeze(1), params)
        return LatentTerms(log_px_z, mu, logvar, own, z, climb(self.deeper, z, further))


#: By name: what makes encoder and decoder.
NETWORKS: dict[str, Callable[[Shape, int, str, bool], Networks]] = {
    "mlp": mlp_networks,
    "conv": conv_networks,
}
