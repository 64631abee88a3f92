"""Weight decay beyond the source's values: kept apart from its grid, and told by intervals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest

from builders import CPU
from studies import PLANE, make_study
from vaestudy.checkpoint import save_model
from vaestudy.claims.metrics import PLANE_METRICS
from vaestudy.config import RunConfig, expand_grid
from vaestudy.dataset import save_prepared
from vaestudy.figures.plane_data import cells, levels, plane_runs
from vaestudy.figures.plane_decay import decay_table, draw_decay, read_left, read_onset
from vaestudy.figures.plane_prose import decays
from vaestudy.run_files import RunFiles
from vaestudy.study import EmptySelectionError, Study
from vaestudy.toys import make_toy
from vaestudy.train import initial_state

mpl.use("Agg")
BETAS = [0.001, 0.01]
GRID = {
    "title": "grid",
    "set": PLANE,
    "vary": {"beta": BETAS, "weight_decay": [0, 0.25, 1]},
}
STRONGER = {**GRID, "vary": {"beta": BETAS, "weight_decay": [4, 8, 105]}}


def measure(run: RunConfig) -> dict[str, float]:
    """Near zero: rarer from 4 on. Purity: lower at 4 and 105, not at 8. At the high β neither."""
    noise = 0.001 * run.seed * (1 + run.weight_decay / 105)
    near_zero = 0.0 if run.weight_decay >= 4 and run.beta < 0.01 else 0.1
    purity = 0.3 if run.weight_decay in (4, 105) and run.beta < 0.01 else 0.9
    named = dict.fromkeys((name for name, *_ in PLANE_METRICS), 1.0)
    return {**named, "share_near_zero": near_zero + noise, "class_purity": purity - noise / 100}


def study_of(folder: Path, experiments: dict[str, Any]) -> Study:
    base = {"dataset": "mnist-5k", "n_z": 3, "hidden": [5], "epochs": 4}
    values = {"study": "decay", "base": base, "seeds": [0, 1, 2], "experiments": experiments}
    return make_study(folder, values, measure)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    made = study_of(tmp_path_factory.mktemp("decay"), {"grid": GRID, "stronger": STRONGER})
    directory = made.config.directory
    for run in (declared.config for declared in expand_grid(made.config)):
        state = initial_state((run,), 2, CPU)
        save_model(state.model, 0, run, RunFiles(directory / "runs" / run.run_id).model)
    save_prepared(make_toy("square"), directory / "data" / "square.safetensors")
    return made


def test_the_grid_is_the_sources_alone(study: Study) -> None:
    assert levels(plane_runs(study), "weight_decay") == [0, 0.25, 1]
    assert decays(study, 2) == [0.25, 1]
    assert len(cells(study, 2)) == 6
    assert len(plane_runs(study, weight_decay=8)) == 2 * 3


def test_the_table_goes_on_from_the_sources_strongest(study: Study) -> None:
    shown, numbers, runs = decay_table(study)
    assert list(shown["$\\lambda$"]) == ["0", "1", "4", "8", "105"] * 2
    assert len(runs) == 10 * 3
    assert set(numbers["n"]) == {3}


def test_effects_are_told_from_where_all_stronger_weights_have_them(study: Study) -> None:
    said = read_onset(study)
    low, high = said.removeprefix("Against no weight decay, ").split("; ")
    assert "from $\\lambda = 4$ on values near zero are rarer, there by 0.100 [" in low
    # Not at 8, so not from 4 on.
    assert "from $\\lambda = 105$ on quadrant purity is lower, there by 0.600 [" in low
    assert high.count("of no weight is it sure that from there on") == 2


def test_what_is_left_of_the_square_is_told_by_purity(study: Study) -> None:
    # At 4 and 105 and the low KL weight 0.3, all else 0.9.
    assert read_left(study) == (
        "By their purity, 0.35 to 0.65, no model has one left; below that, so that both have been "
        "given up and the code says nothing, are 3 of 6 at $\\lambda = 4$, 3 of 6 at "
        "$\\lambda = 105$."
    )


def test_the_figure_draws_what_the_table_has_but_none(study: Study) -> None:
    drawing = draw_decay(study)
    drawing.figure.canvas.draw()
    assert set(drawing.data["weight_decay"]) == {1, 4, 8, 105}
    assert len(drawing.runs) == 2 * 4


def test_a_study_without_it_has_nothing_to_tell(tmp_path: Path) -> None:
    plain = study_of(tmp_path, {"grid": GRID})
    with pytest.raises(EmptySelectionError, match="no weight decay above 1"):
        decay_table(plain)
