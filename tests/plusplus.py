"""A small trained study of VAE++'s models, with what a classifier would say made up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from builders import CPU, tiny_dataset
from vaestudy.config import Run, expand_grid, parse_config
from vaestudy.dataset import Dataset, save_prepared
from vaestudy.examine import examine_group
from vaestudy.groups import group_runs
from vaestudy.jobs import train_group
from vaestudy.measure import measure_group
from vaestudy.study import Study
from vaestudy.tables import build_tables, write_tables

PLUS: dict[str, Any] = {
    "binarization": "threshold",
    "hidden": [5],
    "activation": "tanh",
    "epochs": 2,
    "batch_size": 30,
    "adam_eps": 1e-8,
    "n_z": 2,
}
VALUES: dict[str, Any] = {
    "study": "made-up",
    "base": {"dataset": "mnist-5k", "n_z": 4, "hidden": [4], "epochs": 1, "batch_size": 45},
    "seeds": [0, 1],
    "experiments": {
        "base": {"title": "base"},
        "larger-latent": {"title": "a", "set": PLUS, "vary": {"n_z": [2, 3, 5]}},
        "latent-grid": {
            "title": "b",
            "set": PLUS,
            "vary": {"dataset": ["mnist-5k", "fashion-2k"], "n_z": [2, 5]},
        },
        "divergences": {
            "title": "c",
            "set": PLUS,
            "vary": {
                "objective": [
                    "jensen-shannon",
                    {"objective": "geometric-js", "js_skew": 0.5},
                    "half-joint",
                ]
            },
        },
        "samples": {
            "title": "d",
            "set": PLUS,
            "vary": {"objective": [{"objective": "iwae", "k": 5}, {"objective": "iwae", "k": 10}]},
        },
        "grey": {
            "title": "e",
            "set": {**PLUS, "binarization": "none"},
            "vary": {"likelihood": ["bernoulli", "gaussian", "continuous-bernoulli", "beta"]},
        },
        "halves": {"title": "f", "set": PLUS},
    },
    "evaluation": {
        "n_samples": 5,
        "missing": {"experiments": ["halves"], "n_images": 4, "n_samples": 20},
    },
}


def named(name: str) -> Dataset:
    made = tiny_dataset()
    return Dataset.build(name, made.arrays, made.image_shape, made.source)


def train(folder: Path, values: dict[str, Any]) -> Study:
    """What the workflow does, in one process."""
    config = parse_config({**values, "results_dir": str(folder)})
    declared, study = expand_grid(config), Study(config)
    datasets = {name: named(name) for name in {run.config.dataset for run in declared}}
    for name, dataset in datasets.items():
        save_prepared(dataset, config.directory / "data" / f"{name}.safetensors")
    groups = group_runs([run.config for run in declared], 2)
    for group in groups:
        dataset, runs_dir = datasets[group.runs[0].dataset], config.directory / "runs"
        train_group(
            group.runs, dataset, runs_dir, device=CPU, checkpoint_every=9, compile_policy="never"
        )
        measured = [
            measure_group(
                group.runs,
                dataset,
                runs_dir,
                device=CPU,
                n_samples=config.evaluation.n_samples,
                threshold=0.01,
                compile_policy="never",
            ),
            examine_group(
                group.runs,
                {run.run_id: e for run in group.runs if (e := config.examination_of(run))},
                dataset,
                runs_dir,
                classifier=None,
                n_samples=5,
                device=CPU,
            ),
            judged(declared, group.runs),
        ]
        out = config.directory / "groups" / group.group_id
        out.mkdir(parents=True)
        pd.concat([part for part in measured if len(part)]).to_parquet(out / "evaluation.parquet")
    tables = build_tables(declared, groups, list(datasets.values()), config.directory)
    write_tables(tables, config.directory / "tables")
    return study


def judged(declared: list[Run], runs: tuple[Any, ...]) -> pd.DataFrame:
    """What a classifier would say: made up, for there is none of images of four by four."""
    values = {
        "fid_of_means": lambda run: 900 - 100 * run.n_z,
        "test_accuracy": lambda run: 0.9,
        "reconstruction_accuracy": lambda run: 0.6 if run.dataset == "fashion-2k" else 0.8,
    }
    rows = [
        (run.run_id, name, f(run), None, None, 33) for run in runs for name, f in values.items()
    ]
    names = ["run_id", "metric", "value", "standard_error", "n_samples", "n_data"]
    table = pd.DataFrame(rows, columns=names)
    return table.astype({"standard_error": "Float64", "n_samples": "Int64"})
