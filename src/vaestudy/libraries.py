"""Compiled libraries: made once a machine and kind, and found again by every process.

What is to be compiled is a request, a small mapping that :mod:`vaestudy.tracing` understands. Its
library is named by a hash of the request and of all else that it depends on: the engine's source,
PyTorch, and what it uses of this processor (a cluster's nodes may differ, and share a home).
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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vaestudy.engine import engine_fingerprint, source_digest
from vaestudy.packing import Packed

log = logging.getLogger(__name__)

Request = Mapping[str, Any]


class CompileError(RuntimeError):
    """A library could not be compiled; the message says why and what to do."""


class Library:
    """A compiled function of contiguous tensors; those that it updates, it updates in place.

    ``packed`` says which of its first tensors it takes again as its last, packed for how many rows.
    """

    def __init__(self, path: Path) -> None:
        # Not `torch._inductor.aoti_load_package`: that imports the compiler, a second or more.
        self._loader = torch._C._aoti.AOTIModelPackageLoader(str(path), "model", False, 1, -1)
        self.packed: list[Packed] = json.loads(self._loader.get_metadata()["packed"])

    def __call__(self, *tensors: Tensor) -> list[Tensor]:
        """Call the function."""
        return self._loader.boxed_run(list(tensors))


def load_library(request: Request) -> Library:
    """Return the library that a request describes, compiling it if this machine has none yet.

    Raises
    ------
    CompileError
        If there is no C++ compiler, or it fails, or there is nowhere to keep what it makes.
    """
    # Generated code has the number of threads built in.
    request = {**request, "threads": torch.get_num_threads()}
    try:
        path = cache_directory() / f"{request['kind']}-{_identity(request)}.pt2"
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.with_suffix(".lock")):
            if path.exists():
                log.info("%s: compiled before (%s)", request["kind"], path)
            else:
                _compile(request, path)
    except (OSError, RuntimeError) as error:
        if isinstance(error, CompileError):
            raise
        # RuntimeError: a user without a home.
        raise CompileError(
            f"no place to keep what is compiled ({error}); set VAESTUDY_CACHE to a folder that can "
            "be written to, or compile: never"
        ) from None
    return Library(path)


def cache_directory() -> Path:
    """Return where libraries are kept: ``$VAESTUDY_CACHE``, or the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("VAESTUDY_CACHE") or Path(base) / "vaestudy")


def _identity(request: Request) -> str:
    # The formulas of the weights are no part of the engine, which says what training computes.
    weights = request["kind"] == "weights"
    facts = {
        "request": request,
        "engine": engine_fingerprint(),
        "weights": source_digest("evaluate.py", "packing.py", "proposals.py") if weights else "",
        "torch": torch.__version__,
        "processor": _processor_features(),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:20]


def _processor_features() -> str:
    # Also what the user lets PyTorch use of them (ATEN_CPU_CAPABILITY): how long vectors are.
    capability = torch.backends.cpu.get_cpu_capability()
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return f"{platform.machine()} {capability}"
    lines = info.read_text(encoding="utf-8").splitlines()
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return f"{flags} {capability}"


def _compile(request: Request, path: Path) -> None:
    """Compile in a process of its own, so that this one stays small."""
    kind, compiler = request["kind"], os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise CompileError(
            f"the C++ compiler {compiler} is not on the PATH; install one, or set compile: never"
        )
    log.info("%s: compiling, once for all runs of this kind on this machine", kind)
    start = time.perf_counter()
    command = [sys.executable, "-m", "vaestudy.tracing", json.dumps(request), str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0 or not path.exists():
        last = "\n".join(result.stderr.strip().splitlines()[-5:])
        raise CompileError(f"compiling failed; set compile: never, or mend this: {last}")
    log.info("%s: compiled in %.0f s", kind, time.perf_counter() - start)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time compile a library; the others wait and find it."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
