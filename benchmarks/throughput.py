"""How fast one core trains, as a share of what it can multiply, and what memory that takes.

    python benchmarks/throughput.py [--json FILE] [--only NAME …] [--peers] [--repeats N] [--avx2]
                                    [--noise]

Each row trains through the real `train`, with its history, in a process pinned to one core; after
every epoch the same process measures, for about as long, its rate of 2048³ single-precision matrix
products. What is compared is the share of that rate which the model's own matrix products reach, so
that a noisy or slow machine gives the same answer: both rates are means over neighbouring moments.
Medians of repeats that take turns between rows.

The images are the packaged digits, of whose pixels 13 % are lit. Products that skip their zeros are
counted whole, for the peers as for ours. With --noise the images are noise, of which half is lit
and nothing is skipped.

`all in` is the rate with everything that a study's run does each epoch: the test set's bounds and
activities (one test image to six training images, as MNIST has) and a checkpoint every tenth epoch.

With --peers, others train the same model beside: JAX and Keras in an environment that the first
such call makes (benchmarks/.peers), and the loop of PyTorch's example. Theirs is measured between
two measurements of the matrix products.

With --avx2 all of it, the peak and the peers included, is kept from vectors longer than 256 bits:
what a core with AVX-512 would do were its arithmetic half as fast, and all else as it is.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from multiprocessing.queues import Queue
from pathlib import Path

import numpy as np

import job
from sgemm import measure_sgemm, sgemm_gflops

HERE = Path(__file__).parent
PEERS = HERE / ".peers"
N_IMAGES = 6_000
#: Three matrices of 2048² floats are the benchmark's own.
SGEMM_MB = 3 * 2048**2 * 4 / 1e6
EPOCHS = 10

#: What keeps each library from longer vectors. XLA's is a flag beside others of its own.
AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
}

Sample = dict[str, float]


@dataclass(frozen=True)
class Case:
    """One row: what is trained, and by what."""

    name: str
    parameters: dict[str, object] = field(default_factory=dict)
    stack: str = "vaestudy"

    @property
    def k(self) -> int:
        """Samples an image."""
        return int(str(self.parameters.get("k", 1)))

    @property
    def precision(self) -> str:
        """What the matrix products are computed in."""
        return str(self.parameters.get("precision", "fp32"))


K5: dict[str, object] = {"objective": "iwae", "k": 5}
BF16: dict[str, object] = {"precision": "bf16"}
CONVOLUTIONS: dict[str, object] = {"network": "conv", "activation": "elu"}

OURS = (
    Case("VAE, K=1"),
    Case("IWAE, K=5", K5),
    Case("VAE, K=1, plain", stack="vaestudy, not compiled"),
    Case("IWAE, K=5, plain", K5, stack="vaestudy, not compiled"),
    Case("VAE, K=1, bf16", BF16),
    Case("IWAE, K=5, bf16", {**K5, **BF16}),
    Case("VAE + BN", {"batch_norm": "hidden"}),
    Case("IWAE + BN, K=5", {**K5, "batch_norm": "hidden"}),
    Case("VAE, Gaussian", {"likelihood": "gaussian"}),
    Case("VAE, n_z=2", {"n_z": 2}),
    Case("VAE, n_z=100", {"n_z": 100}),
    Case("VAE, 512-384-256", {"hidden": (512, 384, 256)}),
    Case("VAE, convolutions", CONVOLUTIONS),
    Case("VAE, convolutions, plain", CONVOLUTIONS, stack="vaestudy, not compiled"),
)

#: Stack: the file under peers/, and whose environment it runs in.
PEER_SCRIPTS = {
    "JAX, epoch in a scan": ("jax_scan.py", True),
    "Keras 3, JAX": ("keras_jax.py", True),
    "PyTorch example": ("torch_example.py", False),
}
OTHERS = tuple(
    Case(f"{stack}, K={k}", {"k": k, "objective": "iwae" if k > 1 else "elbo"}, stack)
    for stack in PEER_SCRIPTS
    for k in (1, 5)
)


def flops_per_image(parameters: dict[str, object], batch_size: int = 100) -> float:
    """Return how many operations the products and convolutions of a step are, an image."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from vaestudy.config import RunConfig
    from vaestudy.train import initial_state, train_step

    run = RunConfig.model_validate(parameters)
    state = initial_state((run,), 784, torch.device("cpu"))
    noise = torch.zeros(1, run.k, batch_size, state.model.architecture.n_latent)
    with FlopCounterMode(display=False) as counter:
        train_step(state, torch.zeros(1, batch_size, 784), noise, torch.ones(1))
    return float(counter.get_total_flops()) / batch_size


