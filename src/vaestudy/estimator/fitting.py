"""How the estimator uses the engine: its run, its held-out rows, when it stops.

Training is :func:`vaestudy.train.train`; here is only what it calls after each epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from numbers import Integral
from typing import Any, Final, Literal

import numpy as np
import torch
from pydantic import ValidationError
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from vaestudy.config_errors import ConfigError, explain
from vaestudy.devices import tf32_products
from vaestudy.estimator.rows import Subset, Weighted
from vaestudy.estimator.threads import cores_for
from vaestudy.estimator.warning import warn_user
from vaestudy.history import SCALARS
from vaestudy.jobs import OnEpoch
from vaestudy.objectives import NO_BOUNDS
from vaestudy.rng import stream_seed
from vaestudy.run_config import RunConfig
from vaestudy.splits import Rows, Splits
from vaestudy.train import EpochReport, TrainState, train

#: The most rows held out, and the most of training shown where none are.
MOST_HELD_OUT: Final = 10_000
MOST_SHOWN: Final = 1_000
_BYTES_HELD_OUT: Final = 2**28
#: Share of its whole gain by which a bound may still rise near the end of training.
_REST: Final = 0.05
#: Epochs of a model that is trained on for as long as data come.
NO_END: Final = 10**9

_BOUND, _RECONSTRUCTION, _KL = (SCALARS.index(n) for n in ("bound", "reconstruction", "kl"))
#: Objectives that are so many reconstructions less beta times something.
_RECONSTRUCTIONS: Final = {
    **dict.fromkeys(("elbo", "elbo-sampled", "free-bits", "stl", *NO_BOUNDS), 1.0),
    "half-joint": 0.5,
}


class FitConfig(RunConfig):
    """A run whose data are the user's own array."""

    dataset: Literal["array"] = "array"
    binarization: Literal["none"] = "none"


class DivergenceError(ArithmeticError):
    """Training ended in numbers that are not finite."""


class StopTraining(Exception):
    """Raised after an epoch to end training there."""


def configure(values: Mapping[str, Any]) -> FitConfig:
    """Return the run of an estimator's parameters.

    Raises
    ------
    ConfigError
        A ``ValueError`` that names every parameter that is wrong.
    """
    try:
        return FitConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError(explain(error, FitConfig, "VAE")) from None


@contextmanager
def own_modes() -> Iterator[None]:
    """Train in single precision and with gradients, whatever the caller has set for tensors.

    The default type and TF32 are the process's: a caller who changes them fits in one thread.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with tf32_products(False), torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        torch.set_default_dtype(before)


def whole(name: str, value: object, at_least: int = 1) -> int:
    """Return a parameter as a whole number.

    Raises
    ------
    ValueError
        If it is none, or too small.
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or value < at_least:
        raise ValueError(f"{name} is {value!r}; expected a whole number of at least {at_least}")
    return int(value)


def unending(run: RunConfig) -> FitConfig:
    """Return ``run`` without a last epoch."""
    return FitConfig.model_validate({**run.model_dump(), "epochs": NO_END})


