"""A finished run measured on its test set: one tidy row a metric.

Nats per datum unless the name says otherwise. ``nll`` is the model's own −log p(x): a mass for
Bernoulli models, a density for the others, so they do not compare. On binary pixels these do:
``nll_restricted``, under the likelihood restricted to {0, 1} and normalised there, and
``nll_mean``, under a Bernoulli with the likelihood's mean. On grey pixels ``nll_continuous`` makes
a density of a Bernoulli model, with its logits as a continuous Bernoulli's, and ``nll_clipped`` is
every family's density at pixels kept half a grey level away from 0 and 1.

``posterior_variance`` is the mean of sigma^2 of q(z|x) over images and latent dimensions.

``gradient_snr_encoder`` and ``gradient_snr_decoder`` are the signal-to-noise ratios of the
objective's gradient (``gradients``) on the first images of the training set, binarized once: the
same pixels for all.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from vaestudy.binarization import as_float, fixed_binarization
from vaestudy.checkpoint import CheckpointError, load_model
from vaestudy.compiled import choose_log_weights
from vaestudy.config import CompilePolicy, RunConfig
from vaestudy.data import Dataset
from vaestudy.evaluate import (
    active_units,
    estimate_log_px,
    reconstruction_squared_error,
)
from vaestudy.gradients import gradient_snr
from vaestudy.history import SCALARS, UNITS, evaluate_epoch
from vaestudy.information import encode_all
from vaestudy.jobs import (
    TRAIN_BINARIZATION_SEED,
    RunFiles,
    read_record,
    stream_generators,
    test_pixels,
)
from vaestudy.objectives import NO_BOUNDS, make_objective
from vaestudy.vae import VAE

log = logging.getLogger(__name__)

#: metric, value, standard_error, n_samples, n_data
Row = tuple[str, float, float | None, int | None, int]

BOUNDS = ("bound", "elbo", "reconstruction", "kl")
COLUMNS = ("run_id", "metric", "value", "standard_error", "n_samples", "n_data")


def measure_run(
    model: VAE,
    run: RunConfig,
    test: Float[Tensor, "T D"],
    n_samples: int,
    threshold: float,
    compile_policy: CompilePolicy = "auto",
) -> pd.DataFrame:
    """Return the final measurements of one run; columns ``COLUMNS``.

    Parameters
    ----------
    model
        One member, in evaluation mode, on the device of ``test``.
    run
        Its parameters; its seed fixes the noise of the estimates.
    test
        The pixels that all runs are tested on.
    n_samples
        Importance samples a test image.
    threshold
        Activity above which a latent dimension is active.
    compile_policy
        Whether the importance weights are computed by a compiled library.
    """
    # Training uses the noise of epochs up to its last; the next is fresh.
    scalars, units = evaluate_epoch(model, test, [run], run.epochs + 1)
    bounds = dict(zip(SCALARS, scalars[:, 0].tolist(), strict=True))
    activity = units[UNITS.index("activity"), 0]
    n = len(test)
    rows: list[Row] = [(name, bounds[name], None, run.k, n) for name in _bounds_of(run)]
    rows.append(("posterior_variance", _posterior_variance(model, test), None, None, n))
    rows.append(("active_units", float(active_units(activity, threshold)), None, None, n))
    for measure in _measures_of(run):
        log_weights = choose_log_weights(model, measure, n_samples, n, compile_policy)
        generators = stream_generators([run], test.device)
        estimate = estimate_log_px(model, test, n_samples, generators, log_weights=log_weights)
        found = estimate.nll().item(), estimate.nll_error().item(), n_samples, n
        rows.append((measure, *found))
        if run.likelihood == "beta":  # It takes clipped pixels as it is.
            rows.append(("nll_clipped", *found))
    rows.append(("squared_error", reconstruction_squared_error(model, test).item(), None, None, n))
    return rows_table(run, rows)


def measure_gradients(
    model: VAE, run: RunConfig, batch: Float[Tensor, "B D"], n_draws: int
) -> pd.DataFrame:
    """Return the signal-to-noise ratios of the gradient of a run's objective, as further rows.

    Parameters
    ----------
    model
        One member, in evaluation mode, on the device of ``batch``.
    run
        Its parameters: the objective, its K and the KL weight that training ends with; its seed
        fixes the samples' noise.
    batch
        What the gradient is taken on.
    n_draws
        Gradients, at least 2; ``n_samples`` of the rows.
    """
    objective, generators = make_objective(run), stream_generators([run], batch.device)
    ratios = gradient_snr(
        model, batch, objective, generators, k=run.k, n_draws=n_draws, beta=run.beta
    )
    parts = {"encoder": ratios.encoder, "decoder": ratios.decoder}
    rows: list[Row] = [
        (f"gradient_snr_{part}", ratio.item(), None, n_draws, len(batch))
        for part, ratio in parts.items()
    ]
    return rows_table(run, rows)


def _bounds_of(run: RunConfig) -> tuple[str, ...]:
    return tuple(name for name in BOUNDS if name != "bound" or run.objective not in NO_BOUNDS)


def _posterior_variance(model: VAE, test: Float[Tensor, "T D"]) -> float:
    _, logvar = encode_all(model, test)
    return logvar.exp().mean(dtype=torch.float64).item()


def _measures_of(run: RunConfig) -> tuple[str, ...]:
    if run.binarization == "none":
        own = ("nll", "nll_continuous") if run.likelihood == "bernoulli" else ("nll",)
        return own if run.likelihood == "beta" else (*own, "nll_clipped")
    # On binary pixels all measures of a Bernoulli model are its own.
    return ("nll",) if run.likelihood == "bernoulli" else ("nll", "nll_restricted", "nll_mean")


def rows_table(run: RunConfig, rows: Sequence[Row]) -> pd.DataFrame:
    """Return a run's measurements as a table with columns ``COLUMNS``."""
    table = pd.DataFrame([(run.run_id, *row) for row in rows], columns=list(COLUMNS))
    return table.astype({"standard_error": "Float64", "n_samples": "Int64"})


