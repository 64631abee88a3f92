"""What one training or evaluation job does: files in, files out, safe to kill and to repeat.

A finished run is recognised by its record (same parameters, same engine, same data) and left
alone; an unfinished one goes on from its checkpoint; only what is missing is trained.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch

from vaestudy import checkpoint
from vaestudy.compile_choice import choose_epoch, choose_measure, is_sparse
from vaestudy.config import CompilePolicy, RunConfig
from vaestudy.data import Dataset
from vaestudy.devices import out_of_memory_told, tf32_products
from vaestudy.engine import engine_fingerprint
from vaestudy.files import write_columns, write_json
from vaestudy.heap import return_freed_memory
from vaestudy.history import Columns
from vaestudy.labels import with_labels
from vaestudy.machine import machine_facts, peak_rss_mb
from vaestudy.objectives import NO_BOUNDS
from vaestudy.run_files import CHECKPOINT, RunFiles, read_record
from vaestudy.splits import Splits, load_splits
from vaestudy.steplog import StepLog
from vaestudy.train import EpochReport, TrainState, initial_state, train

log = logging.getLogger(__name__)

OnEpoch = Callable[[Sequence[RunConfig], EpochReport], None]


#: What file systems say that know no locks, such as some that are mounted over a network.
_NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK)


class BusyError(RuntimeError):
    """Another process holds a run."""


def train_group(
    runs: Sequence[RunConfig],
    dataset: Dataset,
    runs_dir: Path,
    *,
    device: torch.device,
    checkpoint_every: int,
    compile_policy: CompilePolicy = "auto",
    on_epoch: OnEpoch | None = None,
    log_steps: int = 0,
) -> list[dict[str, Any]]:
    """Train what is not yet trained of ``runs``, logging ``log_steps`` steps; return all records.

    Raises
    ------
    BusyError
        If another process is training one of them.
    """
    files = {run: RunFiles(runs_dir / run.run_id) for run in runs}
    with _locked([f.directory for f in files.values()]):
        for part in _partition(runs, files, dataset, device, log_steps):
            pixels = load_splits(dataset, part[0].binarization, device)
            splits = with_labels(pixels, dataset, part[0])
            state = _resume_or_start(part, files, dataset, device, log_steps)
            with (
                out_of_memory_told(len(part), part[0].combination_id),
                tf32_products(part[0].precision == "tf32"),
            ):
                test, sparse = splits.test, is_sparse(splits.test)
                training = partial(
                    train,
                    run_epoch=choose_epoch(state, splits, compile_policy),
                    measure=choose_measure(state, len(test), compile_policy, sparse),
                )
                _train_part(state, training, splits, files, dataset, checkpoint_every, on_epoch)
    return [read_record(files[run]) for run in runs]


def is_finished(run: RunConfig, files: RunFiles, dataset: Dataset, log_steps: int = 0) -> bool:
    """Whether the run's files are there, by this engine from this data, with the steps logged."""
    if not files.record.exists():
        return False
    record = read_record(files)
    made_by = (record.get("engine"), record.get("data_sha256"), record.get("parameters"))
    expected = (engine_fingerprint(), dataset.sha256, run.model_dump(mode="json"))
    needed = [files.history, files.units, files.model, *([files.steps] if log_steps else [])]
    logged = record.get("log_steps", 0) >= log_steps
    return made_by == expected and logged and all(path.exists() for path in needed)


def _partition(
    runs: Sequence[RunConfig],
    files: dict[RunConfig, RunFiles],
    dataset: Dataset,
    device: torch.device,
    log_steps: int = 0,
) -> list[tuple[RunConfig, ...]]:
    """Split the unfinished runs by kind and by the epoch they stand at: a part trains together.

    On the CPU every run trains alone. Its results must not depend on its job's other runs, and
    there the last bits of a product depend on where in memory a member's matrix starts. Stacked
    runs, of which that is known, are the exception: their results hold to rounding.
    """
    parts: dict[tuple[int, str], list[RunConfig]] = {}
    for run in runs:
        if is_finished(run, files[run], dataset, log_steps):
            log.info("%s is already trained", run.run_id)
            continue
        path = files[run].checkpoint
        epoch = checkpoint.saved_epoch(path, run, dataset.sha256, log_steps) or 0
        parts.setdefault((epoch, run.group_key), []).append(run)
    ordered = sorted(parts.items(), key=lambda item: -item[0][0])
    together = [tuple(part) for _, part in ordered]
    alone = [device.type == "cpu" and not part[0].is_stacked for part in together]
    return [
        members
        for part, singly in zip(together, alone, strict=True)
        for members in ([(run,) for run in part] if singly else [part])
    ]


