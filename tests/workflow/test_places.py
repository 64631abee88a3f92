"""Snakemake run from other folders than the checkout's, and with configurations in other places."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from checkout import MINI, TABLES, Checkout

REPORT = "results/mini/report.html"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Checkout:
    """A folder with a study's configuration and nothing else."""
    (tmp_path / "elsewhere").mkdir()
    folder = Checkout(tmp_path / "elsewhere")
    folder.configure()
    return folder


def test_a_dry_run_elsewhere_plans_what_one_in_the_checkout_does(
    fresh: Checkout, elsewhere: Checkout
) -> None:
    planned = elsewhere.dry_run("-s", str(fresh.path / "Snakefile")).jobs
    assert planned == fresh.dry_run().jobs
    assert planned["train"] == planned["chapter"] == 2
    # From the checkout, with results elsewhere.
    assert fresh.dry_run("--directory", str(elsewhere.path)).jobs == planned


def test_chapters_run_elsewhere(finished: Checkout, elsewhere: Checkout) -> None:
    shutil.copytree(finished.path / "results", elsewhere.path / "results")
    shutil.copytree(finished.path / ".snakemake", elsewhere.path / ".snakemake")
    (elsewhere.path / "results/mini/grid.yaml").unlink()
    snakefile = str(finished.path / "Snakefile")
    executed = "results/mini/notebooks/13-claims.ipynb"
    elsewhere.run(executed, "-s", snakefile, "--rerun-triggers", "mtime")
    text = (elsewhere.path / executed).read_text(encoding="utf-8")
    # The ledger is the checkout's, the tables are those of here.
    assert "claim:000.warmup-stops-pruning" in text
    grid = yaml.safe_load((elsewhere.path / "results/mini/grid.yaml").read_text("utf-8"))
    assert grid["results_dir"] == str(elsewhere.path / "results")


def test_a_checkout_without_chapters_says_so(fresh: Checkout, tmp_path: Path) -> None:
    bare = fresh.copy(tmp_path / "checkout")
    shutil.rmtree(bare.path / "notebooks")
    result = bare.snakemake("--dry-run")
    assert result.code != 0
    assert f"there is no chapter in {bare.path}/notebooks; expected files such as" in result.text
    assert "Traceback" not in result.text


def test_the_full_study_is_the_base_where_no_file_is_given(
    fresh: Checkout, elsewhere: Checkout
) -> None:
    arguments = ("results/plane/grid.yaml", "--config", "study=plane", "only=[square, shapes]")
    snakefile = str(fresh.path / "Snakefile")
    result = elsewhere.dry_run(*arguments, "-s", snakefile, config=None)
    assert "Study 'plane': 190 models" in result.text


def test_a_file_that_names_no_study_stops(fresh: Checkout, tmp_path: Path) -> None:
    seeds = tmp_path / "seeds.yaml"
    seeds.write_text("seeds: [0, 1]\n", encoding="utf-8")
    result = fresh.snakemake("--dry-run", config=str(seeds))
    assert result.code != 0
    assert "seeds.yaml names no study; expected `study: NAME`" in result.text
    assert "--configfile config.yaml FILE.yaml" in result.text
    assert "Traceback" not in result.text


def test_one_experiment_is_a_list_too(fresh: Checkout) -> None:
    result = fresh.snakemake("--dry-run", "--config", "only=sizes")
    assert result.code != 0
    assert "only: got 'sizes'" in result.text
    assert "--config 'only=[sizes]'" in result.text


@pytest.mark.parametrize("profile", ["gpu", "slurm-gpu"])
def test_a_profile_for_gpus_whose_settings_are_replaced(fresh: Checkout, profile: str) -> None:
    arguments = (TABLES, "--workflow-profile", f"workflow/profiles/{profile}")
    assert "warning: jobs are given GPUs" not in fresh.dry_run(*arguments).text
    assert MINI["device"] == "cpu"
    told = fresh.dry_run(*arguments, "--config", "checkpoint_every=3").text
    assert "warning: jobs are given GPUs, but the study has device 'cpu'" in told
    assert "--config device=cuda max_members=16" in told
