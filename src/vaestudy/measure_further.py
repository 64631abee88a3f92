"""What is measured of some runs besides: gradients, principal components, planes."""

from __future__ import annotations

import pandas as pd
from jaxtyping import Float
from torch import Tensor

from vaestudy.components import linear_errors
from vaestudy.config import RunConfig
from vaestudy.data import Dataset
from vaestudy.dataset_names import PLANE
from vaestudy.gradients import GradientSNR, gradient_snr
from vaestudy.labels import tested_rows
from vaestudy.latent_plane import plane_metrics
from vaestudy.objectives import make_objective
from vaestudy.rng import MemberRNG
from vaestudy.rows import Row, rows_table
from vaestudy.splits import test_pixels, train_pixels
from vaestudy.study_parts import Further
from vaestudy.vae import VAE


def measure_further(
    model: VAE,
    run: RunConfig,
    dataset: Dataset,
    test: Float[Tensor, "T D"],
    further: Further,
) -> list[pd.DataFrame]:
    """Return further rows: of planes where there is one, of gradients and components if asked."""
    found = [measure_plane(model, run, dataset)] if run.dataset in PLANE else []
    if run.n_z == 2 and run.labels == "none" and dataset.of_images:
        metrics = plane_metrics(model, dataset, test)
        rows: list[Row] = [(name, value, None, None, len(test)) for name, value in metrics.items()]
        found.append(rows_table(run, rows))
    if further.gradient_draws:
        batch = _gradient_batch(dataset, run).to(test.device)
        found.append(measure_gradients(model, run, batch, further.gradient_draws))
    if further.principal_components:
        found.append(measure_components(dataset, run))
    return found


def measure_gradients(
    model: VAE, run: RunConfig, batch: Float[Tensor, "B D"], n_draws: int
) -> pd.DataFrame:
    """Return the signal-to-noise ratios of the gradient of a run's objective, as further rows.

    Parameters
    ----------
    model
        One member, in evaluation mode, on the device of ``batch``.
    run
        Its parameters: the objective, its K and its KL weight at full strength; its seed fixes the
        samples' noise.
    batch
        What the gradient is taken on.
    n_draws
        Gradients, at least 2; ``n_samples`` of the rows.
    """
    found = _gradients_of(run, model, batch, n_draws)
    values = {
        "gradient_snr_encoder": found.encoder,
        "gradient_snr_decoder": found.decoder,
        "gradient_variance_encoder": found.encoder_variance,
        "gradient_variance_decoder": found.decoder_variance,
    }
    if run.objective == "elbo":
        # At the same parameters, and with the same noise.
        sampled = run.model_copy(update={"objective": "elbo-sampled"})
        other = _gradients_of(sampled, model, batch, n_draws)
        values["sampled_gradient_variance_encoder"] = other.encoder_variance
        values["sampled_gradient_variance_decoder"] = other.decoder_variance
    rows: list[Row] = [(k, v.item(), None, n_draws, len(batch)) for k, v in values.items()]
    return rows_table(run, rows)


def _gradients_of(run: RunConfig, model: VAE, batch: Tensor, n_draws: int) -> GradientSNR:
    objective = make_objective(run)
    generators = MemberRNG((run.seed,), batch.device).generators("estimate")
    return gradient_snr(
        model, batch, objective, generators, k=run.k, n_draws=n_draws, beta=run.beta
    )


def measure_components(dataset: Dataset, run: RunConfig) -> pd.DataFrame:
    """Return what as many principal components leave of the test set, as further rows."""
    train, test = train_pixels(dataset, run.binarization), test_pixels(dataset, run.binarization)
    left = linear_errors(train, test, run.n_z)
    values = {"pca_squared_error": left.components, "mean_squared_error": left.mean}
    return rows_table(run, [(k, v, None, None, len(test)) for k, v in values.items()])


def measure_plane(model: VAE, run: RunConfig, dataset: Dataset) -> pd.DataFrame:
    """Return what a model makes of points of the plane (:mod:`vaestudy.plane`), as further rows."""
    # SciPy's distances take half a second to import, which jobs of other data are spared.
    from vaestudy.plane import describe, pass_through

    test = dataset.test.to(model.output.weight.device)
    passage = pass_through(model, test, dataset.test_labels.numpy(), run.seed)
    found = describe(passage, model, run.dataset)
    return rows_table(run, [(name, value, None, 1, len(test)) for name, value in found.items()])


def _gradient_batch(dataset: Dataset, run: RunConfig) -> Float[Tensor, "B E"]:
    """Return the first batch of the training set, binarized once: the same for all runs."""
    rows = train_pixels(dataset, run.binarization, run.batch_size)
    return tested_rows(rows, dataset.train_labels[: run.batch_size], dataset.n_classes, run)
