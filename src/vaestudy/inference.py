r"""The rest of a datum from a part of it, whatever part: p(x_missing | x_observed).

Features are independent given z, so that only the observed ones bear on it,

.. math::
    p(x_m | x_o) = \int p(x_m|z)\,p(z|x_o)\,dz, \qquad p(z|x_o) \propto p(z)\prod_{d \in o} p(x_d|z)

and what remains is the posterior, in one of three ways: ``variational``, a factorised Gaussian that
maximises the evidence lower bound of the observed features, from random starts
(:mod:`vaestudy.posteriors`); ``importance``, samples of the prior weighted by :math:`p(x_o|z)`; and
``prior``, samples that know nothing of the observed part, to compare with. The encoder, which has
never seen part of a datum, is not asked. :mod:`vaestudy.estimator.imputation` answers the same
question by a Markov chain, exactly in the limit and without a density.

References
----------
Hoffman, Blei, Wang & Paisley (2013), *Stochastic variational inference*, JMLR; Rezende, Mohamed &
Wierstra (2014), appendix F.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vaestudy.latent_terms import kl_per_unit
from vaestudy.likelihoods import Likelihood
from vaestudy.partial import check_given
from vaestudy.posteriors import FitSettings, fit_posteriors, reconstruction
from vaestudy.rng import normal
from vaestudy.vae import VAE

#: Decoder rows at a time, samples × data.
CHUNK_ROWS = 2000
#: Random starts a datum; the one of the highest bound is kept, since a part of a datum may leave
#: several places of the latent space likely.
N_STARTS = 4
#: Samples in the bound that chooses among them.
_CHOOSING = 50
_SEARCH = FitSettings(
    start="random", n_samples=4, learning_rate=0.05, window=50, tolerance=0.1, patience=2
)


class Observed(Likelihood):
    """Another likelihood, of the features that are there: NaN marks one that is not."""

    def __init__(self, whole: Likelihood) -> None:
        self.whole = whole
        self.n_heads = whole.n_heads

    def log_prob(
        self, x: Float[Tensor, "M 1 B D"], params: Float[Tensor, "M K B P"]
    ) -> Float[Tensor, "M K B"]:
        # A family sums over features: as data of one feature each, they stay apart.
        heads = params.unflatten(-1, (self.n_heads, -1)).transpose(-1, -2).flatten(2, 3)
        each = self.whole.log_prob(x.nan_to_num().flatten(2).unsqueeze(-1), heads)
        return torch.where(x.isnan(), 0.0, each.unflatten(-1, x.shape[2:])).sum(-1)

    def mean(self, params: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch D"]:
        return self.whole.mean(params)

    def sample(
        self, params: Float[Tensor, "*batch P"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "*batch D"]:
        return self.whole.sample(params, generator)

    def binary_logits(self, params: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch D"]:
        return self.whole.binary_logits(params)

    def mean_logits(self, params: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch D"]:
        return self.whole.mean_logits(params)


def of_observed(model: VAE) -> VAE:
    """Return the model, its weights shared, with a likelihood that NaNs do not count in."""
    partial = copy.copy(model)
    partial.likelihood = Observed(model.likelihood)
    return partial


@dataclass(frozen=True)
class Inferred:
    """Weighted samples of p(z | x_observed) for every datum, and what they say of the rest.

    Parameters
    ----------
    mean
        The observed features as they are, the others' means E[x_m | x_o].
    example
        The same with E[x_m | z] at one z drawn by its weight: one way that the rest may be.
    z
        The samples.
    log_weight
        Their normalised weights; each datum's sum to 1.
    """

    mean: Float[Tensor, "B D"]
    example: Float[Tensor, "B D"]
    z: Float[Tensor, "S B Z"]
    log_weight: Float[Tensor, "S B"]

    @property
    def effective_samples(self) -> Float[Tensor, "B"]:
        """One over the sum of squared weights: S if all are alike, 1 if one has everything."""
        return torch.exp(-torch.logsumexp(2 * self.log_weight, 0))


@torch.no_grad()
def infer_missing(
    model: VAE,
    x: Float[Tensor, "B D"],
    observed: Bool[Tensor, "B D"] | Bool[Tensor, "D"],
    generator: torch.Generator,
    *,
    method: str = "variational",
    n_samples: int = 1000,
    settings: FitSettings | None = None,
) -> Inferred:
    """Infer what is not observed of each datum from what is.

    Parameters
    ----------
    model
        One member, in evaluation mode, as :func:`vaestudy.checkpoint.load_model` gives it.
    x
        The data as the model sees them; what stands where nothing is observed is not looked at, and
        may be NaN.
    observed
        Which features stand: one mask for all data or one for each; half of an image, all but a
        quadrant, scattered pixels, anything.
    generator
        On the data's device.
    method
        A name in ``METHODS``: ``variational``, ``importance`` or ``prior``.
    n_samples
        Samples of z a datum. ``importance`` draws them from the prior and needs the more, the more
        latent dimensions there are: see :attr:`Inferred.effective_samples`.
    settings
        How ``variational`` searches; by default from random starts. Not from the encoder's code.

    Raises
    ------
    ValueError
        If the model is in training mode or has several members, the method is unknown, data or
        mask do not fit the model and each other, or the search is to start at the code of part of
        a datum.
    TypeError
        If the model is not the engine's, or data or mask are no tensors.
    """
    settings = settings or _SEARCH
    check_given(model, x, observed, n_samples)
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; expected one of: {', '.join(METHODS)}")
    if settings.start == "encoder":
        raise ValueError(
            "settings.start is 'encoder', which knows no code of part of a datum; expected random "
            "or prior"
        )
    seen = torch.where(observed, x, torch.nan)
    task = _Task(of_observed(model), seen, n_samples, settings, generator)
    z, log_weight = METHODS[method](task)
    chosen = torch.multinomial(log_weight.exp().T, 1, generator=generator)
    at_one = z.gather(0, chosen.T.unsqueeze(-1).expand(1, *z.shape[1:]))
    mean = torch.empty_like(x)
    for rows in _rows(len(x), n_samples):
        each = model.likelihood.mean(model.decode(z[None, :, rows]))[0]
        mean[rows] = (log_weight[:, rows].exp().unsqueeze(-1) * each).sum(0).to(x.dtype)
    example = model.likelihood.mean(model.decode(at_one[None]))[0, 0]
    return Inferred(
        torch.where(observed, x, mean), torch.where(observed, x, example), z, log_weight
    )


@torch.no_grad()
def missing_log_prob(
    model: VAE,
    x: Float[Tensor, "B D"],
    observed: Bool[Tensor, "B D"] | Bool[Tensor, "D"],
    inferred: Inferred,
) -> Float[Tensor, "B"]:
    r"""Return :math:`\ln\sum_s w_s\,p(x_m|z_s)` of the features that were not observed.

    An estimate of log p(x_m | x_o) as the inferred posterior has it, on average too low.

    Parameters
    ----------
    model, observed, inferred
        As given to, and by, :func:`infer_missing`.
    x
        The whole data.
    """
    hidden = torch.where(observed, torch.nan, x)
    found = torch.empty(len(x), dtype=torch.float64, device=x.device)
    partial = of_observed(model)
    for rows in _rows(len(x), len(inferred.z)):
        log_p = _log_prob(partial, hidden[rows], inferred.z[:, rows])
        found[rows] = torch.logsumexp(log_p.double() + inferred.log_weight[:, rows], 0)
    return found


def _rows(n: int, n_samples: int) -> list[slice]:
    size = max(1, CHUNK_ROWS // n_samples)
    return [slice(start, start + size) for start in range(0, n, size)]


def _log_prob(
    partial: VAE, x: Float[Tensor, "B D"], z: Float[Tensor, "S B Z"]
) -> Float[Tensor, "S B"]:
    return partial.likelihood.log_prob(x[None, None], partial.decode(z[None]))[0]


@dataclass(frozen=True)
class _Task:
    """Data [B, D], NaN where not observed; a model that takes them so; and how to go about it."""

    partial: VAE
    x: Float[Tensor, "B D"]
    n_samples: int
    settings: FitSettings
    generator: torch.Generator

    def noise(self, n_samples: int, n: int) -> Float[Tensor, "S N Z"]:
        shape = (n_samples, n, self.partial.architecture.n_z)
        return normal([self.generator], shape, self.x.device)[0].to(self.x.dtype)

    def prior(self) -> Float[Tensor, "S B Z"]:
        return self.noise(self.n_samples, len(self.x))


def _equal(z: Tensor) -> Float[Tensor, "S B"]:
    return torch.full(z.shape[:2], -math.log(len(z)), dtype=torch.float64, device=z.device)


def _by_search(task: _Task) -> tuple[Float[Tensor, "S B Z"], Float[Tensor, "S B"]]:
    partial, n = task.partial, len(task.x)
    n_starts = N_STARTS if task.settings.start == "random" else 1
    tried = task.x.repeat_interleave(n_starts, 0)
    q = fit_posteriors(partial, tried, task.settings, [task.generator])
    eps = task.noise(_CHOOSING, len(tried))
    log_px_z = torch.empty_like(tried[None, :, 0])
    for rows in _rows(len(tried), _CHOOSING):
        codes = q.mu[:, rows], q.logvar[:, rows], eps[None, :, rows]
        log_px_z[:, rows] = reconstruction(partial, tried[None, rows], *codes).mean(1)
    bound = (log_px_z - kl_per_unit(q.mu, q.logvar).sum(-1)).view(n, n_starts)
    best = torch.arange(n, device=tried.device) * n_starts + bound.argmax(1)
    mu, logvar = q.mu[0, best], q.logvar[0, best]
    z = mu + (0.5 * logvar).exp() * task.noise(task.n_samples, n)
    return z, _equal(z)


def _by_weight(task: _Task) -> tuple[Float[Tensor, "S B Z"], Float[Tensor, "S B"]]:
    z = task.prior()
    chunks = _rows(len(task.x), task.n_samples)
    parts = [_log_prob(task.partial, task.x[rows], z[:, rows]) for rows in chunks]
    return z, torch.log_softmax(torch.cat(parts, 1).double(), 0)


def _of_prior(task: _Task) -> tuple[Float[Tensor, "S B Z"], Float[Tensor, "S B"]]:
    z = task.prior()
    return z, _equal(z)


METHODS: dict[str, Callable[[_Task], tuple[Tensor, Tensor]]] = {
    "variational": _by_search,
    "importance": _by_weight,
    "prior": _of_prior,
}
