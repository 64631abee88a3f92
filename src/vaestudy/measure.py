"""A finished run measured on its test set: one tidy row a metric.

Nats per datum unless the name says otherwise. ``nll`` is the model's own −log p(x): a mass for
Bernoulli models, a density for the others, so they do not compare. On binary pixels these do:
``nll_restricted``, under the likelihood restricted to {0, 1} and normalised there, and
``nll_mean``, under a Bernoulli with the likelihood's mean. On grey pixels ``nll_continuous`` makes
a density of a Bernoulli model, with its logits as a continuous Bernoulli's, and ``nll_clipped`` is
every family's density at pixels kept half a grey level away from 0 and 1. Importance samples come
from q(z|x); of models of one stochastic layer that were trained for no bound, or with a KL weight
below 1, or have few latent dimensions, from the prior as well (:mod:`vaestudy.proposals`).

``posterior_variance`` is the mean of sigma^2 of q(z|x) over images and latent dimensions, of models
of one stochastic layer; where labels are inferred, of q(z|x, y) over the labels of q(y|x) too.

``active_units`` counts the units of all stochastic layers; where there are deeper ones,
``active_units_1``, ``active_units_2``, ... those of each.

Of models that are told classes (:mod:`vaestudy.label_measures`), ``nll_given_label`` is −log p(x|y)
and ``squared_error`` of the image given its label; ``nll`` is −log p(x) where the model has one;
``label_accuracy`` is q(y|x)'s where it infers them.

``gradient_snr_encoder`` and ``gradient_snr_decoder`` are the signal-to-noise ratios of the
objective's gradient (``gradients``) on the first images of the training set, binarized once: the
same pixels for all. ``gradient_variance_encoder`` and ``_decoder`` are the sums of its variances;
of ELBO models with the ``sampled_`` ones, of the estimator that samples the KL, at the same
parameters. ``pca_squared_error`` is what n_z principal components leave, ``mean_squared_error``
what the mean alone does.

Models of points in the plane are further described by :mod:`vaestudy.plane`,
planes of codes of images by :mod:`vaestudy.latent_plane`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import pandas as pd
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from vaestudy.checkpoint import load_run
from vaestudy.classifier import binomial_error
from vaestudy.compile_choice import choose_log_weights
from vaestudy.config import CompilePolicy, RunConfig
from vaestudy.data import Dataset
from vaestudy.evaluate import (
    active_units,
    estimate_log_px,
    reconstruction_squared_error,
)
from vaestudy.history import SCALARS, UNITS, evaluate_epoch
from vaestudy.information import encode_all
from vaestudy.label_measures import (
    Estimate,
    code_variances,
    inferred_accuracy,
    label_estimates,
)
from vaestudy.labels import tested_rows
from vaestudy.layer_activity import layer_activities
from vaestudy.measure_further import measure_further
from vaestudy.objectives import NO_BOUNDS
from vaestudy.proposals import mixing
from vaestudy.rng import MemberRNG
from vaestudy.rows import COLUMNS, Row, rows_table
from vaestudy.run_files import RunFiles, read_record
from vaestudy.splits import test_pixels
from vaestudy.study_parts import Further
from vaestudy.vae import VAE

log = logging.getLogger(__name__)

#: Samples of the layers below in E[z|x] of a deeper layer.
ACTIVITY_SAMPLES = 100
#: Likelihoods of grey pixels that are measured at clipped ones too.
_CLIPPED = ("bernoulli", "gaussian", "continuous-bernoulli")
BOUNDS = ("bound", "elbo", "reconstruction", "kl")


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
    n_classes = model.architecture.n_classes
    rows_tested = test if labels is None else tested_rows(test, labels, n_classes, run)
    estimates = _estimates_of(model, run, test, labels)
    rows = _summary_rows(model, run, rows_tested, threshold)
    for estimate in estimates:
        rows += _estimate_rows(model, run, estimate, n_samples, compile_policy)
    error = reconstruction_squared_error(model, estimates[0].rows).item()
    rows.append(("squared_error", error, None, None, len(test)))
    if labels is not None and run.labels == "m2":
        accuracy = inferred_accuracy(model, test, labels)
        error = binomial_error(accuracy, len(test))
        rows.append(("label_accuracy", accuracy, error, None, len(test)))
    return rows_table(run, rows)


def _summary_rows(
    model: VAE, run: RunConfig, test: Float[Tensor, "T E"], threshold: float
) -> list[Row]:
    """Return bounds, active units and the posterior's variance."""
    # Training uses the noise of epochs up to its last; the next is fresh.
    scalars, units = evaluate_epoch(model, test, [run], run.epochs + 1)
    bounds = dict(zip(SCALARS, scalars[:, 0].tolist(), strict=True))
    n = len(test)
    rows: list[Row] = [(name, bounds[name], None, run.k, n) for name in _bounds_of(run)]
    if run.deeper:
        return rows + _active_by_layer(model, run, test, threshold)
    rows.append(("posterior_variance", _posterior_variance(model, test), None, None, n))
    active = active_units(units[UNITS.index("activity"), 0], threshold).item()
    return [*rows, ("active_units", float(active), None, None, n)]