def hold_out(rows: Rows, fraction: float, seed: int, device: torch.device) -> Splits:
    """Split ``rows`` at random: a part to train on, and at least one row held out.

    Whole weights are repetitions, and so are equal rows: some of a row may be on either side.
    """
    n, width = len(rows), rows.index_select(0, torch.zeros(1, dtype=torch.int64, device=device))
    most = min(MOST_HELD_OUT, max(1, _BYTES_HELD_OUT // (4 * width.shape[1])), n - 1)
    n_test = min(max(1, round(fraction * n)), most)
    generator = torch.Generator().manual_seed(stream_seed(seed, "split"))
    if isinstance(rows, Weighted) and rows.generator is not None:
        return _hold_out_weighted(rows, generator, n_test / n, device)
    order = torch.randperm(n, generator=generator).to(device)
    test = rows.index_select(0, order[:n_test])
    return Splits(_chosen(rows, order[n_test:]), test)


def show_training(rows: Rows, device: torch.device) -> Splits:
    """Train on all rows, and measure each epoch on some of them."""
    count = min(MOST_SHOWN, len(rows))
    chosen = torch.linspace(0, len(rows) - 1, count, dtype=torch.float64).long().to(device)
    return Splits(rows, rows.index_select(0, chosen))


def _hold_out_weighted(
    rows: Weighted, generator: torch.Generator, fraction: float, device: torch.device
) -> Splits:
    """Hold out rows, and not presentations of rows: one that is met often is met on one side."""
    weighing = rows.weights.nonzero().squeeze(1).cpu()
    order = weighing[torch.randperm(len(weighing), generator=generator)].to(device)
    n_held = min(max(1, round(fraction * len(order))), len(order) - 1)
    held, rest = order[:n_held], order[n_held:]
    n_test = min(max(1, round(fraction * len(rows))), len(rows) - 1)
    test = rows.of(held, n_test, drawn=False)
    everywhere = torch.arange(n_test, device=device)
    return Splits(rows.of(rest, len(rows) - n_test, drawn=True), test.index_select(0, everywhere))


def _chosen(rows: Rows, index: Tensor) -> Rows:
    return rows.index_select(0, index) if isinstance(rows, Tensor) else Subset(rows, index)


class Watch:
    """After each epoch: reports it, keeps the best weights, ends training that no longer gains.

    What counts is the objective on held-out rows with the KL term at its final weight: the bound on
    log p(x), unless beta is not 1. Epochs of the warm-up do not wear out patience.

    Parameters
    ----------
    patience
        Epochs without a better one after which training ends; None never ends it, and keeps the
        last weights.
    report
        Told of each epoch.
    log_jacobian
        What turns a bound into one in the data's units, for ``report``.
    """

    def __init__(
        self, patience: int | None, report: OnEpoch | None, log_jacobian: float = 0.0
    ) -> None:
        self.patience, self.report, self.log_jacobian = patience, report, log_jacobian
        self.best, self.best_epoch, self._stale = float("-inf"), 0, 0
        self._values: list[float] = []
        self._weights: dict[str, Tensor] = {}

    def __call__(self, state: TrainState, report: EpochReport) -> None:
        """Look at the epoch that is over."""
        if self.report is not None:
            bounds = report.train_bound + self.log_jacobian, report.test_bound + self.log_jacobian
            self.report(state.runs, replace(report, train_bound=bounds[0], test_bound=bounds[1]))
        if self.patience is None:
            return
        run, test = state.runs[0], state.history.test[-1][:, 0]
        # What beta weighs; of objectives that weigh samples, the KL stands for it.
        share = _RECONSTRUCTIONS.get(run.objective)
        weighed = test[_KL] if share is None else share * test[_RECONSTRUCTION] - test[_BOUND]
        value = float(test[_BOUND] - (run.beta - 1) * weighed)
        self._values.append(value)
        if value > self.best:
            self.best, self.best_epoch, self._stale = value, state.epoch, 0
            self._weights = {k: v.detach().clone() for k, v in state.model.state_dict().items()}
        elif state.epoch > run.warmup:
            self._stale += 1
        if self._stale >= self.patience:
            raise StopTraining

    def restore_best(self, state: TrainState) -> None:
        """Give the model the weights of its best epoch."""
        if self._weights:
            state.model.load_state_dict(self._weights)

    def warn_if_rising(self, run: RunConfig) -> None:
        """Warn if the epochs ran out on a bound that still rose.

        That is, if patience did not end training, and the last epochs, as many as patience, were on
        average better than as many before them by more than a twentieth of what was gained since
        the first. Averages, for a level bound sets records too, by its noise. Fewer epochs than
        such a comparison asks for are a choice.
        """
        n, values = self.patience, self._values
        if n is None or self._stale >= n or len(values) <= run.warmup + 2 * n:
            return
        late, before = np.mean(values[-n:]), np.mean(values[-2 * n : -n])
        if late - before > _REST * abs(late - values[0]):
            warn_user(
                f"epochs={run.epochs} ran out while the bound on held-out rows still rose: it was "
                f"{late - before:.2g} nats a row better in the last {n} than in the {n} before, "
                "on average; raise epochs, or learning_rate",
                ConvergenceWarning,
            )


def run_training(state: TrainState, data: Splits, watch: Watch) -> None:
    """Train to the last epoch, or until ``watch`` ends it; leave the best weights.

    Warns
    -----
    ConvergenceWarning
        As :meth:`Watch.warn_if_rising`.

    Raises
    ------
    DivergenceError
        If an objective is not finite.
    ValueError
        If there are too few rows.
    """
    _check_enough(state, data)
    with cores_for(state), suppress(StopTraining):
        train(state, data, watch)
    check_finite(state)
    watch.restore_best(state)
    watch.warn_if_rising(state.runs[0])


def warn_of_one_batch(batch_size: int | str, rows: Rows) -> None:
    """Warn if the user's own ``batch_size`` is of more rows than there are to train on."""
    if not isinstance(batch_size, str) and batch_size > len(rows):
        warn_user(
            f"batch_size is {batch_size}, but there are only {len(rows)} rows to train on: each "
            "epoch is one step of the optimiser; lower batch_size for more steps, or leave it out "
            "for a tenth of the data",
            UserWarning,
        )


def _check_enough(state: TrainState, data: Splits) -> None:
    batch_norm = state.runs[0].batch_norm
    if batch_norm != "none" and len(data.train) < 2:
        raise ValueError(
            f"batch_norm is {batch_norm!r} but there is only 1 row to train on, whose variance is "
            "0; give more rows, or set batch_norm='none'"
        )


def check_finite(state: TrainState) -> None:
    """Refuse a state that has diverged."""
    if state.failed:
        raise DivergenceError(
            f"training diverged in epoch {state.epoch}: the objective is not finite with "
            f"learning_rate {state.runs[0].learning_rate:g}; lower it, or look for extreme values "
            "in X"
        )


def train_one_epoch(state: TrainState, data: Splits) -> None:
    """Train a state without an end for one epoch on ``data``."""

    def stop(state: TrainState, report: EpochReport) -> None:
        raise StopTraining

    _check_enough(state, data)
    with cores_for(state), suppress(StopTraining):
        train(state, data, stop)
    check_finite(state)