def _resume_or_start(
    part: tuple[RunConfig, ...],
    files: dict[RunConfig, RunFiles],
    dataset: Dataset,
    device: torch.device,
    log_steps: int,
) -> TrainState:
    paths = [files[run].checkpoint for run in part]
    if checkpoint.saved_epoch(paths[0], part[0], dataset.sha256, log_steps):
        state = checkpoint.stack_states(part, paths, device)
        log.info("resuming after epoch %d", state.epoch)
        return state
    means = dataset.pixel_means()
    state = initial_state(part, len(means), device, means, dataset.n_classes)
    state.step_log = StepLog(log_steps) if log_steps else None
    return state


def _train_part(
    state: TrainState,
    training: Callable[..., TrainState],
    splits: Splits,
    files: dict[RunConfig, RunFiles],
    dataset: Dataset,
    checkpoint_every: int,
    on_epoch: OnEpoch | None,
) -> None:
    paths = [files[run].checkpoint for run in state.runs]
    for run in state.runs:
        # A record of an earlier training would say of this one's files that they are its own.
        files[run].record.unlink(missing_ok=True)
        write_json(files[run].parameters, run.model_dump(mode="json"))
    start, before = time.perf_counter(), state.seconds

    def after_epoch(state: TrainState, report: EpochReport) -> None:
        state.seconds = before + (time.perf_counter() - start) / len(state.runs)
        if on_epoch is not None:
            on_epoch(state.runs, report)
        if state.epoch % checkpoint_every == 0 and state.epoch < report.epochs:
            checkpoint.save_state(state, paths, dataset.sha256)

    training(state, splits, after_epoch)
    # What writes tables takes tens of megabytes, of which steps keep more.
    return_freed_memory()
    _write_results(state, files, dataset)


def _write_results(state: TrainState, files: dict[RunConfig, RunFiles], dataset: Dataset) -> None:
    members = len(state.runs)
    speed = {
        # Of all epochs, also those of earlier jobs that this one went on from.
        "train_seconds": members * state.seconds,
        # What a second of it bought, all members together.
        "images_per_second": state.epoch * len(dataset.train) / state.seconds,
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "members": members,
        "epochs_timed": state.epoch,
    }
    for member, run in enumerate(state.runs):
        out = files[run]
        checkpoint.save_model(state.model, member, run, out.model)
        scalars = state.history.scalars_table(member, run.run_id)
        write_columns(out.history, _of_objective(scalars, run))
        write_columns(out.units, state.history.units_table(member, run.run_id))
        if state.step_log is not None:
            steps = state.step_log.table(member, run.run_id)
            write_columns(out.steps, _of_objective(steps, run))
        memory = {"peak_rss_mb": peak_rss_mb()}
        write_json(out.record, {**_record(state, member, dataset), **speed, **memory})
        out.checkpoint.unlink(missing_ok=True)


def _of_objective(metrics: Columns, run: RunConfig) -> Columns:
    """Leave the bound out where the objective is none."""
    keep = (metrics["metric"] != "bound") | (run.objective not in NO_BOUNDS)
    return {name: values[keep] for name, values in metrics.items()}


def _record(state: TrainState, member: int, dataset: Dataset) -> dict[str, Any]:
    run, failure = state.runs[member], state.failed.get(member)
    return {
        "run_id": run.run_id,
        "status": "diverged" if failure else "finished",
        "message": failure or "",
        "parameters": run.model_dump(mode="json"),
        "engine": engine_fingerprint(),
        "data_sha256": dataset.sha256,
        "log_steps": state.step_log.n_first if state.step_log else 0,
        "n_parameters": sum(p[0].numel() for p in state.model.parameters()),
        **machine_facts(state.device),
    }


@contextmanager
def _locked(directories: Sequence[Path]) -> Iterator[None]:
    """Hold a lock on each run, which the kernel frees however the process ends."""
    handles = []
    try:
        for directory in directories:
            directory.mkdir(parents=True, exist_ok=True)
            handle = (directory / ".lock").open("w")
            handles.append(handle)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BusyError(
                    f"another process is training {directory.name}; wait for it to end, or stop it"
                ) from None
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
                log.warning(
                    "%s lies where files cannot be locked (%s): nothing keeps a second process "
                    "from training it at once",
                    directory,
                    error.strerror,
                )
            for left in directory.glob(f".*.{CHECKPOINT}"):
                left.unlink(missing_ok=True)  # by a process that was killed as it wrote
        yield
    finally:
        for handle in handles:
            handle.close()
