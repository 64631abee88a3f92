"""Files that are read as rows are asked for: the same answers, the same checks, little memory."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from estimating import quick
from vaestudy.estimator import inputs, rows
from vaestudy.estimator.rows import Intensities
from vaestudy.estimator.support import LikelihoodWarning

RNG = np.random.default_rng(0)
UNIT = RNG.random((30, 4))


def test_a_streamed_file_gives_what_the_array_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.npy"
    np.save(path, UNIT.astype(np.float32))
    mapped, loaded = np.load(path, mmap_mode="r"), np.load(path)
    vae = quick().fit(loaded)
    monkeypatch.setattr(inputs, "STREAM_FROM", 0)
    monkeypatch.setattr(inputs, "BLOCK_BYTES", 7 * 8 * 4)  # Seven rows at a time.
    for method in (vae.transform, vae.score_samples, vae.reconstruct):
        np.testing.assert_allclose(method(mapped), method(loaded), rtol=1e-12)
    streamed = quick().fit(mapped)
    assert streamed.likelihood_ == vae.likelihood_
    assert np.isfinite(streamed.score(mapped))


def test_bad_values_in_a_streamed_file_are_found_when_they_are_met(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "STREAM_FROM", 0)
    monkeypatch.setattr(inputs, "BLOCK_BYTES", 2 * 8 * 4)
    data, path = UNIT.copy(), tmp_path / "x.npy"
    for value, message in (
        (np.nan, "NaN in 1 of [0-9]+ rows read together"),
        (3.0, r"values in \[.*3\]"),
    ):
        data[13, 2] = value
        np.save(path, data)
        with pytest.raises(ValueError, match=message):
            quick().fit(np.load(path, mmap_mode="r"))
    np.save(path, np.array([["a", "b"]] * 9))
    with pytest.raises(ValueError, match="expected real numbers"):
        quick().fit(np.load(path, mmap_mode="r"))


def test_values_outside_draw_one_warning_with_the_range_of_all_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vae, data = quick().fit(UNIT), UNIT.copy()
    data[2, 1], data[25, 3] = -3, 255
    np.save(tmp_path / "x.npy", data)
    monkeypatch.setattr(inputs, "STREAM_FROM", 0)
    monkeypatch.setattr(inputs, "BLOCK_BYTES", 7 * 8 * 4)
    with pytest.warns(LikelihoodWarning, match=r"values in \[-3, 255\]") as caught:
        vae.transform(np.load(tmp_path / "x.npy", mmap_mode="r"))
    assert len(caught) == 1


def test_intensities_are_the_divided_array(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels, path = RNG.integers(0, 256, (30, 4), dtype=np.uint8), tmp_path / "x.npy"
    np.save(path, pixels)
    mapped, divided = Intensities(np.load(path, mmap_mode="r")), pixels / 255
    assert (len(mapped), mapped.shape, mapped.size) == (30, (30, 4), 120)
    np.testing.assert_array_equal(np.asarray(mapped), divided)
    advised: list[str] = []
    monkeypatch.setattr(rows, "_advise", lambda array, name: advised.append(name))
    np.testing.assert_array_equal(rows.gather(mapped, np.array([7, 2])), divided[[7, 2]])
    assert "MADV_DONTNEED" in advised, "pages are to be let go of"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vae = quick().fit(mapped, sample_weight=np.ones(30))
        found = [vae.transform(x) for x in (mapped, divided)]
    assert vae.likelihood_ == "continuous-bernoulli"
    np.testing.assert_array_equal(*found)
    np.save(path, pixels.astype(np.int16))
    with pytest.raises(ValueError, match=r"file is int16 of shape \(30, 4\); expected uint8"):
        Intensities(np.load(path, mmap_mode="r"))


_HUGE = """
import sys
import numpy as np
import torch
torch.set_num_threads(1)
from vaestudy.estimator import fitting, inputs
from vaestudy.estimator.support import Scaling
from vaestudy.machine import peak_rss_mb
from vaestudy.presentation import presented
from vaestudy.train import initial_state, train_step

shape = (4_000_000, 625)
np.lib.format.open_memmap(sys.argv[1], "w+", np.float32, shape)  # 10 GB of nothing.
X = np.load(sys.argv[1], mmap_mode="r")
before = peak_rss_mb()
seen, _ = inputs.survey(X, None)
device = torch.device("cpu")
rows = inputs.training_rows(X, None, inputs.Preparation("normal", Scaling.none(625)), 0, device)
assert len(rows) == len(X)
data = fitting.hold_out(rows, 0.0005, 0, device)
run = fitting.configure({"hidden": (8,), "likelihood": "normal"})
state = initial_state((run,), 625, device)
orders = torch.randperm(len(data.train)).unsqueeze(0)
noise = [torch.Generator()]
blocks = presented(data.train, orders, run, state.model.architecture, noise, noise)
for _, block in zip(range(4), blocks, strict=False):
    for x, eps in block:
        train_step(state, x, eps, torch.ones(1))
print(peak_rss_mb() - before)
"""


def test_a_file_of_ten_gigabytes_is_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "huge.npy"
    code = [sys.executable, "-c", _HUGE, str(path)]
    out = subprocess.run(code, capture_output=True, text=True, check=True)
    assert path.stat().st_blocks * 512 < 2**24, "the file is meant to be sparse"
    assert float(out.stdout) < 500, "MB grown: the rows' order alone is 64"
