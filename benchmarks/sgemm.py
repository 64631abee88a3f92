"""What a core multiplies: its rate of single-precision matrix products, the peak of all shares."""

from __future__ import annotations

import time
from multiprocessing.queues import Queue


def sgemm_gflops(n: int = 2048, seconds: float = 0.35) -> float:
    """Return the rate of n³ products, measured for about so many seconds."""
    import torch

    a, b, out = (torch.randn(n, n) for _ in range(3))
    start, products = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        torch.mm(a, b, out=out)
        products += 1
    return products * 2 * n**3 / (time.perf_counter() - start) / 1e9


def measure_sgemm(results: Queue[dict[str, float]]) -> None:
    """Measure the matrix products alone, in a fresh process."""
    import torch

    torch.set_num_threads(1)
    sgemm_gflops(seconds=0.1)
    results.put({"sgemm_gflops": sgemm_gflops(seconds=2)})
