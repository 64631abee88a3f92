"""The quick study has something for everything that the full one shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from studies import make_study
from vaestudy.claims import judge, load_ledger
from vaestudy.config import Run, expand_grid, load_config, parse_config
from vaestudy.dataset_names import PICTURES

ROOT = Path(__file__).resolve().parents[1]
#: What the claims of sources 002 and 004 are decided by.
MEASURED = (
    *("nll", "nll_clipped", "nll_given_label", "squared_error", "posterior_variance"),
    *("fid_of_means", "conditional_accuracy_of_means", "active_units"),
    *("test_accuracy", "reconstruction_accuracy"),
    *("nll_of_bottom_variational", "nll_of_bottom_prior"),
    *("gradient_variance_encoder", "gradient_variance_decoder", "pca_squared_error"),
    *("sampled_gradient_variance_encoder", "sampled_gradient_variance_decoder"),
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


@pytest.mark.parametrize("name", ["sources", "packaged-likelihoods", "networks"])
def test_a_part_of_the_full_study_trains_the_models_that_the_full_one_does(name: str) -> None:
    whole, part = read("config.yaml"), read(f"configs/{name}.yaml")
    changed = changed_base(part)
    base, evaluation = {**whole["base"], **changed}, whole["evaluation"]
    own = expand_grid(parse_config({**whole, **part, "base": base, "evaluation": evaluation}))
    full = expand_grid(parse_config(whole))
    assert own
    asked = [run.config for run in full if set(run.experiments) & set(part["only"])]
    assert [run.config for run in own] == [one.model_copy(update=changed) for one in asked]


@pytest.mark.parametrize(
    ("name", "compared"),
    [
        (
            "plusplus-likelihoods",
            ["002.three-dimensions-better", "002.labels-improve-likelihood", "002.js-alike-kl",
             "002.iwae-improves-with-k", "002.continuous-likelihood-fits-grey"],
        ),
        (
            "plusplus",
            ["002.three-dimensions-sample-better", "002.variance-grows-with-dimension",
             "002.labels-give-clear-digits", "002.labels-make-digits-recognisable",
             "002.fashion-recognisable", "002.fashion-harder",
             "002.iwae-reconstructs-better-with-k", "002.beta-is-blurry",
             "002.bottom-follows-top", "002.complex-data-need-dimensions"],
        ),
        (
            "packaged",
            ["004.analytic-kl-less-variance", "004.analytic-kl-less-variance-packaged",
             "004.fits-any-data", "004.fits-any-data-tables", "004.fits-any-data-mixed"],
        ),
        (
            "packaged-likelihoods",
            ["004.one-sample-suffices", "004.adamax-does-well", "004.adamax-beats-adagrad",
             "004.kl-averaged-is-small-beta"],
        ),
        ("networks", ["002.convolutions-better"]),
    ],
)  # fmt: skip
def test_a_part_of_the_full_study_trains_what_its_claims_compare(
    tmp_path: Path, name: str, compared: list[str]
) -> None:
    whole, part = read("config.yaml"), read(f"configs/{name}.yaml")
    experiments = dict(whole["experiments"])
    # As Snakemake lays one file over another: levels in place of levels, the other factors stay.
    for key, changed in part.get("experiments", {}).items():
        vary = {**experiments[key]["vary"], **changed["vary"]}
        experiments[key] = {**experiments[key], "vary": vary}
    merged = {**whole, **part, "experiments": experiments, "results_dir": str(tmp_path)}
    merged["base"] = {**whole["base"], **changed_base(part)}
    merged["evaluation"] = {**whole["evaluation"], **part["evaluation"]}
    study = make_study(tmp_path, merged, lambda run: dict.fromkeys(MEASURED, 1.0))
    full = [
        run.config.model_copy(update=changed_base(part)) for run in expand_grid(parse_config(whole))
    ]
    assert all(run.config in full for run in expand_grid(study.config))
    claims = {claim.id: claim for claim in load_ledger(ROOT / "report" / "claims.yaml").claims}
    used = set()
    for claim in compared:
        found = judge(claims[claim], study)
        assert found.sufficient, claim
        used |= set(found.runs)
    assert used == {run.config.run_id for run in expand_grid(study.config)}


def changed_base(part: dict[str, Any]) -> dict[str, Any]:
    """What a part's models have otherwise than the whole's: nothing, or fewer epochs."""
    changed: dict[str, Any] = part.get("base", {})
    assert set(changed) <= {"epochs"}
    return changed


def read(path: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
    return values
