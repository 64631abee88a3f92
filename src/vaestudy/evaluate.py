r"""Estimators on trained models.

Test log-likelihood by importance sampling with q(z|x) as the proposal (Burda et al. 2016):

.. math:: \log \hat p(x) = \log\tfrac1S\sum_s \exp\log w_s, \qquad z_s \sim q(z|x)

a lower bound in expectation that tightens with S. Its Monte Carlo standard error is the delta
method's, :math:`\mathrm{sd}(w)/(\sqrt S\,\bar w)`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from vaestudy.kernels import bernoulli_log_prob, continuous_bernoulli_log_prob
from vaestudy.likelihoods import Bernoulli, Beta, ContinuousBernoulli, Likelihood, LogitBeta
from vaestudy.rng import normal
from vaestudy.vae import VAE

#: log w [M, S, B] of x [M, B, D] at z = mu + sigma eps, from mu and logvar [M, B, Z] and eps
#: [M, S, B, U], U the width of all stochastic layers.
LogWeights = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]

#: Decoder rows at a time: 500 rows of 784 floats (1.5 MB) stay near the core.
CHUNK_ROWS = 500
#: Weights of a datum that are gathered before they are added up.
_GATHERED = 5_000
#: Data that are encoded at a time: one by one, each fetches the encoder's weights anew.
_ENCODED = 100

#: What log p(x|z) may be measured with: the likelihood's own; the likelihood restricted to {0, 1}
#: and normalised there; a Bernoulli whose mean is the likelihood's; a continuous Bernoulli with the
#: logits of a Bernoulli, which makes a density of what that gives to grey values; and that density,
#: or the likelihood's own, at values clipped as the Beta's are, where none can win without bound.
MEASURES: dict[str, Callable[[Likelihood, Tensor, Tensor], Tensor]] = {
    "nll": lambda likelihood, x, params: likelihood.log_prob(x, params),
    "nll_restricted": lambda likelihood, x, params: bernoulli_log_prob(
        x, likelihood.binary_logits(params)
    ),
    "nll_mean": lambda likelihood, x, params: bernoulli_log_prob(x, likelihood.mean_logits(params)),
    "nll_continuous": lambda likelihood, x, params: continuous_bernoulli_log_prob(
        x, likelihood.binary_logits(params)
    ),
    "nll_clipped": lambda likelihood, x, params: _as_density(likelihood).log_prob(
        Beta.clip(x), params
    ),
}


def _as_density(likelihood: Likelihood) -> Likelihood:
    return ContinuousBernoulli() if isinstance(likelihood, Bernoulli) else likelihood


def as_drawn(model: VAE) -> VAE:
    r"""Return a model whose likelihood measures data exactly as it draws them.

    The model itself, but of a Beta likelihood, which measures clipped data and draws others: then
    its twin for their logits, :math:`y = \ln x - \ln(1 - x)`, whose posteriors are the same.
    """
    if not isinstance(model.likelihood, Beta):
        return model
    twin = deepcopy(model)
    twin.likelihood = LogitBeta()
    twin.encoder = nn.Sequential(nn.Sigmoid(), twin.encoder)
    return twin


@dataclass(frozen=True)
class LogPxEstimate:
    """Estimated log p(x) and its Monte Carlo standard error, each [M, N], in nats.

    The error of a single importance sample is not known: NaN.
    """

    log_px: Float[Tensor, "M N"]
    standard_error: Float[Tensor, "M N"]

    def nll(self) -> Float[Tensor, "M"]:
        """Return the mean of −log p(x) over the data."""
        return -self.log_px.mean(1)

    def nll_error(self) -> Float[Tensor, "M"]:
        """Return the Monte Carlo standard error of :meth:`nll`."""
        return self.standard_error.square().sum(1).sqrt() / self.log_px.shape[1]

    def first(self, n: int) -> LogPxEstimate:
        """Return the estimate of the first n data."""
        return LogPxEstimate(self.log_px[:, :n], self.standard_error[:, :n])


class _StreamingWeights:
    """log Σ w and log Σ w² of log-weights that arrive in chunks, without overflow.

    Parameters
    ----------
    shape
        (M, S, B): of the weights that are gathered before they are added up; S at least a chunk's.
    """

    def __init__(self, shape: tuple[int, int, int], device: torch.device) -> None:
        # Made once: small tensors kept between the large ones of chunks leave holes in the heap.
        self.gathered = torch.empty(shape, dtype=torch.float64, device=device)
        self.n_gathered = 0
        self.log_sum: Tensor | None = None
        self.log_sum_squares: Tensor | None = None

    def add(self, log_w: Float[Tensor, "M S B"]) -> None:
        end = self.n_gathered + log_w.shape[1]
        if end > self.gathered.shape[1]:
            self._add_up()
            end = log_w.shape[1]
        self.gathered[:, self.n_gathered : end] = log_w
        self.n_gathered = end

    def _add_up(self) -> None:
        log_w = self.gathered[:, : self.n_gathered]
        self.n_gathered = 0
        first, second = torch.logsumexp(log_w, 1), torch.logsumexp(2 * log_w, 1)
        if self.log_sum is None or self.log_sum_squares is None:
            self.log_sum, self.log_sum_squares = first, second
        else:
            self.log_sum = torch.logaddexp(self.log_sum, first)
            self.log_sum_squares = torch.logaddexp(self.log_sum_squares, second)

    def estimate(self, n_samples: int) -> tuple[Tensor, Tensor]:
        self._add_up()
        assert self.log_sum is not None
        assert self.log_sum_squares is not None
        if n_samples == 1:
            return self.log_sum, torch.full_like(self.log_sum, math.nan)
        # n Σw² / (Σw)² - 1 is the squared coefficient of variation of the weights.
        ratio = torch.exp(self.log_sum_squares - 2 * self.log_sum + math.log(n_samples))
        error = ((ratio - 1).clamp_min(0) / (n_samples - 1)).sqrt()
        return self.log_sum - math.log(n_samples), error


@torch.no_grad()
def estimate_log_px(
    model: VAE,
    x: Float[Tensor, "N D"],
    n_samples: int,
    generators: Sequence[torch.Generator],
    *,
    log_weights: LogWeights | None = None,
    chunk_rows: int = CHUNK_ROWS,
) -> LogPxEstimate:
    """Estimate log p(x) of every datum under every member.

    Parameters
    ----------
    model
        In evaluation mode.
    x
        The data, the same for all members.
    n_samples
        Importance samples a datum; memory does not grow with it.
    generators
        One a member.
    log_weights
        What computes the weights: :func:`plain_log_weights` of the likelihood's own log p(x|z) by
        default; of another measure, to compare models by a common one; or its compiled equal.
    chunk_rows
        Decoder rows at a time; changing it changes which noise meets which datum.

    Raises
    ------
    ValueError
        If ``n_samples`` is below 1.
    """
    if n_samples < 1:
        raise ValueError(f"n_samples is {n_samples}; expected at least 1")
    log_weights = log_weights or plain_log_weights(model)
    per_datum = min(n_samples, chunk_rows)
    # Written in place: two small tensors kept a chunk, between the large ones that it frees, leave
    # holes in the heap that the next chunk may not fit: some processes grew by 1.5 MB a datum.
    shape = (len(generators), len(x))
    log_px, errors = (torch.empty(shape, dtype=torch.float64, device=x.device) for _ in range(2))
    batches = _encoded(model, x.expand(len(generators), *x.shape), max(1, chunk_rows // per_datum))
    done = 0
    for batch in batches:
        rows = slice(done, done := done + batch[0].shape[1])
        log_px[:, rows], errors[:, rows] = _estimate_batch(
            batch, n_samples, per_datum, generators, log_weights, model.architecture.n_latent
        )
    return LogPxEstimate(log_px, errors)


def _encoded(
    model: VAE, x: Float[Tensor, "M N D"], at_once: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield data a batch at a time, with their mu and logvar; many batches are encoded at once."""
    for encoded in x.split(at_once * max(1, _ENCODED // at_once), 1):
        parts = (whole.split(at_once, 1) for whole in (encoded, *model.encode(encoded)))
        yield from zip(*parts, strict=True)


def _estimate_batch(
    batch: tuple[Tensor, Tensor, Tensor],
    n_samples: int,
    at_once: int,
    generators: Sequence[torch.Generator],
    log_weights: LogWeights,
    n_latent: int,
) -> tuple[Tensor, Tensor]:
    x, mu, logvar = batch
    gathered = min(n_samples, max(at_once, _GATHERED))
    weights = _StreamingWeights((len(x), gathered, x.shape[1]), x.device)
    for count in chunk_sizes(n_samples, at_once):
        eps = normal(generators, (count, x.shape[1], n_latent), x.device)
        weights.add(log_weights(x, mu, logvar, eps))
    return weights.estimate(n_samples)


def chunk_sizes(n: int, at_once: int) -> list[int]:
    """Return n as parts of ``at_once``; where the rest is small, the last two share it.

    Samples that are dealt out in strata (:mod:`vaestudy.label_measures`) take a few at a time.
    """
    whole, rest = divmod(n, at_once)
    sizes = [at_once] * whole + [rest] * (rest > 0)
    if whole and 0 < rest < at_once // 2:
        sizes[-2:] = [(at_once + rest + 1) // 2, (at_once + rest) // 2]
    return sizes


def plain_log_weights(model: VAE, measure: str = "nll") -> LogWeights:
    """Return a function that computes log w = log p(x|z) + log p(z) - log q(z|x), [M, S, B].

    Parameters
    ----------
    model
        In evaluation mode.
    measure
        A name in ``MEASURES``.
    """
    log_prob = partial(MEASURES[measure], model.likelihood)

    def log_weights(x: Tensor, mu: Tensor, logvar: Tensor, eps: Tensor) -> Tensor:
        terms = model.terms(x, mu, logvar, eps, log_prob)
        return terms.log_px_z + terms.log_pz - terms.log_qz_x

    return log_weights


def active_units(activity: Float[Tensor, "*batch Z"], threshold: float) -> Int64[Tensor, "*batch"]:
    """Return how many latent dimensions have an activity above ``threshold``."""
    return (activity > threshold).sum(-1)


@torch.no_grad()
def reconstruction_squared_error(
    model: VAE, x: Float[Tensor, "N D"], chunk_rows: int = CHUNK_ROWS
) -> Float[Tensor, "M"]:
    """Return the mean over data of ‖x − E[x | z = mu(x)]‖², in squared pixels a datum.

    With labels in ``x``, code and reconstruction are of the image given its label.
    """
    total = torch.zeros(model.members, dtype=torch.float64, device=x.device)
    for chunk in x.split(chunk_rows):
        batch = chunk.expand(model.members, *chunk.shape)
        pixels, condition = model.split(batch)
        mean = model.likelihood.mean(model.decode(model.encode(batch)[0], condition))
        total += (pixels - mean).square().sum((1, 2), dtype=torch.float64)
    return total / len(x)


def check_evaluating(model: VAE) -> None:
    """Refuse a model that estimators of one latent space of prior N(0, I) cannot take.

    Raises
    ------
    ValueError
        If it is in training mode, where batch normalization would use, and move, its statistics; or
        has several stochastic layers, of which N(0, I) is the prior of the last alone.
    """
    if model.training:
        raise ValueError("the model is in training mode; expected a trained one: call model.eval()")
    if model.deeper:
        raise ValueError(
            f"the model has {1 + len(model.deeper)} stochastic layers; this estimator expects 1, "
            "with prior N(0, I); estimate_log_px and layer_activities take any number"
        )
