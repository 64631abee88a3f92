"""Which runs are examined for what, and what a configuration may say of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vaestudy.config import ConfigError, StudyConfig, expand_grid, load_config, parse_config
from vaestudy.examination import FREE
from vaestudy.parameters import ModelParameters

ROOT = Path(__file__).resolve().parents[1]
VALUES: dict[str, Any] = {
    "study": "made-up",
    "base": {"epochs": 5},
    "seeds": [3, 0, 1],
    "experiments": {
        "factors": {
            "title": "Factors",
            "vary": {
                "objective": [
                    "elbo",
                    {"objective": "iwae", "k": 5},
                    {"objective": "miwae", "k": 4, "k_groups": 2},
                ],
                "batch_norm": ["none", "hidden"],
            },
        },
        "more": {"title": "More", "vary": {"n_z": [2, 50], "warmup": [0, 3]}},
    },
}


def study(**evaluation: Any) -> StudyConfig:
    return parse_config({**VALUES, "evaluation": evaluation})


def examined(config: StudyConfig, metric: str) -> list[tuple[Any, ...]]:
    """Objective, batch norm, n_z, warm-up and seed of the runs that are examined for it."""
    found = []
    for run in (declared.config for declared in expand_grid(config)):
        wanted = config.examination_of(run)
        if wanted is not None and getattr(wanted, metric) is not None:
            found.append((run.objective, run.batch_norm, run.n_z, run.warmup, run.seed))
    return found


def test_nothing_is_examined_unless_asked_for() -> None:
    assert not any(study().examination_of(run.config) for run in expand_grid(study()))


def test_objectives_differ_from_the_base_in_nothing_else() -> None:
    found = examined(study(ais={"combinations": "objectives", "n_seeds": 2}), "ais")
    assert found == [(o, "none", 50, 0, s) for o in ("elbo", "iwae", "miwae") for s in (3, 0)]


def test_families_have_batch_norm_and_warmup_too() -> None:
    found = examined(study(quality={"combinations": "families", "n_seeds": 1}), "quality")
    plain = [(o, n, 50, 0, 3) for o in ("elbo", "iwae", "miwae") for n in ("none", "hidden")]
    assert found == [*plain, ("elbo", "none", 50, 3, 3)]


def test_all_are_all() -> None:
    config = study(information={})
    assert len(examined(config, "information")) == len(expand_grid(config))


def test_experiments_are_measured_whatever_their_data() -> None:
    other = {"title": "Other", "set": {"dataset": "fashion-mnist"}, "vary": {"n_z": [2, 3]}}
    asked = {"quality": {"combinations": "none", "experiments": ["other"], "n_seeds": 2}}
    values = {**VALUES, "experiments": {**VALUES["experiments"], "other": other}}
    config = parse_config({**values, "evaluation": {**asked, "information": {}}})
    plain = [("elbo", "none", n_z, 0, s) for n_z in (2, 3) for s in (3, 0)]
    assert examined(config, "quality") == plain
    assert len(examined(config, "information")) == len(expand_grid(config)) - 6


def test_other_binarizations_are_other_data() -> None:
    grey = {"title": "Grey", "set": {"binarization": "none"}}
    values = {**VALUES, "experiments": {"grey": grey}, "evaluation": {"information": {}}}
    assert examined(parse_config(values), "information") == []


def test_missing_parts_are_inferred_for_the_experiments_alone() -> None:
    config = study(missing={"experiments": ["more"], "n_seeds": 1})
    found = sorted(run[2:] for run in examined(config, "missing"))
    assert found == [(2, 0, 3), (2, 3, 3), (50, 0, 3), (50, 3, 3)]


def test_each_measurement_has_its_own_runs_and_gaps_those_of_ais() -> None:
    config = study(
        ais={"combinations": "objectives", "n_seeds": 1},
        gaps={},
        quality={"combinations": "all", "n_seeds": 1},
    )
    assert examined(config, "gaps") == examined(config, "ais")
    assert len(examined(config, "ais")) == 3
    assert len(examined(config, "quality")) == len(expand_grid(config)) / 3
    assert examined(config, "information") == []


def test_models_that_are_told_classes_are_asked_for_them_and_for_nothing_else() -> None:
    told = {"title": "Labels", "vary": {"labels": ["condition", {"labels": "m2"}]}}
    experiments = {**VALUES["experiments"], "labels": told}
    everything = {"information": {}, "quality": {}, "conditional": {"n_samples": 10}}
    values = {**VALUES, "experiments": experiments, "evaluation": everything}
    config = parse_config(values)
    for run in (declared.config for declared in expand_grid(config)):
        wanted = config.examination_of(run)
        assert wanted is not None
        is_told = run.labels != "none"
        assert (wanted.conditional is not None) == is_told
        assert (wanted.quality is None) == (wanted.information is None) == is_told


def test_free_parameters_exist() -> None:
    for names in FREE.values():
        assert names <= set(ModelParameters.model_fields)


@pytest.mark.parametrize(
    ("evaluation", "expected"),
    [
        ({"gaps": {}}, ["evaluation", "gaps is set but ais is not", "add ais"]),
        (
            {"ais": {"n_images": 5}, "gaps": {"n_images": 6}},
            ["gaps.n_images is 6 but ais.n_images is 5", "lower the former"],
        ),
        ({"ais": {"n_chain": 3}}, ["evaluation.ais.n_chain", "did you mean n_chains"]),
        ({"ais": {"n_images": 0}}, ["evaluation.ais.n_images", "got 0", "greater than 0"]),
        ({"ais": {"base": "middle"}}, ["evaluation.ais.base", "'encoder' or 'prior'"]),
        (
            {"quality": {"combinations": "some"}},
            ["evaluation.quality.combinations", "'objectives', 'families', 'all' or 'none'"],
        ),
        ({"quality": {"n_samples": 1}}, ["evaluation.quality.n_samples", "got 1", "at least 2"]),
        (
            {"missing": {"experiments": ["halves"]}},
            ["evaluation.missing.experiments has halves", "factors, more"],
        ),
        ({"conditional": {"n_samples": 9}}, ["conditional.n_samples", "got 9", "at least 10"]),
        ({"fid": {}}, ["evaluation.fid", "unknown key", "quality"]),
    ],
)
def test_mistakes_are_named(evaluation: dict[str, Any], expected: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        study(**evaluation)
    for part in expected:
        assert part in str(error.value)


@pytest.mark.parametrize("name", ["config.yaml", "configs/quick.yaml", "configs/tiny.yaml"])
def test_the_studies_that_ship_take_every_measurement(name: str) -> None:
    config = load_config(ROOT / name)
    for metric in ("ais", "gaps", "information", "quality", "conditional"):
        assert examined(config, metric), metric
