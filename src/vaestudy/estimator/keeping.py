"""A fitted estimator to a file and back: which of its attributes, under which names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import torch

from vaestudy.estimator import fitting, persistence
from vaestudy.estimator.support import AUTO
from vaestudy.estimator.training import Training, plain

#: Attributes that a file keeps as they are, and as arrays.
_KEPT: Final = (
    *("likelihood_", "n_features_in_", "n_iter_", "best_epoch_"),
    *("_seed", "_held_out_until"),
)
_SCALING: Final = ("mean_", "scale_")

Estimator = TypeVar("Estimator", bound=Training)

#: A saved choice of device that holds on every machine; others may have no GPU.
_EVERYWHERE: Final = "cpu"


def save(model: Training, parameters: Mapping[str, Any], path: Path) -> None:
    """Write a fitted model and the ``parameters`` that it was made with."""
    names = getattr(model, "feature_names_in_", None)
    facts = {
        "parameters": {name: _for_json(value) for name, value in parameters.items()},
        "run": model._state.runs[0].model_dump(mode="json"),
        **{name: getattr(model, name) for name in _KEPT},
        "feature_names_in_": None if names is None else [str(name) for name in names],
    }
    weights = model._state.model.state_dict()
    arrays = {f"weights.{name}": value for name, value in weights.items()}
    arrays |= {name: torch.from_numpy(getattr(model, name)) for name in _SCALING}
    persistence.write(path, persistence.Saved(facts, arrays, model._state.history))


def load(kind: type[Estimator], path: Path, device: str | None) -> Estimator:
    """Read what :func:`save` wrote.

    Parameters
    ----------
    kind
        Class of the estimator.
    path
        The file.
    device
        The estimator's parameter; None for the saved one, if it is the CPU, else ``auto``.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged or something else.
    DeviceError
        If the device is not there.
    """
    saved = persistence.read(path)
    facts = saved.facts
    if device is None:
        device = _EVERYWHERE if facts["parameters"]["device"] == _EVERYWHERE else AUTO
    parameters = {**facts["parameters"], "device": device}
    model = kind(**{**parameters, "hidden": tuple(parameters["hidden"])})
    for name in _KEPT:
        setattr(model, name, facts[name])
    for name in _SCALING:
        setattr(model, name, saved.arrays[name].numpy())
    if facts["feature_names_in_"] is not None:
        model.feature_names_in_ = np.array(facts["feature_names_in_"], dtype=object)
    model._restore(fitting.configure(facts["run"]), saved)
    return model


def _for_json(value: Any) -> Any:
    """Return a parameter as JSON can hold it, which a generator's state is not."""
    return None if isinstance(value, np.random.RandomState) else plain(value)
