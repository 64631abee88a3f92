"""Claims on made-up tables whose answers are known: each kind, each verdict, each refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from judging import (
    IWAE,
    SIZES,
    VALUES,
    made_up,
    measure,
    ruling,
)
from studies import make_study
from vaestudy.claims import Ruling, tabulate
from vaestudy.claims.judge import QUICK
from vaestudy.claims.words import claimed_text, interval_text
from vaestudy.config import RunConfig
from vaestudy.study import Study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return made_up(tmp_path_factory.mktemp("study"))


def test_a_difference_is_paired_by_seed(study: Study) -> None:
    found = ruling(study, "difference", {"a": IWAE, "b": {}}, "lower", minimum_effect=0.1)
    assert found.verdict == "supported"
    assert found.decisive is not None
    # Seeds lie ten nats apart: unpaired, the interval would be thirty nats wide.
    assert found.decisive.t.mean == pytest.approx(-2)
    assert found.decisive.t.high - found.decisive.t.low < 0.3
    assert found.decisive.t.n == 5
    assert found.decisive.contrast.label == "IWAE (K=5) − VAE"
    assert len(found.runs) == 10
    assert found.decisive.p_value < 0.025


@pytest.mark.parametrize(
    ("direction", "least", "verdict"),
    [
        ("lower", 0.1, "supported"),
        ("higher", 0.1, "contradicted"),
        ("lower", 3.0, "contradicted"),
        ("lower", 2.0, "undecided"),
        ("within", 0.5, "contradicted"),
        ("within", 5.0, "supported"),
    ],
)
def test_the_least_effect_draws_the_line(
    study: Study, direction: str, least: float, verdict: str
) -> None:
    found = ruling(study, "difference", {"a": IWAE, "b": {}}, direction, minimum_effect=least)
    assert found.verdict == verdict
    small = [note for note in found.notes if "less than the least effect" in note]
    assert bool(small) == (direction == "lower" and least == 3.0)


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        ({"n_z": 50}, {"n_z": 10}, "supported"),  # 0.2 worse: within the margin of half a nat
        ({"n_z": 10}, {"n_z": 50}, "supported"),  # better
        ({"n_z": 2}, {"n_z": 10}, "contradicted"),
    ],
)
def test_no_worse_leaves_a_margin(
    study: Study, a: dict[str, Any], b: dict[str, Any], verdict: str
) -> None:
    found = ruling(study, "no-worse", {"a": a, "b": b}, "lower", minimum_effect=0.5)
    assert found.verdict == verdict
    assert claimed_text(tabulate([found]).iloc[0]) == "below 0.5 nats"
    # Of a metric that is better higher, such as a bound, the margin lies below zero.
    negated = ruling(
        study, "no-worse", {"a": a, "b": b}, "higher", metric="elbo", minimum_effect=0.5
    )
    assert negated.verdict == verdict


def test_equivalence_holds_for_every_pair(study: Study) -> None:
    large, all_ = {**IWAE, "n_z": {"at_least": 10}}, {**IWAE, "n_z": {"at_least": 2}}
    alike = ruling(study, "equivalence", {"alike": [large]}, "within", minimum_effect=0.5)
    assert alike.verdict == "supported"
    assert len(alike.contrasts) == 3
    assert alike.decisive is not None
    assert alike.decisive.contrast.label == "IWAE (K=5), n_z = 50 − IWAE (K=5), n_z = 10"
    unlike = ruling(study, "equivalence", {"alike": [all_]}, "within", minimum_effect=0.5)
    assert unlike.verdict == "contradicted"
    assert unlike.decisive is not None
    assert unlike.decisive.t.mean == pytest.approx(-30, abs=0.3)
    tight = ruling(study, "equivalence", {"alike": [large]}, "within", minimum_effect=0.2)
    assert tight.verdict == "undecided"


def test_an_ordering_needs_every_step(study: Study) -> None:
    def of(sizes: list[int]) -> Ruling:
        order = {"order": [{"n_z": n} for n in sizes]}
        return ruling(study, "ordering", order, "lower", minimum_effect=0.5)

    assert of([2, 10]).verdict == "supported"
    assert of([2, 10, 20]).verdict == "contradicted"  # 20 is 0.1 above 10, not 0.5 below
    assert of([10, 2]).verdict == "contradicted"


def test_an_extremum_beats_each_of_the_others(study: Study) -> None:
    def of(extreme: int, direction: str) -> Ruling:
        others = [{"n_z": n} for n in SIZES if n != extreme]
        return ruling(study, "extremum", {"extreme": {"n_z": extreme}, "others": others}, direction)

    assert of(2, "higher").verdict == "supported"
    assert len(of(2, "higher").contrasts) == 3
    assert of(50, "higher").verdict == "contradicted"
    # Lower than 20 and 50 by little, and than 2 by thirty: the nearest decides.
    lowest = of(10, "lower")
    assert lowest.verdict == "supported"
    assert lowest.decisive is not None
    assert lowest.decisive.contrast.label == "VAE, n_z = 10 − VAE, n_z = 20"


@pytest.mark.parametrize(
    ("than", "direction", "least", "verdict"),
    [
        (9.0, "higher", 0.0, "supported"),
        (12.0, "higher", 0.0, "contradicted"),
        (10.4, "higher", 0.0, "undecided"),
        (10.0, "within", 2.0, "supported"),
        (20.0, "within", 2.0, "contradicted"),
    ],
)
def test_a_level_against_a_number(
    study: Study, than: float, direction: str, least: float, verdict: str
) -> None:
    fields = {"than": than, "metric": "active_units", "minimum_effect": least}
    assert ruling(study, "level", {"of": {}}, direction, **fields).verdict == verdict


def test_a_correlation_is_taken_within_each_seed(study: Study) -> None:
    def of(factor: str, over: dict[str, Any], direction: str) -> Ruling:
        return ruling(study, "correlation", {"factor": factor, "over": [over]}, direction)

    sizes = {"n_z": {"at_least": 10}}
    rising = of("n_z", sizes, "higher")
    assert rising.decisive is not None
    assert rising.decisive.t.mean == pytest.approx(1)
    assert rising.verdict == "supported"
    assert of("n_z", sizes, "lower").verdict == "contradicted"
    assert of("n_z", {"n_z": [10, 20]}, "higher").verdict == "not run"  # two make no trend


@pytest.mark.parametrize(
    ("metric", "of", "mean"),
    [
        ("tightening", IWAE, 1.02),
        ("lowest_active", {}, 1.0),
        ("returned_to_stay", {}, 2.0),
        ("returned_to_stay", {"warmup": "standard"}, 0.0),
        ("epochs_to_1_nat", {"warmup": "standard"}, 2.0),
        ("nll_mean", {"likelihood": "gaussian"}, 152.0),
        ("nll_mean", {}, 120.1),
    ],
)
def test_metrics(study: Study, metric: str, of: dict[str, Any], mean: float) -> None:
    found = ruling(study, "level", {"of": of}, "higher", metric=metric, than=0)
    assert found.decisive is not None
    assert found.decisive.t.mean == pytest.approx(mean)


@pytest.mark.parametrize(
    ("fate", "seeds", "verdict"),
    [
        ("kept", 5, "undecided"),  # of half an event a model, none in five is no rarity: 0.08
        ("kept", 10, "supported"),
        ("back", 5, "contradicted"),  # an event in each of twenty dimensions
    ],
)
def test_events_that_no_model_had_may_still_be_had(
    fate: str, seeds: int, verdict: str, tmp_path: Path
) -> None:
    values = {**VALUES, "seeds": list(range(seeds))}
    study = make_study(tmp_path, values, measure, fates=lambda run: (fate,) * run.n_z)
    fields = {"metric": "returned_to_stay", "than": 0.5}
    found = ruling(study, "level", {"of": {}}, "lower", **fields)
    assert found.verdict == verdict
    if fate == "kept" and seeds == 5:
        assert "where the exact one is 0.00 [0.00, 0.74]" in found.notes[-1]
        assert found.decisive is not None
        assert np.isnan(found.decisive.p_value)


@pytest.mark.parametrize(
    ("rotated", "verdict"),
    [(0, "undecided"), (4, "supported"), (5, "supported")],  # of five models
)
def test_a_share_of_models_has_its_exact_interval(
    rotated: int, verdict: str, tmp_path: Path
) -> None:
    study = make_study(
        tmp_path, VALUES, lambda run: {"rotated_or_mirrored": float(run.seed < rotated)}
    )
    fields = {"metric": "rotated_or_mirrored", "than": 0.1}
    found = ruling(study, "level", {"of": {}}, "higher", **fields)
    assert found.verdict == verdict
    # Clopper and Pearson's interval of four in five; kept verdicts rest on it too.
    if rotated == 4:
        assert found.decisive is not None
        _, _, exact = found.decisive.intervals
        assert (exact.low, exact.high) == pytest.approx((0.2836, 0.9949), abs=1e-4)


def test_an_untrained_models_missing_unit_denies_no_effect(tmp_path: Path) -> None:
    """Every trained model has all its units: that warm-up keeps more cannot show."""
    study = make_study(
        tmp_path, VALUES, measure, fates=lambda run: ("late",) + ("kept",) * (run.n_z - 1)
    )
    fields = {"metric": "lowest_active", "minimum_effect": 1.0}
    found = ruling(study, "difference", {"a": {"warmup": 2}, "b": {}}, "higher", **fields)
    assert found.verdict == "undecided"
    assert "every run has reached the most units that there can be" in found.notes


def test_fewer_than_five_seeds_give_no_verdict(tmp_path: Path) -> None:
    few = make_study(tmp_path, {**VALUES, "seeds": [0, 1, 2, 3]}, measure)
    found = ruling(few, "difference", {"a": IWAE, "b": {}}, "lower")
    assert found.verdict == "undecided"
    assert QUICK in found.notes
    assert found.decisive is not None
    assert found.decisive.t.high < -1.5  # though the numbers are as clear as with five


def test_one_seed_gives_an_estimate_without_interval(tmp_path: Path) -> None:
    one = make_study(tmp_path, {**VALUES, "seeds": [3]}, measure)
    found = ruling(one, "difference", {"a": IWAE, "b": {}}, "lower")
    row = tabulate([found]).iloc[0]
    assert found.verdict == "undecided"
    assert np.isnan(row["low"])
    assert interval_text(row) == "−2.04"


def test_a_diverged_run_drops_its_pair_and_is_told(tmp_path: Path) -> None:
    def diverges(run: RunConfig) -> bool:
        return run.seed == 4 and run.objective == "iwae"

    lost = make_study(tmp_path, VALUES, measure, diverged=diverges)
    found = ruling(lost, "difference", {"a": IWAE, "b": {}}, "lower")
    assert found.decisive is not None
    assert found.decisive.t.n == 4
    assert found.verdict == "undecided"
    assert "1 diverged run left out" in found.notes


def test_what_was_not_trained_is_not_run(study: Study) -> None:
    found = ruling(study, "difference", {"a": {"batch_norm": "hidden"}, "b": {}}, "lower")
    row = tabulate([found]).iloc[0]
    assert (row["verdict"], row["n"], row["runs"]) == ("not run", 0, "")
    assert np.isnan(row["estimate"])


def test_a_pending_claim_is_not_run_and_may_name_what_is_to_come(study: Study) -> None:
    runs = {"a": {"experiment": "plane", "beta": 1}, "b": {}}
    found = ruling(study, "difference", runs, "lower", metric="diamondness", pending="the plane")
    assert found.verdict == "not run"
    assert found.notes == ("waits for the plane",)
    assert tabulate([found]).iloc[0]["title"] == "diamondness"


def test_the_table_says_what_is_claimed_in_words(study: Study) -> None:
    def words(*args: Any, **fields: Any) -> str:
        return claimed_text(tabulate([ruling(study, *args, **fields)]).iloc[0])

    two = {"a": IWAE, "b": {}}
    assert words("difference", two, "lower", minimum_effect=0.1) == "below −0.1 nats"
    assert words("difference", two, "higher", minimum_effect=1) == "above 1 nat"
    assert words("difference", two, "within", minimum_effect=0.5) == "within ±0.5 nats"
    level = {"metric": "active_units", "than": 10, "minimum_effect": 1}
    assert words("level", {"of": {}}, "within", **level) == "from 9 to 11 units"
    over = {"factor": "n_z", "over": [{"n_z": {"at_least": 2}}]}
    assert words("correlation", over, "lower", minimum_effect=0.5) == "below −0.5"
