r"""The way from a base to the joint p(x, z), and chains that walk it in either direction.

Between a Gaussian base :math:`q_0(z)` and the joint lie their geometric averages,

.. math::
    f_t(z) = q_0(z)^{1-\beta_t}\,[p(z)\,p(x|z)]^{\beta_t}, \qquad 0 = \beta_0 < \dots < \beta_T = 1

With the prior as the base, :math:`f_t = p(z)\,p(x|z)^{\beta_t}`; the encoder's q(z|x) may be the
base too. With :math:`z = \mu + \sigma u`, where mu and sigma are the base's, and

.. math:: \ell(u) = \log p(x|z) + \log p(z) - \log q_0(z)

every :math:`f_t` is :math:`N(u; 0, I)\,e^{\beta_t \ell(u)}`, up to a constant: the target of
:mod:`vaestudy.hmc`. The log-weight of a chain (Neal 2001) is

.. math:: \log w = \sum_{t=1}^T (\beta_t - \beta_{t-1})\,\ell(u_{t-1})

Step sizes are tuned towards a given acceptance by pilot chains, one size a temperature, member and
datum, and then fixed. Tuning by the very chains that are weighted, as is often done, makes a
transition depend on the chain's past: then w is biased, and :mod:`vaestudy.bdmc` bounds nothing.

References
----------
Neal (2001), *Annealed importance sampling*, Statistics and Computing 11.
Grosse, Ghahramani & Adams (2015), *Sandwiching the marginal likelihood using bidirectional Monte
Carlo*, arXiv:1511.02543.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from vaestudy.evaluate import MEASURES
from vaestudy.hmc import position_at, transition
from vaestudy.latent_terms import standard_normal_log_prob
from vaestudy.rng import normal
from vaestudy.vae import VAE

#: How fast pilot chains change log(step size), per unit of acceptance off its target.
_TUNING_GAIN = 0.2


def linear_temperatures(n: int) -> Float64[Tensor, "T"]:
    r"""Return :math:`\beta_t = t/n`, t = 0..n."""
    return torch.linspace(0, 1, n + 1, dtype=torch.float64)


def sigmoidal_temperatures(n: int) -> Float64[Tensor, "T"]:
    r"""Return temperatures that move slowly at both ends (Grosse et al. 2015), t = 0..n.

    .. math::
        \tilde\beta_t = \sigma(4\,(2t/n - 1)), \qquad
        \beta_t = (\tilde\beta_t - \tilde\beta_0)/(\tilde\beta_n - \tilde\beta_0)
    """
    raw = torch.sigmoid(4 * (2 * linear_temperatures(n) - 1))
    return (raw - raw[0]) / (raw[-1] - raw[0])


TEMPERATURES: dict[str, Callable[[int], Tensor]] = {
    "linear": linear_temperatures,
    "sigmoidal": sigmoidal_temperatures,
}


def _prior(model: VAE, x: Tensor) -> tuple[Tensor, Tensor]:
    zero = x.new_zeros(*x.shape[:-1], model.architecture.n_z)
    return zero, zero


def _encoder(model: VAE, x: Tensor) -> tuple[Tensor, Tensor]:
    return model.encode(x)


#: Mean and log-variance of the base, [M, B, Z], for x [M, B, D].
BASES: dict[str, Callable[[VAE, Tensor], tuple[Tensor, Tensor]]] = {
    "prior": _prior,
    "encoder": _encoder,
}


@dataclass(frozen=True)
class AnnealingSettings:
    """How to anneal; the defaults are those of Wu et al. (2017) with a tenth of the temperatures.

    Parameters
    ----------
    n_temperatures
        T, how many transitions a chain makes.
    n_chains
        C, chains a datum.
    n_leapfrog
        Leapfrog steps a transition.
    temperatures
        A name in ``TEMPERATURES``.
    base
        Where chains start, a name in ``BASES``: ``prior`` or ``encoder``, q(z|x).
    target_acceptance
        What step sizes are tuned to.
    first_step
        Step size at the first temperature of the pilot chains.
    pilot_chains
        Chains a datum that tune the step sizes and are not weighted.

    Raises
    ------
    ValueError
        If a number is out of its range or a name unknown.
    """

    n_temperatures: int = 1000
    n_chains: int = 16
    n_leapfrog: int = 10
    temperatures: str = "sigmoidal"
    base: str = "prior"
    target_acceptance: float = 0.65
    first_step: float = 0.2
    pilot_chains: int = 2

    def __post_init__(self) -> None:
        for name in ("n_temperatures", "n_chains", "n_leapfrog", "pilot_chains"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1")
        if not 0 < self.target_acceptance < 1:
            raise ValueError(
                f"target_acceptance is {self.target_acceptance}; expected a share between 0 and 1"
            )
        if not self.first_step > 0:
            raise ValueError(f"first_step is {self.first_step}; expected a number above 0")
        for name, known in (("temperatures", TEMPERATURES), ("base", BASES)):
            if getattr(self, name) not in known:
                expected = ", ".join(sorted(known))
                raise ValueError(f"{name} is {getattr(self, name)!r}; expected one of: {expected}")

    def schedule(self) -> list[float]:
        r"""Return :math:`\beta_0, \dots, \beta_T`."""
        return TEMPERATURES[self.temperatures](self.n_temperatures).tolist()


@dataclass(frozen=True)
class Annealed:
    """Finished chains: their log-weights, and their mean probability of acceptance."""

    log_w: Float64[Tensor, "M C N"]
    acceptance: Float64[Tensor, "M N"]


@dataclass(frozen=True)
class AnnealingPath:
    """The way from the base to the joint for some data of each member.

    Parameters
    ----------
    model
        In evaluation mode.
    measure
        What log p(x|z) is measured with: a name in ``evaluate.MEASURES``.
    x
        The data.
    mu, logvar
        Of the base.
    settings
        How to anneal.
    """

    model: VAE
    measure: str
    x: Float[Tensor, "M B D"]
    mu: Float[Tensor, "M B Z"]
    logvar: Float[Tensor, "M B Z"]
    settings: AnnealingSettings

    def log_weight(self, u: Float[Tensor, "M C B Z"]) -> Float[Tensor, "M C B"]:
        """Return log p(x|z) + log p(z) − log q₀(z) at z = mu + sigma u."""
        z = torch.addcmul(self.mu.unsqueeze(1), (0.5 * self.logvar).exp().unsqueeze(1), u)
        log_base = standard_normal_log_prob(u) - 0.5 * self.logvar.sum(-1).unsqueeze(1)
        decoded = self.model.decode(z)
        log_px_z = MEASURES[self.measure](self.model.likelihood, self.x.unsqueeze(1), decoded)
        return log_px_z + (standard_normal_log_prob(z) - log_base)

    def noise_at(self, z: Float[Tensor, "M B Z"]) -> Float[Tensor, "M C B Z"]:
        """Return u of ``z``, the same for every chain."""
        u = (z - self.mu) * (-0.5 * self.logvar).exp()
        return u.unsqueeze(1).expand(-1, self.settings.n_chains, -1, -1)

    def base_noise(self, chains: int, generators: Sequence[torch.Generator]) -> Tensor:
        """Return fresh u of the base, [M, chains, B, Z]."""
        shape = (chains, *self.mu.shape[1:])
        return normal(generators, shape, self.x.device).to(self.mu.dtype)

    def tune_steps(self, generators: Sequence[torch.Generator]) -> Float[Tensor, "T M B"]:
        """Return a step size for every temperature, found by pilot chains."""
        settings, sizes = self.settings, []
        here = position_at(self.base_noise(settings.pilot_chains, generators), self.log_weight)
        log_step = torch.full_like(self.mu[..., 0], math.log(settings.first_step)).double()
        for beta in settings.schedule()[1:]:
            sizes.append(log_step.exp())
            here, acceptance = transition(
                here, sizes[-1], beta, settings.n_leapfrog, self.log_weight, generators
            )
            error = acceptance.mean(1) - settings.target_acceptance
            log_step = log_step + _TUNING_GAIN * error
        return torch.stack(sizes)

    def forward(
        self, steps: Float[Tensor, "T M B"], generators: Sequence[torch.Generator]
    ) -> Annealed:
        """Anneal from the base to the posterior; the weights are unbiased for p(x)."""
        betas, settings = self.settings.schedule(), self.settings
        here = position_at(self.base_noise(settings.n_chains, generators), self.log_weight)
        log_w, accepted = _zeros(here.log_w), _zeros(here.log_w)
        for before, beta, step in zip(betas[:-1], betas[1:], steps, strict=True):
            log_w += (beta - before) * here.log_w.double()
            here, acceptance = transition(
                here, step, beta, settings.n_leapfrog, self.log_weight, generators
            )
            accepted += acceptance
        return Annealed(log_w, accepted.mean(1) / len(steps))

    def backward(
        self,
        z: Float[Tensor, "M B Z"],
        steps: Float[Tensor, "T M B"],
        generators: Sequence[torch.Generator],
    ) -> Annealed:
        """Anneal from a posterior sample to the base: :meth:`forward` in reverse.

        If ``z`` is an exact sample of p(z|x), the inverse weights are unbiased for 1 / p(x).
        """
        betas, settings = self.settings.schedule(), self.settings
        here = position_at(self.noise_at(z), self.log_weight)
        log_w, accepted = _zeros(here.log_w), _zeros(here.log_w)
        for t in reversed(range(len(steps))):
            here, acceptance = transition(
                here, steps[t], betas[t + 1], settings.n_leapfrog, self.log_weight, generators
            )
            log_w += (betas[t + 1] - betas[t]) * here.log_w.double()
            accepted += acceptance
        return Annealed(log_w, accepted.mean(1) / len(steps))


def _zeros(like: Tensor) -> Tensor:
    return torch.zeros_like(like, dtype=torch.float64)


@torch.no_grad()
def annealing_path(
    model: VAE, x: Float[Tensor, "M B D"], settings: AnnealingSettings, measure: str
) -> AnnealingPath:
    """Return the path for data that may differ from member to member."""
    mu, logvar = BASES[settings.base](model, x)
    return AnnealingPath(model, measure, x, mu, logvar, settings)
