"""Real runs of the smallest study: what is trained, what is left alone, what survives a kill."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from checkout import MINI, ROOT, TABLES, Checkout, checksum

REPRODUCIBLE = ("runs", "history", "units", "evaluation", "summary", "datasets")
ONE_RUN: dict[str, Any] = {
    "base": {**MINI["base"], "n_z": 2, "epochs": 60},
    "experiments": {"only": {"title": "Only"}},
    "checkpoint_every": 5,
}


def tables(checkout: Checkout) -> dict[str, str]:
    return {n: checksum(checkout.path / f"results/mini/tables/{n}.parquet") for n in REPRODUCIBLE}


def test_tables_are_the_same_on_one_core(finished: Checkout, tmp_path: Path) -> None:
    alone = Checkout.create(tmp_path / "alone")
    alone.run(TABLES, cores=1)
    assert tables(alone) == tables(finished)


@pytest.mark.parametrize(
    "changes",
    [
        {"seeds": [0, 1]},
        {"experiments": {"sizes": {"title": "Sizes", "vary": {"n_z": [2, 3, 4]}}}},
    ],
    ids=["seed", "n_z"],
)
def test_additions_leave_trained_models_alone(trained: Checkout, changes: dict[str, Any]) -> None:
    before = trained.models()
    trained.configure(**changes)
    trained.run(TABLES)
    after = trained.models()
    assert len(after) > len(before) == 2
    assert {run: after[run] for run in before} == before


def test_additions_to_jobs_of_one_model_train_new_jobs_alone(trained: Checkout) -> None:
    before = trained.models()
    trained.configure(max_members=1, seeds=[0, 1])
    planned = trained.dry_run(TABLES)
    # Other jobs, but the models that are there are found by their parameters.
    assert "4 models, 2 of them trained, in 4 training jobs;" in planned.text
    trained.run(TABLES)
    assert {run: trained.models()[run] for run in before} == before
    trained.configure(max_members=1, seeds=[0, 1, 2])
    assert trained.dry_run(TABLES).jobs["train"] == 2


def test_a_lost_run_is_trained_again(trained: Checkout) -> None:
    before = trained.models()
    lost = min(before)
    shutil.rmtree(trained.path / "results/mini/runs" / lost)
    planned = trained.dry_run(TABLES)
    assert planned.jobs["train"] == 1
    assert f"Trained again, as its files have gone: {lost}" in planned.text
    trained.run(TABLES)
    after = trained.models()
    assert {run: model[0] for run, model in after.items()} == {
        run: model[0] for run, model in before.items()
    }
    assert {run for run in after if after[run] != before[run]} == {lost}
    assert trained.dry_run(TABLES).jobs == {}


def test_a_log_keeps_every_attempt_and_its_error(trained: Checkout) -> None:
    data = trained.path / "results/mini/data/mnist-5k.safetensors"
    data.write_bytes(data.read_bytes()[:1000])
    (group, _) = sorted((trained.path / "results/mini/groups").iterdir())
    (group / "trained.json").unlink()
    target = str((group / "trained.json").relative_to(trained.path))
    # Twice where that is asked for, and else once.
    for retries, attempts in ((), 1), (("--retries", "1"), 2):
        result = trained.snakemake(target, "--cores", "1", *retries)
        assert result.code != 0
        assert result.text.count("Trying to restart") == attempts - 1
    log = (trained.path / f"results/mini/logs/train/{group.name}.log").read_text(encoding="utf-8")
    assert log.count(" ==== attempt by process ") == 1 + 3
    assert log.count(" error: results/mini/data/mnist-5k.safetensors cannot be read") == 3
    # Of the attempt that succeeded, too.
    assert "epoch    2/2" in log


def test_measuring_anew_trains_nothing(trained: Checkout) -> None:
    before = trained.models()
    trained.configure(evaluation={"n_samples": 3})
    trained.run(TABLES)
    assert trained.models() == before
    table = pd.read_parquet(trained.path / "results/mini/tables/evaluation.parquet")
    assert set(table.loc[table["metric"] == "nll", "n_samples"]) == {3}


def test_data_are_looked_for_where_the_configuration_says(tmp_path: Path) -> None:
    base = {**MINI["base"], "dataset": "mnist"}
    checkout = Checkout.create(tmp_path / "checkout", base=base, data_dir="my {own} data")
    raw = checkout.path / "my {own} data/MNIST/raw"
    raw.mkdir(parents=True)
    for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (raw / f"{part}-ubyte").write_bytes(b"damaged")
    result = checkout.snakemake("results/mini/data/mnist.safetensors", "--cores", "1")
    assert result.code != 0
    assert "my {own} data/MNIST/raw/train-images-idx3-ubyte is not the published" in checkout.logs()


def test_a_killed_run_goes_on_to_the_same_model(tmp_path: Path) -> None:
    killed = Checkout.create(tmp_path / "killed", **ONE_RUN)
    process = killed.start(TABLES)
    wait_for(killed, "results/mini/runs/*/checkpoint.safetensors")
    # Snakemake and its job, as when a machine loses power.
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not killed.models()
    killed.snakemake("--unlock", "--cores", "1")
    killed.run(TABLES, "--rerun-incomplete")
    assert "resuming after epoch" in killed.logs()
    whole = Checkout.create(tmp_path / "whole", **ONE_RUN)
    whole.run(TABLES)
    assert [m[0] for m in killed.models().values()] == [m[0] for m in whole.models().values()]
    assert tables(killed) == tables(whole)


def wait_for(checkout: Checkout, pattern: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not list(checkout.path.glob(pattern)):
        assert time.monotonic() < deadline, checkout.logs()
        time.sleep(0.02)


def test_the_chapter_of_the_documentation_joins_the_report(trained: Checkout) -> None:
    text = (ROOT / "docs/chapters.md").read_text(encoding="utf-8")
    (chapter,) = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (trained.path / "notebooks/13-mine.py").write_text(chapter, encoding="utf-8")
    executed = "results/mini/notebooks/13-mine.ipynb"
    planned = trained.dry_run("results/mini/report.html")
    assert planned.jobs["chapter"] > 1
    assert "train" not in planned.jobs
    trained.run(executed)
    assert "Figure fig:mine" in (trained.path / executed).read_text(encoding="utf-8")
