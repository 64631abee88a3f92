"""The whole training step, the test set's measures and importance weights, as compiled libraries.

What is compiled is what :func:`vaestudy.train.train_step`, :func:`vaestudy.history.row_measure` and
:func:`vaestudy.proposals.log_weights_of` compute; :mod:`vaestudy.tracing` makes the graphs of them,
:mod:`vaestudy.libraries` keeps what is made. The first job of a kind pays some 20 s for each, later
ones load a library in milliseconds and never import the compiler.

Results agree with the plain functions' to rounding, not bit by bit; which of the two a job takes,
:mod:`vaestudy.compile_choice` says.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from pydantic import TypeAdapter
from torch import Tensor

from vaestudy.config import RunConfig
from vaestudy.evaluate import LogWeights
from vaestudy.history import RowMeasure, row_measure, rows_at_once
from vaestudy.libraries import load_library
from vaestudy.packing import pack
from vaestudy.proposals import log_weights_of
from vaestudy.pure import fixed_tensors, state_tensors
from vaestudy.train import StepFunction, TrainState
from vaestudy.vae import VAE, Architecture

#: What a compiled step takes as a tensor or does not depend on, at a value for all.
_ANY_RUN = {
    "dataset": "mnist",
    "binarization": "none",
    "seed": 0,
    "warmup": 0,
    "warmup_cycles": 1,
    "warmup_rise": 1.0,
    "beta": 1.0,
    "epochs": 1,
    "learning_rate": 0.001,
    "lr_schedule": "constant",
    "output_bias": "zero",
}

#: Samples of one datum at a time: their logits stay near the core.
SAMPLES_AT_ONCE = 500


def compiled_step(state: TrainState, batch_size: int, sparse: bool = False) -> StepFunction:
    """Return a function that does what :func:`vaestudy.train.train_step` does, compiled.

    Parameters
    ----------
    state
        On the CPU; its tensors are updated in place by every step.
    batch_size
        Images a batch.
    sparse
        Whether products with them skip their zeros (:mod:`vaestudy.sparse_products`).

    Raises
    ------
    CompileError
        If there is no C++ compiler, or it fails.
    """
    library = load_library(step_request(state, batch_size, sparse))
    tensors, fixed, optimizer = state_tensors(state), fixed_tensors(state), state.optimizer
    step = optimizer.step_count
    corrections = torch.tensor(optimizer.corrections(1, 1.0))
    # The same memory: a tensor's own functions take ten times as long to write a few numbers there.
    written, count = corrections.numpy(), optimizer.count.numpy()

    def run(
        state: TrainState,
        x: Float[Tensor, "M B D"],
        eps: Float[Tensor, "M K B U"],
        beta: Float[Tensor, "M"],
    ) -> Float[Tensor, "S M"]:
        nonlocal step
        step += 1
        written[:] = optimizer.corrections(step, optimizer.learning_rate)
        (metrics,) = library(*tensors, corrections, x, eps, beta, *fixed)
        count[...] = step
        return metrics

    return run


def compiled_measure(state: TrainState, sparse: bool = False) -> RowMeasure:
    """Return what :func:`vaestudy.history.row_measure` returns, compiled.

    Only whole chunks of the test set take the compiled way.

    Raises
    ------
    CompileError
        If there is no C++ compiler, or it fails.
    """
    request = measure_request(state, sparse)
    library, rows = load_library(request), request["rows"]
    tensors, plain = model_tensors(state.model), row_measure(state.model, state.runs[0])

    def measure(x: Tensor, eps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if x.shape[1] != rows:
            return plain(x, eps)
        metrics, means, kl = library(*tensors, x.contiguous(), eps)
        return metrics, means, kl

    return measure


def measure_request(state: TrainState, sparse: bool = False) -> dict[str, Any]:
    """Return what describes a state's measure of the test set; see :func:`step_request`."""
    kind = _kind_of(state)
    # How a model was trained is no part of it.
    run = {**kind["run"], "batch_size": 100, "optimizer": "adam", "weight_decay": 0.0}
    rows = rows_at_once(state.runs[0])
    return {**kind, "kind": "measure", "run": run, "rows": rows, "sparse": sparse}


def step_request(state: TrainState, batch_size: int, sparse: bool = False) -> dict[str, Any]:
    """Return what describes a state's step: the same for all runs that may share a library."""
    own = {"kind": "step", "batch_size": batch_size, "sparse": sparse}
    return {**_kind_of(state), **own}


def _kind_of(state: TrainState) -> dict[str, Any]:
    """Return what all runs have in common with a state's that may share libraries with it."""
    # Whether there is weight decay is part of a step, how much of it is not.
    decay = {"weight_decay": float(state.weight_decay is not None)}
    own = state.runs[0].model_dump()
    # Which labels are blanked is a matter of the rows: the step is that of all of them known.
    told = {"labels": "condition", "label_share": 1.0} if own["labels"] == "blanked" else {}
    run = RunConfig.model_validate({**own, **_ANY_RUN, **decay, **told})
    return {
        "run": run.model_dump(mode="json"),
        "members": len(state.runs),
        "n_features": state.model.architecture.n_features,
        "n_classes": state.model.architecture.n_classes,
    }


def compiled_log_weights(model: VAE, measure: str, kl_weight: float | None = None) -> LogWeights:
    """Return what :func:`vaestudy.proposals.log_weights_of` returns, compiled.

    Only chunks of one datum and ``SAMPLES_AT_ONCE`` samples take the compiled way. It is the way of
    the weights that the model has now: they are laid out once for all chunks
    (:mod:`vaestudy.packing`).

    Raises
    ------
    CompileError
        If there is no C++ compiler, or it fails.
    """
    request = {
        "kind": "weights",
        "architecture": TypeAdapter(Architecture).dump_python(model.architecture, mode="json"),
        "members": model.members,
        "measure": measure,
        "samples": SAMPLES_AT_ONCE,
        "kl_weight": kl_weight,
    }
    library = load_library(request)
    tensors = model_tensors(model)
    packed = [pack(tensors[place], rows) for place, rows in library.packed]
    plain = log_weights_of(model, measure, kl_weight)

    def log_weights(x: Tensor, mu: Tensor, logvar: Tensor, eps: Tensor) -> Tensor:
        if eps.shape[1:3] != (SAMPLES_AT_ONCE, 1):
            return plain(x, mu, logvar, eps)
        # mu and logvar are halves of one tensor; a library takes its inputs' layout for granted.
        data = (tensor.contiguous() for tensor in (x, mu, logvar, eps))
        (result,) = library(*tensors, *data, *packed)
        return result

    return log_weights


def model_tensors(model: VAE) -> list[Tensor]:
    """Return a model's parameters and buffers."""
    return [*(parameter.detach() for parameter in model.parameters()), *model.buffers()]
