"""A made-up study whose latent dimensions' activity is known, for the chapter on activity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from studies import FACTORS
from vaestudy.config import StudyConfig, expand_grid, parse_config
from vaestudy.study import Study

EPOCHS, N_Z = 4, 3
#: By dimension, activity from the untrained model to the last epoch: used throughout; pruned and
#: back; pruned for good.
FATES = np.array([
    [0.5, 0.6, 0.7, 0.8, 0.9],
    [0.5, 0.001, 0.001, 0.2, 0.4],
    [0.5, 0.2, 0.001, 0.001, 0.001],
])  # fmt: skip
WARM = np.array([[0.5, 0.6, 0.7, 0.8, 0.9]] * N_Z)


def configuration(directory: Path, **changes: Any) -> StudyConfig:
    values: dict[str, Any] = {
        "study": "made-up",
        "results_dir": str(directory),
        "base": {"dataset": "mnist-5k", "n_z": N_Z, "hidden": [4], "epochs": EPOCHS},
        "seeds": [0, 1, 2],
        "experiments": {
            "factors": FACTORS,
            "dimensions": {"title": "sizes", "vary": {"n_z": [2, 3]}},
            "variant": {"title": "variant", "set": {"adam_beta2": 0.9}},
        },
    }
    return parse_config({**values, **changes})


def with_lengths(*vae: int) -> dict[str, Any]:
    """Return changes to a study: the factors, and the base model with these warm-ups."""
    factors = {
        "title": "factors",
        "vary": {
            "objective": ["elbo", {"objective": "iwae", "k": 5}],
            "batch_norm": ["none", "hidden"],
            "warmup": [0, 2] if vae else [0],
        },
    }
    sweep = {"title": "lengths", "vary": {"warmup": list(vae) or [0]}}
    return {"experiments": {"factors": factors, "lengths": sweep}}


def make_study(directory: Path, **changes: Any) -> Study:
    """Write a study's tables: with warm-up no dimension is pruned, else they meet `FATES`."""
    config = configuration(directory, **changes)
    runs, units, evaluation = [], [], []
    for run in expand_grid(config):
        row = {**run.config.model_dump(mode="json"), "hidden": "4", "status": "finished"}
        run_id = run.config.run_id
        runs.append({"run_id": run_id, "combination_id": run.config.combination_id, **row})
        activity = (WARM if run.config.warmup else FATES)[: run.config.n_z]
        for unit, values in enumerate(activity):
            units += [
                {"run_id": run_id, "epoch": e, "unit": unit, "activity": a, "kl": a / 2 + 0.01}
                for e, a in enumerate(values)
            ]
        active = float((activity[:, -1] > 0.01).sum())
        seed = run.config.seed
        found = {"active_units": active, "nll": 90.0 + seed, "kl": 3.0 + 0.1 * seed}
        how = {"run_id": run_id, "n_samples": 5000, "n_data": 1000}
        evaluation += [{**how, "metric": m, "value": v} for m, v in found.items()]
    tables = {"runs": runs, "units": units, "evaluation": evaluation}
    (config.directory / "tables").mkdir(parents=True)
    for name, rows in tables.items():
        pd.DataFrame(rows).to_parquet(config.directory / "tables" / f"{name}.parquet")
    return Study(config)
