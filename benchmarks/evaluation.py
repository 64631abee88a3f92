"""The final estimate of log p(x) on one core: its rate, and how long a test set takes.

    python benchmarks/evaluation.py [--images N] [--repeats N]

The base model's 5,000-sample estimate, compiled and plain, as a share of what the core multiplies
at the time; both rates are means over neighbouring moments. What 10,000 images take is projected
from the images that are measured, for the cost of each is the same.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from itertools import pairwise
from pathlib import Path

import torch

from vaestudy.config import CompilePolicy

sys.path.insert(0, str(Path(__file__).parent))

N_SAMPLES, N_TEST = 5_000, 10_000


def flops_per_sample() -> float:
    """Operations of the decoder's matrix products for one sample of the base model."""
    widths = (50, 200, 200, 784)
    return sum(2.0 * a * b for a, b in pairwise(widths))


def seconds_for(images: torch.Tensor, policy: CompilePolicy) -> float:
    """Estimate log p(x) of some images; return how long it took, without compiling."""
    from vaestudy.compile_choice import choose_log_weights
    from vaestudy.evaluate import estimate_log_px
    from vaestudy.vae import VAE, Architecture

    model = VAE(Architecture(784, 50, hidden=(200, 200)), members=1)
    generators = [torch.Generator().manual_seed(0)]
    model.initialize(generators)
    log_weights = choose_log_weights(model.eval(), "nll", N_SAMPLES, N_TEST, policy)
    start = time.perf_counter()
    estimate_log_px(model, images, N_SAMPLES, generators, log_weights=log_weights)
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    import job
    from sgemm import sgemm_gflops

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    job.settle()
    images = (torch.rand(options.images, 784) > 0.5).float()
    work = flops_per_sample() * N_SAMPLES
    policies: tuple[CompilePolicy, ...] = ("always", "never")
    for policy in policies:
        shares, times = [], []
        seconds_for(images[:2], policy)
        for _ in range(options.repeats):
            before = sgemm_gflops(seconds=2)
            seconds = seconds_for(images, policy)
            peak = (before + sgemm_gflops(seconds=2)) / 2
            shares.append(work * len(images) / seconds / 1e9 / peak)
            times.append(seconds / len(images) * N_TEST)
        share, seconds = statistics.median(shares), statistics.median(times)
        print(
            f"{'compiled' if policy == 'always' else 'plain'}: {share:.0%} of the sgemm peak; "
            f"{N_TEST:,} images take {seconds:.0f} s, their products alone {share * seconds:.0f} s"
        )


if __name__ == "__main__":
    main()
