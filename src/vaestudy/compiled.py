"""The whole training step as one compiled graph: forward, gradient, Adam, metrics.

What is compiled is what :func:`vaestudy.train.train_step` computes; :mod:`vaestudy.tracing` makes
the graph of it. The graph is compiled ahead of time to a library, which lies in a cache that all
processes of a machine share: the first job of a kind pays (about 20 s), later ones load it in
milliseconds and never import the compiler.

Its results agree with the plain step's to rounding, not bit by bit, so which of the two a run takes
depends on its configuration and its machine alone, never on what is cached.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from vaestudy.config import CompilePolicy
from vaestudy.engine import engine_fingerprint
from vaestudy.train import StepFunction, TrainState, train_step

log = logging.getLogger(__name__)

#: What a compiled step takes as a tensor, or does not depend on: not part of its identity.
_FREE_PARAMETERS = ("seed", "warmup", "epochs", "dataset", "binarization", "learning_rate")

_CACHE_VARIABLE = "VAESTUDY_CACHE"


class CompileError(RuntimeError):
    """The step could not be compiled; the message says why and what to do."""


#: A compiled step saves 1.5 ms or more and costs some 20 s, shared by all runs of its kind.
WORTH_IT_FROM_STEPS = 20_000


def choose_step(state: TrainState, n_images: int, policy: CompilePolicy) -> StepFunction:
    """Return the step that a run trains with.

    The choice depends on the run's planned steps, from its first epoch to its last, and on the
    machine: a resumed run goes on with the kind of step that it began with.

    Raises
    ------
    CompileError
        If ``policy`` is always and the step cannot be compiled; with auto that is a warning.
    """
    run = state.runs[0]
    batch_size = min(run.batch_size, n_images)
    planned = run.epochs * (n_images // batch_size)
    if state.device.type != "cpu" or policy == "never":
        return train_step
    if policy == "auto" and planned < WORTH_IT_FROM_STEPS:
        log.info("step: not compiled, as %d steps do not win back what that costs", planned)
        return train_step
    try:
        return compiled_step(state, batch_size)
    except CompileError as error:
        if policy == "always":
            raise
        log.warning("step: not compiled: %s", error)
        return train_step


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
    library = _cached(state, batch_size)
    loader = torch._C._aoti.AOTIModelPackageLoader(str(library), "model", False, 1, -1)
    tensors = state_tensors(state)
    step = state.optimizer.step_count

    def run(
        state: TrainState,
        x: Float[Tensor, "M B D"],
        eps: Float[Tensor, "M K B Z"],
        beta: Float[Tensor, "M"],
    ) -> Float[Tensor, "S M"]:
        nonlocal step
        step += 1
        corrections = torch.tensor(state.optimizer.corrections(step))
        (metrics,) = loader.boxed_run([*tensors, corrections, x, eps, beta])
        state.optimizer.count.fill_(step)
        return metrics

    return run


def cache_directory() -> Path:
    """Return where compiled steps are kept: ``$VAESTUDY_CACHE``, or the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get(_CACHE_VARIABLE) or Path(base) / "vaestudy")


def _cached(state: TrainState, batch_size: int) -> Path:
    """Return the library of this kind of step, compiling it if this machine has none yet."""
    directory = cache_directory()
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{_identity(state, batch_size)}.pt2"
    with _locked(path.with_suffix(".lock")):
        if path.exists():
            log.info("step: compiled before (%s)", path)
        else:
            _compile(state, batch_size, path)
    return path


def _identity(state: TrainState, batch_size: int) -> str:
    """Return a hash of all that the library depends on."""
    parameters = state.runs[0].model_dump(mode="json", exclude=set(_FREE_PARAMETERS))
    facts = {
        "parameters": parameters,
        "shapes": [list(tensor.shape) for tensor in state_tensors(state)],
        "batch_size": batch_size,
        "threads": torch.get_num_threads(),
        "engine": engine_fingerprint(),
        "torch": torch.__version__,
        # Compiled for this very processor: a cluster's nodes may differ, and share a home.
        "processor": _processor_flags(),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:20]


def _processor_flags() -> str:
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
    lines = info.read_text(encoding="utf-8").splitlines()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def state_tensors(state: TrainState) -> list[Tensor]:
    """Return what a step changes, in the order in which the library takes it."""
    adam = state.optimizer
    return [
        *(parameter.detach() for parameter in adam.parameters.values()),
        *adam.exp_avg.values(),
        *adam.exp_avg_sq.values(),
        *state.model.buffers(),
    ]


def _compile(state: TrainState, batch_size: int, path: Path) -> None:
    """Compile in a process of its own, so that this one stays small."""
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise CompileError(
            f"the C++ compiler {compiler} is not on the PATH; install one, or set compile: never"
        )
    log.info("step: compiling, once for all runs of this kind on this machine")
    start = time.perf_counter()
    request = {
        "runs": [run.model_dump(mode="json") for run in state.runs],
        "n_features": state.model.architecture.n_features,
        "batch_size": batch_size,
        "threads": torch.get_num_threads(),
        "path": str(path),
    }
    command = [sys.executable, "-m", "vaestudy.tracing", json.dumps(request)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0 or not path.exists():
        last = "\n".join(result.stderr.strip().splitlines()[-5:])
        raise CompileError(f"compiling the step failed; set compile: never, or mend this: {last}")
    log.info("step: compiled in %.0f s", time.perf_counter() - start)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time compile a step; the others wait and find it."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
