"""The chapter on implementing, on made-up tables whose answers are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
import pytest
from tests.builders import tiny_dataset

from vaestudy.config import expand_grid, parse_config
from vaestudy.convergence import epochs_to_within, roughness
from vaestudy.dataset import Dataset
from vaestudy.figures.implementing import FIGURES
from vaestudy.study import EmptySelectionError, Study

mpl.use("Agg")
EPOCHS = 6

VALUES: dict[str, Any] = {
    "study": "made-up",
    "base": {"dataset": "mnist-5k", "n_z": 5, "hidden": [8], "epochs": EPOCHS},
    "seeds": [0, 1, 2],
    "experiments": {
        "factors": {
            "title": "factors",
            "vary": {
                "objective": ["elbo", {"objective": "iwae", "k": 5}],
                "batch_norm": ["none", "hidden"],
                "warmup": [0, 2],
            },
        },
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


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The test bound of seed s after epoch e is -100 - s - 8 / 2^e; training's is 1 higher."""
    directory = tmp_path_factory.mktemp("study")
    config = parse_config({**VALUES, "results_dir": str(directory)})
    runs, history, evaluation = [], [], []
    for run in expand_grid(config):
        row = {**run.config.model_dump(mode="json"), "hidden": "8", "status": "finished"}
        run_id, seed = run.config.run_id, run.config.seed
        runs.append({"run_id": run_id, "combination_id": run.config.combination_id, **row})
        for epoch in range(EPOCHS + 1):
            bound = -100 - seed - 8 / 2**epoch
            for split, value in (("test", bound), ("train", bound + 1)):
                history.append((run_id, epoch, split, "bound", value))
        evaluation.append((run_id, "nll", 100.0 + seed))
    tables = {
        "runs": pd.DataFrame(runs),
        "history": pd.DataFrame(history, columns=["run_id", "epoch", "split", "metric", "value"]),
        "evaluation": pd.DataFrame(evaluation, columns=["run_id", "metric", "value"]),
    }
    folder: Path = config.directory / "tables"
    folder.mkdir(parents=True)
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet")
    return MadeUp(config)


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_draws_and_tells_what(study: Study, name: str, tmp_path: Path) -> None:
    drawing = FIGURES[name](study)
    drawing.figure.savefig(tmp_path / "figure.png", dpi=40)
    assert len(drawing.data)
    known = set(study.table("runs")["run_id"])
    assert set(drawing.runs) <= known
    if name not in ("architecture", "initialization"):
        assert drawing.runs


def test_curves_are_means_over_seeds_with_their_range(study: Study) -> None:
    data = FIGURES["importance-weighting"](study).data
    last = data[(data["curve"] == "VAE") & (data["epoch"] == EPOCHS) & (data["split"] == "test")]
    row = last.iloc[0]
    expected = -101 - 8 / 2**EPOCHS
    assert (row["mean"], row["low"], row["high"]) == pytest.approx(
        (expected, expected - 1, expected + 1)
    )
    finals = data[(data["curve"] == "VAE") & (data["metric"] == "nll")]
    assert sorted(finals["value"]) == [100.0, 101.0, 102.0]


def test_each_axis_shows_the_runs_it_names(study: Study) -> None:
    runs = study.table("runs").set_index("run_id")
    sweep = runs.loc[list(FIGURES["warmup-sweep"](study).runs)]
    assert set(sweep["warmup"]) == {0, 1, 2}
    assert set(sweep["objective"]) == {"elbo"}
    sizes = runs.loc[list(FIGURES["latent-dimension"](study).runs)]
    assert set(sizes["n_z"]) == {2, 5}
    assert set(sizes["warmup"]) == {0}


def test_epochs_to_within_a_nat(study: Study) -> None:
    found = epochs_to_within(study, study.runs())
    # 8 / 2^e - 8 / 2^6 <= 1 first at e = 3, where it is 1 - 1/8.
    assert found["epochs_to"].tolist() == [3, 3, 3]
    assert epochs_to_within(study, study.runs(), 2.0)["epochs_to"].tolist() == [2, 2, 2]


def test_a_smooth_curve_is_less_rough_than_its_steps(study: Study) -> None:
    assert (roughness(study, study.runs()) < 0.3).all()


def test_selection_is_relative_to_the_base_model(study: Study) -> None:
    assert len(study.runs()) == 3
    assert len(study.runs(warmup=...)) == 9
    assert study.levels("n_z", **study.iwae) == [2, 5]
    assert study.warmup == {"warmup": 2}
    assert study.iwae == {"objective": "iwae", "k": 5}
    assert not study.has(n_z=77)
    with pytest.raises(EmptySelectionError, match="n_z"):
        study.runs(n_z=77)
    with pytest.raises(KeyError, match="nz"):
        study.runs(nz=2)
