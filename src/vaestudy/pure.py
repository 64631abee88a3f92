"""A training step as a function of tensors alone, for a compiler or a graph to take whole.

It computes what :func:`vaestudy.train.train_step` computes, from the same model, objective and
metrics, with the gradient's operations beside the value's and Adam's rule in plain operations. Its
first arguments, :func:`state_tensors`, are updated in place.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vaestudy.adam import adam_update
from vaestudy.history import batch_metrics
from vaestudy.objectives import make_objective
from vaestudy.train import TrainState


def state_tensors(state: TrainState) -> list[Tensor]:
    """Return what a step changes, in the order in which a pure step takes it."""
    adam = state.optimizer
    return [
        *(parameter.detach() for parameter in adam.parameters.values()),
        *adam.exp_avg.values(),
        *adam.exp_avg_sq.values(),
        *state.model.buffers(),
    ]


def pure_step(state: TrainState) -> Callable[..., Tensor]:
    """Return the step: (*state_tensors, corrections, x, eps, beta) -> metrics.

    ``corrections`` are those of :meth:`vaestudy.adam.Adam.corrections` as a tensor; the others are
    :func:`vaestudy.train.train_step`'s.
    """
    model, adam = state.model, state.optimizer
    names = list(adam.parameters)
    buffer_names = [name for name, _ in model.named_buffers()]
    objective = make_objective(state.runs[0])
    n = len(names)

    def step(*tensors: Tensor) -> Tensor:
        *changed, corrections, x, eps, beta = tensors
        parameters, exp_avg, exp_avg_sq = changed[:n], changed[n : 2 * n], changed[2 * n : 3 * n]
        leaves = [p.detach().requires_grad_() for p in parameters]
        buffers = dict(zip(buffer_names, changed[3 * n :], strict=True))
        weights = dict(zip(names, leaves, strict=True))
        terms = torch.func.functional_call(model, (weights, buffers), (x, eps))
        bound = objective(terms, beta)
        gradients = torch.autograd.grad(-bound.mean(1).sum(), leaves)
        metrics = batch_metrics(terms, bound.detach(), beta, objective).detach()
        with torch.no_grad():
            for of_one in zip(parameters, gradients, exp_avg, exp_avg_sq, strict=True):
                adam_update(*of_one, corrections, beta1=adam.beta1, beta2=adam.beta2, eps=adam.eps)
        return metrics

    return step
