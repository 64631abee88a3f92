r"""The variational autoencoder.

.. math::
    q(z|x) = N(\mu(x), \mathrm{diag}\,\sigma^2(x)), \quad z = \mu + \sigma\epsilon,
    \quad p(z) = N(0, I), \quad p(x|z) = \text{likelihood}(\text{decoder}(z))

M models of one architecture at once; axes M members, K samples, B batch, then D or Z.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vaestudy.convolutions import MemberConv2d, conv_networks
from vaestudy.layers import MemberBatchNorm, MemberLinear
from vaestudy.likelihoods import LIKELIHOODS, LOG_2PI
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
    network: str = "mlp"
    n_classes: int = 0
    infers_labels: bool = False

    @property
    def n_inputs(self) -> int:
        """E = D + C, the columns of a row."""
        return self.n_features + self.n_classes


@dataclass(frozen=True)
class LatentTerms:
    r"""All that an objective may need, for K samples z of q(z | x), in nats.

    Fields are what the forward pass made; densities are computed at first use, since no objective
    needs all of them. They carry gradients if the forward pass did, whoever asks first.

    Parameters
    ----------
    log_px_z
        log p(x|z).
    mu, logvar
        Mean and log-variance of q(z|x).
    eps, z
        Standard normal noise, and :math:`z = \mu + \sigma\epsilon`.
    """

    log_px_z: Float[Tensor, "M K B"]
    mu: Float[Tensor, "M B Z"]
    logvar: Float[Tensor, "M B Z"]
    eps: Float[Tensor, "M K B Z"]
    z: Float[Tensor, "M K B Z"]

    @cached_property
    def log_pz(self) -> Float[Tensor, "M K B"]:
        """The prior's log-density log p(z)."""
        with self._as_in_forward():
            return standard_normal_log_prob(self.z)

    @cached_property
    def log_qz_x(self) -> Float[Tensor, "M K B"]:
        r"""The posterior's log-density log q(z|x).

        :math:`\log N(\epsilon; 0, I) - \sum_u \log\sigma_u`: path and score taken together, so that
        its gradient reaches the encoder through ``logvar`` alone and not through z.
        """
        with self._as_in_forward():
            return standard_normal_log_prob(self.eps) - 0.5 * self.logvar.sum(-1).unsqueeze(1)

    @cached_property
    def log_qz_x_path(self) -> Float[Tensor, "M K B"]:
        r"""The same log q(z|x) with :math:`\mu, \sigma` held constant (Roeder et al. 2017).

        Its gradient reaches the encoder through z alone: the path derivative, without the score
        function, whose expectation is zero.
        """
        with self._as_in_forward():
            mu, logvar = self.mu.detach().unsqueeze(1), self.logvar.detach().unsqueeze(1)
            standardized = (self.z - mu) * torch.exp(-0.5 * logvar)
            return standard_normal_log_prob(standardized) - 0.5 * logvar.sum(-1)

    @cached_property
    def kl_per_unit(self) -> Float[Tensor, "M B Z"]:
        """KL(q(z_u|x) || p(z_u)) of each latent dimension, in closed form."""
        with self._as_in_forward():
            return kl_per_unit(self.mu, self.logvar)

    @cached_property
    def kl(self) -> Float[Tensor, "M B"]:
        """KL(q(z|x) || p(z)) in closed form."""
        with self._as_in_forward():
            return self.kl_per_unit.sum(-1)

    def log_w(self, beta: Float[Tensor, "M"] | None = None) -> Float[Tensor, "M K B"]:
        r"""Return :math:`\log p(x|z) + \beta\,(\log p(z) - \log q(z|x))`; beta 1 by default."""
        return self._log_w(self.log_qz_x, beta)

    def log_w_path(self, beta: Float[Tensor, "M"] | None = None) -> Float[Tensor, "M K B"]:
        """Return :meth:`log_w` with the gradient of ``log_qz_x_path``."""
        return self._log_w(self.log_qz_x_path, beta)

    def scale_encoder_gradient(self, factor: Float[Tensor, "M K B"]) -> None:
        """Multiply what the backward pass hands from each z to the encoder by ``factor``.

        Each sample's gradient reaches the encoder through its own z, so that one pass through the
        decoder serves estimators that weigh samples differently for decoder and encoder. This
        holds where rows of the decoder are independent: not under its batch normalization in
        training. Without gradients it does nothing.

        Raises
        ------
        RuntimeError
            If these terms are scaled already: the factors would multiply.
        """
        if not (torch.is_grad_enabled() and self.z.requires_grad):
            return
        if "_is_scaled" in self.__dict__:
            raise RuntimeError(
                "these terms' encoder gradients are scaled already, by an earlier call of dreg or "
                "piwae; expected fresh terms: run the model's forward pass again"
            )
        object.__setattr__(self, "_is_scaled", True)
        self.z.register_hook(lambda gradient: gradient * factor.unsqueeze(-1))

    def _log_w(self, log_qz_x: Tensor, beta: Tensor | None) -> Tensor:
        log_ratio = self.log_pz - log_qz_x
        if beta is not None:
            log_ratio = log_ratio * beta[:, None, None]
        return self.log_px_z + log_ratio

    def _as_in_forward(self) -> torch.set_grad_enabled:
        # A value first asked for under no_grad and kept would silently stop later gradients.
        return torch.set_grad_enabled(self.z.requires_grad)


