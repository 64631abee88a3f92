"""What lies between the estimator's parameters and the engine: seeds, runs, states, histories."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import deepcopy
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted

from vaestudy.devices import select_device
from vaestudy.estimator import fitting, inputs
from vaestudy.estimator.fitted import Fitted
from vaestudy.estimator.mixed import warn_of_mixed
from vaestudy.estimator.persistence import Saved
from vaestudy.estimator.support import AUTO, Facts, Scaling, choose_likelihood, domain_of
from vaestudy.estimator.tables import refuse_not_finite
from vaestudy.jobs import OnEpoch
from vaestudy.objectives import beta_schedule
from vaestudy.progress import bar_reporter
from vaestudy.proposals import mixing
from vaestudy.rng import stream_seed
from vaestudy.run_config import RunConfig
from vaestudy.splits import Rows
from vaestudy.train import TrainState, initial_state

#: What these measure is a log-density, so it changes with the unit of the data.
_WITH_UNITS = ("objective", "bound", "elbo", "reconstruction")
#: Parameters of the estimator that are the run's as they are.
_OF_RUN = (
    *("n_z", "hidden", "activation", "batch_norm", "objective", "k", "beta", "warmup"),
    *("free_bits", "free_bits_group", "k_groups", "elbo_share", "js_skew", "weight_decay"),
    *("epochs", "learning_rate", "optimizer"),
)
#: Those that a model, once begun, has for good.
_FOR_GOOD = ("n_z", "hidden", "activation", "batch_norm", "weight_decay", "optimizer")
#: The fewest rows of a batch that is chosen for batch normalization: its statistics are theirs.
_NORMALISED = 10
_SEEDS = 2**31 - 1

Array = NDArray[np.float64]


class Training:
    """The estimator's private half; :class:`vaestudy.estimator.VAE` is the public one."""

    n_z: int
    likelihood: str
    batch_size: int | str
    device: str
    early_stopping: bool
    validation_fraction: float
    patience: int
    n_importance: int
    random_state: int | np.random.RandomState | None
    verbose: bool
    n_features_in_: int
    feature_names_in_: NDArray[Any]
    _state: TrainState
    _fitted: Fitted
    _seed: int
    _held_out_until: int

    def _begin(self, X: Any, sample_weight: Any) -> Rows:
        """Check everything, set what comes from the data, and start an untrained state."""
        X = inputs.check(self, X, reset=True)
        weights = inputs.check_weights(sample_weight, X)
        if weights is not None and not inputs.is_streamed(X):
            X, weights = X[weights > 0], weights[weights > 0]
        self._check_own()
        looked_at, their_weights = inputs.survey(X, weights)
        refuse_not_finite(looked_at, some=inputs.is_streamed(X))
        self.likelihood_ = choose_likelihood(self.likelihood, Facts.of(looked_at))
        warn_of_mixed(self.likelihood_, looked_at, getattr(self, "feature_names_in_", None))
        scaling = Scaling.none(X.shape[1])
        if domain_of(self.likelihood_).standardise:
            names = getattr(self, "feature_names_in_", None)
            scaling = Scaling.of(looked_at, their_weights, names)
        self.mean_, self.scale_ = scaling.mean, scaling.scale
        self._seed, self._held_out_until = self._draw(None), -1
        device = select_device(self.device)
        rows = inputs.training_rows(X, weights, self._preparation(), self._seed, device)
        if len(rows) < 2:
            raise ValueError(
                f"sample_weight adds up to {len(rows)} row; expected 2 rows or more to fit to"
            )
        self._state = initial_state((self._configure(len(rows)),), scaling.n_seen, device)
        return rows

    def _train(self, X: Any, sample_weight: Any) -> None:
        """Train a new model."""
        with self._as_before_if_it_fails(), fitting.own_modes():
            rows = self._begin(X, sample_weight)
            device, jacobian = self._state.device, self._preparation().scaling.log_jacobian
            if self.early_stopping:
                data = fitting.hold_out(rows, self.validation_fraction, self._seed, device)
            else:
                data = fitting.show_training(rows, device)
            fitting.warn_of_one_batch(self.batch_size, data.train)
            with self._reporter() as report:
                patience = self.patience if self.early_stopping else None
                watch = fitting.Watch(patience, report, jacobian)
                fitting.run_training(self._state, data, watch)
            if self.early_stopping:
                self._held_out_until = self._state.epoch
            self._finish(watch.best_epoch or self._state.epoch)

    def _train_on(self, X: Any, sample_weight: Any) -> None:
        """Train for one epoch, from where the model stands; a new one if there is none."""
        with self._as_before_if_it_fails(), fitting.own_modes():
            if hasattr(self, "_state"):
                rows = self._more(X, sample_weight)
                self._state = deepcopy(self._state)  # Training changes it in place.
                self._state.runs = (self._now(self._state.runs[0]),)
            else:
                rows = self._begin(X, sample_weight)
                self._state.runs = (fitting.unending(self._state.runs[0]),)
            fitting.train_one_epoch(self._state, fitting.show_training(rows, self._state.device))
            self._finish(self._state.epoch)

    @contextmanager
    def _as_before_if_it_fails(self) -> Iterator[None]:
        """Undo what was set if the block ends in an error, or is interrupted."""
        before = dict(vars(self))
        try:
            yield
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

    def _check_own(self) -> None:
        """Check the parameters that are the estimator's and not the run's."""
        fraction, stops = self.validation_fraction, self.early_stopping
        if not isinstance(stops, bool | np.bool_):
            raise ValueError(f"early_stopping is {stops!r}; expected True or False")
        if not (isinstance(fraction, Real) and 0 < fraction < 1):
            raise ValueError(
                f"validation_fraction is {fraction!r}; expected a fraction between 0 and 1 (to "
                "hold out nothing: early_stopping=False)"
            )
        fitting.whole("patience", self.patience)
        fitting.whole("n_importance", self.n_importance)

    def _configure(self, n_rows: int) -> fitting.FitConfig:
        values = {name: plain(getattr(self, name)) for name in _OF_RUN}
        size = plain(self.batch_size)
        fewest = 1 if values["batch_norm"] == "none" else _NORMALISED
        values["batch_size"] = min(100, max(fewest, n_rows // 10)) if size == AUTO else size
        values |= {"likelihood": self.likelihood_, "seed": self._seed}
        return fitting.configure(values)

    def _now(self, run: RunConfig) -> fitting.FitConfig:
        """Return the run of a model that stands, with the parameters as they are now."""
        now = {name: plain(getattr(self, name)) for name in _OF_RUN}
        stands = {name: (now[name], getattr(run, name)) for name in _FOR_GOOD}
        if self.likelihood != AUTO:
            stands["likelihood"] = self.likelihood, self.likelihood_
        stands["device"] = select_device(self.device).type, self._state.device.type
        for name, (wanted, has) in stands.items():
            if wanted != has:
                raise ValueError(
                    f"{name} is {wanted!r}, but the model that partial_fit goes on with has "
                    f"{has!r}; call fit for a new model, or set {name} back"
                )
        if plain(self.batch_size) != AUTO:
            now["batch_size"] = plain(self.batch_size)
        return fitting.configure({**run.model_dump(), **now, "epochs": fitting.NO_END})

    def _preparation(self) -> inputs.Preparation:
        binary = self.likelihood == AUTO and domain_of(self.likelihood_).mass
        return inputs.Preparation(self.likelihood_, Scaling(self.mean_, self.scale_), binary)

    def _more(self, X: Any, sample_weight: Any) -> Rows:
        """Check data for a model that stands already."""
        X = inputs.check(self, X, reset=False)
        weights = inputs.check_weights(sample_weight, X)
        seed = stream_seed(self._seed, "weights", self._state.epoch)
        return inputs.training_rows(X, weights, self._preparation(), seed, self._state.device)

    def _blocks(self, X: Any, *, missing: bool = False) -> Iterator[Array]:
        """Return checked rows for a fitted model, some at a time, with a warning at their end."""
        preparation = self._fitted_or_raise().preparation
        checked = inputs.check(self, X, reset=False, missing=missing)
        return preparation.watched(inputs.blocks(checked, missing=missing))

    def _latent_points(self, X: Any) -> Array:
        """Return ``X`` as points [N, Z] of the latent space."""
        z, n_z = check_array(X, dtype=np.float64), self._n_features_out
        if z.shape[1] != n_z:
            raise ValueError(
                f"X has {z.shape[1]} columns, but inverse_transform expects latent points with "
                f"n_z={n_z}"
            )
        return np.asarray(z)

    def _finish(self, best_epoch: int) -> None:
        """Set what training gave."""
        run = self._state.runs[0]
        # Training may have ended before its warm-up did.
        beta = min(run.beta, beta_schedule(run, max(best_epoch, 1)))
        kl_weight = mixing(run.objective, beta)
        self._fitted = Fitted.of(self._state.model, self._preparation(), kl_weight)
        self.n_iter_, self.best_epoch_ = self._state.epoch, best_epoch
        self.history_ = self._history_frame()

    def _history_frame(self) -> pd.DataFrame:
        frame = pd.DataFrame(self._state.history.scalars_table(0, ""))
        # Training that goes on after a fit holds nothing out any more.
        measured = np.where(frame["epoch"] <= self._held_out_until, "held-out", "training-rows")
        split = frame["split"].where(frame["split"] == "train", measured)
        with_units = frame["metric"].isin(_WITH_UNITS)
        value = frame["value"] + with_units * self._preparation().scaling.log_jacobian
        return frame.assign(split=split, value=value)[["epoch", "split", "metric", "value"]]

    def _restore(self, run: fitting.FitConfig, saved: Saved) -> None:
        """Take up a saved state, with new moments of the optimiser."""
        n_seen = self._preparation().scaling.n_seen
        with fitting.own_modes():
            self._state = initial_state((run,), n_seen, select_device(self.device))
        self._state.model.load_state_dict(saved.weights)
        self._state.history, self._state.epoch = saved.history, self.n_iter_
        self._finish(self.best_epoch_)

    def _reporter(self) -> AbstractContextManager[OnEpoch | None]:
        if not self.verbose:
            return nullcontext()
        tested = "held out" if self.early_stopping else "after it"
        return bar_reporter(self._state.runs[0].epochs, tested, "rows")

    def _draw(self, random_state: int | np.random.RandomState | None) -> int:
        chosen = self.random_state if random_state is None else random_state
        return int(check_random_state(chosen).randint(_SEEDS))

    def _fitted_or_raise(self) -> Fitted:
        check_is_fitted(self, "_fitted")
        return self._fitted

    @property
    def _n_features_out(self) -> int:
        return self._fitted.model.architecture.n_z


def plain(value: Any) -> Any:
    """Return NumPy's numbers and arrays, as a grid search passes them, as Python's."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple | np.ndarray):
        return tuple(plain(each) for each in value)
    return value
