r"""The training loop, whole.

Each step draws a batch per member, binarizes it, draws the noise of K samples, and ascends

.. math:: \sum_m \frac1B \sum_b L_m(x_b; \beta_m)

with the optimiser that the run names; with weight decay, less :math:`\lambda_m` times the mean
square of member m's weights. The mean is over the batch and the sum over members, so no member's
gradient depends on which others train beside it. ``loss = -bound`` appears in :func:`train_step`
alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vaestudy.config import RunConfig
from vaestudy.denormals import denormals_as_zero
from vaestudy.history import SCALARS, History, RowMeasure, batch_metrics, evaluate_epoch
from vaestudy.objectives import beta_schedule, make_objective
from vaestudy.optimizer import Optimizer
from vaestudy.optimizers import make_optimizer
from vaestudy.penalty import weight_penalty
from vaestudy.presentation import presented, steps_an_epoch
from vaestudy.rates import learning_rate
from vaestudy.rng import MemberRNG
from vaestudy.splits import Splits
from vaestudy.steplog import StepLog
from vaestudy.vae import VAE, Architecture


@dataclass
class TrainState:
    """All that training changes, and nothing else.

    Parameters
    ----------
    model, optimizer
        M members and the optimiser's moments.
    runs
        The M runs; they share a group key.
    epoch
        Epochs done.
    history
        What was measured after each of them.
    failed
        Member index to the sentence that says when and how it diverged.
    weight_decay
        Each member's weight of the penalty [M]; None where no member has one.
    step_log
        What was measured at single steps; None where nothing is to be logged.
    seconds
        Time that the epochs done have taken, a model.
    """

    model: VAE
    optimizer: Optimizer
    runs: tuple[RunConfig, ...]
    epoch: int = 0
    history: History = field(default_factory=History)
    failed: dict[int, str] = field(default_factory=dict)
    weight_decay: Float[Tensor, "M"] | None = None
    step_log: StepLog | None = None
    seconds: float = 0.0

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.model.output.weight.device


@dataclass(frozen=True)
class EpochReport:
    """What ``on_epoch`` is told: one epoch is over."""

    epoch: int
    epochs: int
    train_bound: Float[Tensor, "M"]
    test_bound: Float[Tensor, "M"]
    images_per_second: float
    seconds: float


def architecture_of(run: RunConfig, n_features: int, n_classes: int = 0) -> Architecture:
    """Return what shapes the model of a run, with that of its data: D features, C classes.

    Raises
    ------
    ValueError
        If the model is to be told classes and there are not two.
    """
    told = run.labels != "none"
    if told and n_classes < 2:
        raise ValueError(f"n_classes is {n_classes} and labels {run.labels!r}; expected 2 or more")
    return Architecture(
        n_features=n_features,
        n_z=run.n_z,
        hidden=run.hidden,
        activation=run.activation,
        likelihood=run.likelihood,
        batch_norm=run.batch_norm,
        encoder_heads=run.encoder_heads,
        deeper=run.deeper,
        network=run.network,
        n_classes=n_classes if told else 0,
        infers_labels=run.labels == "m2",
    )


def initial_state(
    runs: tuple[RunConfig, ...],
    n_features: int,
    device: torch.device,
    pixel_means: Float[Tensor, "D"] | None = None,
    n_classes: int = 0,
) -> TrainState:
    """Return untrained members, each initialised from its own seed.

    Parameters
    ----------
    runs
        One a member.
    n_features
        D.
    device
        Where the members are to be.
    pixel_means
        Means of the training data, in [0, 1], for runs whose ``output_bias`` is ``data``.
    n_classes
        C, for runs that are told classes.

    Raises
    ------
    ValueError
        If the runs do not share a group key, that is, differ in more than members of a job may, or
        are told classes of which there are not two.
    """
    if len({run.group_key for run in runs}) != 1:
        raise ValueError(
            f"runs {[run.run_id for run in runs]} cannot be trained together: members of a group "
            "may differ in seed and warmup only, and if stacked in warmup_cycles, warmup_rise, "
            "beta and weight_decay"
        )
    run = runs[0]
    model = VAE(architecture_of(run, n_features, n_classes), members=len(runs))
    model.initialize(MemberRNG(_seeds(runs), torch.device("cpu")).generators("init"))
    if run.output_bias == "data" and pixel_means is not None:
        model.set_output_mean(pixel_means)
    model.multiply_in(torch.bfloat16 if run.precision == "bf16" else None)
    model.to(device)
    optimizer = make_optimizer(run, model.named_parameters())
    decay = torch.tensor([r.weight_decay for r in runs])
    decays = decay.to(device) if decay.any() else None
    return TrainState(model, optimizer, runs, weight_decay=decays)


#: Takes one step of training; :func:`train_step`, or its compiled equal.
StepFunction = Callable[[TrainState, Tensor, Tensor, Tensor], Tensor]


def train_step(
    state: TrainState,
    x: Float[Tensor, "M B D"],
    eps: Float[Tensor, "M K B U"],
    beta: Float[Tensor, "M"],
) -> Float[Tensor, "S M"]:
    """Take one step of the optimiser; return the batch means of ``history.SCALARS``."""
    terms = state.model(x, eps)
    objective = make_objective(state.runs[0])
    bound = objective(terms, beta)
    loss = -bound.mean(1).sum()
    if state.weight_decay is not None:
        loss = loss + weight_penalty(state.optimizer.parameters, state.weight_decay)
    state.optimizer.zero_grad()
    loss.backward()
    state.optimizer.step()
    return batch_metrics(terms, bound, beta, objective)


@denormals_as_zero()
def train_epoch(
    state: TrainState, data: Splits, step: StepFunction = train_step
) -> Float[Tensor, "S M"]:
    """Pass over the training set once; return the epoch's mean of each metric."""
    run, epoch = state.runs[0], state.epoch + 1
    rng = MemberRNG(_seeds(state.runs), state.device)
    beta = torch.tensor([beta_schedule(run, epoch) for run in state.runs], device=state.device)
    orders = rng.permutations(len(data.train), epoch)
    pixel_noise, noise = rng.generators("binarize", epoch), rng.generators("eps", epoch)
    totals = torch.zeros(len(SCALARS), len(state.runs), dtype=torch.float64, device=state.device)
    n_steps = steps_an_epoch(run, len(data.train))
    done = state.epoch * n_steps
    state.optimizer.learning_rate = learning_rate(run, epoch)
    state.model.train()
    architecture = state.model.architecture
    for block in presented(data.train, orders, run, architecture, pixel_noise, noise):
        found = []
        for x, eps in block:
            found.append(step(state, x, eps, beta))
            if state.step_log is not None and state.step_log.wants(done):
                state.step_log.add(done, found[-1])
            done += 1
        totals += torch.stack(found).sum(0, dtype=torch.float64)
    return totals / n_steps


