"""Jobs: repeated, killed, resumed, regrouped, side by side: always the same files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
import torch

from builders import CPU, folder_bytes, run_config, tiny_dataset
from vaestudy import jobs
from vaestudy.checkpoint import CheckpointError, load_model
from vaestudy.config import RunConfig
from vaestudy.dataset import Dataset
from vaestudy.devices import DeviceError, out_of_memory_told, select_device
from vaestudy.jobs import BusyError, is_finished, train_group
from vaestudy.run_files import MissingResultError, RunFiles, read_record
from vaestudy.splits import load_splits
from vaestudy.train import EpochReport

RESULTS = ("model.safetensors", "history.parquet", "units.parquet", "parameters.json")


def training(
    runs: Sequence[RunConfig],
    folder: Path,
    dataset: Dataset | None = None,
    stop_after: int | None = None,
    device: torch.device = CPU,
) -> list[tuple[str, int]]:
    """Train in ``folder``; return which run did which epoch; ``stop_after`` so many, crash."""
    done: list[tuple[str, int]] = []

    def on_epoch(members: Sequence[RunConfig], report: EpochReport) -> None:
        if len(done) == stop_after:
            raise KeyboardInterrupt
        done.extend((run.run_id, report.epoch) for run in members)

    train_group(
        runs,
        dataset or tiny_dataset(),
        folder,
        device=device,
        checkpoint_every=1,
        on_epoch=on_epoch,
    )
    return done


def results(folder: Path, run: RunConfig) -> dict[str, bytes]:
    """The files that must not differ between repeats."""
    return {name: (folder / run.run_id / name).read_bytes() for name in RESULTS}


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


def test_a_crash_anywhere_resumes_to_bitwise_the_same(tmp_path: Path) -> None:
    runs = [run_config(seed=s, epochs=3, warmup=2, batch_norm="all") for s in range(2)]
    training(runs, tmp_path / "whole")
    for stop in range(6):
        folder = tmp_path / f"{stop}"
        with pytest.raises(KeyboardInterrupt):
            training(runs, folder, stop_after=stop)
        training(runs, folder)
        for run in runs:
            assert results(folder, run) == results(tmp_path / "whole", run)


def test_finished_epochs_are_not_repeated(tmp_path: Path) -> None:
    run = run_config(epochs=4)
    with pytest.raises(KeyboardInterrupt):
        training([run], tmp_path, stop_after=2)
    assert [epoch for _, epoch in training([run], tmp_path)] == [3, 4]


def parts_of(runs: Sequence[RunConfig], folder: Path, device: torch.device) -> list[list[int]]:
    files = {run: RunFiles(folder / run.run_id) for run in runs}
    parts = jobs._partition(runs, files, tiny_dataset(), device)
    return [[run.seed for run in part] for part in parts]


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


def test_a_diverged_run_says_so_and_leaves_the_others(tmp_path: Path) -> None:
    bad = run_config(learning_rate=1e30)
    good = run_config(seed=1)
    training([bad], tmp_path)
    training([good], tmp_path)
    record = read_record(RunFiles(tmp_path / bad.run_id))
    assert record["status"] == "diverged"
    assert bad.run_id in record["message"]
    assert "lower learning_rate" in record["message"]
    assert read_record(RunFiles(tmp_path / good.run_id))["status"] == "finished"
    assert training([bad], tmp_path) == []  # A diverged run is done.


CHILD = """
import sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[1])
from builders import CPU, tiny_dataset
from vaestudy.config import parse_run
from vaestudy.jobs import train_group
import json
run, pause_at = parse_run(json.loads(sys.argv[3])), int(sys.argv[4])
def on_epoch(runs, report):
    print(report.epoch, flush=True)
    if report.epoch == pause_at:
        time.sleep(600)
train_group([run], tiny_dataset(), Path(sys.argv[2]), device=CPU, checkpoint_every=1,
            on_epoch=on_epoch)
