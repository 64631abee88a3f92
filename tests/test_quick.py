"""The quick study has something for everything that the full one shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.studies import make_study

from vaestudy.claims import judge, load_ledger
from vaestudy.config import Run, expand_grid, load_config, parse_config
from vaestudy.dataset_names import PICTURES

ROOT = Path(__file__).resolve().parents[1]
#: What the claims of source 002 are decided by.
MEASURED = (
    *("nll", "nll_clipped", "nll_given_label", "squared_error", "posterior_variance"),
    *("sample_confidence_of_means", "conditional_accuracy_of_means", "active_units"),
    *("test_accuracy", "reconstruction_accuracy"),
    *("nll_of_bottom_variational", "nll_of_bottom_prior"),
)


def runs_of(config: str, experiment: str) -> list[Run]:
    return [r for r in expand_grid(load_config(ROOT / config)) if experiment in r.experiments]


def levels(config: str, experiment: str, *names: str) -> set[tuple[object, ...]]:
    runs = runs_of(config, experiment)
    return {tuple(getattr(run.config, name) for name in names) for run in runs}


@pytest.mark.parametrize(
    ("experiment", "names"),
    [
        ("divergences", ("objective", "js_skew")),
        ("grey-likelihoods", ("likelihood",)),
        ("samples", ("k",)),
        ("told-classes", ("labels", "label_share", "n_z")),
        ("square", ("n_z", "beta", "weight_decay")),
        ("shapes", ("dataset", "beta")),
        ("packaged", ("k", "beta", "optimizer")),
        ("square-decay", ("beta", "weight_decay")),
        ("summary", ("n_z",)),
        ("kingma-welling", ("n_z",)),
        ("halves", ("n_z",)),
    ],
)
def test_the_same_is_compared(experiment: str, names: tuple[str, ...]) -> None:
    found = levels("configs/quick.yaml", experiment, *names)
    assert found == levels("config.yaml", experiment, *names)
    assert len(found) > 1


def test_any_data_are_digits_garments_and_both_tables() -> None:
    quick, full = (
        {name for (name,) in levels(config, "any-data", "dataset")}
        for config in ("configs/quick.yaml", "config.yaml")
    )
    assert quick - set(PICTURES) == full - set(PICTURES)
    assert {name.partition("-")[0] for name in quick & set(PICTURES)} == {"mnist", "fashion"}


def test_the_summary_reaches_the_second_row_of_its_source() -> None:
    for run in runs_of("configs/quick.yaml", "summary"):
        assert run.config.epochs * (4000 // run.config.batch_size) > 500


@pytest.mark.parametrize("name", ["sources", "packaged"])
def test_a_part_of_the_full_study_trains_the_models_that_the_full_one_does(name: str) -> None:
    whole, part = read("config.yaml"), read(f"configs/{name}.yaml")
    own = expand_grid(parse_config({**whole, **part, "evaluation": whole["evaluation"]}))
    full = expand_grid(parse_config(whole))
    assert own
    asked = [run.config for run in full if set(run.experiments) & set(part["only"])]
    assert [run.config for run in own] == asked


@pytest.mark.parametrize(
    ("name", "compared"),
    [
        (
            "plusplus-likelihoods",
            ["three-dimensions-better", "labels-improve-likelihood", "js-alike-kl",
             "iwae-improves-with-k", "continuous-likelihood-fits-grey"],
        ),
        (
            "plusplus",
            ["three-dimensions-sample-better", "variance-grows-with-dimension",
             "labels-give-clear-digits", "labels-make-digits-recognisable", "fashion-recognisable",
             "fashion-harder", "iwae-reconstructs-better-with-k", "beta-is-blurry",
             "bottom-follows-top", "complex-data-need-dimensions"],
        ),
    ],
)  # fmt: skip
def test_a_part_of_the_full_study_trains_what_its_claims_compare(
    tmp_path: Path, name: str, compared: list[str]
) -> None:
    whole, part = read("config.yaml"), read(f"configs/{name}.yaml")
    experiments = dict(whole["experiments"])
    # As Snakemake lays one file over another: levels in place of levels, the other factors stay.
    for key, changed in part["experiments"].items():
        vary = {**experiments[key]["vary"], **changed["vary"]}
        experiments[key] = {**experiments[key], "vary": vary}
    merged = {**whole, **part, "experiments": experiments, "results_dir": str(tmp_path)}
    merged["evaluation"] = {**whole["evaluation"], **part["evaluation"]}
    study = make_study(tmp_path, merged, lambda run: dict.fromkeys(MEASURED, 1.0))
    full = [run.config for run in expand_grid(parse_config(whole))]
    assert all(run.config in full for run in expand_grid(study.config))
    claims = {claim.id: claim for claim in load_ledger(ROOT / "report" / "claims.yaml").claims}
    used = set()
    for short in compared:
        found = judge(claims[f"002.{short}"], study)
        assert found.sufficient, short
        used |= set(found.runs)
    assert used == {run.config.run_id for run in expand_grid(study.config)}


def read(path: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
    return values
