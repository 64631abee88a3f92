"""Levels that differ between studies, and claims across data sets, on made-up tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from studies import make_study
from vaestudy.claims import judge, parse_ledger
from vaestudy.claims.claim import AtLeast
from vaestudy.claims.metrics import METRICS
from vaestudy.claims.selection import expand
from vaestudy.claims.words import claimed_text, minus_text
from vaestudy.config import RunConfig
from vaestudy.study import EmptySelectionError, Study

PLUS: dict[str, Any] = {"binarization": "threshold", "hidden": [5], "epochs": 3}
VALUES: dict[str, Any] = {
    "study": "made-up",
    "base": {"dataset": "mnist-5k", "n_z": 20, "hidden": [8], "epochs": 4},
    "seeds": [0, 1, 2, 3, 4],
    "experiments": {
        "plain": {"title": "plain"},
        "grid": {
            "title": "grid",
            "set": PLUS,
            "vary": {"dataset": ["mnist-5k", "fashion-2k"], "n_z": [2, 5, 30]},
        },
        "more": {"title": "more", "set": PLUS, "vary": {"n_z": [70]}},
    },
}
ANY = {"binarization": "threshold", "hidden": "any", "epochs": "any"}


def measure(run: RunConfig) -> dict[str, float]:
    """All units are used, but of digits no more than ten; clothes lose a third, digits a tenth."""
    clothes = run.dataset == "fashion-2k"
    units = run.n_z if clothes else min(run.n_z, 10)
    kept = 0.6 if clothes else 0.8
    return {
        "nll": 100.0 + run.seed,
        "active_units": float(units),
        "squared_error": (60.0 if clothes else 40.0) / units * (1 + 0.01 * run.seed),
        "test_accuracy": 0.9,
        "reconstruction_accuracy": kept + 0.001 * run.seed * (1 if clothes else -1),
        "nll_of_bottom_variational": 40.0 + run.seed,
        "nll_of_bottom_prior": 50.0 + 1.1 * run.seed,
    }


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return make_study(tmp_path_factory.mktemp("study"), VALUES, measure)


def ruling(study: Study, kind: str, metric: str, runs: dict[str, Any], **fields: Any) -> Any:
    entry = {
        "id": "000.made-up",
        "source": {"document": "000", "item": "Section 1"},
        "statement": "It is so.",
        "kind": kind,
        "statistic": {"metric": metric, "direction": fields.pop("direction", "higher")},
        "runs": runs,
        "minimum_effect": 0.0,
        "figure": "warmup",
        **fields,
    }
    documents = {"000": {"title": "A draft", "cite": "bettencourt2016"}}
    ledger = parse_ledger({"documents": documents, "claims": [entry]})
    return judge(ledger.claims[0], study)


def test_words_stand_for_the_levels_of_a_study(study: Study) -> None:
    (found,) = expand(study, {**ANY, "n_z": 5})
    assert found == {"binarization": "threshold", "hidden": "5", "epochs": 3, "n_z": 5}
    (found,) = expand(study, {**ANY, "dataset": "other", "n_z": "highest"})
    assert (found["dataset"], found["n_z"]) == ("fashion-2k", 30)
    (found,) = expand(study, {**ANY, "n_z": "highest"})
    assert found["n_z"] == 70


def test_levels_have_a_top(study: Study) -> None:
    found = expand(study, {**ANY, "n_z": AtLeast(at_least=5, at_most=30)})
    assert [parameters["n_z"] for parameters in found] == [5, 30]


def test_what_a_study_lacks_is_not_run(study: Study) -> None:
    with pytest.raises(EmptySelectionError):
        expand(study, {"dataset": "other", "n_z": "highest"})
    nothing = {"of": {"activation": "tanh", "epochs": "any"}}
    assert ruling(study, "level", "nll", nothing, than=0).verdict == "not run"


def test_units_gained_are_counted_from_the_fewest_dimensions(study: Study) -> None:
    runs = {"a": {**ANY, "dataset": "other", "n_z": 30}, "b": {**ANY, "n_z": 30}}
    found = ruling(study, "difference", "units_gained", runs)
    assert found.decisive.t.mean == (30 - 2) - (10 - 2)
    assert found.verdict == "supported"


def test_error_removed_is_a_share_of_the_smallest_models(study: Study) -> None:
    runs = {"a": {**ANY, "dataset": "other", "n_z": 30}, "b": {**ANY, "n_z": 30}}
    found = ruling(study, "difference", "error_removed", runs)
    assert found.decisive.t.mean == pytest.approx((1 - 2 / 30) - (1 - 2 / 10))
    itself = ruling(study, "level", "error_removed", {"of": {**ANY, "n_z": 2}}, than=0)
    assert itself.decisive.t.mean == 0


def test_accuracy_lost_compares_across_data(study: Study) -> None:
    runs = {"a": {**ANY, "dataset": "other", "n_z": 2}, "b": {**ANY, "n_z": 2}}
    found = ruling(study, "difference", "lost_accuracy", runs)
    assert found.decisive.t.mean == pytest.approx(0.2 - 0.002 * 2)
    assert found.verdict == "supported"


def test_the_top_half_is_worth_what_the_prior_lacks(study: Study) -> None:
    found = ruling(
        study, "level", "gain_of_the_top", {"of": {**ANY, "n_z": 2}}, than=0, direction="lower"
    )
    assert found.decisive.t.mean == pytest.approx(-10 - 0.1 * 2)
    assert found.verdict == "supported"


def test_the_ledger_of_the_report_takes_the_words() -> None:
    from vaestudy.claims import load_ledger

    root = Path(__file__).resolve().parents[1]
    ours = [c for c in load_ledger(root / "report" / "claims.yaml").claims if c.id[:4] == "002."]
    waiting = {c.id for c in ours if c.pending}
    assert len(ours) > len(waiting)
    assert waiting <= {
        "002.labels-give-clear-digits",
        "002.labels-make-digits-recognisable",
        "002.labels-improve-likelihood",
        "002.convolutions-better",
    }


@pytest.mark.parametrize(
    ("a", "b", "text"),
    [
        ("VAE + BN", "VAE", "VAE + BN − VAE"),
        ("VAE, Gaussian", "VAE", "VAE, Gaussian − VAE"),
        (
            "VAE (β=0.1, L2=0.2), squared error, n_z = 2",
            "VAE (β=0.1), squared error, n_z = 2",
            "VAE (β=0.1, L2=0.2) − VAE (β=0.1), both squared error, n_z = 2",
        ),
        (
            "VAE, n_z = 2, optimizer = adam, epochs = 5",
            "VAE, n_z = 2, optimizer = adagrad, epochs = 5",
            "VAE, optimizer = adam − VAE, optimizer = adagrad, both n_z = 2, epochs = 5",
        ),
    ],
)
def test_a_difference_says_once_what_its_models_share(a: str, b: str, text: str) -> None:
    assert minus_text(a, b) == text


INF = float("inf")


@pytest.mark.parametrize(
    ("low", "high", "unit", "text"),
    [
        (-INF, -0.1, "nats", "below −0.1 nats"),
        (1.0, INF, "nats", "above 1 nat"),
        (-INF, -1.0, "nats an epoch", "below −1 nat an epoch"),
        (1.0, INF, "sides of the square", "above 1 side of the square"),
        (-0.5, 0.5, "nats", "within ±0.5 nats"),
        (9.0, 11.0, "units", "from 9 to 11 units"),
        (103.1466 - 3, 103.1466 + 3, "nats", "from 100.15 to 106.15 nats"),
        (0.1, INF, "share", "above 0.1"),
        (0.95, INF, "", "above 0.95"),
    ],
)
def test_a_region_in_words(low: float, high: float, unit: str, text: str) -> None:
    row = pd.Series({"region_low": low, "region_high": high, "unit": unit})
    assert claimed_text(row) == text


def test_metrics_are_named_for_what_they_are_of_and_counted_in_units() -> None:
    for name, metric in METRICS.items():
        assert metric.unit not in (name, metric.title), name
        if name.endswith("_of_means"):
            assert "decoder means" in metric.title
            assert "samples" not in metric.title
