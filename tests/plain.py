"""Plain twins of models: stock layers and `torch.distributions`, which ours are held against."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import (
    Bernoulli,
    Beta,
    ContinuousBernoulli,
    Distribution,
    Independent,
    Normal,
    kl_divergence,
)

from vaestudy.vae import VAE, Architecture

ACTIVATIONS = {
    "softplus": lambda a: torch.logaddexp(a, torch.zeros_like(a)),
    "relu": torch.relu,
    "tanh": torch.tanh,
    "elu": lambda a: torch.where(a > 0, a, torch.expm1(a)),
    "silu": lambda a: a * torch.sigmoid(a),
}


class _Elementwise(nn.Module):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, a: Tensor) -> Tensor:
        return ACTIVATIONS[self.name](a)


def _plain_hidden(widths: Sequence[int], activation: str, batch_norm: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths):
        layers.append(nn.Linear(n_in, n_out, bias=not batch_norm))
        layers += [nn.BatchNorm1d(n_out)] if batch_norm else []
        layers.append(_Elementwise(activation))
    return nn.Sequential(*layers)


def _gaussian(params: Tensor) -> Distribution:
    mean, logvar = params.chunk(2, dim=-1)
    return Normal(torch.sigmoid(mean), torch.exp(torch.tanh(logvar) / 2))


def _normal(params: Tensor) -> Distribution:
    mean, b = params.chunk(2, dim=-1)
    floor = 2 * np.log(0.01)
    return Normal(mean, torch.exp((floor + nn.functional.softplus(b - floor)) / 2))


class _ClippedBeta(Beta):
    """Data are kept half a grey level away from 0 and 1."""

    def log_prob(self, value: Tensor) -> Tensor:
        return super().log_prob(value.clamp(1 / 510, 509 / 510))


def _beta(params: Tensor) -> Distribution:
    shift, softplus = np.log(np.expm1(2 - 1e-3)), nn.functional.softplus
    alpha, beta = (1e-3 + softplus(part + shift) for part in params.chunk(2, dim=-1))
    return _ClippedBeta(alpha, beta, validate_args=False)


LIKELIHOODS = {
    "bernoulli": lambda params: Bernoulli(logits=params, validate_args=False),
    "gaussian": _gaussian,
    "continuous-bernoulli": lambda params: ContinuousBernoulli(logits=params),
    "normal": _normal,
    "squared-error": lambda params: Normal(params, math.sqrt(0.5)),
    "beta": _beta,
}


class PlainVAE(nn.Module):
    """One VAE as a textbook writes it, of stock layers and ``torch.distributions``: the oracle."""

    def __init__(self, a: Architecture) -> None:
        super().__init__()
        self.a = a
        bn, bn_heads = a.batch_norm != "none", a.batch_norm == "all"
        n_out = a.n_features * (2 if a.likelihood in ("gaussian", "normal", "beta") else 1)
        self.encoder = _plain_hidden((a.n_features, *a.hidden), a.activation, bn)
        self.heads = nn.Linear(a.hidden[-1], 2 * a.n_z, bias=not bn_heads)
        self.heads_norm = nn.BatchNorm1d(2 * a.n_z) if bn_heads else nn.Identity()
        self.decoder = _plain_hidden((a.n_z, *a.hidden[::-1]), a.activation, bn)
        self.output = nn.Linear(a.hidden[0], n_out)

    def posterior(self, x: Tensor) -> Normal:
        codes = self.heads_norm(self.heads(self.encoder(x)))
        mu, logvar = codes[:, : self.a.n_z], codes[:, self.a.n_z :]
        if self.a.encoder_heads == "bounded":
            mu, logvar = torch.sigmoid(mu), torch.tanh(logvar)
        return Normal(mu, torch.exp(logvar / 2))

    def likelihood(self, z: Tensor) -> Independent:
        rows = self.output(self.decoder(z.reshape(-1, self.a.n_z)))
        params = rows.reshape(*z.shape[:-1], -1)
        return Independent(LIKELIHOODS[self.a.likelihood](params), 1)

    def terms(self, x: Tensor, eps: Tensor) -> dict[str, Tensor]:
        """The fields of `LatentTerms` for x [B, D] and eps [K, B, Z]."""
        q = self.posterior(x)
        prior = Normal(torch.zeros_like(q.loc), torch.ones_like(q.loc))
        z = q.loc + q.scale * eps
        return {
            "log_px_z": self.likelihood(z).log_prob(x.expand(len(eps), *x.shape)),
            "log_pz": prior.log_prob(z).sum(-1),
            "log_qz_x": q.log_prob(z).sum(-1),
            "kl": kl_divergence(q, prior).sum(-1),
        }


def plain_twin(model: VAE, member: int) -> PlainVAE:
    """A plain module with copies of one member's weights."""
    twin = PlainVAE(model.architecture).to(model.output.weight.dtype)
    twin.load_state_dict(as_plain(model.state_dict(), member), strict=False)
    return twin


def as_plain(values: dict[str, Tensor], member: int) -> dict[str, Tensor]:
    """One member's slice of a model's parameters (or gradients) in the plain twin's layout."""
    renamed = {"gamma": "weight", "beta": "bias"}
    plain = {}
    for name, value in values.items():
        stem, _, last = name.rpartition(".")
        own = value[member].detach().clone()
        matrix = last == "weight"
        plain[f"{stem}.{renamed.get(last, last)}"] = own.T.contiguous() if matrix else own[0]
    return plain


def plain_objective(name: str, terms: dict[str, Tensor], beta: float) -> Tensor:
    """The bound of each datum, [B], written from its definition."""
    log_w = terms["log_px_z"] + beta * (terms["log_pz"] - terms["log_qz_x"])
    return {
        "elbo": lambda: terms["log_px_z"].mean(0) - beta * terms["kl"],
        "elbo-sampled": lambda: log_w.mean(0),
        "iwae": lambda: torch.log(torch.exp(log_w).mean(0)),
    }[name]()
