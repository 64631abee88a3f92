"""Jobs that tests run, and may crash, and the files that these leave."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from builders import CPU, tiny_dataset
from vaestudy import jobs
from vaestudy.config import RunConfig
from vaestudy.dataset import Dataset
from vaestudy.jobs import train_group
from vaestudy.run_files import RunFiles
from vaestudy.train import EpochReport

RESULTS = ("model.safetensors", "history.parquet", "units.parquet", "parameters.json")


def training(
    runs: Sequence[RunConfig],
    folder: Path,
    dataset: Dataset | None = None,
    stop_after: int | None = None,
    device: torch.device = CPU,
) -> list[tuple[str, int]]:
    """Train in ``folder``; return which run did which epoch; ``stop_after`` so many, crash."""
    done: list[tuple[str, int]] = []

    def on_epoch(members: Sequence[RunConfig], report: EpochReport) -> None:
        if len(done) == stop_after:
            raise KeyboardInterrupt
        done.extend((run.run_id, report.epoch) for run in members)

    train_group(
        runs,
        dataset or tiny_dataset(),
        folder,
        device=device,
        checkpoint_every=1,
        on_epoch=on_epoch,
    )
    return done


def results(folder: Path, run: RunConfig) -> dict[str, bytes]:
    """The files that must not differ between repeats."""
    return {name: (folder / run.run_id / name).read_bytes() for name in RESULTS}


def parts_of(runs: Sequence[RunConfig], folder: Path, device: torch.device) -> list[list[int]]:
    files = {run: RunFiles(folder / run.run_id) for run in runs}
    parts = jobs._partition(runs, files, tiny_dataset(), device)
    return [[run.seed for run in part] for part in parts]
