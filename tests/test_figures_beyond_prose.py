"""The chapter beyond the paper, on made-up tables: what its tables and sentences say."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

from beyond import EVERYTHING, LEVELS, make_study, member_of, vary
from vaestudy.figures.beyond import FIGURES
from vaestudy.figures.beyond_data import find_members, of_one_k, reference_of
from vaestudy.figures.beyond_prose import (
    read_absent,
    read_annealing,
    read_best,
    read_differences,
    read_draws,
    read_free_bits,
    read_heights,
    read_references,
    read_sweep,
)
from vaestudy.figures.beyond_table import differences_table, grey_table, objectives_table
from vaestudy.study import EmptySelectionError, Study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return make_study(tmp_path_factory.mktemp("study"), EVERYTHING)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The base model and nothing else."""
    return make_study(tmp_path_factory.mktemp("alone"), {"base": {"title": "t"}}, seeds=[0])


def test_without_an_iwae_of_its_k_the_vae_stands_in(tmp_path: Path) -> None:
    other = [level for level in LEVELS if level != {"objective": "iwae", "k": 4}]
    study = make_study(tmp_path, {"beyond": {**vary(objective=other), "gradients": True}})
    members = find_members(study)
    vae = member_of(members, "VAE")
    for label in ("IWAE, DReG (K=4)", "MIWAE (K=4, G=2)", "CIWAE (K=4, c=0.5)"):
        assert reference_of(member_of(members, label), members) is vae
    against = differences_table(study).set_index("Objective")["Against"]
    assert against["PIWAE (K=4, G=2)"] == "VAE"
    assert len(against) == len(members) - 1
    told = read_references(study)
    assert told.startswith("This study has no IWAE of $K = 4$: *IWAE, STL (K=4)*, ")
    assert "are compared with the VAE" in told
    # 97 + s of DReG's likelihood, 100 + s of the VAE's.
    assert "*IWAE, DReG (K=4)* (−3.00" in read_differences(study, "nll", "the test NLL")


def test_tables_tell_means_and_differences_with_intervals(study: Study) -> None:
    shown, numbers = objectives_table(study)
    vae = shown[shown["Objective"] == "VAE"].iloc[0]
    # mean of 100, 101, 102; t(0.975, 2) / sqrt(3) = 2.4841
    nll = "101.00 ± 2.48\n[100.00, 102.00]"
    assert vae[["n", "Test NLL", "Active units"]].tolist() == ["3", nll, "3.0 ± 0.0"]
    assert vae["SNR, encoder"] == "0.41 ± 0.02\n[0.40, 0.42]"
    gaps = differences_table(study).set_index("Objective")
    assert "VAE" not in gaps.index
    doubly = gaps.loc["IWAE, DReG (K=4)"]
    assert doubly["Against"] == "IWAE (K=4)"
    assert doubly["SNR, encoder"] == "+0.60 ± 0.00"
    assert doubly["Variance, encoder"] == "−50 ± 0"
    assert vae["Variance, encoder"] == "301 ± 2\n[300, 302]"
    told = numbers.set_index(["objective", "metric"]).loc[("IWAE (K=4)", "nll")]
    assert (told["mean"], told["n"], told["difference"]) == (98.0, 3, -3.0)
    assert (told["against"], told["difference_n"]) == ("VAE", 3)


def test_sentences_say_no_more_than_the_intervals(study: Study) -> None:
    text = read_differences(study, "nll", "the test NLL")
    worse = text.split("is higher with ")[1].split("; it")[0]
    assert "*VAE (β=4)* (+10.00 [+10.00, +10.00])" in worse
    assert "is lower with *IWAE (K=4)* (−3.00" in text
    # STL is 3 lower in one seed of three: no verdict. Free bits are 1 higher in all.
    assert "STL" not in text.split("Against")[1]
    assert "cannot be told from equal with the other" in text.split("Against")[1]
    assert "*VAE, free bits (λ=0.1)* (+1.00" in worse
    ratio = read_differences(study, "gradient_snr_encoder", "the encoder's ratio", 3)
    weighted = ratio.split("Against the IWAE (K=4), the encoder's ratio is higher with ")[1]
    assert "*IWAE, DReG (K=4)* (+0.600 [+0.600, +0.600])" in weighted
    assert "has not measured the unheard-of" in read_differences(study, "x", "the unheard-of")


def test_sentences_about_single_outcomes(study: Study) -> None:
    best = read_best(study)
    assert "98.00" in best
    assert "*VAE, free bits (λ=0.1)* has the most of those, 4.0" in best
    assert f"{1 - math.exp(-0.2):.2f}" in read_free_bits(study)
    sweep = read_sweep(study)
    assert sweep.startswith("At $\\beta = 0.5$ the rate is 40.0 [")
    assert "and the distortion 82.0 [" in sweep
    assert "$\\beta = 4$ raises it by 10.00 nats" in sweep
    text = read_annealing(study)
    assert text.count("Against none") == 2
    assert "leaves the lowest number on the way as it was" in text
    assert read_absent(study) == ""
    assert read_references(study) == ""


def test_all_that_have_the_most_active_units_are_named(tmp_path: Path) -> None:
    free = {"objective": "free-bits", "free_bits": 0.1}
    tied = vary(objective=["elbo", {"objective": "iwae", "k": 4}, "stl", free])
    study = make_study(tmp_path, {"beyond": {**tied, "gradients": True}})
    path = study.config.directory / "tables" / "evaluation.parquet"
    table = pd.read_parquet(path)
    stl = table["run_id"].isin(study.runs(objective="stl")["run_id"])
    table.loc[stl & (table["metric"] == "active_units"), "value"] = 4.0
    table.to_parquet(path)
    text = read_best(study)
    assert "*VAE, free bits (λ=0.1)* and *VAE, STL* have the most of those, 4.0 each" in text


def test_budgets_of_samples_are_those_of_the_runs(study: Study, alone: Study) -> None:
    text = read_draws(study)
    assert "$K = 2$ with *IWAE (K=2)*; $K = 4$ with *IWAE (K=4)*, " in text
    assert text.endswith("; one with all others.")
    assert read_draws(alone) == ""


def test_heights_compare_among_bounds_that_are_not_looser(study: Study) -> None:
    _, weighted = of_one_k(find_members(study))
    assert "compare only among the others" in read_heights(weighted)
    by_objective = {m.first["objective"]: m for m in weighted}
    one_tight = [by_objective[name] for name in ("miwae", "piwae", "ciwae")]
    assert read_heights(one_tight).endswith("so that no height compares with another")
    assert read_heights([by_objective[name] for name in ("iwae", "dreg")]) == ""


def test_a_study_without_the_experiment_says_so(alone: Study) -> None:
    text = read_absent(alone)
    for name in ("*VAE, STL*", "*PIWAE*", "cyclical annealing", "β-VAE"):
        assert name in text
    assert differences_table(alone).empty
    assert len(objectives_table(alone)[0]) == 1
    assert read_free_bits(alone) == ""
    assert "has not measured" in read_differences(alone, "nll", "the test NLL")
    for name in ("beyond-curves", "annealing", "rate-distortion"):
        with pytest.raises(EmptySelectionError):
            FIGURES[name](alone)
    with pytest.raises(EmptySelectionError, match="grey"):
        grey_table(alone)


def test_grey_likelihoods_stand_by_their_densities(study: Study) -> None:
    table, runs = grey_table(study)
    assert table["Decoder"].tolist() == ["Bernoulli", "Gaussian"]
    assert table["NLL as a density"].tolist()[0] == "−501.0 ± 2.5\n[−502.0, −500.0]"
    assert len(runs) == 6