def _gradient_batch(dataset: Dataset, run: RunConfig) -> Float[Tensor, "B D"]:
    """Return the first batch of the training set, binarized once: the same for all runs."""
    pixels = dataset.train[: run.batch_size]
    fixed = fixed_binarization(pixels, run.binarization, TRAIN_BINARIZATION_SEED)
    return as_float(fixed, run.binarization)


def measure_group(
    runs: Sequence[RunConfig],
    dataset: Dataset,
    runs_dir: Path,
    *,
    device: torch.device,
    n_samples: int,
    threshold: float,
    gradient_draws: int = 0,
    compile_policy: CompilePolicy = "auto",
) -> pd.DataFrame:
    """Measure every finished run of a group, its gradients if ``gradient_draws`` is not 0.

    A diverged run has no rows.
    """
    tables = [pd.DataFrame(columns=list(COLUMNS))]
    for run in runs:
        files = RunFiles(runs_dir / run.run_id)
        if read_record(files)["status"] == "diverged":
            log.warning("%s diverged and is not measured", run.run_id)
            continue
        model = load_run(files, run, device)
        test = test_pixels(dataset, run.binarization).to(device)
        found = [measure_run(model, run, test, n_samples, threshold, compile_policy)]
        if gradient_draws:
            batch = _gradient_batch(dataset, run).to(device)
            found.append(measure_gradients(model, run, batch, gradient_draws))
        tables.append(pd.concat(found, ignore_index=True))
        log.info("%s\n%s", run.run_id, tables[-1].drop(columns="run_id").to_string(index=False))
    return tables[-1] if len(tables) <= 2 else pd.concat(tables[1:], ignore_index=True)


def load_run(files: RunFiles, run: RunConfig, device: torch.device) -> VAE:
    """Return a run's trained model.

    Raises
    ------
    CheckpointError
        If its file holds another run.
    """
    model, saved = load_model(files.model, device)
    if saved != run:
        raise CheckpointError(
            f"{files.model} holds {saved.run_id}, not {run.run_id}; delete it and train again"
        )
    return model
