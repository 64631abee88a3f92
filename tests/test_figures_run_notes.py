"""The appendix's notes on runs: what tells a run from the base model, and so from the others."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from vaestudy.config import expand_grid, load_config
from vaestudy.figures.families import label_of
from vaestudy.figures.run_notes import note_of, weight_note
from vaestudy.parameters import ModelParameters
from vaestudy.study import as_columns

ROOT = Path(__file__).parents[1]


def columns(**changes: object) -> dict[str, object]:
    return as_columns(ModelParameters.model_validate({"dataset": "mnist-5k", **changes}))


def test_a_warm_up_as_long_as_training_is_said_to_end_below_one() -> None:
    runs = pd.DataFrame([columns(epochs=8, warmup=n) for n in (0, 6, 8, 8)])
    # (8 - 1) / 8
    assert weight_note(runs) == (
        " A warm-up as long as training, 8 of 8 epochs, ends with a KL weight of 0.88."
    )
    assert weight_note(runs[runs["warmup"] < 8]) == ""
    cycles = pd.DataFrame([columns(epochs=8, warmup=8, warmup_cycles=4, warmup_rise=0.5)])
    assert weight_note(cycles) == ""


def test_the_base_model_needs_no_note() -> None:
    assert note_of(columns(), columns()) == ""
    assert note_of(columns(n_z=2, objective="iwae", k=5), columns()) == ""


def test_every_parameter_that_the_name_leaves_untold_is_noted() -> None:
    run = columns(
        activation="tanh", binarization="none", epochs=7, hidden=[500], adam_eps=1e-7, batch_size=64
    )
    note = note_of(run, columns(epochs=8))
    assert note == "grey, hidden 500, tanh, 7 epochs, batch 64, $\\epsilon$ = 1e-07"
    assert note_of(columns(output_bias="data"), columns()) == "output bias data"


@pytest.mark.parametrize("path", ["config.yaml", "configs/quick.yaml"])
def test_no_two_runs_of_a_study_read_the_same(path: str) -> None:
    config = load_config(ROOT / path)
    base = as_columns(config.base)
    rows = [{**as_columns(r.config), "seed": r.config.seed} for r in expand_grid(config)]
    read = [(label_of(row), row["n_z"], note_of(row, base), row["seed"]) for row in rows]
    assert len(set(read)) == len(read)
