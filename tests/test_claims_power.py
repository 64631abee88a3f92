"""How often the rule of the claims errs, and how often it finds what is there, by simulation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from studies import make_study
from vaestudy.claims import judge, parse_ledger
from vaestudy.claims.claim import Contrast, Region
from vaestudy.claims.judge import decide, examine
from vaestudy.config import RunConfig


def verdicts(effect: float, noise: float, region: Region, n: int = 5, k: int = 1) -> pd.Series:
    """Shares of verdicts on simulated claims of ``k`` contrasts, all of the same true effect."""
    rng = np.random.default_rng(1)
    found = []
    for _ in range(500 if k == 1 else 200):
        values = rng.normal(effect, noise, size=(k, n))
        contrasts = [Contrast(str(i), pd.Series(row)) for i, row in enumerate(values)]
        found.append(decide(examine(contrasts, region), region)[0])
    return pd.Series(found).value_counts(normalize=True)


LOWER = Region(-np.inf, -0.1)
ALIKE = Region(-0.5, 0.5)


def test_noise_that_swamps_the_effect_leaves_it_undecided() -> None:
    shares = verdicts(effect=-0.2, noise=5.0, region=LOWER)
    assert shares["undecided"] > 0.93


def test_a_large_effect_is_found() -> None:
    assert verdicts(effect=-2.0, noise=0.3, region=LOWER)["supported"] > 0.99
    assert verdicts(effect=+2.0, noise=0.3, region=LOWER)["contradicted"] > 0.99
    # Four standard deviations beyond the least effect: five seeds are enough as a rule.
    assert verdicts(effect=-2.1, noise=0.5, region=LOWER)["supported"] > 0.95


@pytest.mark.parametrize("k", [1, 6])
def test_wrong_verdicts_are_rare_at_the_edge_of_a_claim(k: int) -> None:
    """At the edge either verdict is wrong, and none can be more frequent than there."""
    shares = verdicts(effect=-0.1, noise=0.5, region=LOWER, k=k)
    assert shares.get("supported", 0) <= 0.04
    assert shares.get("contradicted", 0) <= 0.04
    assert shares["undecided"] >= 0.94


def test_two_models_are_not_called_alike_at_the_margin() -> None:
    assert verdicts(effect=0.5, noise=0.1, region=ALIKE).get("supported", 0) <= 0.04
    assert verdicts(effect=0.0, noise=0.05, region=ALIKE)["supported"] > 0.99
    assert verdicts(effect=0.0, noise=2.0, region=ALIKE).get("supported", 0) < 0.01
    assert verdicts(effect=1.0, noise=0.1, region=ALIKE)["contradicted"] > 0.97


def test_a_claim_about_many_needs_all_of_them() -> None:
    region, rng = Region(0, np.inf), np.random.default_rng(0)
    values = [rng.normal(mean, 0.1, 5) for mean in (5, 5, 5, 0.0)]
    contrasts = [Contrast(str(i), pd.Series(v)) for i, v in enumerate(values)]
    verdict, decisive = decide(examine(contrasts, region), region)
    assert verdict == "undecided"
    assert decisive.contrast.label == "3"


@pytest.mark.parametrize(("noise", "verdict"), [(20.0, "undecided"), (0.2, "supported")])
def test_noise_in_the_tables_decides_whether_an_effect_is_found(
    tmp_path: Path, noise: float, verdict: str
) -> None:
    """Two nats between the same two models, in whole studies of five seeds from noisy training."""
    rng = np.random.default_rng(3)

    def measure(run: RunConfig) -> dict[str, float]:
        gain = -2.0 if run.objective == "iwae" else 0.0
        return {"nll": 100 + 10 * run.seed + gain + rng.normal(0, noise)}

    claim = {
        "id": "000.better",
        "source": {"document": "000", "item": "Section 1"},
        "statement": "It is better.",
        "kind": "difference",
        "statistic": {"metric": "nll", "direction": "lower"},
        "runs": {"a": {"objective": "iwae", "k": 5}, "b": {}},
        "minimum_effect": 0.1,
        "figure": "warmup",
    }
    documents = {"000": {"title": "A draft", "cite": "bettencourt2016"}}
    (only,) = parse_ledger({"documents": documents, "claims": [claim]}).claims
    values = {
        "study": "noisy",
        "base": {"dataset": "mnist-5k", "n_z": 20, "hidden": [8], "epochs": 4},
        "seeds": list(range(5)),
        "experiments": {
            "objectives": {
                "title": "Objectives",
                "vary": {"objective": ["elbo", {"objective": "iwae", "k": 5}]},
            }
        },
    }
    found = [judge(only, make_study(tmp_path / str(i), values, measure)) for i in range(10)]
    assert sum(ruling.verdict == verdict for ruling in found) >= 9
