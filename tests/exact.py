"""Models whose log p(x) is known, beyond `builders.LinearGaussian`: by algebra or by quadrature."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from builders import FixedVariance, LinearGaussian, architecture, perturbed, randn
from vaestudy.deeper import DeeperLayer
from vaestudy.latent_terms import standard_normal_log_prob
from vaestudy.layers import MemberLinear
from vaestudy.vae import VAE, Architecture


def tilted(members: int = 1, angle: float = 0.7, strength: float = 1.0) -> LinearGaussian:
    """A linear-Gaussian model whose posterior correlates its two latent dimensions.

    Its encoder is the best factorised q: the posterior's mean, precision and nothing else of it.
    """
    toy = LinearGaussian(members)
    c, s = np.cos(angle), np.sin(angle)
    rotation = torch.tensor([[c, -s], [s, c]])
    toy.w = strength * toy.w @ rotation.double()
    to_mean = torch.linalg.solve(precision(toy), toy.w.T / toy.s**2).T
    logvar = -precision(toy).diagonal().log()
    with torch.no_grad():
        toy.model.output.weight.copy_(toy.w.T)
        toy.model.heads.weight.copy_(torch.cat([to_mean, torch.zeros_like(to_mean)], 1))
        toy.model.heads.bias.copy_(torch.cat([-toy.b @ to_mean, logvar]))
    return toy


def precision(toy: LinearGaussian) -> Tensor:
    """Of the posterior, the same for every x."""
    return torch.eye(toy.n_z, dtype=torch.float64) + toy.w.T @ toy.w / toy.s**2


def posterior(toy: LinearGaussian, x: Tensor) -> MultivariateNormal:
    mean = (x - toy.b) @ torch.linalg.solve(precision(toy), toy.w.T / toy.s**2).T
    return MultivariateNormal(mean, precision_matrix=precision(toy))


def curved(members: int = 1, **changes: object) -> VAE:
    """A Bernoulli VAE with two latent dimensions and posteriors far from Gaussian."""
    model = perturbed(VAE(architecture(n_z=2, **changes), members))
    with torch.no_grad():
        model.output.weight.mul_(6)
    x = (randn(members, 50, 12, seed=9) > 0).double()
    model(x, randn(members, 1, 50, 2, seed=8))  # Moves the running statistics, if there are any.
    return model.eval()


def log_px_by_quadrature(model: VAE, x: Tensor, width: float = 7.0, points: int = 281) -> Tensor:
    """log p(x), [M, N], for two latent dimensions: a sum over a grid (spectrally accurate)."""
    axis = torch.linspace(-width, width, points, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    cell = 2 * torch.log(axis[1] - axis[0])
    members = model.members
    with torch.no_grad():
        params = model.decode(grid.expand(members, *grid.shape)).unsqueeze(2)
        log_px_z = [model.likelihood.log_prob(d.expand(members, 1, 1, -1), params) for d in x]
    log_joint = torch.cat(log_px_z, 2) + standard_normal_log_prob(grid)[None, :, None]
    return torch.logsumexp(log_joint, 1) + cell


class TwoLayers:
    """z2 ~ N(0, I), z1 = A z2 + a + d n, x = W z1 + b + s n, with every posterior diagonal.

    ``model`` infers z1 and z2 by their posteriors, of which ``widen`` multiplies z1's deviation.
    """

    def __init__(self, members: int = 1, n_x: int = 6, widen: float = 1.0) -> None:
        self.s, self.a, self.d = 0.7, randn(2, seed=5), torch.tensor([0.6, 1.1]).double()
        self.A = torch.tensor([0.9, 0.4]).double()
        self.W = torch.linalg.qr(randn(n_x, 2))[0] * torch.tensor([1.5, 0.5]).double()
        self.b = randn(n_x, seed=1)
        layer = DeeperLayer(n_z=2, hidden=(2,))
        vae = VAE(Architecture(n_x, 2, hidden=(n_x,), deeper=(layer,)), members).double().eval()
        for part in (vae, vae.deeper[0]):
            part.encoder, part.decoder = nn.Identity(), nn.Identity()
        vae.likelihood = FixedVariance(self.s)
        #: Of z1 when z2 is integrated out, and given x.
        self.prior = self.A**2 + self.d**2
        precision = 1 / self.prior + self.W.square().sum(0) / self.s**2
        to_mean = self.W / precision / self.s**2
        offset = self.a / self.prior / precision - self.b @ to_mean
        spread = -precision.log() + 2 * math.log(widen)
        vae.heads = affine(members, to_mean, offset, spread)
        vae.output = affine(members, self.W.T, self.b)
        up = 1 + self.A**2 / self.d**2
        gain = self.A / self.d**2 / up
        vae.deeper[0].heads = affine(members, gain.diag(), -self.a * gain, -up.log())
        vae.deeper[0].output = affine(members, self.A.diag(), self.a, 2 * self.d.log())
        self.model, self.up_gain, self.to_mean, self.offset = vae, gain, to_mean, offset

    def log_px(self, x: Tensor) -> Tensor:
        covariance = self.W @ self.prior.diag() @ self.W.T
        covariance += self.s**2 * torch.eye(len(self.b)).double()
        return MultivariateNormal(self.W @ self.a + self.b, covariance).log_prob(x)

    def sample(self, n: int) -> Tensor:
        z1 = self.a + self.prior.sqrt() * randn(n, 2, seed=11)
        return z1 @ self.W.T + self.b + self.s * randn(n, len(self.b), seed=12)


def affine(members: int, weight: Tensor, mean: Tensor, logvar: Tensor | None = None) -> nn.Module:
    """A layer of mean ``rows @ weight + mean`` and, as a second head, a constant log-variance."""
    heads = [weight] if logvar is None else [weight, torch.zeros_like(weight)]
    bias = mean if logvar is None else torch.cat([mean, logvar])
    layer = MemberLinear(members, weight.shape[0], len(bias)).double()
    with torch.no_grad():
        layer.weight.copy_(torch.cat(heads, 1))
        assert layer.bias is not None
        layer.bias.copy_(bias)
    return layer
