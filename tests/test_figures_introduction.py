"""The abstract's and the introduction's sentences about made-up measurements."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from studies import make_study
from vaestudy.config import RunConfig
from vaestudy.figures.introduction_prose import (
    read_bias,
    read_outcome,
    read_units,
    tell_outcome,
)
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


def verdicts(*found: str, sufficient: bool = True) -> pd.DataFrame:
    rows = [{"verdict": verdict, "n": 5, "sufficient": sufficient} for verdict in found]
    return pd.DataFrame(rows, columns=["verdict", "n", "sufficient"])


def test_the_abstract_tells_what_was_decided() -> None:
    own = verdicts("supported", "supported", "contradicted")
    waiting = pd.DataFrame({"verdict": ["not run"], "n": [0], "sufficient": [False]})
    claims = pd.concat([own, waiting], ignore_index=True)
    assert tell_outcome(claims, verdicts()) == (
        "Of the sources' 4 claims this study has run 3 and tested 3 with enough seeds: "
        "2 supported, 1 contradicted (@sec:claims)."
    )


def test_the_abstract_of_a_small_study_tells_what_longer_ones_decided() -> None:
    own = verdicts("undecided", "undecided", sufficient=False)
    assert tell_outcome(own, verdicts("supported", "undecided")) == (
        "Of the sources' 2 claims this study has run 2 and, for want of seeds or samples, decides "
        "none; longer studies have tested 2: 1 supported, 1 undecided (@sec:claims)."
    )


def test_claims_are_judged_by_the_ledger(tmp_path: Path) -> None:
    text = read_outcome(made(tmp_path))
    # The one of how many units the base model has.
    assert "this study has run 1 and, for want of seeds or samples, decides none" in text
    assert text.endswith("(@sec:claims).")
