"""The abstract's and the introduction's sentences about made-up measurements."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studies import make_study
from vaestudy.config import RunConfig
from vaestudy.figures.introduction_prose import read_bias, read_units
from vaestudy.study import Study

VALUES: dict[str, Any] = {
    "study": "made-up",
    "base": {"dataset": "mnist-5k", "n_z": 50, "hidden": [4], "epochs": 5},
    "seeds": [0, 1],
    "experiments": {"base": {"title": "Base"}},
}


def made(folder: Path, **annealing: float) -> Study:
    def measured(run: RunConfig) -> dict[str, float]:
        return {"active_units": 33.0 + 12 * run.seed, **annealing}

    return make_study(folder, VALUES, measured)


def test_units_of_two_seeds_have_a_range_within_what_is_possible(tmp_path: Path) -> None:
    assert read_units(made(tmp_path)) == "39.0 (33 to 45, by seed) of 50 latent dimensions"


def test_the_bias_that_annealing_finds_stands_beside_the_monte_carlo_error(tmp_path: Path) -> None:
    text = read_bias(made(tmp_path, is_nll=102.5, ais_nll=100.0))
    assert "annealed importance sampling finds 2.50 nats more" in text


def test_without_annealing_the_bias_is_named_and_not_numbered(tmp_path: Path) -> None:
    text = read_bias(made(tmp_path))
    assert "not of how far the bound is from tight" in text
    assert "annealed" not in text
