"""A fit of the estimator on one thread and on two: machine idle, a core busy, all cores busy.

    python benchmarks/estimator.py

Small steps and large ones, of the packaged digits; seconds of one fit, each in its own process.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import subprocess
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

FITS: dict[str, dict[str, Any]] = {
    "784-200-2, batch 100, 2 epochs": {"n_z": 2, "hidden": (200,), "batch_size": 100, "epochs": 2},
    "784-500-500-20, batch 500, 2 epochs": {"hidden": (500, 500), "batch_size": 500, "epochs": 2},
}
BUSY = [sys.executable, "-c", "while True: pass"]


def seconds_of(parameters: dict[str, Any], n_threads: int) -> float:
    """Fit with so many threads, whatever the estimator would choose."""
    import torch

    from vaestudy import VAE
    from vaestudy.data import load_dataset
    from vaestudy.estimator import threads

    warnings.simplefilter("ignore")
    setattr(threads, "WORTH_SHARING", 0.0)  # noqa: B010 - a constant elsewhere
    torch.set_num_threads(n_threads)
    X = load_dataset("mnist-5k", Path()).train.numpy() > 127
    model = VAE(early_stopping=False, random_state=0, **parameters)
    start = time.perf_counter()
    model.fit(X)
    return time.perf_counter() - start


def measure(parameters: dict[str, Any], n_busy: int) -> list[float]:
    """Return the seconds on one thread and on two, beside so many busy processes."""
    others = [subprocess.Popen(BUSY) for _ in range(n_busy)]
    found = []
    try:
        for n_threads in (1, 2):
            with ProcessPoolExecutor(1, mp.get_context("spawn")) as alone:
                found.append(alone.submit(seconds_of, parameters, n_threads).result())
    finally:
        for other in others:
            other.kill()
    return found


def main() -> None:
    """Measure and print."""
    for name, parameters in FITS.items():
        for n_busy in (0, 1, len(os.sched_getaffinity(0))):
            one, two = measure(parameters, n_busy)
            print(f"{name}, {n_busy} busy: one thread {one:.1f} s, two {two:.1f} s", flush=True)


if __name__ == "__main__":
    main()