"""


@contextmanager
def child_in_mid_training(run: RunConfig, folder: Path, epoch: int) -> Iterator[subprocess.Popen]:
    """Another process that trains ``run`` and stands still in ``epoch``."""
    arguments = [str(Path(__file__).parent), str(folder), run.canonical, str(epoch)]
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, *arguments], stdout=subprocess.PIPE, text=True
    )
    try:
        for line in child.stdout:
            if int(line) == epoch:
                break
        else:
            pytest.fail("the child ended before its pause")
        yield child
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def test_a_busy_run_is_refused_then_killed_and_resumed_bitwise(tmp_path: Path) -> None:
    run = run_config(epochs=5, warmup=3, batch_norm="hidden", objective="iwae", k=5)
    training([run], tmp_path / "whole")
    with child_in_mid_training(run, tmp_path / "killed", epoch=3) as child:
        with pytest.raises(BusyError, match=run.run_id):
            training([run_config(seed=9), run], tmp_path / "killed")
        os.kill(child.pid, signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed" / run.run_id / "record.json").exists()
    assert [epoch for _, epoch in training([run], tmp_path / "killed")] == [3, 4, 5]
    assert results(tmp_path / "killed", run) == results(tmp_path / "whole", run)


def test_a_process_beside_changes_no_bit(tmp_path: Path) -> None:
    run = run_config(n_z=10, hidden=(100, 100), epochs=3)
    training([run], tmp_path / "quiet")
    busy = "print(flush=True)\nwhile True: pass"
    others = [
        subprocess.Popen([sys.executable, "-c", busy], stdout=subprocess.PIPE) for _ in range(2)
    ]
    try:
        for other in others:
            other.stdout.readline()
        training([run], tmp_path / "busy")
        assert all(other.poll() is None for other in others)
    finally:
        for other in others:
            other.kill()
            other.wait()
            other.stdout.close()
    assert results(tmp_path / "busy", run) == results(tmp_path / "quiet", run)


def test_the_locks_are_freed_after_a_refusal(tmp_path: Path) -> None:
    free, held = run_config(seed=1), run_config()
    with jobs._locked([tmp_path / held.run_id]), pytest.raises(BusyError):
        training([free, held], tmp_path)
    assert len(training([free, held], tmp_path)) == 4


def test_a_damaged_checkpoint_stops_the_job(tmp_path: Path) -> None:
    run = run_config()
    files = RunFiles(tmp_path / run.run_id)
    files.directory.mkdir()
    files.checkpoint.write_bytes(b"half a f")
    with pytest.raises(CheckpointError, match=r"checkpoint\.safetensors is damaged"):
        training([run], tmp_path)


def test_an_untrained_run_has_no_record(tmp_path: Path) -> None:
    with pytest.raises(MissingResultError, match=r"record\.json is missing.*trains what is"):
        read_record(RunFiles(tmp_path / "run"))


def test_cuda_without_a_gpu_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match=r"device is cuda, but .* set device: cpu, or auto"):
        select_device("cuda")
    assert select_device("auto") == select_device("cpu") == CPU
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert select_device("auto") == select_device("cuda") == torch.device("cuda")
    with pytest.raises(DeviceError, match="device is 'gpu'; expected auto, cpu or cuda"):
        select_device("gpu")


def test_all_runs_meet_the_same_fixed_pixels() -> None:
    dataset = tiny_dataset()
    first, again = (load_splits(dataset, "static", CPU) for _ in range(2))
    assert torch.equal(first.train, again.train)
    assert torch.equal(first.test, load_splits(dataset, "dynamic", CPU).test)
    assert torch.equal(load_splits(dataset, "dynamic", CPU).train, dataset.train)
    assert torch.equal(load_splits(dataset, "none", CPU).test, dataset.test / 255)


def test_a_full_gpu_says_what_to_do() -> None:
    with (
        pytest.raises(DeviceError, match=r"does not hold 16 models of iwae5 .* lower max_members"),
        out_of_memory_told(16, "iwae5"),
    ):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")