#: Passes over the training set once; :func:`train_epoch`, or its equal on a GPU.
EpochFunction = Callable[[TrainState, Splits], Tensor]


def train(
    state: TrainState,
    data: Splits,
    on_epoch: Callable[[TrainState, EpochReport], None] | None = None,
    run_epoch: EpochFunction = train_epoch,
    measure: RowMeasure | None = None,
) -> TrainState:
    """Train until the runs' last epoch, from wherever ``state`` stands.

    Parameters
    ----------
    state
        Changed in place, and returned.
    data
        On the state's device.
    on_epoch
        Called after each epoch: to report, to save.
    run_epoch
        :func:`train_epoch`, or a function that does the same in another way.
    measure
        :func:`vaestudy.history.row_measure`, or its equal, of the test set.
    """
    epochs = state.runs[0].epochs
    if state.epoch == 0:
        state.history.append(
            0, None, *evaluate_epoch(state.model, data.test, state.runs, 0, measure)
        )
    while state.epoch < epochs and len(state.failed) < len(state.runs):
        start = time.perf_counter()
        train_metrics = run_epoch(state, data)
        seconds = time.perf_counter() - start
        state.epoch += 1
        test_metrics, units = evaluate_epoch(
            state.model, data.test, state.runs, state.epoch, measure
        )
        state.history.append(state.epoch, train_metrics, test_metrics, units)
        _note_divergence(state, train_metrics, test_metrics)
        if on_epoch is not None:
            n_images = len(state.runs) * len(data.train)
            bounds = train_metrics[_BOUND], test_metrics[_BOUND]
            on_epoch(state, EpochReport(state.epoch, epochs, *bounds, n_images / seconds, seconds))
    return state


_BOUND = SCALARS.index("bound")


def _seeds(runs: tuple[RunConfig, ...]) -> tuple[int, ...]:
    return tuple(run.seed for run in runs)


def _note_divergence(
    state: TrainState, train_metrics: Float[Tensor, "S M"], test_metrics: Float[Tensor, "S M"]
) -> None:
    # The test metrics too: an epoch's last step can ruin weights that gave finite train metrics.
    finite = np.isfinite(torch.cat([train_metrics, test_metrics]).cpu().numpy()).all(axis=0)
    for member, (run, ok) in enumerate(zip(state.runs, finite, strict=True)):
        if not ok and member not in state.failed:
            state.failed[member] = (
                f"{run.run_id} diverged in epoch {state.epoch} of {run.epochs}: its objective is "
                "not finite; lower learning_rate, or look at its parameters"
            )