def digits() -> np.ndarray:
    """Return the packaged digits, over again until there are as many as wanted."""
    from vaestudy.data import load_dataset

    train = load_dataset("mnist-5k", Path()).train.numpy()
    return np.resize(train, (N_IMAGES, train.shape[1]))


def noise() -> np.ndarray:
    """Return grey images of independent pixels."""
    return np.random.default_rng(0).integers(0, 256, (N_IMAGES, 784), dtype=np.uint8)


def measure_ours(case: Case, images: Path, results: Queue[Sample]) -> None:
    """Train in a fresh process, so that memory and start-up are this case's alone."""
    import torch

    from vaestudy.machine import peak_rss_mb

    job.settle()
    torch_mb = peak_rss_mb()
    start = time.perf_counter()
    from vaestudy import checkpoint
    from vaestudy.compile_choice import choose_epoch, choose_measure, is_sparse
    from vaestudy.config import CompilePolicy, RunConfig
    from vaestudy.splits import Splits
    from vaestudy.train import EpochReport, TrainState, initial_state, train

    run = RunConfig.model_validate({**case.parameters, "epochs": EPOCHS})
    pixels = torch.from_numpy(np.load(images))
    data = Splits(pixels, (pixels[: N_IMAGES // 6] > 127).view(torch.uint8))
    rates: list[tuple[float, float, float]] = []
    ready: list[float] = []
    epoch_start = start

    def after_epoch(state: TrainState, report: EpochReport) -> None:
        nonlocal epoch_start
        if state.epoch % 10 == 0:
            checkpoint.save_state(state, [folder / "checkpoint"], "made up")
        seconds = time.perf_counter() - epoch_start
        ready.append(epoch_start + seconds - report.seconds - start)
        rates.append((report.images_per_second, N_IMAGES / seconds, sgemm_gflops()))
        epoch_start = time.perf_counter()

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        state = initial_state((run,), 784, torch.device("cpu"))
        policy: CompilePolicy = "always" if case.stack == "vaestudy" else "never"
        epoch = choose_epoch(state, data, policy)
        measure = choose_measure(state, len(data.test), policy, is_sparse(data.test))
        epoch_start = time.perf_counter()
        train(state, data, after_epoch, epoch, measure)
    rss_mb = peak_rss_mb() - torch_mb - SGEMM_MB
    results.put({**_medians(rates[1:], case), "rss_mb": rss_mb, "start_s": ready[0]})


def _medians(rates: list[tuple[float, float, float]], case: Case) -> Sample:
    """Summarise epochs' images/s, images/s all in, and GFLOP/s of the matrix products."""
    flops = flops_per_image(case.parameters) / 1e9
    return {
        "images_per_s": statistics.median(speed for speed, _, _ in rates),
        "all_in_images_per_s": statistics.median(speed for _, speed, _ in rates),
        "sgemm_gflops": statistics.median(gflops for _, _, gflops in rates),
        "fraction_of_peak": statistics.median(v * flops / g for v, _, g in rates),
    }


def _in_fresh_process(target: Callable[..., None], *arguments: object) -> Sample:
    context = mp.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=target, args=(*arguments, results))
    process.start()
    sample: Sample = results.get()
    process.join()
    return sample


def peers_python() -> Path:
    """Return the interpreter of the peers' environment, made if it is not there."""
    python = PEERS / "bin" / "python"
    if not python.exists():
        venv.create(PEERS, with_pip=True)
        requirements = HERE / "peers" / "requirements.txt"
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", requirements], check=True)
    return python


def measure_peer(case: Case, images: Path) -> Sample:
    """Train a peer in a fresh process, between two measurements of the matrix products."""
    script, own_environment = PEER_SCRIPTS[case.stack]
    python = peers_python() if own_environment else Path(sys.executable)
    one_thread = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    flags = f"{os.environ.get('XLA_FLAGS', '')} {one_thread}"
    environment = {**os.environ, "KERAS_BACKEND": "jax", "XLA_FLAGS": flags}
    before = _in_fresh_process(measure_sgemm)["sgemm_gflops"]
    command = [str(v) for v in (python, HERE / "peers" / script, case.k, EPOCHS, images)]
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    gflops = (before + _in_fresh_process(measure_sgemm)["sgemm_gflops"]) / 2
    printed = json.loads(result.stdout.splitlines()[-1])
    rate = statistics.median(printed["images_per_s"])
    return {
        "images_per_s": rate,
        "all_in_images_per_s": float("nan"),
        "sgemm_gflops": gflops,
        "fraction_of_peak": rate * flops_per_image(case.parameters) / 1e9 / gflops,
        "rss_mb": float("nan"),
        "start_s": printed["start_s"],
    }


@dataclass(frozen=True)
class Row:
    """Medians over repeats."""

    stack: str
    name: str
    k: int
    precision: str
    images_per_s: float
    all_in_images_per_s: float
    sgemm_gflops: float
    fraction_of_peak: float
    rss_mb: float
    start_s: float


def summarize(case: Case, repeats: list[Sample]) -> Row:
    """Return the medians of a case's repeats."""
    medians = {key: statistics.median(r[key] for r in repeats) for key in repeats[0]}
    return Row(case.stack, case.name, case.k, case.precision, **medians)


def print_table(rows: list[Row]) -> None:
    """Print what was measured."""
    print(
        f"{'':26}{'images/s':>10}{'all in':>10}{'sgemm GF/s':>12}{'of peak':>9}"
        f"{'RSS + MB':>10}{'start s':>9}"
    )
    for row in rows:
        print(
            f"{row.name:26}{row.images_per_s:10,.0f}{row.all_in_images_per_s:10,.0f}"
            f"{row.sgemm_gflops:12.0f}{row.fraction_of_peak:9.0%}{row.rss_mb:10.0f}"
            f"{row.start_s:9.1f}"
        )


def print_ratios(rows: list[Row]) -> None:
    """Print ours against the fastest peer, by share of the peak, for each K and precision."""
    for k, precision in sorted({(row.k, row.precision) for row in rows}):
        peers = [row for row in rows if row.stack in PEER_SCRIPTS and row.k == k]
        ours = [r for r in rows if r.stack == "vaestudy" and (r.k, r.precision) == (k, precision)]
        if peers and ours:
            best = max(peers, key=lambda row: row.fraction_of_peak)
            ratio = ours[0].fraction_of_peak / best.fraction_of_peak
            print(f"{ours[0].name}: {ratio:.2f} × the fastest peer, {best.stack}")


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="file to write, an object a row")
    parser.add_argument("--only", nargs="*", help="names (or parts of them) of rows to run")
    parser.add_argument("--peers", action="store_true", help="JAX, Keras and PyTorch beside")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--avx2", action="store_true", help="no vectors longer than 256 bits")
    parser.add_argument("--noise", action="store_true", help="images half of which is lit")
    options = parser.parse_args()
    if options.avx2:
        os.environ |= AVX2
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    cases = (*OURS, *OTHERS) if options.peers else OURS
    cases = tuple(c for c in cases if not options.only or any(o in c.name for o in options.only))
    measured: dict[str, list[Sample]] = {case.name: [] for case in cases}
    with tempfile.TemporaryDirectory() as folder:
        np.save(images := Path(folder) / "images.npy", noise() if options.noise else digits())
        for _ in range(options.repeats):
            for case in cases:
                peer = case.stack in PEER_SCRIPTS
                sample = (
                    measure_peer(case, images)
                    if peer
                    else _in_fresh_process(measure_ours, case, images)
                )
                measured[case.name].append(sample)
    rows = [summarize(case, measured[case.name]) for case in cases]
    print_table(rows)
    print_ratios(rows)
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()
