"""The chapter on points of the plane, on models whose measurements are made up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from builders import CPU
from studies import PLANE, make_study
from vaestudy.checkpoint import save_model
from vaestudy.claims.ledger import load_ledger
from vaestudy.claims.metrics import PLANE_METRICS
from vaestudy.claims.selection import expand
from vaestudy.config import RunConfig, expand_grid
from vaestudy.dataset import save_prepared
from vaestudy.figures.plane import FIGURES, N_POINTS
from vaestudy.figures.plane_data import cells, compare, first_run, mean_of, passage, plane_runs
from vaestudy.figures.plane_prose import (
    read_annealing,
    read_bands,
    read_decay,
    read_edges,
    read_error,
    read_shapes,
    read_snake,
    read_symmetry,
)
from vaestudy.figures.plane_table import shapes_table, square_table
from vaestudy.run_files import RunFiles
from vaestudy.stats import EQUALS
from vaestudy.study import EmptySelectionError, Study
from vaestudy.toys import make_toy
from vaestudy.train import initial_state

mpl.use("Agg")
READERS = (read_annealing, read_bands, read_decay, read_edges, read_error, read_shapes)
READERS += (read_snake, read_symmetry)
EXPERIMENTS: dict[str, Any] = {
    "base": {"title": "base", "vary": {"n_z": [2, 3]}},
    "square": {
        "title": "square",
        "set": PLANE,
        "vary": {"n_z": [2, 1], "beta": [0.001, 0.01, 1], "weight_decay": [0, 0.25, 1]},
    },
    "annealed": {
        "title": "annealed",
        "set": {**PLANE, "warmup": 2},
        "vary": {"beta": [0.01, 1]},
    },
    "shapes": {
        "title": "shapes",
        "set": PLANE,
        "vary": {"dataset": ["ring", "moons"], "beta": [0.001, 0.01]},
    },
}


def measure(run: RunConfig) -> dict[str, float]:
    """Larger with β, λ and annealing, by amounts that differ a little from seed to seed."""
    value = run.beta + run.weight_decay / 100 + (0.001 if run.warmup else 0) + run.seed * 1e-6
    names = [name for name, *_ in PLANE_METRICS]
    found = dict.fromkeys((*names, "energy_distance_of_samples", "nll"), value)
    return {**found, "rotated_or_mirrored": float(run.seed > 0)}


def values(experiments: dict[str, Any]) -> dict[str, Any]:
    base = {"dataset": "mnist-5k", "n_z": 3, "hidden": [5], "epochs": 4}
    return {"study": "toys", "base": base, "seeds": [0, 1, 2], "experiments": experiments}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    made = make_study(tmp_path_factory.mktemp("toys"), values(EXPERIMENTS), measure)
    directory = made.config.directory
    for run in (declared.config for declared in expand_grid(made.config)):
        if run.is_stacked:
            state = initial_state((run,), 2, CPU)
            save_model(state.model, 0, run, RunFiles(directory / "runs" / run.run_id).model)
    for name in ("square", "ring", "moons"):
        save_prepared(make_toy(name), directory / "data" / f"{name}.safetensors")
    _write_history(made)
    return made


def _write_history(study: Study) -> None:
    runs = study.table("runs")["run_id"]
    rows = [
        (run_id, epoch, split, metric, -1.5 if metric == "reconstruction" else 1.0)
        for run_id in runs
        for epoch in range(1, 5)
        for split, metric in (("train", "beta"), ("test", "reconstruction"), ("test", "kl"))
    ]
    table = pd.DataFrame(rows, columns=["run_id", "epoch", "split", "metric", "value"])
    table.to_parquet(study.config.directory / "tables" / "history.parquet")


@pytest.fixture
def without(tmp_path: Path) -> Study:
    """A study that has no points in the plane."""
    return make_study(tmp_path, values({"base": EXPERIMENTS["base"]}), measure)


def test_runs_are_found_whatever_the_base_model_is(study: Study) -> None:
    assert len(plane_runs(study)) == 2 * 9 * 3
    assert set(plane_runs(study, warmup=2)["beta"]) == {0.01, 1}
    assert len(cells(study, 1)) == 9
    assert first_run(study, n_z=1, beta=1, weight_decay=0.25)["seed"] == 0
    with pytest.raises(EmptySelectionError, match="no finished run of 'toys'"):
        plane_runs(study, beta=7)


def test_means_and_differences(study: Study) -> None:
    low, high = ({"n_z": 2, "beta": b, "weight_decay": 0.0} for b in (0.001, 0.01))
    mean = mean_of(study, "trustworthiness", **low)
    assert mean.mean == pytest.approx(0.001 + 1e-6)
    assert mean.n == 3
    gap = compare(study, "trustworthiness", high, low)
    assert (gap.mean, gap.low, gap.high) == pytest.approx((0.009, 0.009, 0.009))


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_every_figure_draws(study: Study, name: str) -> None:
    drawing = FIGURES[name](study)
    drawing.figure.canvas.draw()
    known = set(study.table("runs")["run_id"])
    assert drawing.runs
    assert set(drawing.runs) <= known
    assert len(drawing.data)


def test_a_grid_shows_codes_of_the_first_seed(study: Study) -> None:
    drawing = FIGURES["square-plane"](study)
    assert len(drawing.figure.axes) == 2 * 9 + 1
    assert len(drawing.data) == 9 * N_POINTS
    run = first_run(study, n_z=2, beta=1.0, weight_decay=0.25)
    own = drawing.data.query("beta == 1 and weight_decay == 0.25")
    want = passage(study, run)
    np.testing.assert_allclose(own[["z_1", "z_2"]], want.codes[:N_POINTS], atol=1e-3)
    np.testing.assert_allclose(own[["x_1", "x_2"]], want.points[:N_POINTS], atol=1e-3)


def test_heat_maps_hold_means_and_intervals(study: Study) -> None:
    data = FIGURES["square-line-statistics"](study).data
    cell = data[(data["beta"] == 1) & (data["weight_decay"] == 0.25)]
    length = cell[cell["metric"] == "decoder_curve_length"].iloc[0]
    assert length["mean"] == pytest.approx(1.002501)
    assert length["low"] < length["mean"] < length["high"]


def test_weight_decay_grows_downwards_as_in_the_pictures(study: Study) -> None:
    axes = FIGURES["square-plane-statistics"](study).figure.axes[0]
    assert axes.images[0].origin == "upper"
    decays = [float(label.get_text()) for label in axes.get_yticklabels()]
    assert decays == sorted(decays)
    assert axes.get_ylim()[0] > axes.get_ylim()[1]


def test_no_two_kl_weights_fall_together_at_the_axis_end(study: Study) -> None:
    axes = FIGURES["square-annealing"](study).figure.axes[0]
    heights = [axes.transData.transform((1, weight))[1] for weight in (0, 0.001, 0.01, 1)]
    assert min(np.diff(heights)) > 0.1 * (heights[-1] - heights[0])


def test_the_squared_error_of_annealing_is_the_reconstructions(study: Study) -> None:
    data = FIGURES["square-annealing"](study).data
    errors = data.loc[data["metric"] == "squared error", "mean"]
    assert errors.to_numpy() == pytest.approx(1.5 - np.log(np.pi))
    assert set(data["curve"]) == {
        *("fixed at 0.001", "fixed at 0.01", "fixed at 1", "0 to 0.01", "0 to 1")
    }


def test_tables_have_a_row_a_combination(study: Study) -> None:
    shown, numbers, runs = square_table(study, 2)
    assert len(shown) == 9
    assert len(runs) == 27
    assert shown.loc[0, "Energy distance to prior"] == "0.0010 ± 0.0000"
    assert shown.loc[0, "Trustworthiness"] == "0.001 ± 0.000"
    assert set(numbers["n"]) == {3}
    shapes, _, _ = shapes_table(study)
    assert shapes["Shape"].tolist() == ["square"] * 2 + ["ring"] * 2 + ["moons"] * 2
    assert "Class purity" in shapes


def test_sentences_say_what_the_intervals_say(study: Study) -> None:
    decay = read_decay(study)
    assert "diamondness changes by +0.003 [+0.002, +0.003] at $\\lambda = 0.25$ and" in decay
    assert decay.endswith(f"(n{EQUALS}3; the interval excludes zero everywhere).")
    assert "The share changes by +0.009 [+0.009, +0.009] at $\\beta = 0.01$" in read_edges(study)
    assert "quadrant purity is 0.010 [0.010, 0.010]" in read_bands(study)
    assert "+0.0190 [+0.0190, +0.0190] at $\\beta = 0.01$ and $\\lambda = 1$" in read_bands(study)
    # Seeds 1 and 2 of three, at three weights of decay.
    assert "in 6 of 9 models" in read_symmetry(study)
    assert "Its length changes by +0.01 [+0.01, +0.01] at" in read_snake(study)
    assert "more than with 1 fixed" in read_annealing(study)
    assert "more than with 0.001 fixed" in read_annealing(study)
    assert "*moons*: 0.0010 and 0.0010" in read_shapes(study)
    for read in READERS:
        assert "  " not in read(study)


def test_a_study_without_points_says_so(without: Study) -> None:
    for make in (*FIGURES.values(), shapes_table, *READERS):
        with pytest.raises(EmptySelectionError):
            make(without)


def test_claims_mean_one_combination_each(study: Study) -> None:
    shipped = load_ledger(Path(__file__).parents[1] / "report" / "claims.yaml")
    claims = {claim.id: claim for claim in shipped.claims}
    runs = claims["001.annealing-unsatisfactory"].runs
    (risen,), (fixed,) = expand(study, runs.a), expand(study, runs.b)
    assert (risen["beta"], risen["warmup"], risen["epochs"]) == (1, 2, 4)
    assert (fixed["beta"], fixed["hidden"], fixed["n_z"]) == (0.001, "4", 2)
    over = claims["001.weight-decay-makes-diamond"].runs.over[0]
    assert [found["weight_decay"] for found in expand(study, over)] == [0, 0.05, 0.25, 1]
