"""The whole training step, and the importance weights of evaluation, as compiled libraries.

What is compiled is what :func:`vaestudy.train.train_step` and
:func:`vaestudy.proposals.log_weights_of` compute; :mod:`vaestudy.tracing` makes the graphs of
them, :mod:`vaestudy.libraries` keeps what is made. The first job of a kind pays some 20 s, later
ones load a library in milliseconds and never import the compiler.

Results agree with the plain functions' to rounding, not bit by bit, so which of the two a job takes
depends on its configuration and its machine alone, never on what is cached.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from pydantic import TypeAdapter
from torch import Tensor

from vaestudy.config import CompilePolicy, RunConfig
from vaestudy.evaluate import LogWeights
from vaestudy.graph import BlockedEpoch, inductor_step
from vaestudy.libraries import CompileError, load_library
from vaestudy.packing import pack
from vaestudy.presentation import steps_an_epoch
from vaestudy.proposals import log_weights_of
from vaestudy.pure import fixed_tensors, pure_step, state_tensors
from vaestudy.splits import Splits
from vaestudy.train import (
    EpochFunction,
    StepFunction,
    TrainState,
    train_epoch,
    train_step,
)
from vaestudy.vae import VAE, Architecture

log = logging.getLogger(__name__)

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

#: A compiled step saves 1.5 ms or more and costs some 20 s, shared by all runs of its kind.
WORTH_IT_FROM_STEPS = 20_000
#: Compiled weights save 10 microseconds a sample or more.
WORTH_IT_FROM_SAMPLES = 5_000_000
#: Samples of one datum at a time: their logits stay near the core.
SAMPLES_AT_ONCE = 500

T = TypeVar("T")
_PLAIN_STEP: StepFunction = train_step


def choose_epoch(state: TrainState, data: Splits, policy: CompilePolicy) -> EpochFunction:
    """Return how a run passes over its training set: on a GPU by a graph, else step by step.

    Data that are no 8-bit pixels are passed over step by step there too. The graph's step is a
    compiled one where :func:`choose_step` would choose one, and the pure one where that fails.

    Raises
    ------
    CompileError
        As :func:`choose_step`.
    """
    if state.device.type != "cuda" or not _are_pixels(data):
        return partial(train_epoch, step=choose_step(state, len(data.train), policy))
    pays = _planned_steps(state, len(data.train)) >= WORTH_IT_FROM_STEPS
    fused = policy == "always" or (policy == "auto" and pays)
    return BlockedEpoch(state, data, partial(_fused_step, policy=policy) if fused else None)


def _fused_step(state: TrainState, batch_size: int, policy: CompilePolicy) -> Callable[..., Tensor]:
    return _or_plain(lambda: inductor_step(state, batch_size), pure_step(state), policy)


def choose_step(state: TrainState, n_images: int, policy: CompilePolicy) -> StepFunction:
    """Return the step that a run trains with.

    The choice depends on the run's planned steps, from its first epoch to its last, and on the
    machine: a resumed run goes on with the kind of step that it began with.

    Raises
    ------
    CompileError
        If ``policy`` is always and the step cannot be compiled; with auto that is a warning.
    """
    batch_size = min(state.runs[0].batch_size, n_images)
    planned = _planned_steps(state, n_images)
    pays = planned >= WORTH_IT_FROM_STEPS
    if not _wanted(state.device, policy, pays, f"{planned:,} steps"):
        return _PLAIN_STEP
    return _or_plain(lambda: compiled_step(state, batch_size), _PLAIN_STEP, policy)


def choose_log_weights(
    model: VAE,
    measure: str,
    n_samples: int,
    n_data: int,
    policy: CompilePolicy,
    *,
    kl_weight: float | None = None,
) -> LogWeights:
    """Return what computes the importance weights of ``n_data`` data; see :func:`choose_step`.

    Those of q(z|x), or with a ``kl_weight`` of its mixture with the prior
    (:func:`vaestudy.proposals.mixing`).
    """
    planned = n_samples * n_data * model.members
    pays = planned >= WORTH_IT_FROM_SAMPLES and n_samples >= SAMPLES_AT_ONCE
    plain = log_weights_of(model, measure, kl_weight)
    if not _wanted(model.output.weight.device, policy, pays, f"{planned:,} samples"):
        return plain
    return _or_plain(lambda: compiled_log_weights(model, measure, kl_weight), plain, policy)


def _are_pixels(data: Splits) -> bool:
    return isinstance(data.train, Tensor) and data.train.dtype == torch.uint8


def _planned_steps(state: TrainState, n_images: int) -> int:
    run = state.runs[0]
    return run.epochs * steps_an_epoch(run, n_images)


def _wanted(device: torch.device, policy: CompilePolicy, pays: bool, planned: str) -> bool:
    if device.type != "cpu" or policy == "never":
        return False
    if policy == "auto" and not pays:
        log.info("not compiled: %s do not win back what that costs", planned)
        return False
    return True


def _or_plain(compiled: Callable[[], T], plain: T, policy: CompilePolicy) -> T:
    try:
        return compiled()
    except CompileError as error:
        if policy == "always":
            raise
        log.warning("not compiled: %s", error)
        return plain


def compiled_step(state: TrainState, batch_size: int) -> StepFunction:
    """Return a function that does what :func:`vaestudy.train.train_step` does, compiled.

    Parameters
    ----------
    state
        On the CPU; its tensors are updated in place by every step.
    batch_size
        Images a batch.

    Raises
    ------
    CompileError
        If there is no C++ compiler, or it fails.
    """
    library = load_library(step_request(state, batch_size))
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


def step_request(state: TrainState, batch_size: int) -> dict[str, Any]:
    """Return what describes a state's step: the same for all runs that may share a library."""
    # Whether there is weight decay is part of a step, how much of it is not.
    decay = {"weight_decay": float(state.weight_decay is not None)}
    own = state.runs[0].model_dump()
    # Which labels are blanked is a matter of the rows: the step is that of all of them known.
    told = {"labels": "condition", "label_share": 1.0} if own["labels"] == "blanked" else {}
    run = RunConfig.model_validate({**own, **_ANY_RUN, **decay, **told})
    return {
        "kind": "step",
        "run": run.model_dump(mode="json"),
        "members": len(state.runs),
        "n_features": state.model.architecture.n_features,
        "n_classes": state.model.architecture.n_classes,
        "batch_size": batch_size,
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
