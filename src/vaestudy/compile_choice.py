"""Which runs are compiled, and what is done where that cannot be.

Compiling costs some 20 s for each kind of run, once a machine; what it wins grows with a run. The
choice depends on the configuration and the machine alone, never on what is cached or left to do, so
that repeats agree to the last bit.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor

from vaestudy.compiled import (
    SAMPLES_AT_ONCE,
    compiled_log_weights,
    compiled_measure,
    compiled_step,
)
from vaestudy.config import CompilePolicy
from vaestudy.evaluate import LogWeights
from vaestudy.graph import BlockedEpoch, BlockStep, inductor_step
from vaestudy.history import RowMeasure, row_measure, rows_at_once
from vaestudy.libraries import CompileError
from vaestudy.presentation import steps_an_epoch
from vaestudy.proposals import log_weights_of
from vaestudy.splits import Splits
from vaestudy.train import (
    EpochFunction,
    StepFunction,
    TrainState,
    train_epoch,
    train_step,
)
from vaestudy.vae import VAE

log = logging.getLogger(__name__)

#: A compiled step saves 1.5 ms or more and costs some 20 s, shared by all runs of its kind.
WORTH_IT_FROM_STEPS = 20_000
#: A compiled measure saves 4 microseconds or more a sample of a test row.
WORTH_IT_FROM_MEASURED = 3_000_000
#: Compiled weights save 10 microseconds a sample or more.
WORTH_IT_FROM_SAMPLES = 5_000_000
#: From this share of nonzeros on, the first layer's products are as fast with the zeros.
DENSE_FROM = 0.2

T = TypeVar("T")
_PLAIN_STEP: StepFunction = train_step


def choose_epoch(state: TrainState, data: Splits, policy: CompilePolicy) -> EpochFunction:
    """Return how a run passes over its training set: on a GPU by a graph, else step by step.

    Data that are no 8-bit pixels are passed over step by step there too. The graph's step is a
    compiled one where :func:`choose_step` would choose one; where that fails it is taken operation
    by operation.

    Raises
    ------
    CompileError
        As :func:`choose_step`.
    """
    if state.device.type != "cuda" or not _are_pixels(data):
        sparse = is_sparse(data.train, state.runs[0].binarization)
        step = choose_step(state, len(data.train), policy, sparse)
        return partial(train_epoch, step=step)
    pays = _planned_steps(state, len(data.train)) >= WORTH_IT_FROM_STEPS
    fused = policy == "always" or (policy == "auto" and pays)
    return BlockedEpoch(state, data, partial(_fused_step, policy=policy) if fused else None)


def _fused_step(
    step: BlockStep, changed: list[Tensor], read: list[Tensor], policy: CompilePolicy
) -> BlockStep:
    return _or_plain(lambda: inductor_step(step, changed, read), step, policy)


def choose_step(
    state: TrainState, n_images: int, policy: CompilePolicy, sparse: bool = False
) -> StepFunction:
    """Return the step that a run trains with, on data that are mostly zeros if ``sparse``.

    The choice depends on the run's planned steps, from its first epoch to its last, on its data and
    on the machine: a resumed run goes on with the kind of step that it began with.

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
    return _or_plain(lambda: compiled_step(state, batch_size, sparse), _PLAIN_STEP, policy)


def choose_measure(
    state: TrainState, n_test: int, policy: CompilePolicy, sparse: bool = False
) -> RowMeasure:
    """Return what measures the test set after each epoch; see :func:`choose_step`."""
    run = state.runs[0]
    planned = run.epochs * n_test * run.k
    pays = planned >= WORTH_IT_FROM_MEASURED and n_test >= rows_at_once(run)
    plain = row_measure(state.model, run)
    if not _wanted(state.device, policy, pays, f"{planned:,} samples of test rows"):
        return plain
    return _or_plain(lambda: compiled_measure(state, sparse), plain, policy)


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


def is_sparse(rows: object, binarization: str = "none") -> bool:
    """Return whether so many numbers are 0 that :mod:`vaestudy.sparse_products` are faster.

    Parameters
    ----------
    rows
        The data. Those that are read when they are asked for are not looked through: False.
    binarization
        How they are yet to be binarized.
    """
    if not isinstance(rows, Tensor):
        return False
    if binarization == "dynamic" and rows.dtype == torch.uint8:
        expected = float(rows.sum(dtype=torch.int64)) / 255
    else:
        expected = float(rows.count_nonzero())
    return expected < DENSE_FROM * rows.numel()


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
