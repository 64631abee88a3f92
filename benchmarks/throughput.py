"""How fast one core trains, as a share of what it can multiply, and what memory that takes.

    python benchmarks/throughput.py [--json FILE] [--only NAME …] [--repeats N]

Each row trains through the real `train`, with its history, on one thread; after every epoch the
same process measures, for about as long, its rate of 2048³ single-precision matrix products.
What is compared is the share of that rate which the model's own matrix products reach, so that a
noisy or slow machine gives the same answer: both rates are means over neighbouring moments.
Medians of repeats that take turns between rows.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import resource
import statistics
import time
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

N_IMAGES = 6_000
#: Three matrices of 2048² floats are the benchmark's own.
SGEMM_MB = 3 * 2048**2 * 4 / 1e6
EPOCHS = 8


@dataclass(frozen=True)
class Case:
    """One row: what is trained."""

    name: str
    parameters: dict[str, object]


CASES = (
    Case("VAE, K=1", {}),
    Case("IWAE, K=5", {"objective": "iwae", "k": 5}),
    Case("VAE + BN", {"batch_norm": "hidden"}),
    Case("IWAE + BN, K=5", {"objective": "iwae", "k": 5, "batch_norm": "hidden"}),
    Case("VAE, Gaussian", {"likelihood": "gaussian"}),
    Case("VAE, n_z=2", {"n_z": 2}),
    Case("VAE, n_z=100", {"n_z": 100}),
)


def flops_per_image(parameters: dict[str, object], n_features: int = 784) -> float:
    """Return the floating-point operations of the matrix products of one training step, an image.

    Forward, gradient of the weights, gradient of the inputs (none for the first layer).
    """
    from vaestudy.config import RunConfig
    from vaestudy.likelihoods import LIKELIHOODS

    run = RunConfig.model_validate(parameters)
    outputs = LIKELIHOODS[run.likelihood].param_features(n_features)
    encoder = [n_features, *run.hidden, 2 * run.n_z]
    decoder = [run.n_z, *run.hidden[::-1], outputs]
    once = [2 * a * b for a, b in pairwise(encoder)]
    k_times = [2 * a * b for a, b in pairwise(decoder)]
    return 3 * sum(once) - once[0] + 3 * run.k * sum(k_times)


def measure(case: Case, results: mp.Queue) -> None:
    """Train in a fresh process, so that memory and start-up are this case's alone."""
    import torch

    torch.set_num_threads(1)
    torch_mb = _peak_rss_mb()
    start = time.perf_counter()
    from vaestudy.config import RunConfig
    from vaestudy.train import EpochReport, Splits, TrainState, initial_state, train

    run = RunConfig.model_validate({**case.parameters, "epochs": EPOCHS})
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (N_IMAGES, 784), dtype=torch.uint8, generator=generator)
    data = Splits(pixels, (pixels[:500] > 127).float())
    rates: list[tuple[float, float]] = []
    first: list[float] = []

    def after_epoch(_: TrainState, report: EpochReport) -> None:
        first.append(time.perf_counter() - start - report.seconds)
        rates.append((report.images_per_second, _sgemm_gflops()))

    state = initial_state((run,), 784, torch.device("cpu"))
    train(state, data, after_epoch)
    flops = flops_per_image(case.parameters)
    results.put(
        {
            "images_per_s": statistics.median(speed for speed, _ in rates),
            "sgemm_gflops": statistics.median(gflops for _, gflops in rates),
            "fraction_of_peak": statistics.median(v * flops / 1e9 / g for v, g in rates),
            "rss_mb": _peak_rss_mb() - torch_mb - SGEMM_MB,
            "start_s": first[0],
        }
    )


def _sgemm_gflops(n: int = 2048, seconds: float = 0.35) -> float:
    import torch

    a, b, out = (torch.randn(n, n) for _ in range(3))
    start, products = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        torch.mm(a, b, out=out)
        products += 1
    return products * 2 * n**3 / (time.perf_counter() - start) / 1e9


def _peak_rss_mb() -> float:
    # Not vaestudy.machine's: this is called before anything but torch is imported.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def run_case(case: Case) -> dict[str, float]:
    """Measure a case in a fresh process."""
    context = mp.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=measure, args=(case, results))
    process.start()
    row = results.get()
    process.join()
    return row


@dataclass(frozen=True)
class Row:
    """Medians over repeats."""

    stack: str
    name: str
    k: int
    precision: str
    images_per_s: float
    sgemm_gflops: float
    fraction_of_peak: float
    rss_mb: float
    start_s: float


def summarize(case: Case, repeats: list[dict[str, float]]) -> Row:
    """Return the medians of a case's repeats."""
    medians = {key: statistics.median(r[key] for r in repeats) for key in repeats[0]}
    return Row("vaestudy", case.name, int(case.parameters.get("k", 1)), "fp32", **medians)  # type: ignore[call-overload]


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="file to write, an object a row")
    parser.add_argument("--only", nargs="*", help="names (or parts of them) of rows to run")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    cases = [c for c in CASES if not options.only or any(o in c.name for o in options.only)]
    measured: dict[str, list[dict[str, float]]] = {case.name: [] for case in cases}
    for _ in range(options.repeats):
        for case in cases:
            measured[case.name].append(run_case(case))
    rows = [summarize(case, measured[case.name]) for case in cases]
    print(f"{'':18}{'images/s':>10}{'sgemm GF/s':>12}{'of peak':>9}{'RSS + MB':>10}{'start s':>9}")
    for row in rows:
        print(
            f"{row.name:18}{row.images_per_s:10,.0f}{row.sgemm_gflops:12.0f}"
            f"{row.fraction_of_peak:9.0%}{row.rss_mb:10.0f}{row.start_s:9.1f}"
        )
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()
