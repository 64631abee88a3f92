r"""What a forward pass leaves for objectives: densities of data and latents, in nats.

Axes M members, K samples, B batch, then Z or U latent dimensions, of the first stochastic layer or
of all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from vaestudy.hierarchy import LayerTerms, kl_below_the_last, log_posterior
from vaestudy.likelihoods import LOG_2PI


@dataclass(frozen=True)
class LatentTerms:
    r"""All that an objective may need, for K samples z of q(z | x), in nats.

    Fields are what the forward pass made; densities are computed at first use, since no objective
    needs all of them. They carry gradients if the forward pass did, whoever asks first.

    With deeper stochastic layers, :math:`\log p(z)` and :math:`\log q(z|x)` are of all together.

    Parameters
    ----------
    log_px_z
        log p(x|z).
    mu, logvar
        Mean and log-variance of q(z|x).
    eps, z
        Standard normal noise, and :math:`z = \mu + \sigma\epsilon`.
    deeper
        What the layers above z bring.
    """

    log_px_z: Float[Tensor, "M K B"]
    mu: Float[Tensor, "M B Z"]
    logvar: Float[Tensor, "M B Z"]
    eps: Float[Tensor, "M K B Z"]
    z: Float[Tensor, "M K B Z"]
    deeper: tuple[LayerTerms, ...] = ()

    @cached_property
    def log_pz(self) -> Float[Tensor, "M K B"]:
        """The prior's log-density log p(z)."""
        with self._as_in_forward():
            log_pz = standard_normal_log_prob(self.deeper[-1].z if self.deeper else self.z)
            for layer in self.deeper:
                log_pz = log_pz + layer.log_prior_below().sum(-1)
            return log_pz

    @cached_property
    def log_qz_x(self) -> Float[Tensor, "M K B"]:
        r"""The posterior's log-density log q(z|x).

        :math:`\log N(\epsilon; 0, I) - \sum_u \log\sigma_u`: path and score taken together, so that
        its gradient reaches the encoder through ``logvar`` alone and not through z.
        """
        with self._as_in_forward():
            log_q = standard_normal_log_prob(self.eps) - 0.5 * self.logvar.sum(-1).unsqueeze(1)
            for layer in self.deeper:
                log_q = log_q + log_posterior(layer.eps, layer.logvar).sum(-1)
            return log_q

    @cached_property
    def log_qz_x_path(self) -> Float[Tensor, "M K B"]:
        r"""The same log q(z|x) with :math:`\mu, \sigma` held constant (Roeder et al. 2017).

        Its gradient reaches the encoder through z alone: the path derivative, without the score
        function, whose expectation is zero. Refused with deeper layers: their means depend on z.
        """
        if self.deeper:
            raise ValueError("path gradients need a single stochastic layer; take log_qz_x instead")
        with self._as_in_forward():
            mu, logvar = self.mu.detach().unsqueeze(1), self.logvar.detach().unsqueeze(1)
            standardized = (self.z - mu) * torch.exp(-0.5 * logvar)
            return standard_normal_log_prob(standardized) - 0.5 * logvar.sum(-1)

    @cached_property
    def kl_per_unit(self) -> Float[Tensor, "M B U"]:
        """KL of each dimension: in closed form in the last layer, from the samples below it."""
        with self._as_in_forward():
            if not self.deeper:
                return kl_per_unit(self.mu, self.logvar)
            below = kl_below_the_last(self.logvar, self.eps, self.deeper)
            last = kl_per_unit(self.deeper[-1].mu, self.deeper[-1].logvar).mean(1)
            return torch.cat([*below, last], dim=-1)

    @cached_property
    def means(self) -> Float[Tensor, "M B U"]:
        """E[z_u|x] of each dimension of all layers; that of a deeper one over the K samples."""
        return torch.cat([self.mu, *(layer.mu.mean(1) for layer in self.deeper)], dim=-1)

    @cached_property
    def kl(self) -> Float[Tensor, "M B"]:
        """KL(q(z|x) || p(z)), in closed form without deeper layers."""
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
        holds where rows of the decoder are independent, not under its batch normalization in
        training, and with one stochastic layer. Without gradients it does nothing.

        Raises
        ------
        RuntimeError
            If these terms are scaled already; ValueError if there are deeper layers.
        """
        if self.deeper:
            raise ValueError("encoders of several stochastic layers are reached by more than z")
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
