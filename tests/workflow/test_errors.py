"""What stops the workflow before its first job, with one message that names the remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from checkout import Checkout


def vary(**levels: Any) -> dict[str, Any]:
    return {"experiments": {"sizes": {"title": "Sizes", "vary": levels}}}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"max_member": 2}, ("max_member:", "did you mean max_members?", "valid keys here: base")),
        ({"base": {"n_zz": 2}}, ("base.n_zz:", "did you mean n_z?", "learning_rate")),
        ({"base": {"n_z": -1}}, ("base.n_z: got -1", "greater than 0")),
        ({"base": {"n_z": "five"}}, ("base.n_z: got 'five'", "a whole number")),
        (vary(k=[0]), ("experiments.sizes", "k: got 0", "greater than 0")),
        (
            vary(likelihood=["cauchy"]),
            (
                "likelihood: got 'cauchy'",
                "'bernoulli', 'gaussian', 'continuous-bernoulli', 'normal', "
                "'squared-error' or 'beta'",
            ),
        ),
        (vary(n_z=[]), ("experiments.sizes.vary.n_z: got []", "at least one entry")),
        ({"experiments": {}}, ("experiments: got {}", "at least one entry")),
        ({"report": {"chapters": []}}, ("report.chapters: got []", "at least one entry")),
    ],
)
def test_an_impossible_configuration(
    fresh: Checkout, changes: dict[str, Any], expected: tuple[str, ...]
) -> None:
    bad = Checkout(fresh.path)
    bad.configure(**changes)
    result = bad.snakemake("--cores", "1")
    bad.configure()
    assert result.code != 0
    assert "mini.yaml" in result.text
    for phrase in expected:
        assert phrase.lower() in result.text.lower()
    for noise in ("Traceback", "line ", "Building DAG"):
        assert noise not in result.text
    assert not (fresh.path / "results").exists()


def test_an_unknown_chapter_of_the_report(fresh: Checkout, tmp_path: Path) -> None:
    bad = fresh.copy(tmp_path / "checkout")
    bad.configure(report={"chapters": ["14-appendix", "7-published"]})
    result = bad.snakemake("--cores", "1")
    assert result.code != 0
    for phrase in (
        "error: no chapter '7-published' in study 'mini'; did you mean 07-published?",
        "There are: 01-introduction, 02-",
    ):
        assert phrase in result.text
    assert not (bad.path / "results").exists()


@pytest.mark.parametrize(
    ("target", "kind", "listed"),
    [
        ("groups/nope/trained.json", "group 'nope'", "There are: mnist-5k-bernoulli-elbo-z2-"),
        ("runs/nope/evaluation.csv", "run 'nope'", "mnist-5k-bernoulli-elbo-z2-s0-"),
        ("combinations/nope.csv", "combination 'nope'", "mnist-5k-bernoulli-elbo-z3-"),
        ("experiments/size.csv", "experiment 'size'", "did you mean sizes? There are: sizes"),
        ("figures/active-unit.pdf", "figure 'active-unit'", "did you mean active-units?"),
    ],
)
def test_an_unknown_part(fresh: Checkout, target: str, kind: str, listed: str) -> None:
    result = fresh.snakemake(f"results/mini/{target}", "--cores", "1")
    assert result.code != 0
    assert f"error: no {kind} in study 'mini'" in result.text
    assert listed in result.text
    assert "Traceback" not in result.text
    # It failed before the lock, or freed it: the next command is not told to unlock.
    assert fresh.dry_run("results/mini/experiments/sizes.csv").code == 0
