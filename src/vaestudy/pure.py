"""A training step as a function of tensors alone, for a compiler or a graph to take whole.

It computes what :func:`vaestudy.train.train_step` computes, from the same model, objective and
metrics, with the gradient's operations beside the value's and the optimiser's rule in plain
operations. Its first arguments, :func:`state_tensors`, are updated in place.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vaestudy.history import batch_metrics
from vaestudy.objectives import make_objective
from vaestudy.penalty import weight_penalty
from vaestudy.train import TrainState


def state_tensors(state: TrainState) -> list[Tensor]:
    """Return what a step changes, in the order in which a pure step takes it."""
    return [
        *(parameter.detach() for parameter in state.optimizer.parameters.values()),
        *(value for values in state.optimizer.kept.values() for value in values.values()),
        *state.model.buffers(),
    ]


def fixed_tensors(state: TrainState) -> list[Tensor]:
    """Return what a step takes last, the same at every step: weight decay if members have one."""
    return [] if state.weight_decay is None else [state.weight_decay]


def pure_step(state: TrainState) -> Callable[..., Tensor]:
    """Return the step: (*state_tensors, corrections, x, eps, beta, *fixed_tensors) -> metrics.

    ``corrections`` are those of :meth:`vaestudy.optimizer.Optimizer.corrections` as a tensor;
    the others are :func:`vaestudy.train.train_step`'s.
    """
    model, optimizer = state.model, state.optimizer
    names = list(optimizer.parameters)
    buffer_names = [name for name, _ in model.named_buffers()]
    objective = make_objective(state.runs[0])
    n, n_kept = len(names), len(optimizer.moment_names)
    decays = state.weight_decay is not None

    def step(*tensors: Tensor) -> Tensor:
        weight_decay = tensors[-1] if decays else None
        *changed, corrections, x, eps, beta = tensors[:-1] if decays else tensors
        parameters, *kept = (changed[i * n : (i + 1) * n] for i in range(1 + n_kept))
        leaves = [p.detach().requires_grad_() for p in parameters]
        buffers = dict(zip(buffer_names, changed[(1 + n_kept) * n :], strict=True))
        weights = dict(zip(names, leaves, strict=True))
        terms = torch.func.functional_call(model, (weights, buffers), (x, eps))
        bound = objective(terms, beta)
        loss = -bound.mean(1).sum()
        if weight_decay is not None:
            loss = loss + weight_penalty(weights, weight_decay)
        gradients = torch.autograd.grad(loss, leaves)
        metrics = batch_metrics(terms, bound.detach(), beta, objective).detach()
        with torch.no_grad():
            for parameter, gradient, *moments in zip(parameters, gradients, *kept, strict=True):
                optimizer.update(parameter, gradient, moments, corrections)
        return metrics

    return step
