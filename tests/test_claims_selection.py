"""Which runs a claim's selectors find, and which it may compare."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from judging import (
    IWAE,
    VALUES,
    claim,
    ledger,
    made_up,
    measure,
    ruling,
)
from studies import make_study
from vaestudy.claims import ClaimError, parse_ledger
from vaestudy.claims.claim import AtLeast
from vaestudy.claims.selection import expand
from vaestudy.config import RunConfig
from vaestudy.study import EmptySelectionError, Study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return made_up(tmp_path_factory.mktemp("study"))


def test_runs_of_different_pixels_are_refused(study: Study) -> None:
    runs = {"a": {"binarization": "threshold"}, "b": {}}
    with pytest.raises(ClaimError, match=r"000\.made-up: binarization is dynamic and thresh"):
        ruling(study, "difference", runs, "lower")


def test_a_mass_is_not_compared_with_a_density(study: Study) -> None:
    runs = {"a": {"likelihood": "gaussian"}, "b": {}}
    with pytest.raises(ClaimError, match="likelihood is bernoulli and gaussian"):
        ruling(study, "difference", runs, "higher")
    found = ruling(study, "difference", runs, "higher", metric="nll_mean")
    assert found.verdict == "supported"
    assert found.decisive is not None
    assert found.decisive.t.mean == pytest.approx(152 - 120.1)


def test_bounds_of_different_k_are_not_compared(study: Study) -> None:
    with pytest.raises(ClaimError, match="objective is elbo and iwae"):
        ruling(study, "difference", {"a": IWAE, "b": {}}, "higher", metric="bound")


def test_runs_measured_differently_are_refused(tmp_path: Path) -> None:
    mixed = make_study(tmp_path, VALUES, measure)
    path = mixed.config.directory / "tables" / "evaluation.parquet"
    table = pd.read_parquet(path)
    table.loc[table["run_id"].str.contains("iwae"), "n_samples"] = 9000
    table.to_parquet(path)
    with pytest.raises(ClaimError, match="measured with 5000 and 9000 importance samples"):
        ruling(mixed, "difference", {"a": IWAE, "b": {}}, "lower")


def test_selectors_expand_to_the_levels_of_the_study(study: Study) -> None:
    assert expand(study, {**IWAE, "n_z": AtLeast(at_least=11)}) == [
        {"objective": "iwae", "k": 5, "n_z": n} for n in (20, 50)
    ]
    assert expand(study, {"warmup": "standard"}) == [{"warmup": 2}]
    assert [p["n_z"] for p in expand(study, {"n_z": [2, 10]})] == [2, 10]
    with pytest.raises(EmptySelectionError):
        expand(study, {"n_z": AtLeast(at_least=60)})


def digits_and_clothes(folder: Path, most: int = 5, inactive: int = 0) -> Study:
    """Digits of 2 and 20 dimensions, clothes of 2 and ``most``, but ``inactive`` of digits' 20."""
    experiments = {
        "digits": {"title": "Digits", "vary": {"n_z": [2, 20]}},
        "clothes": {
            "title": "Clothes",
            "set": {"dataset": "fashion-2k"},
            "vary": {"n_z": [2, most]},
        },
    }
    values = {**VALUES, "experiments": experiments}

    def units(run: RunConfig) -> dict[str, float]:
        empty = inactive if run.dataset == "mnist-5k" and run.n_z == 20 else 0
        return {"active_units": float(run.n_z - empty)}

    return make_study(folder, values, units)


def test_the_highest_level_is_that_of_the_data_set_asked_for(tmp_path: Path) -> None:
    """Whichever parameter the selector names first."""
    small = digits_and_clothes(tmp_path)
    for selector in (
        {"n_z": "highest", "dataset": "other"},
        {"dataset": "other", "n_z": "highest"},
    ):
        (found,) = expand(small, selector)
        assert found == {"dataset": "fashion-2k", "n_z": 5}
    assert expand(small, {"n_z": "highest"}) == [{"n_z": 20}]


def test_gains_between_other_sizes_do_not_compare(tmp_path: Path) -> None:
    small = digits_and_clothes(tmp_path)
    runs = {"a": {"dataset": "other", "n_z": "highest"}, "b": {"n_z": "highest"}}
    found = ruling(small, "difference", runs, "higher", metric="units_gained")
    assert found.verdict == "not run"
    assert "n_z is 20 and 5 among its runs" in found.notes[0]


