"""What is measured after every epoch, and how it is kept.

Scalars are means over a split, in nats per datum; units are the test set's, per latent dimension:
activity A_u = Var_x(E_q[z_u | x]) (Burda et al. 2016) and mean KL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from torch import Tensor

from vaestudy.binarization import as_float
from vaestudy.config import RunConfig
from vaestudy.latent_terms import LatentTerms
from vaestudy.objectives import Objective, make_objective
from vaestudy.rng import MemberRNG, normal
from vaestudy.semisupervised import LabelTerms
from vaestudy.vae import VAE

#: objective: what is ascended, at its beta; bound: the same at beta = 1 (with NO_BOUNDS it is none,
#: and left out of the tables); elbo: the evidence lower bound whatever the objective;
#: reconstruction: E_q log p(x|z); kl: KL(q(z|x) || p(z)); beta.
SCALARS = ("objective", "bound", "elbo", "reconstruction", "kl", "beta")
UNITS = ("activity", "kl")

#: A table, by its columns. Not a DataFrame: pandas takes 70 MB, half of what a job holds.
Columns = dict[str, NDArray[Any]]

#: Of rows x [M, B, D] with noise eps [M, K, B, U]: means of ``SCALARS`` at beta = 1, [S, M], and
#: each row's posterior means and KL, [M, B, Z].
RowMeasure = Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]

#: Rows of activations at a time: 500 rows of 784 floats stay in a core's cache.
_ROWS = 500
_EPOCHS_A_BLOCK = 128


def latent_activity(mu: Float[Tensor, "M N Z"]) -> Float[Tensor, "M Z"]:
    r"""Return :math:`A_u = \mathrm{Var}_x(E_{q(z|x)}[z_u])` (Burda et al. 2016).

    Parameters
    ----------
    mu
        Posterior means of N data.
    """
    return mu.double().var(dim=1, correction=0)


@torch.no_grad()
def batch_metrics(
    terms: LatentTerms | LabelTerms,
    value: Float[Tensor, "M B"],
    beta: Float[Tensor, "M"],
    objective: Objective,
) -> Float[Tensor, "S M"]:
    """Return the batch means of ``SCALARS``; ``value`` is the objective at ``beta``."""
    reconstruction = terms.log_px_z.mean((1, 2))
    kl = terms.kl.mean(1)
    bound = objective(terms, torch.ones_like(beta)).mean(1)
    return torch.stack([value.mean(1), bound, reconstruction - kl, reconstruction, kl, beta])


def rows_at_once(run: RunConfig) -> int:
    """Return how many rows of the test set are measured at a time."""
    return max(1, _ROWS // run.k)


def row_measure(model: VAE, run: RunConfig) -> RowMeasure:
    """Return what measures a run's test set: the training objective, with as many samples."""
    objective = make_objective(run)

    def measure(x: Tensor, eps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        beta = torch.ones(len(x), device=x.device)
        terms = model(x, eps)
        metrics = batch_metrics(terms, objective(terms, beta), beta, objective)
        return metrics, terms.means, terms.kl_per_unit

    return measure


@torch.no_grad()
def evaluate_epoch(
    model: VAE,
    test: UInt8[Tensor, "T D"] | Float[Tensor, "T D"],
    runs: Sequence[RunConfig],
    epoch: int,
    measure: RowMeasure | None = None,
) -> tuple[Float[Tensor, "S M"], Float[Tensor, "U M Z"]]:
    """Measure every member on the test set, with batch normalization's running statistics.

    By :func:`row_measure`, or ``measure``, which is its equal.
    """
    run, device = runs[0], test.device
    measure = measure or row_measure(model, run)
    noise = MemberRNG(tuple(r.seed for r in runs), device).generators("test-eps", epoch)
    totals = torch.zeros(len(SCALARS), len(runs), dtype=torch.float64, device=device)
    # For all rows at once: small tensors kept between large ones that go would let the heap grow.
    codes: list[Tensor] = []
    done, n_latent = 0, model.architecture.n_latent
    model.eval()
    for rows in test.split(rows_at_once(run)):
        chunk = as_float(rows, run.binarization)
        x = chunk.expand(len(runs), *chunk.shape)
        metrics, *found = measure(x, normal(noise, (run.k, len(chunk), n_latent), device))
        totals += metrics * len(chunk)
        codes = codes or [t.new_empty(len(t), len(test), t.shape[-1]) for t in found]
        for of_all, of_chunk in zip(codes, found, strict=True):
            of_all[:, done : done + len(chunk)] = of_chunk
        done += len(chunk)
    means, kl = codes
    units = torch.stack([latent_activity(means), kl.mean(1, dtype=torch.float64)])
    return totals / len(test), units


@dataclass
class History:
    """Measurements after each epoch; epoch 0 is the untrained model, on the test set alone.

    ``train`` and ``test`` hold an [S, M] array an epoch, ``units`` a [U, M, Z] array.
    """

    epochs: list[int] = field(default_factory=list)
    train: list[NDArray[np.float64]] = field(default_factory=list)
    test: list[NDArray[np.float64]] = field(default_factory=list)
    units: list[NDArray[np.float64]] = field(default_factory=list)
    _blocks: dict[str, NDArray[np.float64]] = field(default_factory=dict, repr=False, compare=False)

    def append(self, epoch: int, train: Tensor | None, test: Tensor, units: Tensor) -> None:
        """Add one epoch; the arrays are copied to the host here, once an epoch."""
        self.epochs.append(epoch)
        absent = torch.full_like(test, torch.nan)
        self.train.append(self._keep("train", len(self.train), absent if train is None else train))
        self.test.append(self._keep("test", len(self.test), test))
        self.units.append(self._keep("units", len(self.units), units))

    def _keep(self, name: str, entry: int, values: Tensor) -> NDArray[np.float64]:
        """Copy into memory of many epochs.

        Small arrays that stay, one after each epoch's large ones that go, would let the heap grow
        by the size of these: by 4 MB an epoch for a hundred latent dimensions.
        """
        place = entry % _EPOCHS_A_BLOCK
        if place == 0 or name not in self._blocks:
            self._blocks[name] = np.empty((_EPOCHS_A_BLOCK, *values.shape))
        kept: NDArray[np.float64] = self._blocks[name][place]
        kept[...] = values.double().cpu().numpy()
        return kept

    def scalars_table(self, member: int, run_id: str) -> Columns:
        """Return one row an epoch × split × metric: run_id, epoch, split, metric, value."""
        splits = np.array(["train", "test"])
        values = np.array([[v[:, member] for v in split] for split in (self.train, self.test)])
        tidy = values.reshape(len(splits), -1, len(SCALARS)).transpose(2, 0, 1)
        measured = ~np.isnan(tidy)
        # beta is a property of training; at epoch 0 nothing has been trained.
        measured[SCALARS.index("beta"), splits == "test"] = False
        metric, split, epoch = np.nonzero(measured)
        return {
            "run_id": np.full(len(epoch), run_id),
            "epoch": np.array(self.epochs, dtype=np.int64)[epoch],
            "split": splits[split],
            "metric": np.array(SCALARS)[metric],
            "value": tidy[measured],
        }

    def units_table(self, member: int, run_id: str) -> Columns:
        """Return one row an epoch × latent dimension: run_id, epoch, unit, activity, kl."""
        values = np.stack([u[:, member] for u in self.units])
        n_epochs, _, n_z = values.shape
        return {
            "run_id": np.full(n_epochs * n_z, run_id),
            "epoch": np.repeat(self.epochs, n_z),
            "unit": np.tile(np.arange(n_z), n_epochs),
            "activity": values[:, 0].ravel(),
            "kl": values[:, 1].ravel(),
        }
