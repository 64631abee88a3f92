"""The slower estimators on one model, as rows beside those of :mod:`vaestudy.measure`.

Nats per datum unless the name says otherwise. Annealed importance sampling: ``ais_nll``, and on the
same images ``is_nll``, the plain importance-sampled one; ``ais_effective_chains`` and
``ais_acceptance``; on simulated images ``bdmc_gap``, upper bound − lower. Gaps: the
``approximation_gap`` and ``amortization_gap``. Information: ``mutual_information``,
``marginal_kl``, ``effective_dimensions`` and ``participation_ratio``. Quality: see
:func:`vaestudy.quality.measure_quality`. Of models that are told classes,
``conditional_accuracy`` of samples (``_of_means`` too). Missing: ``nll_of_bottom_variational``,
``_importance`` and ``_prior``, of the bottom half given the top, by each method of
:mod:`vaestudy.inference`, and ``importance_effective_samples``.
"""

from __future__ import annotations

import logging

import torch
from jaxtyping import Float
from torch import Tensor

from vaestudy.ais import AISEstimate, estimate_log_px_ais
from vaestudy.annealing import AnnealingSettings
from vaestudy.bdmc import bidirectional_bounds
from vaestudy.classifier import Classifier, binomial_error
from vaestudy.config import RunConfig
from vaestudy.evaluate import estimate_log_px
from vaestudy.examination import (
    AnnealedSampling,
    Conditional,
    Gaps,
    Information,
    Missing,
    Quality,
)
from vaestudy.gaps import PerDatum, inference_gaps
from vaestudy.inference import METHODS, infer_missing, missing_log_prob
from vaestudy.information import (
    effective_rank,
    encode_all,
    information_terms,
    participation_ratio,
)
from vaestudy.label_measures import conditional_accuracy
from vaestudy.latent_terms import kl_per_unit
from vaestudy.masks import top_half
from vaestudy.posteriors import FitSettings
from vaestudy.proposals import log_weights_of, mixing
from vaestudy.quality import Judge, measure_quality
from vaestudy.rng import stream_seed
from vaestudy.rows import Row
from vaestudy.vae import VAE

log = logging.getLogger(__name__)

#: Steps between two looks at how far the search for the best posteriors has come.
_WINDOW = 100


def anneal(
    model: VAE,
    run: RunConfig,
    test: Float[Tensor, "T D"],
    settings: AnnealedSampling,
    n_samples: int,
) -> tuple[AISEstimate, list[Row]]:
    """Return the annealed estimate of the first test images, and its rows.

    Parameters
    ----------
    model
        One member, in evaluation mode, on the device of ``test``.
    run
        Its parameters; its seed fixes the noise.
    test
        The pixels that all runs are tested on.
    settings
        How to anneal, and how many images.
    n_samples
        Importance samples an image of the plain estimate beside it.
    """
    images = test[: settings.n_images]
    how = AnnealingSettings(
        n_temperatures=settings.n_temperatures,
        n_chains=settings.n_chains,
        n_leapfrog=settings.n_leapfrog,
        temperatures=settings.spacing,
        base=settings.base,
        target_acceptance=settings.target_acceptance,
    )
    # As the run's nll was measured, so that the two compare.
    weights = log_weights_of(model, kl_weight=mixing(run.objective, run.beta, run.n_z))
    plain = estimate_log_px(
        model, images, n_samples, _generators(run, "is", test.device), log_weights=weights
    )
    annealed = estimate_log_px_ais(model, images, how, _generators(run, "ais", test.device))
    bounds = bidirectional_bounds(model, len(images), how, _generators(run, "bdmc", test.device))
    known, chains, n = annealed.estimate, settings.n_chains, len(images)
    return annealed, [
        ("is_nll", plain.nll().item(), plain.nll_error().item(), n_samples, n),
        ("ais_nll", known.nll().item(), known.nll_error().item(), chains, n),
        ("ais_effective_chains", annealed.effective_chains.mean().item(), None, chains, n),
        ("ais_acceptance", annealed.acceptance.mean().item(), None, chains, n),
        ("bdmc_gap", bounds.gap().item(), bounds.gap_error().item(), chains, n),
    ]


