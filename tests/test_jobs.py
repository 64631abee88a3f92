"""Jobs: their files, what is trained again, and the same bits alone, in groups and in parts."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import torch

from builders import CPU, folder_bytes, run_config, tiny_dataset
from running import RESULTS, parts_of, results, training
from vaestudy import jobs
from vaestudy.binarization import as_float
from vaestudy.checkpoint import load_model
from vaestudy.config import RunConfig
from vaestudy.jobs import is_finished, train_group
from vaestudy.run_files import MissingResultError, RunFiles, read_record
from vaestudy.splits import load_splits


def test_a_run_leaves_its_files_and_no_others(tmp_path: Path) -> None:
    run = run_config()
    (record,) = train_group([run], tiny_dataset(), tmp_path, device=CPU, checkpoint_every=1)
    names = {path.name for path in (tmp_path / run.run_id).iterdir()}
    assert names == {*RESULTS, "record.json", ".lock"}
    files = RunFiles(tmp_path / run.run_id)
    assert record == read_record(files)
    assert (record["status"], record["message"]) == ("finished", "")
    assert record["parameters"] == json.loads(files.parameters.read_text())
    assert RunConfig.model_validate(record["parameters"]) == run
    model, saved = load_model(files.model)
    assert saved == run
    assert record["n_parameters"] == sum(p.numel() for p in model.parameters())
    history = pd.read_parquet(files.history)
    assert list(history.columns) == ["run_id", "epoch", "split", "metric", "value"]
    assert list(pd.read_parquet(files.units).columns) == [
        "run_id",
        "epoch",
        "unit",
        "activity",
        "kl",
    ]


def test_a_second_time_nothing_is_trained_or_touched(tmp_path: Path) -> None:
    runs = [run_config(), run_config(seed=1)]
    assert len(training(runs, tmp_path)) == 4
    before = folder_bytes(tmp_path)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*") if path.is_file()}
    assert training(runs, tmp_path) == []
    assert folder_bytes(tmp_path) == before
    del_locks = {p: t for p, t in times.items() if p.name != ".lock"}
    assert {path: path.stat().st_mtime_ns for path in del_locks} == del_locks


def test_only_what_is_missing_is_trained(tmp_path: Path) -> None:
    first, second = run_config(), run_config(seed=1)
    training([first], tmp_path)
    assert training([first, second], tmp_path) == [(second.run_id, 1), (second.run_id, 2)]


@pytest.mark.parametrize("name", ["model", "history", "units", "record"])
def test_a_run_that_lost_a_file_is_trained_again_to_the_same(name: str, tmp_path: Path) -> None:
    run = run_config()
    training([run], tmp_path)
    before = results(tmp_path, run)
    getattr(RunFiles(tmp_path / run.run_id), name).unlink()
    assert len(training([run], tmp_path)) == 2
    assert results(tmp_path, run) == before


def test_another_engine_or_data_trains_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, dataset = run_config(), tiny_dataset()
    files = RunFiles(tmp_path / run.run_id)
    training([run], tmp_path)
    assert is_finished(run, files, dataset)
    assert not is_finished(run, files, tiny_dataset(n_train=91))
    monkeypatch.setattr(jobs, "engine_fingerprint", lambda: "another engine")
    assert len(training([run], tmp_path)) == 2


@pytest.mark.parametrize(
    "shape",
    [
        {"n_z": 2},
        {"n_z": 10, "objective": "iwae", "k": 5},
        {"n_z": 50, "batch_norm": "all", "likelihood": "gaussian"},
        {"hidden": (37, 11), "batch_norm": "hidden", "k": 5, "batch_size": 13},
        {"hidden": (7,), "n_z": 1, "activation": "elu"},
    ],
    ids=str,
)
def test_a_run_is_bitwise_the_same_alone_and_in_any_group(
    shape: dict[str, object], tmp_path: Path
) -> None:
    runs = [run_config(seed=s, warmup=s % 2, **shape) for s in range(3)]
    for run in runs:
        training([run], tmp_path / "alone")
    for i, order in enumerate([(0, 1), (2, 1, 0)]):
        folder = tmp_path / f"group{i}"
        training([runs[m] for m in order], folder)
        for m in order:
            assert results(folder, runs[m]) == results(tmp_path / "alone", runs[m])


def test_members_at_different_epochs_train_in_parts(tmp_path: Path) -> None:
    runs = [run_config(seed=s, epochs=4) for s in range(6)]
    for run, epochs in zip(runs, (None, 1, 3, 1, 4, None), strict=True):
        if epochs is not None and epochs < 4:
            with pytest.raises(KeyboardInterrupt):
                training([run], tmp_path, stop_after=epochs)
        elif epochs is not None:
            training([run], tmp_path)
    # A name of a device is all that is needed to decide.
    assert parts_of(runs, tmp_path, torch.device("cuda")) == [[2], [1, 3], [0, 5]]
    assert parts_of(runs, tmp_path, CPU) == [[2], [1], [3], [0], [5]]
    done = training(runs, tmp_path)
    assert len(done) == 1 + 2 * 3 + 2 * 4


def test_an_untrained_run_has_no_record(tmp_path: Path) -> None:
    with pytest.raises(MissingResultError, match=r"record\.json is missing.*trains what is"):
        read_record(RunFiles(tmp_path / "run"))


def test_all_runs_meet_the_same_fixed_pixels() -> None:
    dataset = tiny_dataset()
    first, again = (load_splits(dataset, "static", CPU) for _ in range(2))
    assert torch.equal(first.train, again.train)
    assert torch.equal(first.test, load_splits(dataset, "dynamic", CPU).test)
    assert torch.equal(load_splits(dataset, "dynamic", CPU).train, dataset.train)
    grey = as_float(load_splits(dataset, "none", CPU).test, "none")
    assert torch.equal(grey, dataset.test / 255)
