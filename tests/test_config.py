"""The grid: ids and groups that nothing moves, and errors that say what to write."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from builders import run_config
from vaestudy.config import (
    RunConfig,
    StudyConfig,
    expand_grid,
    load_config,
    parse_config,
    parse_run,
)
from vaestudy.config_errors import ConfigError
from vaestudy.groups import Group, group_runs, study_groups


def study(**changes: Any) -> dict[str, Any]:
    grid = {"grid": {"title": "all", "vary": {"n_z": [2, 5]}}}
    return {"study": "test", "seeds": [0, 1], "experiments": grid, **changes}


def ids(config: dict[str, Any]) -> list[str]:
    return [run.config.run_id for run in expand_grid(parse_config(config))]


LEVELS: dict[str, list[Any]] = {
    "n_z": [1, 2, 5, 10, 50],
    "batch_norm": ["none", "hidden", "all"],
    "likelihood": ["bernoulli", "gaussian", "continuous-bernoulli", "normal"],
    "warmup": [0, 1, 10],
    "objective": ["elbo", {"objective": "iwae", "k": 5}, {"objective": "iwae", "k": 50}],
    "hidden": [[200, 200], [7]],
    "learning_rate": [1e-3, 1e-4],
    "beta": [1, 0.5, 4.0],
}


@st.composite
def varies(draw: st.DrawFn) -> dict[str, list[Any]]:
    factors = draw(st.lists(st.sampled_from(sorted(LEVELS)), max_size=3, unique=True))
    return {
        factor: draw(
            st.lists(st.sampled_from(LEVELS[factor]), min_size=1, max_size=3, unique_by=repr)
        )
        for factor in factors
    }


@st.composite
def studies(draw: st.DrawFn) -> dict[str, Any]:
    experiments = {
        name: {"title": name, "vary": draw(varies())}
        for name in draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=2, unique=True))
    }
    seeds = draw(st.lists(st.integers(0, 40), min_size=1, max_size=4, unique=True))
    return study(seeds=seeds, experiments=experiments)


def groups_of(config: dict[str, Any], max_members: int) -> list[Group]:
    return group_runs([run.config for run in expand_grid(parse_config(config))], max_members)


def group_of_each_run(groups: list[Group]) -> dict[str, str]:
    return {run.run_id: group.group_id for group in groups for run in group.runs}


@given(studies())
def test_the_grid_is_stable_and_its_ids_unique(config: dict[str, Any]) -> None:
    found = ids(config)
    assert found == ids(yaml.safe_load(yaml.safe_dump(config, sort_keys=False)))
    assert set(found) == set(ids(yaml.safe_load(yaml.safe_dump(config, sort_keys=True))))
    assert len(set(found)) == len(found)
    assert all(re.fullmatch(r"[a-z0-9-]+-s\d+-[0-9a-f]{8}", run_id) for run_id in found)


@given(studies())
def test_the_grid_holds_every_combination(config: dict[str, Any]) -> None:
    runs = expand_grid(parse_config(config))
    by_experiment = dict.fromkeys(config["experiments"], 0)
    for run in runs:
        for name in run.experiments:
            by_experiment[name] += 1
    for name, experiment in config["experiments"].items():
        n = len(config["seeds"])
        for levels in experiment["vary"].values():
            n *= len(levels)
        assert by_experiment[name] == n


@given(studies(), st.integers(41, 80), st.sampled_from([1, 2, 16]))
def test_another_seed_leaves_other_ids_and_groups(
    config: dict[str, Any], seed: int, max_members: int
) -> None:
    before = group_of_each_run(groups_of(config, max_members))
    more = {**config, "seeds": [seed, *config["seeds"]]}
    after = group_of_each_run(groups_of(more, max_members))
    assert before.items() <= after.items()
    assert len(after) == len(before) // len(config["seeds"]) * (len(config["seeds"]) + 1)


@given(studies(), st.sampled_from([1, 2, 16]))
def test_another_level_leaves_other_ids_and_groups(
    config: dict[str, Any], max_members: int
) -> None:
    before = group_of_each_run(groups_of(config, max_members))
    more = {"more": {"title": "more", "vary": {"n_z": [77]}}, **config["experiments"]}
    after = group_of_each_run(groups_of({**config, "experiments": more}, max_members))
    assert before.items() <= after.items()
    assert len(after) == len(before) + len(config["seeds"])


@given(studies(), st.sampled_from([1, 2, 16]))
def test_groups_are_jobs_of_trainable_runs(config: dict[str, Any], max_members: int) -> None:
    groups = groups_of(config, max_members)
    assert len({group.group_id for group in groups}) == len(groups)
    members = [run.run_id for group in groups for run in group.runs]
    assert sorted(members) == sorted(ids(config))
    for group in groups:
        assert len(group.runs) <= max_members
        assert len({run.group_key for run in group.runs}) == 1
    if max_members == 1:
        assert all(group.group_id == group.runs[0].run_id for group in groups)


def test_a_run_of_two_experiments_stands_once() -> None:
    shared = {"title": "t", "vary": {"n_z": [2]}}
    runs = expand_grid(parse_config(study(experiments={"a": shared, "b": shared})))
    assert [run.experiments for run in runs] == [("a", "b")] * 2


def test_levels_that_are_mappings_set_several_parameters() -> None:
    vary = {"objective": ["elbo", {"objective": "iwae", "k": 5}]}
    runs = expand_grid(parse_config(study(experiments={"a": {"title": "t", "vary": vary}})))
    assert [(r.config.objective, r.config.k) for r in runs[::2]] == [("elbo", 1), ("iwae", 5)]


def test_experiments_depart_from_base_by_set_then_vary() -> None:
    experiment = {"title": "t", "set": {"n_z": 3, "k": 2}, "vary": {"n_z": [4]}}
    config = study(base={"n_z": 2, "epochs": 7}, experiments={"a": experiment})
    run = expand_grid(parse_config(config))[0].config
    assert (run.n_z, run.k, run.epochs) == (4, 2, 7)


def test_experiments_can_be_chosen() -> None:
    experiments = {n: {"title": n, "vary": {"n_z": [1, int(n)]}} for n in ("2", "3")}
    measured = {"quality": {"experiments": ["2"]}}
    config = parse_config(study(experiments=experiments, only=["3"], evaluation=measured))
    assert list(config.chosen) == ["3"]
    runs = expand_grid(config)
    assert {(run.config.n_z, run.experiments) for run in runs} == {(1, ("3",)), (3, ("3",))}
    whole = expand_grid(parse_config(study(experiments=experiments)))
    assert {run.config.run_id for run in runs} < {run.config.run_id for run in whole}


@pytest.mark.parametrize("only", ["base", "wide"])
def test_chapters_about_the_base_model_need_it(only: str) -> None:
    experiments = {"base": {"title": "t"}, "wide": {"title": "t", "vary": {"n_z": [99]}}}
    config = parse_config(study(experiments=experiments, only=[only]))
    assert config.has_chapter("03-activity") == (only == "base")
    assert config.has_chapter("08-toys")
    chosen = parse_config(study(report={"title": "t", "chapters": ["03-activity"]}))
    assert chosen.has_chapter("03-activity")
    assert not chosen.has_chapter("08-toys")


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
    ({"seeds": [0, 0]}, ["seeds [0, 0] repeat", "its own seed"]),
    ({"seeds": [-1]}, ["seeds.0", "got -1", "at least 0"]),
    ({"experiments": {}}, ["experiments", "got {}", "at least one entry"]),
    ({"only": ["depth"]}, ["only has depth", "names of experiments: "]),
    ({"study": "a b"}, ["study", "'a b'", "A-Za-z0-9"]),
    ({"study": None}, ["study", "got None", "string"]),
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


def test_experiments_that_name_a_job_share_it_a_data_set() -> None:
    shared = {"title": "a", "vary": {"n_z": [2, 5]}}
    small = {"title": "b", "job": "little", "vary": {"n_z": [5, 7], "hidden": [[8], [9]]}}
    toys = {"dataset": "fashion-2k", "hidden": [4]}
    other = {"title": "c", "job": "little", "set": toys, "vary": {"k": [1, 2]}}
    more = {"title": "d", "job": "little", "set": {"n_z": 9}}
    experiments = {"a": shared, "b": small, "c": other, "d": more}
    config = parse_config(study(seeds=[0, 1], experiments=experiments))
    groups = study_groups(config, expand_grid(config))
    sizes = {group.group_id: len(group.runs) for group in groups}
    assert sizes["little-mnist"] == 2 * (4 + 1)
    assert sizes["little-fashion-2k"] == 2 * 2
    assert sum(sizes.values()) == len(expand_grid(config))


@pytest.mark.parametrize("dataset", ["mnist", "ring"])
def test_a_job_has_no_more_runs_than_a_command_takes(dataset: str) -> None:
    kind = {"dataset": dataset, "binarization": "none", "likelihood": "normal"}
    levels = {"beta": [0.1 * i for i in range(1, 46)], "weight_decay": [0, 1]}
    many = {"title": "m", "job": "m", "set": kind, "vary": levels}
    config = parse_config(study(seeds=[0, 1], experiments={"m": many}))
    runs = expand_grid(config)
    groups = study_groups(config, runs)
    assert [len(group.runs) for group in groups] == [80, 80, 20]
    assert len({group.group_id for group in groups}) == 3
    assert {run.run_id for g in groups for run in g.runs} == {r.config.run_id for r in runs}
    command = json.dumps([run.model_dump(mode="json") for run in groups[0].runs])
    assert len(command) < 2**16


def test_a_run_of_a_job_of_its_own_stays_there() -> None:
    plain = {"title": "a", "vary": {"n_z": [2, 5]}}
    small = {"title": "b", "job": "b", "vary": {"n_z": [5, 7]}}
    config = parse_config(study(seeds=[0], experiments={"a": plain, "b": small}))
    found = group_of_each_run(study_groups(config, expand_grid(config)))
    by_n_z = {int(re.search(r"-z(\d+)-", run_id)[1]): name for run_id, name in found.items()}
    assert by_n_z[7] == "b-mnist"
    assert "b-mnist" not in (by_n_z[2], by_n_z[5])