@pytest.mark.parametrize(("inactive", "verdict"), [(0, "undecided"), (1, "contradicted")])
def test_where_all_is_reached_no_difference_is_denied(
    inactive: int, verdict: str, tmp_path: Path
) -> None:
    """Digits have no more active units than clothes: of all of them that says nothing."""
    full = digits_and_clothes(tmp_path, most=20, inactive=inactive)
    runs = {"a": {"n_z": 20}, "b": {"dataset": "other", "n_z": 20}}
    found = ruling(full, "difference", runs, "higher", metric="units_gained", minimum_effect=1.0)
    assert found.verdict == verdict
    told = "every run has reached the most units that there can be" in found.notes
    assert told == (verdict == "undecided")


def test_several_levels_of_what_may_be_any_are_not_run(tmp_path: Path) -> None:
    """A user's own level is no mistake of the ledger, and ends no report."""
    activations = {"title": "t", "vary": {"activation": ["softplus", "tanh"], "n_z": [20, 30, 50]}}
    experiments = {**VALUES["experiments"], "more": activations}
    values = {**VALUES, "experiments": experiments}
    several = make_study(tmp_path, values, lambda run: {"nll": 100.0 + run.seed})
    runs = {"a": {"activation": "any", "n_z": 50}, "b": {"activation": "any"}}
    found = ruling(several, "difference", runs, "higher")
    assert found.verdict == "not run"
    told = "this study has several levels of activation, softplus and tanh, where"
    assert found.notes[0].startswith(told)
    # Nor are they mixed where several combinations are compared.
    alike = {"alike": [{"activation": "any", "n_z": [20, 50]}]}
    found = ruling(several, "equivalence", alike, "within", minimum_effect=1.0)
    assert found.notes[0].startswith(told)
    found = ruling(several, "level", {"of": {"n_z": {"at_least": 30}}}, "higher", than=0)
    assert found.verdict == "not run"
    assert found.notes == (
        "this study has several of what one is wanted of: VAE, n_z = 30, VAE, n_z = 50",
    )


def test_a_selector_of_several_runs_cannot_stand_for_one(study: Study) -> None:
    with pytest.raises(ClaimError, match="one combination is wanted here, but the selector gives"):
        ruling(study, "difference", {"a": {"n_z": [2, 10]}, "b": {}}, "lower")


def test_networks_are_named_as_a_configuration_names_them(tmp_path: Path) -> None:
    layers = [{"n_z": 5, "hidden": [8, 4]}]
    vary = {"hidden": [[8], [20, 20]], "deeper": ["none", layers]}
    values = {**VALUES, "experiments": {"nets": {"title": "t", "vary": vary}}}
    nets = make_study(tmp_path, values, lambda run: {"nll": 100.0 + run.seed + len(run.hidden)})
    assert len(nets.runs(hidden=[20, 20])) == len(nets.runs(hidden="20-20")) == 5
    assert len(nets.runs(hidden=[[20, 20], [8]])) == 10
    assert len(nets.runs(deeper=layers)) == len(nets.runs(deeper=["5(8-4)"])) == 5
    runs = {"a": {"hidden": [20, 20]}, "b": {"hidden": [8]}}
    found = ruling(nets, "difference", runs, "higher")
    assert found.verdict == "supported"
    assert found.decisive is not None
    assert found.decisive.contrast.label == "VAE, hidden = 20-20 \N{MINUS SIGN} VAE, hidden = 8"
    several = {"alike": [{"hidden": [[8], [20, 20]], "deeper": [layers]}]}
    assert ruling(nets, "equivalence", several, "within", minimum_effect=2.0).verdict == "supported"


def test_levels_of_networks_are_kept_as_tables_have_them() -> None:
    """So that a claim's rule does not depend on how it is written."""
    said = [{"of": {"hidden": level}} for level in ([20, 20], "20-20", [[20, 20]])]
    first, second, third = (
        parse_ledger(ledger(claim("level", runs, "higher", than=0.0))).claims[0] for runs in said
    )
    assert first.rule == second.rule
    assert third.runs.of == {"hidden": ["20-20"]}
