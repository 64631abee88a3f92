"""A made-up study of every objective, whose answers are known, for the chapter beyond the paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from vaestudy.config import RunConfig, expand_grid, parse_config
from vaestudy.figures.beyond_data import Member
from vaestudy.figures.families import label_of
from vaestudy.objectives import beta_schedule
from vaestudy.study import Study

EPOCHS = 4
CYCLES = {"objective": "elbo", "warmup": 4, "warmup_cycles": 2, "warmup_rise": 0.5}
WEIGHTED = [
    {"objective": "iwae", "k": 4},
    {"objective": "iwae-stl", "k": 4},
    {"objective": "dreg", "k": 4},
    {"objective": "miwae", "k": 4, "k_groups": 2},
    {"objective": "piwae", "k": 4, "k_groups": 2},
    {"objective": "ciwae", "k": 4, "elbo_share": 0.5},
]
LEVELS = [
    "elbo",
    {"objective": "elbo", "beta": 0.5},
    {"objective": "elbo", "beta": 4.0},
    CYCLES,
    {"objective": "free-bits", "free_bits": 0.1},
    "elbo-sampled",
    "stl",
    {"objective": "iwae", "k": 2},
    *WEIGHTED,
]
#: By label: NLL, active units, ratios of encoder and decoder, of seed 0.
MEANS = {
    "VAE": (100.0, 3.0, 0.4, 0.6),
    "VAE (β=4)": (110.0, 1.0, 0.5, 0.6),
    "VAE, free bits (λ=0.1)": (101.0, 4.0, 0.4, 0.6),
    "IWAE (K=4)": (97.0, 3.0, 0.2, 0.9),
    "IWAE, DReG (K=4)": (97.0, 3.0, 0.8, 0.9),
}


def values(experiments: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "study": "made-up",
        "base": {"dataset": "mnist-5k", "n_z": 4, "hidden": [4], "epochs": EPOCHS},
        "seeds": [0, 1, 2],
        "experiments": experiments,
        **changes,
    }


def vary(**levels: Any) -> dict[str, Any]:
    return {"title": "t", "vary": levels}


EVERYTHING = {
    "beyond": {**vary(objective=LEVELS), "gradients": True},
    "warmup": vary(warmup=[0, 2]),
    "grey": {**vary(likelihood=["bernoulli", "gaussian"]), "set": {"binarization": "none"}},
}


def measured(run: RunConfig) -> dict[str, float]:
    """Seeds add 1 to every NLL and 0.01 to every ratio; odd seeds of STL take 3 off the NLL."""
    nll, units, encoder, decoder = MEANS.get(
        label_of(run.model_dump()),
        (100.0 - 3 * (run.objective == "stl") * (run.seed % 2), 3, 0.4, 0.6),
    )
    seed = run.seed
    found = {"nll": nll + seed, "active_units": units, "kl": 20 / run.beta, "squared_error": 9.0}
    found |= {"reconstruction": -80.0 - 4 * run.beta, "elbo": -90.0 - seed}
    if run.binarization == "none":
        return {**found, "nll_continuous": -500.0 - seed}
    ratios = {"gradient_snr_encoder": encoder, "gradient_snr_decoder": decoder}
    found["gradient_variance_encoder"] = 300.0 - 50 * (run.objective == "dreg") + seed
    return found | {name: value + 0.01 * seed for name, value in ratios.items()}


def make_study(folder: Path, experiments: dict[str, Any], **changes: Any) -> Study:
    """Training takes 8 s a job of two models and four epochs, and K times that of K samples."""
    config = parse_config(values(experiments, results_dir=str(folder), **changes))
    runs, history, units, evaluation, timing = [], [], [], [], []
    for declared in expand_grid(config):
        run = declared.config
        names = {"run_id": run.run_id, "combination_id": run.combination_id, "status": "finished"}
        runs.append({**names, **run.model_dump(mode="json"), "hidden": "4"})
        for epoch in range(EPOCHS + 1):
            history += [
                (run.run_id, epoch, split, metric, -100.0 + epoch + run.seed)
                for split in ("train", "test")
                for metric in ("elbo", "bound", "kl")
            ]
            if epoch:
                history.append((run.run_id, epoch, "train", "beta", beta_schedule(run, epoch)))
            units += [(run.run_id, epoch, u, 0.5 * (u < 3) + 0.001, 0.2) for u in range(4)]
        evaluation += [(run.run_id, m, v, 500) for m, v in measured(run).items()]
        timing.append((run.run_id, 8.0 * run.k, 2, EPOCHS))
    tables = {
        "runs": pd.DataFrame(runs),
        "history": pd.DataFrame(history, columns=["run_id", "epoch", "split", "metric", "value"]),
        "units": pd.DataFrame(units, columns=["run_id", "epoch", "unit", "activity", "kl"]),
        "evaluation": pd.DataFrame(evaluation, columns=["run_id", "metric", "value", "n_samples"]),
        "timing": pd.DataFrame(
            timing, columns=["run_id", "train_seconds", "members", "epochs_timed"]
        ),
    }
    (config.directory / "tables").mkdir(parents=True)
    for name, table in tables.items():
        table.to_parquet(config.directory / "tables" / f"{name}.parquet")
    return Study(config)


def member_of(members: list[Member], label: str) -> Member:
    return next(m for m in members if m.label == label)
