"""Jobs that are crashed, killed, refused or out of a device: what remains, and how they go on."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from builders import CPU, run_config
from running import results, training
from vaestudy import jobs
from vaestudy.checkpoint import CheckpointError
from vaestudy.config import RunConfig
from vaestudy.devices import DeviceError, out_of_memory_told, select_device
from vaestudy.jobs import BusyError
from vaestudy.run_files import RunFiles, read_record
from vaestudy.tensorfile import read_tensors


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


def test_cuda_without_a_gpu_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match=r"device is cuda, but .* set device: cpu, or auto"):
        select_device("cuda")
    assert select_device("auto") == select_device("cpu") == CPU
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert select_device("auto") == select_device("cuda") == torch.device("cuda")
    with pytest.raises(DeviceError, match="device is 'gpu'; expected auto, cpu or cuda"):
        select_device("gpu")


def test_a_full_gpu_says_what_to_do() -> None:
    with (
        pytest.raises(DeviceError, match=r"does not hold 16 models of iwae5 .* lower max_members"),
        out_of_memory_told(16, "iwae5"),
    ):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")


def test_a_record_does_not_vouch_for_another_trainings_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between two engines' trainings, the run is of neither until it is trained again."""
    run = run_config(epochs=2)
    training([run], tmp_path)
    of_this = results(tmp_path, run)
    with monkeypatch.context() as other:
        other.setattr(jobs, "engine_fingerprint", lambda: "another")
        with pytest.raises(KeyboardInterrupt):
            training([run], tmp_path, stop_after=1)
        assert not RunFiles(tmp_path / run.run_id).record.exists()
    training([run], tmp_path)
    assert results(tmp_path, run) == of_this


def test_the_time_of_a_run_is_that_of_all_its_epochs(tmp_path: Path) -> None:
    run = run_config(epochs=6)
    with pytest.raises(KeyboardInterrupt):
        training([run], tmp_path, stop_after=5)
    before = read_tensors(RunFiles(tmp_path / run.run_id).checkpoint, "vaestudy")[1]
    training([run], tmp_path)
    record = read_record(RunFiles(tmp_path / run.run_id))
    assert record["train_seconds"] > float(before["seconds"]) > 0
    assert record["epochs_timed"] == 6


def test_what_a_killed_process_left_half_written_goes(tmp_path: Path) -> None:
    run = run_config()
    left = tmp_path / run.run_id / ".4711.checkpoint.safetensors"
    left.parent.mkdir()
    left.write_bytes(b"half")
    training([run], tmp_path)
    assert not left.exists()


def test_where_files_cannot_be_locked_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(jobs.fcntl, "flock", unsupported)
    training([run_config()], tmp_path)
    assert "cannot be locked" in caplog.text
