"""What a dry run says: how many models and jobs there are, and which of them a change reruns."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from checkout import MINI, ROOT, TABLES, Checkout

from vaestudy.config import expand_grid, load_config
from vaestudy.groups import study_groups

TRAINING = {"train", "evaluate"}
PROFILES = ("default", "gpu", "slurm", "slurm-gpu")


@pytest.mark.parametrize("name", ["config.yaml", "configs/quick.yaml", "configs/tiny.yaml"])
def test_says_how_many_models_and_jobs_a_study_has(fresh: Checkout, name: str) -> None:
    study = load_config(ROOT / name)
    runs = expand_grid(study)
    groups = study_groups(study, runs)
    result = fresh.dry_run(config=None if name == "config.yaml" else name)
    assert f"{len(runs)} models, 0 of them trained, in {len(groups)} training jobs" in result.text
    assert result.jobs["train"] == result.jobs["evaluate"] == len(groups)
    examined = [group for group in groups if any(map(study.examination_of, group.runs))]
    assert result.jobs["examine"] == len(examined) > 0
    wanted = {run.config: study.examination_of(run.config) for run in runs}
    judged = {run.dataset for run, found in wanted.items() if found and found.judges}
    assert result.jobs["classifier"] == len(judged)
    assert result.jobs["report"] == 1
    assert result.jobs["chapter"] == len(list((ROOT / "notebooks").glob("[0-9][0-9]-*.py")))


def test_a_report_has_the_chapters_that_are_chosen(fresh: Checkout) -> None:
    result = fresh.dry_run("-p", config="configs/burda.yaml")
    assert result.jobs["chapter"] == 2
    assert "results/burda/notebooks/07-published.ipynb" in result.text
    assert "results/burda/notebooks/03-activity.ipynb" not in result.text
    assert "--left-out notebooks/03-activity.py" in result.text
    assert "--left-out notebooks/07-published.py" not in result.text


def test_workflow_directory_serves_as_well_as_the_root(fresh: Checkout) -> None:
    inner = fresh.dry_run("-s", "workflow/Snakefile").jobs
    outer = fresh.dry_run().jobs
    assert {k: inner[k] for k in TRAINING} == {k: outer[k] for k in TRAINING} != {}


@pytest.mark.parametrize("profile", PROFILES)
def test_profiles_are_understood(fresh: Checkout, profile: str) -> None:
    result = fresh.dry_run("--workflow-profile", f"workflow/profiles/{profile}")
    assert f"workflow/profiles/{profile}" in result.text
    assert result.jobs["train"] == 2
    if profile == "gpu":
        assert "gpu=1" in result.text
    if profile == "slurm-gpu":
        assert result.text.count("gres=gpu:1") >= 2


def test_the_gpu_profile_stacks_more_models_in_a_job(fresh: Checkout, tmp_path: Path) -> None:
    checkout = fresh.copy(tmp_path / "seeds")
    checkout.configure(seeds=[0, 1, 2, 3])
    assert "in 4 training jobs of up to 2 models" in checkout.dry_run().text
    result = checkout.dry_run("--workflow-profile", "workflow/profiles/gpu")
    assert "in 2 training jobs of up to 4 models" in result.text


@pytest.mark.parametrize(
    ("target", "jobs"),
    [
        ("results/mini/combinations/{combination}.csv", 1),
        ("results/mini/runs/{run}/evaluation.csv", 1),
        ("results/mini/experiments/sizes.csv", 2),
        ("results/mini/figures/active-units.pdf", 2),
        ("results/mini/notebooks/{chapter}.ipynb", 2),
    ],
)
def test_any_part_alone_trains_what_it_needs(fresh: Checkout, target: str, jobs: int) -> None:
    run = expand_grid(load_config(fresh.path / "mini.yaml"))[0].config
    chapter = min(path.stem for path in (fresh.path / "notebooks").glob("[0-9][0-9]-*.py"))
    name = target.format(run=run.run_id, combination=run.combination_id, chapter=chapter)
    planned = fresh.dry_run(name).jobs
    assert planned["train"] == planned["evaluate"] == jobs
    assert "report" not in planned


def test_gradients_are_measured_for_the_experiments_that_ask(trained: Checkout) -> None:
    sizes = MINI["experiments"]["sizes"]
    more = {"title": "More", "vary": {"n_z": [3], "objective": ["elbo", "stl"]}, "gradients": True}
    trained.configure(
        experiments={"sizes": sizes, "more": more}, evaluation={"n_samples": 2, "gradient_draws": 5}
    )
    result = trained.dry_run(TABLES, "-p")
    # The smaller model is in no such experiment; the larger is trained, and measured again.
    assert {rule: n for rule, n in result.jobs.items() if rule in TRAINING} == {
        "train": 1,
        "evaluate": 2,
    }
    asked = re.findall(r"--further '\{(.*)\}'", result.text)
    assert [re.sub(r'^".*?"', "", what) for what in asked] == [': {"gradient_draws": 5}'] * 2


EXAMINATION: dict[str, Any] = {
    "n_samples": 2,
    "information": {"combinations": "objectives"},
    "ais": {"n_seeds": 1, "n_images": 2, "n_temperatures": 2, "n_chains": 2},
}


@pytest.mark.parametrize(
    ("evaluation", "jobs"),
    [
        ({"n_samples": 2}, {}),
        # Neither size is the base model's.
        ({"information": {"combinations": "objectives"}}, {}),
        ({"information": {"combinations": "all"}}, {"examine": 2}),
        ({"quality": {"n_samples": 9}}, {"examine": 2, "classifier": 1}),
    ],
)
def test_slower_measurements_are_jobs_of_the_runs_that_are_chosen(
    fresh: Checkout, tmp_path: Path, evaluation: dict[str, Any], jobs: dict[str, int]
) -> None:
    checkout = fresh.copy(tmp_path / "checkout")
    checkout.configure(evaluation=evaluation)
    planned = checkout.dry_run(TABLES).jobs
    assert {name: planned[name] for name in ("examine", "classifier") if name in planned} == jobs
    run = expand_grid(load_config(checkout.path / "mini.yaml"))[0].config
    alone = checkout.dry_run(f"results/mini/runs/{run.run_id}/evaluation.csv").jobs
    assert alone.get("examine", 0) == min(1, jobs.get("examine", 0))


def test_examining_a_finished_study_trains_and_evaluates_nothing(trained: Checkout) -> None:
    trained.configure(evaluation=EXAMINATION)
    planned = trained.dry_run(TABLES).jobs
    assert planned["examine"] == 2
    assert not TRAINING & set(planned)
    trained.run(TABLES)
    table = pd.read_csv(trained.path / "results/mini/tables/evaluation.csv")
    assert table.groupby("metric")["run_id"].nunique()[["ais_nll", "nll"]].tolist() == [2, 2]
    assert "mutual_information" not in set(table["metric"])
    assert trained.dry_run(TABLES).jobs == {}
    more = {**EXAMINATION, "ais": {**EXAMINATION["ais"], "n_chains": 3}}
    trained.configure(evaluation=more)
    assert {"examine", "tables"} <= set(trained.dry_run(TABLES).jobs)
    assert not TRAINING & set(trained.dry_run(TABLES).jobs)
    trained.configure(evaluation=EXAMINATION)
    trained.edit("src/vaestudy/hmc.py")
    assert set(trained.dry_run(TABLES).jobs) == {"examine", "tables"}


def test_memory_is_asked_for_by_the_size_of_the_data(finished: Checkout) -> None:
    data = finished.path / "results/mini/data/mnist-5k.safetensors"
    wanted = round(2000 + 3 * data.stat().st_size / 1e6)
    assert wanted > 2000
    text = finished.dry_run(TABLES, "--forcerun", "train").text
    assert set(re.findall(r"mem_mb=(\d+)", text)) == {str(wanted)}


def test_a_finished_study_has_nothing_to_do(finished: Checkout) -> None:
    result = finished.dry_run(TABLES)
    assert result.jobs == {}
    assert "2 models, 2 of them trained" in result.text


@pytest.mark.parametrize(
    ("changes", "reruns"),
    [
        ({"checkpoint_every": 3}, {}),
        ({"device": "auto"}, {}),
        ({"data_dir": "my {other} data"}, {}),
        ({"evaluation": {"n_samples": 3}}, {"evaluate": 2}),
        ({"evaluation": {"n_samples": 2, "activity_threshold": 0.5}}, {"evaluate": 2}),
        ({"seeds": [0, 2]}, {"train": 2, "evaluate": 2}),
        ({"seeds": [0, 1]}, {"train": 2, "evaluate": 2}),
        (
            {"experiments": {"sizes": {"title": "Sizes", "vary": {"n_z": [2, 3, 4]}}}},
            {"train": 1, "evaluate": 1},
        ),
        ({"base": {**MINI["base"], "epochs": 3}}, {"train": 2, "evaluate": 2}),
    ],
)
def test_a_change_of_the_configuration_reruns_what_it_touches(
    trained: Checkout, changes: dict[str, Any], reruns: dict[str, int]
) -> None:
    trained.configure(**changes)
    planned = trained.dry_run(TABLES).jobs
    assert {rule: n for rule, n in planned.items() if rule in TRAINING} == reruns
    assert ("tables" in planned) == bool(reruns)


def test_numbers_in_lists_come_from_a_file(fresh: Checkout, tmp_path: Path) -> None:
    result = fresh.snakemake("--dry-run", "--config", "seeds=[0,1]")
    assert result.code != 0
    assert "seeds.1: got '1'; expected a whole number, not text" in result.text
    assert "What --config has inside lists and mappings is text; write numbers" in result.text
    seeds = tmp_path / "seeds.yaml"
    seeds.write_text("seeds: [0, 1]\n", encoding="utf-8")
    result = fresh.dry_run("--configfile", "mini.yaml", str(seeds), config=None)
    assert "4 models" in result.text


def test_another_title_reruns_the_report_alone(trained: Checkout) -> None:
    trained.configure(report={"title": "Another {title}"})
    assert trained.dry_run("results/mini/config.yaml").jobs == {"resolved_config": 1}
    planned = trained.dry_run(TABLES).jobs
    assert not {*TRAINING, "tables", "dataset"} & set(planned)


@pytest.mark.parametrize(
    ("name", "reruns"),
    [
        ("src/vaestudy/vae.py", {"train", "evaluate", "tables"}),
        ("src/vaestudy/measure.py", {"evaluate", "tables"}),
        ("src/vaestudy/tables.py", {"tables"}),
        ("src/vaestudy/figures/activity.py", set()),
        ("src/vaestudy/report/build.py", set()),
        ("src/vaestudy/progress.py", set()),
        ("notebooks/{chapter}.py", set()),
    ],
)
def test_an_edited_source_reruns_what_depends_on_it(
    trained: Checkout, name: str, reruns: set[str]
) -> None:
    chapter = min(path.stem for path in (trained.path / "notebooks").glob("[0-9][0-9]-*.py"))
    trained.edit(name.format(chapter=chapter))
    assert set(trained.dry_run(TABLES).jobs) == reruns


def test_what_the_report_is_made_of_is_its_input(fresh: Checkout) -> None:
    resources = "src/vaestudy/report/resources"
    chapters = {path.stem: path for path in (fresh.path / "notebooks").glob("[0-9]*.py")}
    targets = [f"results/mini/notebooks/{name}.ipynb" for name in chapters]
    jobs = fresh.dry_run("results/mini/report.html", *targets).text.split("rule ")
    (report,) = [job for job in jobs if job.startswith("report:")]
    for name in ("report.css", "report.typ", "report.html", "report.js", "katex/katex.min.css"):
        assert f"{resources}/{name}" in report
    embedding = {
        re.findall(r"wildcards: chapter=(\S+)", job)[0]
        for job in jobs
        if job.startswith("chapter:") and f"{resources}/widgets/space.js" in job
    }
    assert embedding == {
        name for name, path in chapters.items() if "report.widgets" in path.read_text("utf-8")
    }
    assert {"04-visualization"} <= embedding < {*chapters}


def test_a_changed_claim_is_decided_again_and_nothing_else(trained: Checkout) -> None:
    claims = "results/mini/tables/claims.csv"
    trained.run(claims)
    assert trained.dry_run(claims).jobs == {}
    trained.edit("report/claims.yaml")
    assert set(trained.dry_run(claims).jobs) == {"claims"}
    chapters = trained.dry_run("results/mini/notebooks/13-claims.ipynb").jobs
    assert set(chapters) == {"claims", "chapter"}
    assert "claims" not in trained.dry_run("results/mini/notebooks/03-activity.ipynb").jobs


def test_touched_sources_rerun_nothing(trained: Checkout) -> None:
    for path in trained.path.glob("src/**/*.py"):
        os.utime(path)
    assert trained.dry_run(TABLES).jobs == {}
