"""M2 against its definition: a sum over labels."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from builders import (
    architecture,
    perturbed,
    randn,
    run_config,
)
from labelled import BLANKED, CONDITION, M2, B, C, D, K, M, Z, rows, told
from vaestudy.labels import (
    one_hot,
)
from vaestudy.objectives import OBJECTIVES, make_objective
from vaestudy.semisupervised import LabelTerms, m2
from vaestudy.vae import VAE


def enumerated(model: VAE, x: Tensor, eps: Tensor, objective: str, member: int, row: int) -> Tensor:
    """The source's bounds, written out: a sum over labels, or the label's own term."""
    pixels, label = x[member, row, :D], x[member, row, D:]
    twin_input = pixels.expand(M, 1, D)
    log_q = model.classifier(twin_input)[member, 0]
    bounds = []
    for y in range(C):
        given = torch.cat([twin_input, torch.eye(C).double()[y].expand(M, 1, C)], -1)
        terms = model.terms_of(given, eps[:, :, [row]])
        bounds.append(OBJECTIVES[objective](terms, torch.ones(M).double())[member, 0])
    joint = torch.stack(bounds) - math.log(C)
    if label.any():
        return joint[label.argmax()]
    q = log_q.exp()
    return (q * joint).sum() - (q * log_q).sum()


@pytest.mark.parametrize("objective", ["elbo", "elbo-sampled", "iwae"])
def test_m2_is_the_sum_over_labels(objective: str) -> None:
    model, eps = told(infers_labels=True), randn(M, K, B, Z, seed=1)
    x = rows((True, False, False, True, False))
    terms = model(x, eps)
    assert isinstance(terms, LabelTerms)
    run = run_config(objective=objective, k=K, **M2)
    value = make_objective(run)(terms, torch.ones(M).double())
    for member in range(M):
        for row in range(B):
            want = enumerated(model, x, eps, objective, member, row)
            torch.testing.assert_close(value[member, row], want)


def test_the_bound_without_a_label_is_below_the_marginal() -> None:
    """J(x) <= log sum_y p(y) exp L(x, y) for every q(y|x), with equality at the softmax."""
    model, eps = told(infers_labels=True), randn(M, K, B, Z, seed=1)
    x = rows((False,) * B)
    terms, beta = model(x, eps), torch.ones(M).double()
    each = OBJECTIVES["elbo"](terms.each, beta).unflatten(-1, (B, C)).detach()
    marginal = torch.logsumexp(each, -1) - math.log(C)
    bound = m2(terms, beta, bound=OBJECTIVES["elbo"], weight=1.0)
    assert (bound < marginal).all()
    exact = LabelTerms(terms.each, torch.log_softmax(each, -1), terms.known)
    best = m2(exact, beta, bound=OBJECTIVES["elbo"], weight=1.0)
    torch.testing.assert_close(best, marginal)


def test_the_terms_add_up_to_the_bound() -> None:
    model, eps = told(infers_labels=True), randn(M, 1, B, Z, seed=1)
    terms = model(rows((True, False, True, False, False)), eps)
    bound = m2(terms, torch.ones(M).double(), bound=OBJECTIVES["elbo"], weight=1.0)
    torch.testing.assert_close(terms.log_px_z.mean(1) - terms.kl, bound)
    torch.testing.assert_close(terms.kl_per_unit.sum(-1) + terms.label_kl, terms.kl)
    torch.testing.assert_close(terms.weights.sum(-1), torch.ones(M, B).double())


def test_known_labels_teach_the_classifier() -> None:
    """The gradient is of J + alpha log q(y|x), while the value is J."""
    model, eps = told(infers_labels=True), randn(M, 1, B, Z, seed=1)
    x, beta = rows((True, True, False, False, True)), torch.ones(M).double()
    parameters = list(model.parameters())

    def gradients(value: Tensor) -> list[Tensor]:
        return list(torch.autograd.grad(value.sum(), parameters))

    terms, weight = model(x, eps), 0.7
    found = gradients(m2(terms, beta, bound=OBJECTIVES["elbo"], weight=weight))
    log_q = model.classifier(x[..., :D])
    told_labels = weight * (x[..., D:] * log_q).sum(-1)
    alone = m2(model(x, eps), beta, bound=OBJECTIVES["elbo"], weight=1e-12)
    for own, want in zip(found, gradients(alone + told_labels), strict=True):
        torch.testing.assert_close(own, want, rtol=1e-6, atol=1e-9)


def test_the_weight_of_a_label_is_a_share_of_all_images() -> None:
    run = run_config(labels="m2", label_share=0.05)
    assert make_objective(run).keywords["weight"] == pytest.approx(0.1 / 0.05)


@pytest.mark.parametrize("variant", [CONDITION, BLANKED, M2], ids=lambda v: str(v["labels"]))
def test_gradients_are_those_of_differences(variant: dict[str, object]) -> None:
    run = run_config(**variant)
    infers = run.labels == "m2"
    changes = {"n_features": 4, "hidden": (3,), "n_z": 2, "activation": "tanh"}
    model = perturbed(VAE(architecture(n_classes=C, infers_labels=infers, **changes), 1))
    pixels = (randn(1, 3, 4) > 0).double()
    labels = one_hot(torch.tensor([2, 7, 0]), C).double() * torch.tensor([[1.0], [0.0], [1.0]])
    x, eps = torch.cat([pixels, labels[None].double()], -1), randn(1, 2, 3, 2, seed=1)
    names = [name for name, _ in model.named_parameters()]
    beta = torch.tensor([0.8]).double()

    def value(*tensors: Tensor) -> Tensor:
        named = dict(zip(names, tensors, strict=True))
        terms = torch.func.functional_call(model, named, (x, eps))
        # The classification loss has a gradient and no value: here it is left out.
        bound = OBJECTIVES["elbo"]
        return m2(terms, beta, bound=bound, weight=0.0) if infers else bound(terms, beta)

    assert torch.autograd.gradcheck(value, tuple(model.parameters()))
