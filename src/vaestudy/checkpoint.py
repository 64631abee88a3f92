"""Files that hold models and training states: safetensors, one member a file, written atomically.

A run's state is its own file, so members of a group can be saved, killed, resumed and regrouped
one by one; :func:`stack_states` puts members that stand at the same epoch back together.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vaestudy.config import RunConfig, parse_run
from vaestudy.engine import engine_fingerprint
from vaestudy.history import History
from vaestudy.run_files import RunFiles
from vaestudy.steplog import StepLog
from vaestudy.tensorfile import (
    DamagedFileError,
    ForeignFileError,
    read_tensors,
    write_tensors,
)
from vaestudy.train import TrainState, architecture_of, initial_state
from vaestudy.vae import VAE

_METADATA = "vaestudy"


class CheckpointError(RuntimeError):
    """A saved model or state cannot be used; the message names the file and the remedy."""


def _select(values: dict[str, Tensor], member: int) -> dict[str, Tensor]:
    return {name: value[member : member + 1].contiguous() for name, value in values.items()}


def _sizes(model: VAE) -> dict[str, str]:
    """Return what of the data shapes a model, as text: metadata are."""
    a = model.architecture
    return {"n_features": str(a.n_features), "n_classes": str(a.n_classes)}


def save_model(model: VAE, member: int, run: RunConfig, path: Path) -> None:
    """Write one member's weights and its run's parameters."""
    metadata = {"run": run.canonical, **_sizes(model)}
    write_tensors(path, _METADATA, metadata, _select(model.state_dict(), member))


def load_model(path: Path, device: torch.device | str = "cpu") -> tuple[VAE, RunConfig]:
    """Return a trained model with one member, in evaluation mode, and its parameters.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged or something else.
    """
    tensors, metadata = _read(path)
    run = parse_run(json.loads(metadata["run"]), str(path))
    n_features, n_classes = int(metadata["n_features"]), int(metadata["n_classes"])
    model = VAE(architecture_of(run, n_features, n_classes), members=1)
    model.load_state_dict(tensors)
    return model.to(device).eval(), run


def load_run(files: RunFiles, run: RunConfig, device: torch.device) -> VAE:
    """Return a run's trained model.

    Raises
    ------
    CheckpointError
        If its file holds another run.
    """
    model, saved = load_model(files.model, device)
    if saved != run:
        raise CheckpointError(
            f"{files.model} holds {saved.run_id}, not {run.run_id}; delete it and train again"
        )
    return model


def save_state(state: TrainState, paths: Sequence[Path], data_sha256: str) -> None:
    """Write every member's training state to its own path, with what made it."""
    weights = state.model.state_dict()
    moments = state.optimizer.moments()
    for member, (run, path) in enumerate(zip(state.runs, paths, strict=True)):
        tensors = {f"model.{k}": v for k, v in _select(weights, member).items()}
        tensors |= {f"adam.{k}": v for k, v in _select(moments, member).items()}
        tensors |= _history_tensors(state.history, member)
        tensors |= _step_tensors(state.step_log, member)
        metadata = {
            "run": run.canonical,
            "engine": engine_fingerprint(),
            "data": data_sha256,
            "epoch": str(state.epoch),
            **_sizes(state.model),
            "step": str(state.optimizer.step_count),
            "failed": state.failed.get(member, ""),
            "log_steps": str(state.step_log.n_first if state.step_log else 0),
            "seconds": repr(state.seconds),
        }
        write_tensors(path, _METADATA, metadata, tensors)


def saved_epoch(path: Path, run: RunConfig, data_sha256: str, log_steps: int = 0) -> int | None:
    """Return the epoch of a state that can be resumed, or None if there is none.

    None also for a state of other parameters, of other data or of another version of the engine,
    and for one that has not logged its first ``log_steps`` steps, and no others.
    """
    if not path.exists():
        return None
    metadata = _read(path)[1]
    made_by = *(metadata[name] for name in ("run", "engine", "data")), _log_steps(metadata)
    same = made_by == (run.canonical, engine_fingerprint(), data_sha256, log_steps)
    return int(metadata["epoch"]) if same else None


def stack_states(
    runs: tuple[RunConfig, ...], paths: Sequence[Path], device: torch.device
) -> TrainState:
    """Return the state of several members that were saved at the same epoch."""
    loaded = [_read(path) for path in paths]
    metadata = loaded[0][1]
    n_features, n_classes = int(metadata["n_features"]), int(metadata["n_classes"])
    state = initial_state(runs, n_features, device, n_classes=n_classes)
    stacked = {
        name: torch.cat([tensors[name] for tensors, _ in loaded])
        for name in loaded[0][0]
        if not name.startswith(("history.", "steps."))
    }
    state.model.load_state_dict(_strip(stacked, "model."))
    state.optimizer.restore(_strip(stacked, "adam."), int(metadata["step"]))
    state.epoch = int(metadata["epoch"])
    state.seconds = fmean(float(meta.get("seconds", 0)) for _, meta in loaded)
    state.history = _stack_histories([tensors for tensors, _ in loaded])
    logged = [tensors for tensors, _ in loaded]
    state.step_log = _stack_step_logs(logged, _log_steps(metadata), device)
    state.failed = {m: meta["failed"] for m, (_, meta) in enumerate(loaded) if meta["failed"]}
    return state


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        return read_tensors(path, _METADATA)
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist; train the run first") from None
    except ForeignFileError as error:
        raise CheckpointError(f"{path} is {error}; expected a file of a study's run") from None
    except DamagedFileError as error:
        # It may be the user's own, which is none of ours to delete.
        raise CheckpointError(
            f"{path} is damaged ({error}), or no file of a study's run; if it is one, delete it "
            "and train the run again"
        ) from None


def _strip(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _history_tensors(history: History, member: int) -> dict[str, Tensor]:
    return {
        "history.epochs": torch.tensor(history.epochs),
        "history.train": torch.from_numpy(np.stack(history.train)[..., member]).contiguous(),
        "history.test": torch.from_numpy(np.stack(history.test)[..., member]).contiguous(),
        "history.units": torch.from_numpy(np.stack(history.units)[:, :, member]).contiguous(),
    }


def _stack_histories(members: Sequence[dict[str, Tensor]]) -> History:
    def stacked(name: str, axis: int) -> list[Any]:
        return list(torch.stack([m[f"history.{name}"] for m in members], dim=axis).numpy())

    return History(
        epochs=members[0]["history.epochs"].tolist(),
        train=stacked("train", 2),
        test=stacked("test", 2),
        units=stacked("units", 2),
    )


def _log_steps(metadata: dict[str, str]) -> int:
    return int(metadata.get("log_steps", "0"))


def _step_tensors(log: StepLog | None, member: int) -> dict[str, Tensor]:
    if log is None:
        return {}
    return {"steps.steps": torch.tensor(log.steps), "steps.values": log.member(member)}


def _stack_step_logs(
    members: Sequence[dict[str, Tensor]], n_first: int, device: torch.device
) -> StepLog | None:
    if "steps.steps" not in members[0]:
        return None
    steps = members[0]["steps.steps"].tolist()
    # Steps that follow are logged where training is, and go to the host together with these.
    return StepLog.restored(n_first, steps, [m["steps.values"].to(device) for m in members])
