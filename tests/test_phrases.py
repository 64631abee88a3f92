"""Sentences that all chapters share: differences, verdicts, what was and was not measured."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from judging import VALUES
from studies import make_study
from vaestudy.claims import load_ledger
from vaestudy.config import RunConfig, parse_config
from vaestudy.figures.beyond_prose import _moves
from vaestudy.report import phrases
from vaestudy.report.phrases import change, difference, final_mean, pixels_text, verdict
from vaestudy.stats import EQUALS, Interval, mean_interval
from vaestudy.study import EmptySelectionError, Study

ROOT = Path(__file__).parents[1]
IMPROVES = "000.iwae-improves-likelihood"


def weighted(folder: Path, gain: float, seeds: int = 5, n_samples: int = 5_000) -> Study:
    """An IWAE lowers the NLL by ``gain``, give or take a thousandth."""

    def measure(run: RunConfig) -> dict[str, float]:
        iwae = gain + 0.001 * (run.seed % 2) if run.objective == "iwae" else 0.0
        return {"nll": 100.0 + 10 * run.seed - iwae}

    values = {**VALUES, "seeds": list(range(seeds))}
    return make_study(folder, values, measure, n_samples=n_samples)


@pytest.mark.parametrize(
    ("gain", "seeds", "n_samples", "told"),
    [
        (2.0, 5, 5_000, "supports the statement"),
        # A t interval against zero would support it: the ledger asks for a tenth of a nat.
        (
            0.05,
            5,
            5_000,
            "contradicts, being no more than the least effect that counts, the statement",
        ),
        (-2.0, 5, 5_000, "contradicts the statement"),
        (0.1, 5, 5_000, "leaves the statement undecided"),
        (2.0, 4, 5_000, "supports, as an estimate from 4 seeds and not a verdict, the statement"),
        (
            2.0,
            5,
            100,
            "supports, as an estimate from too few importance samples and not a verdict, the "
            "statement",
        ),
        (2.0, 1, 5_000, "leaves the statement undecided"),
    ],
)
def test_chapters_judge_by_the_ledgers_rule(
    gain: float, seeds: int, n_samples: int, told: str, tmp_path: Path
) -> None:
    assert verdict(weighted(tmp_path, gain, seeds, n_samples), IMPROVES) == told


def test_what_was_not_run_or_is_no_claim_has_no_verdict(tmp_path: Path) -> None:
    study = weighted(tmp_path, 2.0)
    for claim in ("000.bn-speeds", "000.left-out-of-ones-own-ledger"):
        assert verdict(study, claim) == "gives no verdict on the statement"


def test_chapters_name_claims_that_there_are() -> None:
    known = {claim.id for claim in load_ledger(ROOT / phrases.LEDGER).claims}
    files = [*ROOT.glob("notebooks/*.py"), *ROOT.glob("src/vaestudy/figures/*_prose.py")]
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    named = set(re.findall(r"""["'](\d{3}\.[a-z][a-z-]+)["'{]""", text))
    assert len(named) > 8
    # Those that f-strings finish: of the VAE, and of the IWAE.
    named |= {"000.warmup-stops-pruning-iwae", "000.warmup-more-active-vae"}
    assert named <= known


def test_no_difference_on_average_is_not_none() -> None:
    apart = mean_interval([-1.0, 1.0])
    text = f"0.00 [−12.71, 12.71] (n{EQUALS}2)"
    assert change(apart, "more", "less") == f"makes no difference on average ({text}: undecided)"
    assert _moves(apart, "the KL", "nats", 2).startswith("leaves the KL as it was on average (0.00")
    none = mean_interval([0.0, 0.0])
    assert change(none, "more", "less") == f"makes no difference (0.00 [0.00, 0.00] (n{EQUALS}2))"
    assert _moves(none, "the KL", "nats", 2) == "leaves the KL as it was"
    single = Interval(0.0, float("nan"), float("nan"), 1)
    assert "on average" in change(single, "more", "less")


def test_what_was_not_measured_is_an_empty_selection(tmp_path: Path) -> None:
    study = weighted(tmp_path, 2.0)
    with pytest.raises(EmptySelectionError, match="has not measured fid of"):
        final_mean(study, "fid")
    with pytest.raises(EmptySelectionError, match="has not measured fid of"):
        difference(study, "fid", study.iwae, {})


@pytest.mark.parametrize(
    ("binarization", "said"),
    [("dynamic", "afresh"), ("static", "once"), ("threshold", "one half"), ("none", "nothing")],
)
def test_pixels_are_told_as_the_base_model_sees_them(binarization: str, said: str) -> None:
    base = {"binarization": binarization, "likelihood": "bernoulli"}
    text = pixels_text(Study(parse_config({**VALUES, "base": {**VALUES["base"], **base}})))
    assert said in text
    assert ("afresh" in text) == (binarization == "dynamic")
