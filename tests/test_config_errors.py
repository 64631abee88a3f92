"""Wrong configurations: every message names the key, its value and what to write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from builders import run_config, study
from vaestudy.config import RunConfig, StudyConfig, load_config, parse_config, parse_run
from vaestudy.config_errors import ConfigError

WRONG = [
    # What is written, and what the message must hold: the key, the value, what would do.
    ({"base": {"likelihood": "poisson"}}, ["base.likelihood", "'poisson'", "'bernoulli'"]),
    ({"base": {"objective": "iwea"}}, ["base.objective", "'iwea'", "'iwae'", "'elbo-sampled'"]),
    ({"base": {"n_z": 0}}, ["base.n_z", "got 0", "greater than 0"]),
    ({"base": {"n_z": 2.5}}, ["base.n_z", "got 2.5", "whole number"]),
    ({"base": {"n_z": True}}, ["base.n_z", "got True", "whole number"]),
    ({"base": {"hidden": [200, -1]}}, ["base.hidden.1", "got -1", "greater than 0"]),
    ({"base": {"hidden": []}}, ["base.hidden", "got []", "at least one entry"]),
    ({"base": {"learning_rate": "fast"}}, ["base.learning_rate", "'fast'", "valid number"]),
    ({"base": {"learning_rate": float("inf")}}, ["base.learning_rate", "got inf", "finite"]),
    ({"base": {"learning_rate": float("nan")}}, ["base.learning_rate", "got nan", "finite"]),
    ({"base": {"adam_beta1": 1.0}}, ["base.adam_beta1", "got 1.0", "less than 1"]),
    ({"base": {"adam_beta1": -0.1}}, ["base.adam_beta1", "got -0.1", "at least 0"]),
    ({"base": {"objectve": "elbo"}}, ["base.objectve", "did you mean objective", "n_z"]),
    ({"base": {"zzz": 1}}, ["base.zzz", "unknown key", "valid keys here: activation"]),
    ({"base": {"warmup": 400}}, ["warmup is 400", "lasts 300", "lower warmup or raise epochs"]),
    ({"seeds": []}, ["seeds", "got []", "at least one entry"]),
    ({"seeds": ["0", "1"]}, ["seeds.1: got '1'; expected a whole number, not text"]),
    ({"own_data": [1], "base": {"dataset": {"path": __file__}}}, ["own_data: got [1]", "keys and"]),
    ({"own_data": None, "base": {"dataset": {"path": __file__}}}, ["own_data: got None"]),
    ({"seeds": [0, 0]}, ["seeds [0, 0] repeat", "its own seed"]),
    ({"seeds": [-1]}, ["seeds.0", "got -1", "at least 0"]),
    ({"experiments": {}}, ["experiments", "got {}", "at least one entry"]),
    ({"only": ["depth"]}, ["only has depth", "names of experiments: "]),
    ({"study": "a b"}, ["study", "'a b'", "A-Za-z0-9"]),
    ({"study": None}, ["study", "got None", "string"]),
    ({"results_dir": "my results"}, ["results_dir: got 'my results'", "letters, digits and . /"]),
    ({"results_dir": "r{x}"}, ["results_dir: got 'r{x}'", "letters, digits and . /"]),
    ({"results_dir": "~/r"}, ["results_dir: got '~/r'", "letters, digits and . /"]),
    ({"results_dir": "-r"}, ["results_dir: got '-r'", "the first of them none of + @ -"]),
    ({"device": "gpu"}, ["device", "'gpu'", "'auto', 'cpu' or 'cuda'"]),
    ({"max_members": 0}, ["max_members", "got 0", "greater than 0"]),
    ({"checkpoint_evry": 5}, ["checkpoint_evry", "did you mean checkpoint_every"]),
    ({"evaluation": {"n_sample": 5}}, ["evaluation.n_sample", "did you mean n_samples"]),
    ({"evaluation": {"n_samples": 0}}, ["evaluation.n_samples", "got 0", "greater than 0"]),
]

WRONG_EXPERIMENTS = [
    ({"vary": {"n_z": []}}, ["experiments.a.vary.n_z", "got []", "at least one entry"]),
    ({"vary": {"nz": [1]}}, ["experiments.a", "nz", "did you mean n_z"]),
    ({"vary": {"n_z": ["five"]}}, ["experiments.a", "n_z", "'five'", "whole number"]),
    ({"set": {"batch_norm": "yes"}}, ["experiments.a", "batch_norm", "'yes'", "'hidden'"]),
    ({"vary": {"epochs": [5, 2], "warmup": [3]}}, ["experiments.a", "warmup is 3", "lasts 2"]),
    ({"vary": {"seed": [1, 2]}}, ["experiments.a", "seed", "list seeds under `seeds`"]),
    ({"set": {"seed": 1}}, ["experiments.a", "seed", "list seeds under `seeds`"]),
    (
        {"vary": {"objective": [{"objective": "iwae", "k": 5}], "k": [1, 2]}},
        ["experiments.a", "k: set by two factors at once"],
    ),
    (
        {"vary": {"deeper": [{"n_z": 5, "hidden": [30]}]}},
        ["experiments.a: vary.deeper", "'n_z': 5", "does not set deeper", "deeper: [[{n_z: 5"],
    ),
    (
        {"vary": {"objective": ["elbo", {"k": 5}]}},
        ["experiments.a: vary.objective", "{'k': 5}", "does not set objective", "another name"],
    ),
    ({"varied": {}}, ["experiments.a.varied", "unknown key", "set, title, vary"]),
]


@pytest.mark.parametrize(("wrong", "parts"), WRONG, ids=str)
def test_messages_name_key_value_and_choices(wrong: dict[str, Any], parts: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        parse_config(study(**wrong), "my.yaml")
    for part in ("my.yaml", *parts):
        assert part in str(error.value)


@pytest.mark.parametrize(("wrong", "parts"), WRONG_EXPERIMENTS, ids=str)
def test_messages_name_the_experiment(wrong: dict[str, Any], parts: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        parse_config(study(experiments={"a": {"title": "t", **wrong}}), "my.yaml")
    for part in ("my.yaml", *parts):
        assert part in str(error.value)


@pytest.mark.parametrize("name", ["", "a/b", "a,b", "a b", "a{b}", "-a", ".a"])
def test_names_of_experiments_are_those_of_files_and_lists(name: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_config(study(experiments={name: {"title": "t"}}))
    assert f"experiments.{name}: got {name!r}; expected a name of letters" in str(error.value)


@pytest.mark.parametrize("name", ["warm-up", "beta-0.5", "größe", "2"])
@pytest.mark.parametrize("folder", ["results", ".", "../r", "/home/jörg/r_1.2+3@x-4"])
def test_names_that_do_no_harm_are_taken(name: str, folder: str) -> None:
    config = parse_config(study(experiments={name: {"title": "t"}}, results_dir=folder))
    assert (list(config.chosen), config.results_dir) == ([name], folder)


@pytest.mark.parametrize("key", sorted(RunConfig.model_fields))
def test_every_key_of_a_run_is_named_when_its_value_is_wrong(key: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_run({key: {"nonsense": 1}})
    assert f"{key}: got {{'nonsense': 1}}; " in str(error.value)


@pytest.mark.parametrize("key", ["study", "seeds", "experiments"])
def test_missing_keys_are_named(key: str) -> None:
    config = study()
    del config[key]
    with pytest.raises(ConfigError, match=rf"{key}: missing"):
        parse_config(config)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        parse_config(study(device="gpu", max_members=0, base={"k": -1}))
    assert str(error.value).startswith("3 problems in configuration:")


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(study()))
    config = load_config(path)
    assert config == StudyConfig.model_validate(study())
    assert config.directory == Path("results/test")
    with pytest.raises(ConfigError, match=r"cannot read the configuration .*absent: No such file"):
        load_config(tmp_path / "absent")
    for text, message in (
        ("a: [", "is not valid YAML"),
        ("- 1", "holds a list"),
        ("", "holds nothing"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigError, match=message) as error:
            load_config(path)
        assert str(path) in str(error.value)


def test_configurations_do_not_change_after_the_check() -> None:
    with pytest.raises(ValueError, match="frozen"):
        run_config().n_z = 5
