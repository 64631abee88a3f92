"""Jobs that share a machine take a GPU each."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from vaestudy import devices
from vaestudy.cli.options import start_job

GPUS = ["GPU-a", "GPU-b"]


@pytest.fixture
def fake_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID"):
        monkeypatch.setenv(name, "")  # so that what claim_gpu sets is undone
        monkeypatch.delenv(name)
    monkeypatch.setattr(devices, "list_gpus", lambda: GPUS)
    monkeypatch.setattr(devices, "_lock_directory", lambda: tmp_path)
    monkeypatch.setattr(devices, "_held", [])
    return tmp_path


def test_two_jobs_get_two_gpus(tmp_path: Path) -> None:
    first, handle = devices.lock_first_free(GPUS, tmp_path)
    second, other = devices.lock_first_free(GPUS, tmp_path)
    assert [first, second] == GPUS
    handle.close()
    third, _ = devices.lock_first_free(GPUS, tmp_path)
    assert third == first
    other.close()


def test_a_third_job_waits_until_one_ends(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    script = (
        "import sys, time; from pathlib import Path; from vaestudy import devices\n"
        "held = devices.lock_first_free(['GPU-a'], Path(sys.argv[1]))\n"
        "print('held', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holder_ends = time.monotonic()
        holder.kill()  # the kernel frees the lock
        gpu, _ = devices.lock_first_free(["GPU-a"], tmp_path, poll_seconds=0.01)
    assert gpu == "GPU-a"
    assert time.monotonic() - holder_ends < 10


def test_a_claim_shows_the_process_one_gpu(
    fake_gpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert devices.claim_gpu() == "GPU-a"
    assert devices.os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-a"
    assert devices.claim_gpu() is None, "the second claim of a process keeps the first"
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert devices.claim_gpu() == "GPU-b", "as another process would see it"


@pytest.mark.parametrize("name", ["CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID"])
def test_others_choices_stand(fake_gpus: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    assert devices.claim_gpu() is None
    assert not list(fake_gpus.iterdir())


def test_of_several_that_are_shown_each_job_takes_one(
    fake_gpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    for expected in ("2", "GPU-x"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, GPU-x")
        assert devices.claim_gpu() == expected
        assert devices.os.environ["CUDA_VISIBLE_DEVICES"] == expected


@pytest.mark.parametrize("built", [False, True], ids=["PyTorch for CPUs", "driver too old"])
def test_a_gpu_of_no_use_is_left_to_others(
    built: bool, fake_gpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: built)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert start_job("auto", 1).type == "cpu"
    assert devices.lock_first_free(["GPU-a"], fake_gpus)[0] == "GPU-a"


def test_machines_without_a_gpu(fake_gpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "list_gpus", list)
    assert devices.claim_gpu() is None
    assert "CUDA_VISIBLE_DEVICES" not in devices.os.environ


def test_no_driver_means_no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert devices.list_gpus() == []


def tf32() -> tuple[str, bool]:
    """Of products, and of convolutions; read and set without a GPU too."""
    return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32


@pytest.fixture
def pytorchs_own() -> Iterator[None]:
    """PyTorch's defaults: products in fp32, convolutions in TF32."""
    before = tf32()
    devices._take_tf32("highest", True)
    yield
    devices._take_tf32(*before)


@pytest.mark.usefixtures("pytorchs_own")
@pytest.mark.parametrize(("allowed", "products"), [(False, "highest"), (True, "high")])
def test_products_and_convolutions_are_of_the_precision_asked_for(
    allowed: bool, products: str
) -> None:
    def interrupted() -> None:
        with devices.tf32_products(allowed):
            assert tf32() == (products, allowed)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert tf32() == ("highest", True)


@pytest.mark.usefixtures("pytorchs_own")
def test_a_job_computes_in_fp32_unless_told() -> None:
    start_job("cpu", 1)
    assert tf32() == ("highest", False)
