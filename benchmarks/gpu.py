"""How fast a GPU trains groups of models, and what that makes of the full study.

    python benchmarks/gpu.py [--members 16] [--config config.yaml]

Member-images a second of six shapes of groups, each through `BlockedEpoch` on made-up pixels of
MNIST's size; beside each the floor: the time that its matrix products and its memory traffic would
take at the rates measured here on large matrices and copies. Then the time that the study's runs
would take at these rates, each experiment's and all of them, each run at the rate of the shape most
like it and as if its data were MNIST.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from vaestudy.config import RunConfig, expand_grid, load_config
from vaestudy.graph import BlockedEpoch, inductor_step
from vaestudy.splits import Splits
from vaestudy.train import initial_state

sys.path.insert(0, str(Path(__file__).parent))
from throughput import flops_per_image

K5 = {"objective": "iwae", "k": 5}
SHAPES: tuple[dict[str, object], ...] = (
    {},
    K5,
    {"batch_norm": "hidden"},
    {**K5, "batch_norm": "hidden"},
    {"likelihood": "gaussian"},
    {**K5, "likelihood": "gaussian", "batch_norm": "hidden"},
)
N_IMAGES = 60_000


@dataclass(frozen=True)
class Machine:
    """What the device can do: products and bytes a second."""

    flops: float
    bandwidth: float


def measure_machine(device: torch.device) -> Machine:
    """Measure large fp32 products and a large copy."""
    n = 8192 if device.type == "cuda" else 1024
    a, b = (torch.randn(n, n, device=device) for _ in range(2))
    products = _seconds(lambda: torch.mm(a, b), device)
    source = torch.empty(n * n * 4, device=device)
    target = torch.empty_like(source)
    copy = _seconds(lambda: target.copy_(source), device)
    return Machine(2 * n**3 / products, 2 * source.nbytes / copy)


def _seconds(work: object, device: torch.device, repeats: int = 20) -> float:
    for _ in range(3):
        work()  # type: ignore[operator]
    _wait(device)
    start = time.perf_counter()
    for _ in range(repeats):
        work()  # type: ignore[operator]
    _wait(device)
    return (time.perf_counter() - start) / repeats


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def bytes_per_step(run: RunConfig, members: int, n_parameters: int) -> float:
    """Return the bytes that a perfectly fused step must move.

    Parameters are read in the forward and backward pass and, with gradient and both moments, read
    and written once by Adam; every layer's output is written once and read twice.
    """
    outputs = 2 * run.n_z + sum(run.hidden)
    decoded = sum(run.hidden) + (784 * (2 if run.likelihood == "gaussian" else 1))
    activations = run.batch_size * (784 + outputs + run.k * (run.n_z + decoded))
    return 4.0 * members * (9 * n_parameters + 3 * activations)


def member_images_per_second(run: RunConfig, members: int, n_images: int, device: torch.device):  # type: ignore[no-untyped-def]
    """Return the rate of a group, and its floor's parameters."""
    runs = tuple(run.model_copy(update={"seed": seed}) for seed in range(members))
    state = initial_state(runs, 784, device)
    generator = torch.Generator(device).manual_seed(0)
    pixels = torch.empty(n_images, 784, dtype=torch.uint8, device=device)
    pixels.random_(0, 256, generator=generator)
    data = Splits(pixels, pixels[:1].float())
    epoch = BlockedEpoch(state, data, inductor_step if device.type == "cuda" else None)
    epoch(state, data)
    _wait(device)
    start, passes = time.perf_counter(), 0
    while passes == 0 or time.perf_counter() - start < 5:
        epoch(state, data)
        _wait(device)
        passes += 1
    rate = members * passes * n_images / (time.perf_counter() - start)
    return rate, sum(p[0].numel() for p in state.model.parameters())


def main() -> None:
    """Measure, print, project."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, default=16)
    parser.add_argument("--images", type=int, default=N_IMAGES)
    parser.add_argument("--config", type=Path, default=Path("config.yaml"))
    options = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    machine = measure_machine(device)
    print(f"{device}: {machine.flops / 1e12:.1f} TFLOP/s, {machine.bandwidth / 1e9:.0f} GB/s")
    print(f"{'':50}{'images/s':>14}{'floor':>14}{'share':>8}")
    rates = []
    for shape in SHAPES:
        run = RunConfig.model_validate(shape)
        rate, n_parameters = member_images_per_second(run, options.members, options.images, device)
        images = options.members * run.batch_size
        products = images * flops_per_image(shape) / machine.flops
        traffic = bytes_per_step(run, options.members, n_parameters) / machine.bandwidth
        floor = images / max(products, traffic)
        print(f"{shape!s:50}{rate:14,.0f}{floor:14,.0f}{rate / floor:8.0%}")
        rates.append((run, rate, floor))
    project(options.config, rates)


def project(config: Path, rates: list[tuple[RunConfig, float, float]]) -> None:
    """Print the minutes that training a study would take, and each of its experiments alone."""
    runs = expand_grid(load_config(config))
    names = dict.fromkeys(name for run in runs for name in run.experiments)
    print(f"\n{f'training, {config}':50}{'runs':>14}{'minutes':>14}{'floor':>8}")
    for name in names:
        print_minutes(name, [run.config for run in runs if name in run.experiments], rates)
    print_minutes("all", [run.config for run in runs], rates)


def print_minutes(
    name: str, runs: list[RunConfig], rates: list[tuple[RunConfig, float, float]]
) -> None:
    """Print a line of a projection: how long these runs would take, and no less than how long."""
    took = floor = 0.0
    for run in runs:
        likeness = [
            (r.k == run.k, r.likelihood == run.likelihood, r.batch_norm == run.batch_norm)
            for r, _, _ in rates
        ]
        _, rate, bound = rates[max(range(len(rates)), key=lambda i: likeness[i])]
        took += run.epochs * N_IMAGES / rate
        floor += run.epochs * N_IMAGES / bound
    print(f"{name:50}{len(runs):14,}{took / 60:14,.1f}{floor / 60:8,.1f}")


if __name__ == "__main__":
    main()
