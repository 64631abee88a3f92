"""Levels that differ between studies, and claims across data sets, on made-up tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from studies import make_study
from vaestudy.claims import judge, load_ledger, parse_ledger, tabulate
from vaestudy.claims.claim import AtLeast
from vaestudy.claims.metrics import METRICS, PLANE_METRICS
from vaestudy.claims.selection import expand
from vaestudy.claims.words import (
    bootstrap_text,
    claimed_text,
    compared_text,
    interval_text,
    minus_text,
    sources_text,
)
from vaestudy.config import RunConfig
from vaestudy.study import EmptySelectionError, Study

SHIPPED = Path(__file__).resolve().parents[1] / "report" / "claims.yaml"
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
    ours = [c for c in load_ledger(SHIPPED).claims if c.id[:4] == "002."]
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


def test_what_is_counted_in_no_unit_is_of_the_order_of_one() -> None:
    # Claims of one unit share an axis, and those without one share a panel.
    assert METRICS["fid_of_means"].unit == "squared features"
    assert claimed_text(row_of(0.0, 0.0, 0.0, region_high=-10, unit="squared features")) == (
        "below −10 squared features"
    )


def row_of(estimate: float, low: float, high: float, **fields: Any) -> pd.Series:
    values = {
        "estimate": estimate, "low": low, "high": high,
        "bootstrap_low": low, "bootstrap_high": high, "region_low": -INF, "region_high": 0.5,
        "kind": "difference", "n": 5, "digits": 2, "title": "test NLL",
        "split": "test", "compared": "VAE", "unit": "",
    }  # fmt: skip
    return pd.Series({**values, **fields})


@pytest.mark.parametrize(
    ("span", "text"),
    [
        ((-1.0, 1.0), "+0.80 [−0.75, +1.00]"),
        ((-0.5, 1.5), "+0.80 [−0.50, +1.50]"),
        ((-INF, INF), "+0.80 [−0.75, +2.35]"),
    ],
)
def test_an_interval_is_shown_as_far_as_its_statistic_goes(
    span: tuple[float, float], text: str
) -> None:
    row = row_of(0.8, -0.75, 2.35, lowest=span[0], highest=span[1])
    assert interval_text(row) == text
    assert bootstrap_text(row) == text.partition(" ")[2]


@pytest.mark.parametrize("kind", ["level", "difference", "correlation"])
def test_the_table_says_how_far_a_statistic_goes_and_is_itself_not_cut(
    study: Study, kind: str
) -> None:
    two = {"a": {**ANY, "dataset": "other", "n_z": 2}, "b": {**ANY, "n_z": 2}}
    cases: dict[str, tuple[str, dict[str, Any], dict[str, Any], tuple[int, int]]] = {
        "level": ("reconstruction_accuracy", {"of": {**ANY, "n_z": 2}}, {"than": 0.5}, (0, 1)),
        "difference": ("lost_accuracy", two, {}, (-2, 2)),
        "correlation": (
            "active_units",
            {"factor": "n_z", "over": [{**ANY, "n_z": {"at_least": 2, "at_most": 30}}]},
            {},
            (-1, 1),
        ),
    }
    metric, runs, than, span = cases[kind]
    row = tabulate([ruling(study, kind, metric, runs, **than)]).iloc[0]
    assert (row["lowest"], row["highest"]) == span
    assert row["low"] <= row["estimate"] <= row["high"]


def test_shares_among_the_metrics_end_at_nothing_and_all() -> None:
    names = {name for name, *_ in PLANE_METRICS if "share" in name} | {"reconstruction_accuracy"}
    assert {METRICS[name].span for name in names} == {(0, 1)}
    assert METRICS["nll"].span == (-INF, INF)
    assert METRICS["returned_to_stay"].span == (0, INF)


@pytest.mark.parametrize(
    ("values", "edge", "text"),
    [
        # 0.0055 below the edge: with two decimals it would stand on it.
        ((1.0045, 1.0040, 1.0050), 1.01, "1.0045 [1.0040, 1.0050]"),
        # Half of the interval is known to no more than this.
        ((0.0015, -0.3, 0.303), 0.5, "0.00 [−0.30, 0.30]"),
        # No interval that has a width reads as having none.
        ((0.792, 0.7906, 0.7934), 0.99, "0.792 [0.791, 0.793]"),
        ((50.0, 50.0, 50.0), 11.0, "50.00 [50.00, 50.00]"),
        ((-2.04, float("nan"), float("nan")), 0.0, "−2.04"),
    ],
)
def test_decimals_carry_what_is_said_of_an_interval(
    values: tuple[float, float, float], edge: float, text: str
) -> None:
    assert interval_text(row_of(*values, region_high=edge, kind="level")) == text


@pytest.mark.parametrize(
    ("compared", "text"),
    [
        ("VAE, n_z = 2, optimizer = adamax", "VAE, n_z = 2, AdaMax"),
        ("VAE, dataset = square − VAE, both n_z = 2", "VAE, on square − VAE, both n_z = 2"),
        ("VAE + WU, warmup = 150, epochs = 17", "VAE + WU, warm-up of 150 epochs, 17 epochs"),
        (
            "VAE (β=0.01, L2=0.25), batch_size = 50",
            "VAE (β=0.01, weight decay 0.25), batch size 50",
        ),
        ("rank correlation with weight_decay", "rank correlation with weight decay"),
        ("rank correlation with n_z", "rank correlation with n_z"),
    ],
)
def test_parameters_are_told_in_words(compared: str, text: str) -> None:
    assert compared_text(row_of(1, 1, 1, compared=compared)) == f"test NLL: {text}"


def test_the_key_of_sources_has_title_and_citation_of_those_there_are() -> None:
    documents = load_ledger(SHIPPED).documents
    assert sources_text(documents, ["002", "001", "002", "999"]) == (
        "001, *A 2-D uniform distribution through a Gaussian latent space* [@idler2022]; "
        "002, *Variational AutoEncoder++* [@chen2021]"
    )
