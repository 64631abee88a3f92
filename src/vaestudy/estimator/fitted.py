"""What a trained model gives: codes, data, densities, in float64 and in the data's own units.

In float64 a row's code and density do not depend on which rows come with it, but for rounding far
below what anybody reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from vaestudy.estimator.imputation import impute_rows
from vaestudy.estimator.inputs import Preparation
from vaestudy.estimator.support import domain_of
from vaestudy.estimator.warning import warn_user
from vaestudy.evaluate import LogWeights, estimate_log_px
from vaestudy.proposals import log_weights_of
from vaestudy.vae import VAE

Array = NDArray[np.float64]

#: Rows of the decoder at a time.
CHUNK_ROWS: Final = 2000


@dataclass(frozen=True, eq=False)
class Fitted:
    """A model of one member in float64, in evaluation mode, and what its data go through.

    Parameters
    ----------
    model
        The model.
    preparation
        Of its data.
    kl_weight
        To undo in importance samples, which then are the prior's too; None for those of q(z|x).
    """

    model: VAE
    preparation: Preparation
    kl_weight: float | None = None

    @classmethod
    def of(cls, model: VAE, preparation: Preparation, kl_weight: float | None) -> Self:
        """Copy a model in training."""
        return cls(deepcopy(model).double().eval(), preparation, kl_weight)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.output.weight.device

    @torch.no_grad()
    def encode(self, blocks: Iterable[Array]) -> Array:
        """Return the means of q(z|x), [N, Z]."""
        chunks = (x for block in blocks for x in self._seen(block).split(CHUNK_ROWS))
        codes = [self.model.encode(x.unsqueeze(0))[0][0].cpu().numpy() for x in chunks]
        return np.concatenate(codes)

    @torch.no_grad()
    def decode(self, z: Array) -> Array:
        """Return E[x|z], [N, D]."""
        parts = [self.model.likelihood.mean(params) for params in self._params(z)]
        return self._original(torch.cat(parts))

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator) -> Array:
        """Draw n rows: z from the prior, x from p(x|z)."""
        z = torch.randn(n, self.model.architecture.n_z, generator=generator, dtype=torch.float64)
        likelihood = self.model.likelihood
        # On the CPU, where the generator is: a seed gives the same rows everywhere.
        parts = [likelihood.sample(p.cpu(), generator) for p in self._params(z.numpy())]
        return self._original(torch.cat(parts))

    def log_px(self, blocks: Iterable[Array], n_samples: int, seed: int) -> Array:
        """Estimate log p(x) of each row [N], in nats, by importance sampling.

        All rows meet the same noise, so that equal rows get equal estimates. Data impossible under
        the likelihood get minus infinity.
        """
        noise = torch.randn(
            (1, n_samples, 1, self.model.architecture.n_z),
            generator=torch.Generator().manual_seed(seed),
            dtype=torch.float64,
        ).to(self.device)
        proposed = log_weights_of(self.model, kl_weight=self.kl_weight)
        weights, parts = _with_noise(proposed, noise), []
        for block in blocks:
            generators = [torch.Generator(self.device).manual_seed(seed)]
            estimate = estimate_log_px(
                self.model,
                self._seen(block),
                n_samples,
                generators,
                log_weights=weights,
                chunk_rows=CHUNK_ROWS,
            )
            log_px = estimate.log_px[0].cpu().numpy() + self.preparation.scaling.log_jacobian
            # No number comes of codes so far out that their own log-densities overflow.
            counted = self._possible(block) & ~np.isnan(log_px)
            parts.append(np.where(counted, log_px, -np.inf))
        return np.concatenate(parts)

    def impute(self, blocks: Iterable[Array], how: str, n_iter: int, seed: int) -> Array:
        """Fill in NaN: by the conditional ``mean``, or by one draw, a ``sample``."""
        noise = torch.Generator(self.device).manual_seed(seed)  # Blocks must not share draws.
        both = (self._filled(block, n_iter, noise) for block in blocks)
        filled = np.concatenate([mean if how == "mean" else draw for mean, draw in both])
        left = int((~np.isfinite(filled)).any(axis=1).sum())
        if left:
            warn_user(
                f"impute found no finite numbers for {left} of {len(filled)} rows: the model's own "
                "overflow there; train it for more epochs, or with a lower learning_rate",
                ConvergenceWarning,
            )
        return filled

    def _filled(self, block: Array, n_iter: int, generator: torch.Generator) -> tuple[Array, Array]:
        observed = ~np.isnan(block)
        # Where the chain begins: the features' means, or the middle of the unit interval.
        centre = 0.5 if domain_of(self.preparation.likelihood).bounded else 0.0
        seen = observed[:, self.preparation.scaling.seen]
        start = np.where(seen, self.preparation.shown(block), centre)
        filled = impute_rows(
            self.model,
            torch.from_numpy(start).to(self.device),
            torch.from_numpy(seen).to(self.device),
            n_iter,
            generator,
        )
        mean, draw = self._original(filled.mean), self._original(filled.draw)
        return np.where(observed, block, mean), np.where(observed, block, draw)

    def _seen(self, block: Array) -> Tensor:
        return torch.from_numpy(self.preparation.shown(block)).to(self.device)

    def _original(self, x: Tensor) -> Array:
        return self.preparation.scaling.backward(x.cpu().numpy())

    def _params(self, z: Array) -> Iterable[Tensor]:
        # A copy: pandas gives arrays that may not be written to, of which PyTorch warns.
        for part in torch.tensor(z, device=self.device).split(CHUNK_ROWS):
            yield self.model.decode(part.unsqueeze(0))[0]

    def _possible(self, block: Array) -> NDArray[np.bool_]:
        if not domain_of(self.preparation.likelihood).bounded:
            return np.ones(len(block), np.bool_)
        lowest, highest = np.min(block, axis=1), np.max(block, axis=1)
        return np.asarray((lowest >= 0) & (highest <= 1))


def _with_noise(log_weights: LogWeights, noise: Float[Tensor, "1 S 1 Z"]) -> LogWeights:
    """Give all data the same S samples, however many of them are taken at a time."""
    used = 0

    def same_for_all(x: Tensor, mu: Tensor, logvar: Tensor, eps: Tensor) -> Tensor:
        nonlocal used
        part = noise[:, used : used + eps.shape[1]]
        used = (used + eps.shape[1]) % noise.shape[1]
        return log_weights(x, mu, logvar, part.expand(eps.shape))

    return same_for_all
