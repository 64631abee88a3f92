"""Files larger than memory through everything that users call, measured by what a process grows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vaestudy import VAE

#: A file of 300 MB, of which no byte but of its first rows is written.
SHAPE = (60_000, 1_250)
#: What a process may grow by: batches, held-out rows, a survey of 32 MiB; of the command also the
#: libraries and rows of its page. Whole in memory, the data would take 300 MB more, or 600.
MOST_MB, MOST_MB_OF_COMMAND = 280, 450
#: Three gigabytes of float64, for ten take minutes (test_estimator_streamed.py has some steps of
#: ten), and what they may take.
HUGE, MOST_MB_OF_HUGE = (600_000, 625), 500

_WATCHED = """
import sys
import numpy as np
import torch
torch.set_num_threads(1)
from vaestudy import VAE
from vaestudy.cli import app
from vaestudy.machine import peak_rss_mb as peak

VAE(hidden=(4,), epochs=1, device="cpu").fit(np.eye(30))  # What is loaded at first use.
before = peak()
"""
_ESTIMATOR = """
X = np.load(sys.argv[1], mmap_mode="r")
vae = VAE(hidden=(4,), batch_size=500, epochs=1, validation_fraction=0.01, n_importance=5,
          device="cpu", random_state=0).fit(X)
codes, scores = vae.transform(X[:70]), vae.score_samples(X[:70])
vae.save(sys.argv[2])
np.savez(sys.argv[3], codes=codes, scores=scores, all=vae.transform(X))
print("grown", peak() - before)
"""
_HUGE = """
X = np.load(sys.argv[1], mmap_mode="r")
vae = VAE(n_z=1, hidden=(4,), activation="relu", batch_size=5_000, epochs=1,
          validation_fraction=0.005, device="cpu", random_state=0).fit(X)
np.save(sys.argv[2], vae.transform(X[500_000:600_000]))  # Half a gigabyte.
print("grown", peak() - before)
"""
_COMMAND = """
import vaestudy.fit.job
before = peak()
options = ["hidden=[4]", "batch_size=500", "validation_fraction=0.01", "n_importance=5"]
try:
    app(["fit", sys.argv[1], "-o", sys.argv[2], "--epochs", "1", "--device", "cpu",
         *(word for option in options for word in ("--set", option))])
except SystemExit as end:
    assert not end.code
print("grown", peak() - before)
"""


@pytest.fixture(scope="module")
def sparse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = (np.random.default_rng(0).random((50, SHAPE[1])) > 0.5).astype(np.float32)
    return sparse_file(tmp_path_factory.mktemp("sparse") / "x.npy", SHAPE, rows)


def sparse_file(path: Path, shape: tuple[int, int], first: np.ndarray) -> Path:
    """Write a file of zeros that are on no disk, but for its first rows."""
    array = np.lib.format.open_memmap(path, "w+", first.dtype, shape)
    array[: len(first)] = first
    array.flush()
    assert path.stat().st_blocks * 512 < 2**24, "the file is meant to be sparse"
    return path


def grown(code: str, *arguments: Path) -> float:
    """Run ``code`` in a process of its own, and return by how many MB its memory grew."""
    command = [sys.executable, "-c", _WATCHED + code, *map(str, arguments)]
    out = subprocess.run(command, capture_output=True, text=True, check=False)
    assert out.returncode == 0, out.stderr
    return float(out.stdout.split("grown ")[1])


def test_the_estimator_streams_a_mapped_file(sparse: Path, tmp_path: Path) -> None:
    model, found = tmp_path / "model.safetensors", tmp_path / "found.npz"
    assert grown(_ESTIMATOR, sparse, model, found) < MOST_MB
    vae, arrays = VAE.load(model, device="cpu"), np.load(found)
    assert (vae.likelihood_, vae.n_iter_) == ("bernoulli", 1)
    # In memory the first rows are the same rows.
    some = np.array(np.load(sparse, mmap_mode="r")[:70])
    np.testing.assert_allclose(arrays["codes"], vae.transform(some), rtol=1e-12)
    np.testing.assert_allclose(arrays["scores"], vae.score_samples(some), rtol=1e-12)
    np.testing.assert_allclose(arrays["all"][:70], arrays["codes"], rtol=1e-9)
    assert arrays["all"].shape == (SHAPE[0], 2)
    assert np.isfinite(arrays["scores"]).all()
    assert arrays["scores"][:50].mean() < arrays["scores"][50:].mean()


def test_the_command_streams_a_file(sparse: Path, tmp_path: Path) -> None:
    assert grown(_COMMAND, sparse, tmp_path) < MOST_MB_OF_COMMAND
    assert json.loads((tmp_path / "model.json").read_text())["n_rows"] == SHAPE[0]
    assert len(pd.read_parquet(tmp_path / "embedding.parquet")) == SHAPE[0]
    assert (tmp_path / "report.html").exists()


@pytest.mark.slow
def test_gigabytes_are_fitted_in_the_memory_of_their_batches(tmp_path: Path) -> None:
    path, found = sparse_file(tmp_path / "x.npy", HUGE, np.ones((9, HUGE[1]))), tmp_path / "z.npy"
    assert path.stat().st_size == pytest.approx(3e9, rel=1e-3)
    assert grown(_HUGE, path, found) < MOST_MB_OF_HUGE
    codes = np.load(found)
    assert codes.shape == (100_000, 1)
    assert np.ptp(codes) == 0, "all these rows are alike"
