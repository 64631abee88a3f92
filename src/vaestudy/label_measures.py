r"""Models that are told classes, measured: log p(x|y), log p(x), labels inferred, digits on demand.

With a uniform prior of C classes,

.. math:: \log p(x) = \log \tfrac1C \sum_y p(x|y),

which is estimated by importance sampling of z and y together: the S samples of a datum are dealt
out to its labels in strata, :math:`n_y \ge 1` of them in proportion to q(y|x), and weigh

.. math:: w = \frac{p(x|z, y)\,p(z)\,p(y)}{q(z|x, y)\,n_y / S} .

The mean of w is unbiased for p(x), as that of :mod:`vaestudy.evaluate` is, at the same cost. Where
the prior is sampled too (:mod:`vaestudy.proposals`), every other sample of a label is drawn from
the prior, and w has the mixture of both in place of q(z|x, y).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from vaestudy.classifier import Classifier, label_agreement
from vaestudy.config import RunConfig
from vaestudy.evaluate import LogWeights, check_evaluating
from vaestudy.labels import labelled, one_hot, unlabelled
from vaestudy.latent_terms import standard_normal_log_prob
from vaestudy.proposals import mixing, undo
from vaestudy.rng import normal
from vaestudy.semisupervised import under_every_label
from vaestudy.vae import VAE

_CHUNK = 500


@dataclass(frozen=True)
class Estimate:
    """An importance-sampled estimate: its metric, of which rows, and how.

    ``measure`` is a name in ``evaluate.MEASURES``; ``log_weights`` stands in for it if given.
    """

    metric: str
    rows: Float[Tensor, "T E"]
    measure: str = "nll"
    log_weights: LogWeights | None = None


def label_estimates(
    model: VAE, run: RunConfig, pixels: Float[Tensor, "T D"], labels: Int64[Tensor, "T"]
) -> list[Estimate]:
    """Return what is estimated of a model that is told classes.

    ``nll_given_label`` is −log p(x|y). ``nll`` is −log p(x): of a model that infers labels, summed
    over them; of one that has seen blanks, with a blank; one that has seen neither has none.
    """
    n_classes = model.architecture.n_classes
    found = [Estimate("nll_given_label", labelled(pixels, labels, n_classes))]
    blank = unlabelled(pixels, n_classes)
    if run.labels == "blanked":
        found.append(Estimate("nll", blank))
    if run.labels == "m2":
        weights = marginal_log_weights(model, mixing(run.objective, run.beta, run.n_z))
        found.append(Estimate("nll", blank, log_weights=weights))
    return found


def strata(q: Float[Tensor, "M B C"], n: int) -> Int64[Tensor, "M B C"]:
    """Return how many of n samples each label gets: at least one, else in proportion to q.

    Raises
    ------
    ValueError
        If there are fewer samples than labels.
    """
    n_classes = q.shape[-1]
    if n < n_classes:
        raise ValueError(f"there are {n} samples for {n_classes} labels; expected one a label")
    counts = torch.floor((n - n_classes) * q).long() + 1
    rest = n - counts.sum(-1, keepdim=True)
    return counts.scatter_add(-1, q.argmax(-1, keepdim=True), rest)


def marginal_log_weights(model: VAE, kl_weight: float | None = None) -> LogWeights:
    """Return a function that computes log w of images without labels, in samples of code and label.

    Parameters
    ----------
    model
        In evaluation mode, one that infers labels.
    kl_weight
        The KL weight that q(z|x, y) was trained with, to be undone; then every other sample of a
        label, beginning with the second, is of the prior. None: all are q's.
    """
    n_classes = model.architecture.n_classes

    def log_weights(x: Tensor, mu: Tensor, logvar: Tensor, eps: Tensor) -> Tensor:
        # mu and logvar are of x without a label, which this model has never seen.
        pixels, n = model.split(x)[0], eps.shape[1]
        counts = strata(model.classifier(pixels).exp(), n)
        places = torch.arange(n, device=x.device).expand(*counts.shape[:2], n)
        label = torch.searchsorted(counts.cumsum(-1), places.contiguous(), right=True)
        of_each = model.encode(under_every_label(pixels, n_classes))
        mu, logvar = (_chosen(part.unflatten(1, counts.shape[1:]), label) for part in of_each)
        logvar = logvar if kl_weight is None else undo(logvar, kl_weight)
        condition = torch.nn.functional.one_hot(label.transpose(1, 2), n_classes).to(eps)
        n_of_label = torch.take_along_dim(counts, label, -1).transpose(1, 2)
        first = torch.take_along_dim(counts.cumsum(-1) - counts, label, -1)
        of_prior = (places - first).transpose(1, 2) % 2 == 1 if kl_weight is not None else None
        z, log_proposal = _proposed(mu, logvar, eps, of_prior, n_of_label)
        log_px_z = model.likelihood.log_prob(pixels.unsqueeze(1), model.decode(z, condition))
        log_prior = standard_normal_log_prob(z) - math.log(n_classes)
        return log_px_z + log_prior - log_proposal - torch.log(n_of_label / n)

    return log_weights


def _proposed(
    mu: Float[Tensor, "M S B Z"],
    logvar: Float[Tensor, "M S B Z"],
    eps: Float[Tensor, "M S B Z"],
    of_prior: Bool[Tensor, "M S B"] | None,
    n: Int64[Tensor, "M S B"],
) -> tuple[Float[Tensor, "M S B Z"], Float[Tensor, "M S B"]]:
    """Return codes and their log-density under q, or under q and the prior, of n samples each."""
    sigma = (0.5 * logvar).exp()
    z, log_det = mu + sigma * eps, 0.5 * logvar.sum(-1)
    if of_prior is None:
        return z, standard_normal_log_prob(eps) - log_det
    z = torch.where(of_prior.unsqueeze(-1), eps, z)
    # Of q's own samples the noise is known; (z - mu) / sigma would round it.
    noise = torch.where(of_prior.unsqueeze(-1), (eps - mu) / sigma, eps)
    log_q = standard_normal_log_prob(noise) - log_det + torch.log((n + 1) // 2 / n)
    return z, torch.logaddexp(log_q, standard_normal_log_prob(z) + torch.log(n // 2 / n))


def _chosen(
    each: Float[Tensor, "M B C Z"], label: Int64[Tensor, "M B S"]
) -> Float[Tensor, "M S B Z"]:
    """Return for every sample the values of its label."""
    return torch.take_along_dim(each, label.unsqueeze(-1), 2).transpose(1, 2)


@torch.no_grad()
def inferred_accuracy(
    model: VAE, pixels: Float[Tensor, "T D"], labels: Int64[Tensor, "T"]
) -> float:
    """Return the share of images whose label q(y|x) of a model with one member names rightly."""
    named = [model.classifier(part.unsqueeze(0))[0].argmax(-1) for part in pixels.split(_CHUNK)]
    return (torch.cat(named) == labels).double().mean().item()


@torch.no_grad()
def code_variances(model: VAE, x: Float[Tensor, "T E"]) -> Float[Tensor, "M T Z"]:
    r"""Return :math:`\sum_y q(y|x)\,\sigma^2(x, y)` of a model that infers labels.

    It has never seen the blanks in ``x``.
    """
    n_classes, found = model.architecture.n_classes, []
    for part in x.split(_CHUNK):
        pixels = model.split(part.expand(model.members, *part.shape))[0]
        _, logvar = model.encode(under_every_label(pixels, n_classes))
        q = model.classifier(pixels).exp().unsqueeze(-1)
        found.append((q * logvar.exp().unflatten(1, (-1, n_classes))).sum(2))
    return torch.cat(found, 1)


@dataclass(frozen=True)
class Asked:
    """Samples: decoder means, pixels drawn with them, and the classes that were asked for."""

    means: Float[Tensor, "N D"]
    drawn: Float[Tensor, "N D"]
    labels: Int64[Tensor, "N"]


@torch.no_grad()
def sample_classes(model: VAE, n: int, generator: torch.Generator) -> Asked:
    """Draw z from the prior and x from the decoder given a class; the classes take turns.

    Raises
    ------
    ValueError
        If the model is in training mode or is not told classes.
    """
    check_evaluating(model)
    if not model.architecture.n_classes:
        raise ValueError("the model is not told classes; expected one with labels")
    device = next(model.parameters()).device
    labels = torch.arange(n, device=device) % model.architecture.n_classes
    z = normal([generator], (n, model.architecture.n_z), device)[0]
    means, drawn = [], []
    for codes, classes in zip(z.split(_CHUNK), labels.split(_CHUNK), strict=True):
        params = decode_classes(model, codes, classes)
        means.append(model.likelihood.mean(params))
        drawn.append(model.likelihood.sample(params, generator))
    return Asked(torch.cat(means), torch.cat(drawn), labels)


@torch.no_grad()
def decode_classes(
    model: VAE, z: Float[Tensor, "N Z"], labels: Int64[Tensor, "N"]
) -> Float[Tensor, "N P"]:
    """Return the likelihood's parameters at codes of given classes, with a model of one member."""
    parameter = next(model.parameters())
    condition = one_hot(labels, model.architecture.n_classes).to(parameter)
    return model.decode(z.to(parameter)[None], condition[None])[0]


def conditional_accuracy(
    classifier: Classifier, model: VAE, n: int, generator: torch.Generator
) -> dict[str, float]:
    """Return how often the classifier names the class that was asked for.

    Returns
    -------
    dict
        ``conditional_accuracy`` of drawn pixels, and with ``_of_means`` of decoder means.
    """
    asked = sample_classes(model, n, generator)
    return {
        "conditional_accuracy": label_agreement(classifier, asked.drawn, asked.labels),
        "conditional_accuracy_of_means": label_agreement(classifier, asked.means, asked.labels),
    }
