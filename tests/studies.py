"""Finished studies with made-up measurements, whose answers are therefore known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from vaestudy.config import RunConfig, expand_grid, parse_config
from vaestudy.study import Study

Measure = Callable[[RunConfig], dict[str, float]]
#: Of a dimension before training and after each epoch: always in use, emptied for good, emptied
#: and back, used once training has begun.
FATES = {
    "kept": (1.0, 1.0, 1.0),
    "lost": (1.0, 0.001, 0.001),
    "back": (1.0, 0.001, 1.0),
    "late": (0.001, 1.0, 1.0),
}

#: A model of points in the plane, small enough for stacks.
PLANE: dict[str, Any] = {
    "dataset": "square",
    "binarization": "none",
    "likelihood": "squared-error",
    "hidden": [4],
    "n_z": 2,
    "epochs": 4,
}
#: An experiment of the grid's three factors, two levels each.
FACTORS: dict[str, Any] = {
    "title": "factors",
    "vary": {
        "objective": ["elbo", {"objective": "iwae", "k": 5}],
        "batch_norm": ["none", "hidden"],
        "warmup": [0, 2],
    },
}
#: The test bound after each epoch.
BOUND = (-120.0, -105.0, -103.0, -101.0, -100.5, -100.0)


def logged(run: RunConfig, n_first: int) -> list[tuple[str, int, str, float]]:
    """Rows of single steps up to 9,500, of a run that logs any: KL 5, and an ELBO that rises."""
    steps = sorted({*range(n_first), *range(0, 10_000, 500)}) if n_first else []
    values = {"elbo": lambda step: step / 100 - 200, "kl": lambda step: 5.0}
    values["reconstruction"] = lambda step: step / 100 - 195
    return [(run.run_id, s, name, value(s)) for name, value in values.items() for s in steps]


def make_study(
    folder: Path,
    values: dict[str, Any],
    measure: Measure,
    *,
    fates: Callable[[RunConfig], tuple[str, ...]] = lambda run: ("kept",),
    bound: Callable[[RunConfig], tuple[float, ...]] = lambda run: BOUND,
    diverged: Callable[[RunConfig], bool] = lambda run: False,
    n_samples: int = 5_000,
) -> Study:
    """Write a study's tables: ``measure`` gives a run's final metrics, the rest its histories."""
    config = parse_config({**values, "results_dir": str(folder)})
    runs, history, units, steps, evaluation = [], [], [], [], []
    for declared in expand_grid(config):
        run = declared.config
        row = {**run.model_dump(mode="json"), "hidden": "-".join(map(str, run.hidden))}
        status = "diverged" if diverged(run) else "finished"
        ids = {"run_id": run.run_id, "combination_id": run.combination_id, "status": status}
        runs.append({**ids, "experiments": ",".join(declared.experiments), **row})
        if status == "diverged":
            continue
        history += [(run.run_id, e, "test", "bound", v) for e, v in enumerate(bound(run))]
        units += [
            (run.run_id, epoch, unit, activity, activity / 2)
            for unit, fate in enumerate(fates(run))
            for epoch, activity in enumerate(FATES[fate])
        ]
        steps += logged(run, config.log_steps_of(declared.experiments))
        evaluation += [(run.run_id, m, v, 0.01, n_samples, 1000) for m, v in measure(run).items()]
    tables = {
        "runs": pd.DataFrame(runs),
        "history": pd.DataFrame(history, columns=["run_id", "epoch", "split", "metric", "value"]),
        "units": pd.DataFrame(units, columns=["run_id", "epoch", "unit", "activity", "kl"]),
        "steps": pd.DataFrame(steps, columns=["run_id", "step", "metric", "value"]),
        "evaluation": pd.DataFrame(
            evaluation,
            columns=["run_id", "metric", "value", "standard_error", "n_samples", "n_data"],
        ),
    }
    directory = config.directory / "tables"
    directory.mkdir(parents=True)
    for name, table in tables.items():
        table.to_parquet(directory / f"{name}.parquet")
    return Study(config)
