"""Models whose log p(x) is known, beyond `builders.LinearGaussian`: by algebra or by quadrature."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from builders import LinearGaussian, architecture, perturbed, randn
from vaestudy.vae import VAE, standard_normal_log_prob


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