def find_gaps(
    model: VAE,
    run: RunConfig,
    test: Float[Tensor, "T D"],
    settings: Gaps,
    annealed: AISEstimate,
) -> list[Row]:
    """Return the rows of approximation and amortization gap on the first images of ``annealed``."""
    images = test[: settings.n_images]
    fit = FitSettings(window=_WINDOW, tolerance=settings.tolerance)
    gaps = inference_gaps(
        model,
        images,
        annealed.estimate.first(len(images)),
        fit,
        _generators(run, "gaps", test.device),
        n_samples=settings.n_samples,
    )
    if not gaps.optimal.converged.all():
        log.warning("%s: the search for the best posteriors has not converged", run.run_id)

    def row(name: str, found: PerDatum) -> Row:
        value, error = found.mean().item(), found.mean_error().item()
        return name, value, error, settings.n_samples, len(images)

    return [
        row("approximation_gap", gaps.approximation),
        row("amortization_gap", gaps.amortization),
    ]


def inform(
    model: VAE, run: RunConfig, test: Float[Tensor, "T D"], settings: Information
) -> list[Row]:
    """Return the rows of mutual information, marginal KL and effective dimensions."""
    mu, logvar = encode_all(model, test)
    generators = _generators(run, "information", test.device)
    terms = information_terms(mu, logvar, settings.n_samples, generators)
    n_samples, n = settings.n_samples, len(test)
    error = terms.standard_error.item() if n_samples > 1 else None
    kl = kl_per_unit(mu, logvar).mean(1)
    return [
        ("mutual_information", terms.mutual_information.item(), error, n_samples, n),
        ("marginal_kl", terms.marginal_kl.item(), error, n_samples, n),
        ("effective_dimensions", effective_rank(kl).item(), None, None, n),
        ("participation_ratio", participation_ratio(kl).item(), None, None, n),
    ]


def infer_halves(
    model: VAE,
    run: RunConfig,
    test: Float[Tensor, "T D"],
    image_shape: tuple[int, int],
    settings: Missing,
) -> list[Row]:
    """Return the rows of the bottom halves' NLL given the top halves, by every method."""
    images, n_samples = test[: settings.n_images], settings.n_samples
    observed, n = top_half(image_shape).to(test.device), len(images)
    rows: list[Row] = []
    for method in METHODS:
        (generator,) = _generators(run, f"missing-{method}", test.device)
        found = infer_missing(
            model, images, observed, generator, method=method, n_samples=n_samples
        )
        log_p = missing_log_prob(model, images, observed, found)
        rows.append((f"nll_of_bottom_{method}", -log_p.mean().item(), None, n_samples, n))
        if method == "importance":
            effective = found.effective_samples.mean().item()
            rows.append(("importance_effective_samples", effective, None, n_samples, n))
    return rows


def judge_samples(model: VAE, run: RunConfig, judge: Judge, settings: Quality) -> list[Row]:
    """Return the rows of sample quality."""
    (generator,) = _generators(run, "samples", judge.test.device)
    found = measure_quality(judge, model, settings.n_samples, generator)
    return [(name, m.value, m.standard_error, None, m.n) for name, m in found.items()]


def ask_for_classes(
    model: VAE, run: RunConfig, classifier: Classifier, settings: Conditional
) -> list[Row]:
    """Return the rows of how often samples show the class that was asked for."""
    (generator,) = _generators(run, "conditional", next(model.parameters()).device)
    found = conditional_accuracy(classifier, model, settings.n_samples, generator)
    n = settings.n_samples
    return [(name, value, binomial_error(value, n), None, n) for name, value in found.items()]


def _generators(run: RunConfig, name: str, device: torch.device) -> list[torch.Generator]:
    """Return a generator of its own for every estimate: taking one more shifts no other."""
    return [torch.Generator(device).manual_seed(stream_seed(run.seed, f"examine-{name}"))]
