"""Two training jobs on two cores against one job on one: the ratio of their rates.

    python benchmarks/scaling.py [--repeats N]

Jobs are processes pinned to a core each, as the workflow's are in effect. The matrix products that
two cores do at once against one are measured beside: cores that share a physical core, a cache or a
frequency limit cannot do twice the work, whoever asks.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
SECONDS = 8.0


def train_for(core: int, ready: Barrier, rates: Queue[float]) -> None:
    """Train the base model for some seconds; report images a second."""
    os.sched_setaffinity(0, {core})
    import torch

    import job
    from throughput import noise
    from vaestudy.compiled import compiled_step
    from vaestudy.config import RunConfig
    from vaestudy.splits import Splits
    from vaestudy.train import initial_state, train_epoch

    job.settle()
    pixels = torch.from_numpy(noise())
    state = initial_state((RunConfig(),), 784, torch.device("cpu"))
    step = compiled_step(state, 100)
    data = Splits(pixels, pixels[:1].float())
    _timed(partial(train_epoch, state, data, step), len(pixels), ready, rates)


def multiply_for(core: int, ready: Barrier, rates: Queue[float]) -> None:
    """Multiply 2048³ matrices for some seconds; report products a second."""
    os.sched_setaffinity(0, {core})
    import torch

    torch.set_num_threads(1)
    a, b, out = (torch.randn(2048, 2048) for _ in range(3))
    _timed(lambda: torch.mm(a, b, out=out), 1, ready, rates)


def _timed(work: Callable[[], object], amount: int, ready: Barrier, rates: Queue[float]) -> None:
    work()
    ready.wait()
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        work()
        done += amount
    rates.put(done / (time.perf_counter() - start))


def rate(job: Callable[..., None], cores: list[int]) -> float:
    """Return the summed rate of one job a core."""
    context = mp.get_context("spawn")
    ready, rates = context.Barrier(len(cores)), context.Queue()
    processes = [context.Process(target=job, args=(core, ready, rates)) for core in cores]
    for process in processes:
        process.start()
    total: float = sum(rates.get() for _ in cores)
    for process in processes:
        process.join()
    return total


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))[:2]
    for name, job in (("training", train_for), ("matrix products", multiply_for)):
        ratios = [rate(job, cores) / (2 * rate(job, cores[:1])) for _ in range(options.repeats)]
        print(f"{name}: two at once do {statistics.median(ratios):.0%} of twice one's work")


if __name__ == "__main__":
    main()
