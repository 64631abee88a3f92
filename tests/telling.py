"""A made-up study of models that are told classes, and of convolutional ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from builders import tiny_dataset
from studies import make_study
from vaestudy.config import RunConfig, expand_grid
from vaestudy.dataset import Dataset
from vaestudy.rng import MemberRNG
from vaestudy.study import Study
from vaestudy.train import architecture_of
from vaestudy.vae import VAE

SEEDS = [0, 1, 2, 3, 4]
LABELS = [
    "condition",
    {"labels": "blanked", "label_share": 0.1},
    {"labels": "blanked", "label_share": 0.5},
    {"labels": "m2", "label_share": 0.5, "epochs": 2},
    {"labels": "m2", "label_share": 0.01, "epochs": 2},
]
SMALL_LABELS = [*LABELS[:3], {"labels": "m2", "label_share": 0.5}]
VALUES: dict[str, Any] = {
    "study": "made-up",
    "base": {"dataset": "mnist", "n_z": 3, "hidden": [20], "epochs": 4},
    "seeds": SEEDS,
    "experiments": {
        "labels": {"title": "t", "vary": {"labels": ["none", *LABELS]}},
        "networks": {
            "title": "t",
            "set": {"dataset": "fashion-mnist", "activation": "elu"},
            "vary": {"network": ["mlp", "conv"]},
        },
        "told-classes": {
            "title": "t",
            "set": {
                "binarization": "threshold",
                "activation": "tanh",
                "adam_eps": 1e-8,
                "hidden": [6],
            },
            "vary": {"labels": ["none", *SMALL_LABELS]},
        },
    },
}


def measure(run: RunConfig) -> dict[str, float]:
    """A label is worth 2 nats; samples of the right class grow with what is told."""
    seed = 0.1 * run.seed
    if run.dataset == "fashion-mnist":
        better = 5.0 + 0.01 * run.seed if run.network == "conv" else 0.0
        return {"nll": 230 + seed - better, "squared_error": 20.0 - better, "active_units": 3.0}
    if run.labels == "none":
        return {"nll": 100 + seed}
    right = {"condition": 0.95, "blanked": 0.8, "m2": 0.9}[run.labels] + 0.001 * run.seed
    found = {"nll_given_label": 98 + seed + 0.01 * (run.seed % 2)}
    found |= {"conditional_accuracy": right - 0.1, "conditional_accuracy_of_means": right}
    if run.labels == "m2":
        found |= {"nll": 101 + seed, "label_accuracy": 0.9 + 0.1 * math.sqrt(run.label_share)}
    return found


@dataclass(frozen=True)
class Pictured(Study):
    """A study whose models are untrained and whose images are made up."""

    def model(self, run_id: str) -> VAE:
        run = next(r.config for r in expand_grid(self.config) if r.config.run_id == run_id)
        model = VAE(architecture_of(run, 64, 10))
        model.initialize(MemberRNG((run.seed,), torch.device("cpu")).generators("init"))
        return model.eval()

    def dataset_named(self, name: str) -> Dataset:
        return tiny_dataset(side=8)


def pictured(folder: Path, values: dict[str, Any]) -> Study:
    made = make_study(folder, values, measure)
    tables = made.config.directory / "tables"
    runs = pd.read_parquet(tables / "runs.parquet")
    conv = (runs["network"] == "conv").astype(int)
    runs.assign(n_parameters=10_000 + 100 * conv).to_parquet(tables / "runs.parquet")
    timing = runs[["run_id"]].assign(train_seconds=8.0 * (1 + conv), members=1, epochs_timed=4)
    timing.to_parquet(tables / "timing.parquet")
    return Pictured(made.config)
