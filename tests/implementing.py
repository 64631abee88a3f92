"""Made-up tables of the chapter on implementing: bounds by epoch, and measurements."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from builders import tiny_dataset
from studies import FACTORS
from vaestudy.config import RunConfig, expand_grid, parse_config
from vaestudy.dataset import Dataset
from vaestudy.study import Study

EPOCHS = 6

VALUES: dict[str, Any] = {
    "study": "made-up",
    "base": {"dataset": "mnist-5k", "n_z": 5, "hidden": [8], "epochs": EPOCHS},
    "seeds": [0, 1, 2],
    "experiments": {
        "factors": FACTORS,
        "likelihood": {
            "title": "likelihood",
            "vary": {
                "likelihood": ["bernoulli", "gaussian"],
                "objective": ["elbo", {"objective": "iwae", "k": 5}],
            },
        },
        "dimensions": {
            "title": "sizes",
            "vary": {"objective": ["elbo", {"objective": "iwae", "k": 5}], "n_z": [2, 5]},
        },
        "sweep": {"title": "sweep", "vary": {"warmup": [0, 1, 2]}},
        "beta2": {"title": "variant", "set": {"adam_beta2": 0.9}},
    },
}


class MadeUp(Study):
    """A study whose data set is not on disk."""

    @property
    def dataset(self) -> Dataset:
        return tiny_dataset()


def halving(run: RunConfig, epoch: int) -> float:
    """The test bound of seed s after epoch e: within 1 nat of the last first at e = 3."""
    return -100 - run.seed - 8 / 2**epoch


def climbing(run: RunConfig, epoch: int) -> float:
    """It rises by 8 nats an epoch until the last one."""
    return -100 - run.seed - 8.0 * (EPOCHS - epoch)


def measured(run: RunConfig) -> dict[str, float]:
    """The Gaussian's KL is 4 lower; it has a unit more in one seed of three."""
    gaussian, seed = run.likelihood == "gaussian", run.seed
    units = 4.0 + (gaussian and seed == 0)
    return {"nll": 100.0 + seed, "kl": 20.0 + seed - 4 * gaussian, "active_units": units}


def make_study(
    directory: Path,
    bound: Callable[[RunConfig, int], float] = halving,
    sizes: Sequence[int] = (2, 5),
    warmups: Sequence[int] = (0, 1, 2),
) -> Study:
    """Training's bound is 1 higher than the test's."""
    values = copy.deepcopy(VALUES)
    values["experiments"]["dimensions"]["vary"]["n_z"] = list(sizes)
    values["experiments"]["sweep"]["vary"]["warmup"] = list(warmups)
    values["experiments"]["factors"]["vary"]["warmup"] = [n for n in warmups if n != 1]
    config = parse_config({**values, "results_dir": str(directory)})
    runs, history, evaluation = [], [], []
    for run in expand_grid(config):
        row = {**run.config.model_dump(mode="json"), "hidden": "8", "status": "finished"}
        run_id = run.config.run_id
        runs.append({"run_id": run_id, "combination_id": run.config.combination_id, **row})
        for epoch in range(EPOCHS + 1):
            reached = bound(run.config, epoch)
            for split, value in (("test", reached), ("train", reached + 1)):
                history.append((run_id, epoch, split, "bound", value))
        evaluation += [(run_id, m, value, 5000, 1000) for m, value in measured(run.config).items()]
    tables = {
        "runs": pd.DataFrame(runs),
        "history": pd.DataFrame(history, columns=["run_id", "epoch", "split", "metric", "value"]),
        "evaluation": pd.DataFrame(
            evaluation, columns=["run_id", "metric", "value", "n_samples", "n_data"]
        ),
    }
    folder: Path = config.directory / "tables"
    folder.mkdir(parents=True)
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet")
    return MadeUp(config)
