"""A finished run measured on its test set: one tidy row a metric.

Nats per datum unless the name says otherwise. ``nll`` is the model's own −log p(x): a mass for
Bernoulli models, a density for the others, so they do not compare. On binary pixels these do:
``nll_restricted``, under the likelihood restricted to {0, 1} and normalised there, and
``nll_mean``, under a Bernoulli with the likelihood's mean. On grey pixels ``nll_continuous`` makes
a density of a Bernoulli model, with its logits as a continuous Bernoulli's.

Of models that are told classes (:mod:`vaestudy.label_measures`), ``nll_given_label`` is −log p(x|y)
and ``squared_error`` of the image given its label; ``nll`` is −log p(x) where the model has one;
``label_accuracy`` is q(y|x)'s where it infers them.

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
from jaxtyping import Float, Int64
from torch import Tensor

from vaestudy.binarization import as_float, fixed_binarization
from vaestudy.checkpoint import CheckpointError, load_model
from vaestudy.classifier import binomial_error
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
from vaestudy.jobs import (
    TRAIN_BINARIZATION_SEED,
    RunFiles,
    read_record,
    stream_generators,
    test_pixels,
)
from vaestudy.label_measures import Estimate, inferred_accuracy, label_estimates
from vaestudy.labels import tested_rows
from vaestudy.objectives import make_objective
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
    labels: Int64[Tensor, "T"] | None = None,
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
    labels
        Classes of the test images, for a model that is told them.
    """
    rows_tested = test if labels is None else tested_rows(test, labels, run)
    rows, n = _bound_rows(model, run, rows_tested, threshold), len(test)
    estimates = _estimates_of(model, run, test, labels)
    rows += [_nll_row(model, run, one, n_samples, compile_policy) for one in estimates]
    error = reconstruction_squared_error(model, estimates[0].rows).item()
    rows.append(("squared_error", error, None, None, n))
    if labels is not None and run.labels == "m2":
        accuracy = inferred_accuracy(model, test, labels)
        rows.append(("label_accuracy", accuracy, binomial_error(accuracy, n), None, n))
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


def _bound_rows(model: VAE, run: RunConfig, test: Tensor, threshold: float) -> list[Row]:
    # Training uses the noise of epochs up to its last; the next is fresh.
    scalars, units = evaluate_epoch(model, test, [run], run.epochs + 1)
    bounds = dict(zip(SCALARS, scalars[:, 0].tolist(), strict=True))
    active = float(active_units(units[UNITS.index("activity"), 0], threshold))
    n = len(test)
    rows: list[Row] = [(name, bounds[name], None, run.k, n) for name in BOUNDS]
    return [*rows, ("active_units", active, None, None, n)]


def _nll_row(
    model: VAE, run: RunConfig, wanted: Estimate, n_samples: int, compile_policy: CompilePolicy
) -> Row:
    rows, log_weights = wanted.rows, wanted.log_weights
    if log_weights is None:
        log_weights = choose_log_weights(
            model, wanted.measure, n_samples, len(rows), compile_policy
        )
    generators = stream_generators([run], rows.device)
    found = estimate_log_px(model, rows, n_samples, generators, log_weights=log_weights)
    return wanted.metric, found.nll().item(), found.nll_error().item(), n_samples, len(rows)


def _estimates_of(
    model: VAE, run: RunConfig, test: Tensor, labels: Tensor | None
) -> list[Estimate]:
    if labels is not None and run.labels != "none":
        return label_estimates(model, run, test, labels)
    return [Estimate(measure, test, measure) for measure in _measures_of(run)]


def _measures_of(run: RunConfig) -> tuple[str, ...]:
    if run.binarization == "none":
        return ("nll", "nll_continuous") if run.likelihood == "bernoulli" else ("nll",)
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
    labels = dataset.train_labels[: run.batch_size]
    return tested_rows(as_float(fixed, run.binarization), labels, run)


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
        labels = dataset.test_labels.to(device)
        found = [measure_run(model, run, test, n_samples, threshold, compile_policy, labels)]
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