def kl_per_unit(
    mu: Float[Tensor, "*batch Z"], logvar: Float[Tensor, "*batch Z"]
) -> Float[Tensor, "*batch Z"]:
    r"""Return KL(q || p), :math:`\tfrac12(\mu^2 + \sigma^2 - 1 - \log\sigma^2)`, per dimension."""
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar)


def standard_normal_log_prob(z: Float[Tensor, "*batch Z"]) -> Float[Tensor, "*batch"]:
    """Return log N(z; 0, I)."""
    return -0.5 * (z.square().sum(-1) + z.shape[-1] * LOG_2PI)


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
        mu, logvar = self.heads_norm(self.heads(self.encoder(x))).chunk(2, dim=-1)
        if self.architecture.encoder_heads == "bounded":
            mu, logvar = torch.sigmoid(mu), torch.tanh(logvar)
        return mu, logvar

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
        return params.view(*z.shape[:-1], -1)

    def split(
        self, x: Float[Tensor, "M *rows E"]
    ) -> tuple[Float[Tensor, "M *rows D"], Float[Tensor, "M *rows C"] | None]:
        """Return the features of rows and the labels beside them, None for a model without."""
        if not self.architecture.n_classes:
            return x, None
        d = self.architecture.n_features
        return x[..., :d], x[..., d:]

    def terms_of(self, x: Float[Tensor, "M B E"], eps: Float[Tensor, "M K B Z"]) -> LatentTerms:
        """Return the terms of every bound on log p(x), or on log p(x|y) with labels in ``x``."""
        mu, logvar = self.encode(x)
        z = torch.addcmul(mu.unsqueeze(1), (0.5 * logvar).exp().unsqueeze(1), eps)
        pixels, condition = self.split(x)
        params = self.decode(z, None if condition is None else condition.unsqueeze(1))
        log_px_z = self.likelihood.log_prob(pixels.unsqueeze(1), params)
        return LatentTerms(log_px_z, mu, logvar, eps, z)

    def forward(
        self, x: Float[Tensor, "M B E"], eps: Float[Tensor, "M K B Z"]
    ) -> LatentTerms | LabelTerms:
        """Return the terms of every bound at z = mu + sigma * eps; deterministic given ``eps``."""
        if not self.architecture.infers_labels:
            return self.terms_of(x, eps)
        pixels, known = self.split(x)
        assert known is not None
        return marginal_terms(self.terms_of, self.classifier, pixels, known, eps)


#: By name: what makes encoder and decoder.
NETWORKS: dict[str, Callable[[Shape, int, str, bool], Networks]] = {
    "mlp": mlp_networks,
    "conv": conv_networks,
}
