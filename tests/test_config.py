"""The grid: ids, groups and jobs, which nothing moves."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from builders import study
from vaestudy.config import expand_grid, parse_config
from vaestudy.config_errors import ConfigError
from vaestudy.deeper import text_of
from vaestudy.groups import Group, group_runs, study_groups

ROOT = Path(__file__).resolve().parents[1]


def ids(config: dict[str, Any]) -> list[str]:
    return [run.config.run_id for run in expand_grid(parse_config(config))]


LEVELS: dict[str, list[Any]] = {
    "n_z": [1, 2, 5, 10, 50],
    "batch_norm": ["none", "hidden", "all"],
    "likelihood": ["bernoulli", "gaussian", "squared-error", "normal"],
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


def test_deeper_layers_are_a_level_as_a_list_and_in_a_mapping() -> None:
    layers = [{"n_z": 5, "hidden": [30]}]
    vary = {"deeper": ["none", layers, {"deeper": layers, "n_z": 7}]}
    experiments = {"a": {"title": "t", "vary": vary}}
    runs = expand_grid(parse_config(study(seeds=[0], base={"n_z": 9}, experiments=experiments)))
    found = [(text_of(r.config.deeper), r.config.n_z) for r in runs]
    assert found == [("none", 9), ("5(30)", 9), ("5(30)", 7)]


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
    assert config.has_chapter("12-own-data")
    chosen = parse_config(study(report={"title": "t", "chapters": ["03-activity"]}))
    assert chosen.has_chapter("03-activity")
    assert not chosen.has_chapter("08-toys")


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


@pytest.mark.parametrize(
    ("only", "lacking"),
    [
        (["factors"], {"02-implementing", "04-visualization"}),
        (["dimensions"], {"01-introduction", "02-implementing"}),
        (["beyond"], {"01-introduction", "02-implementing", "04-visualization"}),
        (["factors", "likelihood", "dimensions"], set()),
    ],
)
def test_a_chapter_needs_what_it_compares_the_base_model_with(
    only: list[str], lacking: set[str]
) -> None:
    values = yaml.safe_load((ROOT / "configs" / "quick.yaml").read_text(encoding="utf-8"))
    config = parse_config({**values, "only": only})
    chapters = {path.stem for path in (ROOT / "notebooks").glob("0[1-6]*.py")}
    assert {stem for stem in chapters if not config.has_chapter(stem)} == lacking


def test_an_experiment_says_the_k_of_what_weighs_samples() -> None:
    vary: dict[str, Any] = {"objective": ["elbo", "iwae"]}
    with pytest.raises(ConfigError, match=r"experiments\.a.*\n.*but k is left out"):
        parse_config(study(experiments={"a": {"title": "t", "vary": vary}}))
    parse_config(study(experiments={"a": {"title": "t", "vary": {**vary, "k": [1, 5]}}}))
    parse_config(study(base={"k": 1}, experiments={"a": {"title": "t", "vary": vary}}))