def _estimate_rows(
    model: VAE, run: RunConfig, estimate: Estimate, n_samples: int, policy: CompilePolicy
) -> list[Row]:
    """Return an estimate by importance sampling; of a Beta likelihood under both of its names."""
    n, log_weights = len(estimate.rows), estimate.log_weights
    if log_weights is None:
        kl_weight = None if run.deeper else mixing(run.objective, run.beta, run.n_z)
        log_weights = choose_log_weights(
            model, estimate.measure, n_samples, n, policy, kl_weight=kl_weight
        )
    generators = MemberRNG((run.seed,), estimate.rows.device).generators("estimate")
    found = estimate_log_px(model, estimate.rows, n_samples, generators, log_weights=log_weights)
    # A Beta likelihood takes clipped pixels as it is.
    also = ["nll_clipped"] if run.likelihood == "beta" and estimate.metric == "nll" else []
    nll, error = found.nll().item(), found.nll_error().item()
    return [(metric, nll, error, n_samples, n) for metric in (estimate.metric, *also)]


def _active_by_layer(
    model: VAE, run: RunConfig, test: Float[Tensor, "T D"], threshold: float
) -> list[Row]:
    """Return the number of active units, of all stochastic layers together and of each."""
    noise = MemberRNG((run.seed,), test.device).generators("activity")
    layers = layer_activities(model, test, ACTIVITY_SAMPLES, noise)
    counts = [float(active_units(layer[0], threshold)) for layer in layers]
    named = {"active_units": sum(counts)}
    named |= {f"active_units_{place}": count for place, count in enumerate(counts, start=1)}
    return [(name, count, None, ACTIVITY_SAMPLES, len(test)) for name, count in named.items()]


def _estimates_of(
    model: VAE, run: RunConfig, test: Tensor, labels: Tensor | None
) -> list[Estimate]:
    if labels is not None and run.labels != "none":
        return label_estimates(model, run, test, labels)
    return [Estimate(measure, test, measure) for measure in _measures_of(run)]


def _bounds_of(run: RunConfig) -> tuple[str, ...]:
    return tuple(name for name in BOUNDS if name != "bound" or run.objective not in NO_BOUNDS)


def _posterior_variance(model: VAE, test: Float[Tensor, "T D"]) -> float:
    if model.architecture.infers_labels:
        return code_variances(model, test).mean(dtype=torch.float64).item()
    _, logvar = encode_all(model, test)
    return logvar.exp().mean(dtype=torch.float64).item()


def _measures_of(run: RunConfig) -> tuple[str, ...]:
    if run.binarization == "none":
        own = ("nll", "nll_continuous") if run.likelihood == "bernoulli" else ("nll",)
        return (*own, "nll_clipped") if run.likelihood in _CLIPPED else own
    # On binary pixels all measures of a Bernoulli model are its own.
    return ("nll",) if run.likelihood == "bernoulli" else ("nll", "nll_restricted", "nll_mean")


def measure_group(
    runs: Sequence[RunConfig],
    dataset: Dataset,
    runs_dir: Path,
    *,
    device: torch.device,
    n_samples: int,
    threshold: float,
    further: Mapping[str, Further] = MappingProxyType({}),
    compile_policy: CompilePolicy = "auto",
) -> pd.DataFrame:
    """Measure every finished run of a group, and ``further`` what it says of runs, by their ids.

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
        found += measure_further(model, run, dataset, test, further.get(run.run_id, Further()))
        tables.append(pd.concat(found, ignore_index=True))
        log.info("%s\n%s", run.run_id, tables[-1].drop(columns="run_id").to_string(index=False))
    return tables[-1] if len(tables) <= 2 else pd.concat(tables[1:], ignore_index=True)
