"""What the chapter on measuring says: no more than intervals decide, and one run's as one run's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from studies import make_study
from vaestudy.config import RunConfig
from vaestudy.figures.measuring_prose import (
    compared,
    read_ceiling,
    read_check,
    read_costs,
    read_counts,
    read_distance,
    read_weighting,
    told,
)
from vaestudy.report.phrases import change
from vaestudy.stats import EQUALS, Interval
from vaestudy.study import EmptySelectionError, Study

VALUES: dict[str, Any] = {
    "study": "made-up",
    "base": {"dataset": "mnist-5k", "n_z": 2, "hidden": [4], "epochs": 5},
    "seeds": [0, 1],
    "experiments": {"base": {"title": "Base"}},
}


def measured(run: RunConfig) -> dict[str, float]:
    """Annealing of the first seed only, the rest of both."""
    found = {"approximation_gap": 2.0, "fid": 10.0}
    values = {name: value + run.seed for name, value in found.items()}
    return {**values, "fid_floor": 1.0} | ({"ais_nll": 100.0} if run.seed == 0 else {})


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return make_study(tmp_path_factory.mktemp("study"), VALUES, measured)


def test_captions_say_what_plus_and_minus_mean() -> None:
    several, single = pd.DataFrame({"label": ["A", "A"]}), pd.DataFrame({"label": ["A", "B"]})
    assert "Monte Carlo" not in compared(several)
    assert "half of the 95 %" not in compared(single)
    assert compared(single).startswith("of one run each, which has no interval: ± is the Monte")
    assert compared(single, paired=True).endswith("as of two independent estimates")
    both = compared(pd.DataFrame({"label": ["A", "A", "B"]}))
    assert "half of the 95 %" in both
    assert both.endswith("of one seed ± is the Monte Carlo standard error, where it is known")


def of(**columns: list[float]) -> pd.DataFrame:
    """Runs of one family."""
    return pd.DataFrame(columns)


def test_one_run_is_told_as_one_run(study: Study) -> None:
    assert told(study, "ais_nll", 2) == f"100.00 (n{EQUALS}1, Monte Carlo error 0.01)"
    assert told(study, "approximation_gap", 1) == f"2.5 [−3.9, 8.9] (n{EQUALS}2)"
    assert read_check(of(bdmc_gap=[1.0], left=[2.0])) == "which is less than that in this one run"
    text = read_costs(of(amortization_gap=[3.0], approximation_gap=[1.0]))
    assert text == "in this one run the second is the larger"
    text = read_counts(of(active_units=[9.0], effective_dimensions=[4.0]))
    assert "outnumber the effective ones, $D_1$, by 5.0 (n" in text
    assert "undecided)" in text
    assert "carry little" not in text


def test_what_intervals_do_not_decide_is_not_said() -> None:
    check = read_check(of(bdmc_gap=[1.0, 3.0], left=[2.0, 2.0]))
    assert check == "which 2 seeds cannot tell from that"
    text = read_costs(of(amortization_gap=[3.0, 9.0], approximation_gap=[1.0, 1.0]))
    assert text == "2 seeds cannot tell which is the larger"
    text = read_counts(of(active_units=[9.0, 50.0], effective_dimensions=[4.0, 4.0]))
    assert "undecided)." in text
    assert "carry little" not in text
    assert "as many" in read_counts(of(active_units=[4.0, 4.0], effective_dimensions=[4.0, 4.0]))
    text = read_counts(of(active_units=[3.0, 5.0], effective_dimensions=[4.0, 4.0]))
    assert text == "It has as many active dimensions as effective ones, $D_1$, on average."


def test_what_intervals_decide_is_said() -> None:
    assert read_check(of(bdmc_gap=[3.0, 3.1], left=[2.0, 2.0])) == "more than that"
    text = read_costs(of(amortization_gap=[3.0, 3.1], approximation_gap=[1.0, 1.0]))
    assert text == "the encoder, not the family, is what costs most"
    text = read_costs(of(amortization_gap=[1.0, 1.1], approximation_gap=[3.0, 3.0]))
    assert text == "the family costs more than the encoder"
    text = read_counts(of(active_units=[9.0, 9.1], effective_dimensions=[4.0, 4.0]))
    assert text.endswith(": the threshold counts dimensions that carry little.")
    fewer = read_counts(of(active_units=[3.0, 3.1], effective_dimensions=[4.0, 4.0]))
    assert "are fewer than the effective ones" in fewer
    assert "carry little" not in fewer


def test_the_ceiling_is_told_where_it_is_reached() -> None:
    runs = of(mutual_information=[2.0, 6.9])
    assert "there is room for models to differ" in read_ceiling(runs, 1000)
    assert "which leaves little room" in read_ceiling(runs[1:], 1000)


def test_the_distance_of_samples_is_told_against_that_of_images(
    study: Study, tmp_path: Path
) -> None:
    # Distances of 10 and 11, against a floor of 1: 10.5 times, by two seeds.
    far = read_distance(study)
    assert far.startswith("10.5 [4.1, 16.9]")
    assert "lie further from training images than digits do" in far
    floor = {"fid_floor": 10.0}
    near = make_study(tmp_path, VALUES, lambda run: measured(run) | floor)
    assert "which 2 seeds cannot tell from equal" in read_distance(near)


def test_what_was_measured_of_others_alone_is_not_told_of_the_base_model(tmp_path: Path) -> None:
    factors = {"objective": ["elbo", {"objective": "iwae", "k": 5}]}
    values = {**VALUES, "experiments": {"factors": {"title": "Factors", "vary": factors}}}

    def partly(run: RunConfig) -> dict[str, float]:
        weighted = run.objective == "iwae"
        own = {"ais_nll": 90.0} if weighted else {"fid": 10.0}
        return {**own, "fid_floor": 1.0, "nll": 90.0 - weighted - 0.01 * run.seed * weighted}

    def say(gap: Interval) -> str:
        return change(gap, "higher by", "lower by")

    study = make_study(tmp_path, values, partly)
    assert read_weighting(study, "nll", say).startswith("lower by 1.0")
    for metric in ("fid", "ais_nll", "approximation_gap"):
        assert read_weighting(study, metric, say) == ""
    with pytest.raises(EmptySelectionError, match="ais_nll"):
        told(study, "ais_nll", 2)
    others = make_study(tmp_path / "others", values, lambda run: {})
    with pytest.raises(EmptySelectionError, match="fid"):
        read_distance(others)
