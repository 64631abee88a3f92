"""The estimator on a GPU: the CPU's answers from the same model, and training there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from estimating import quick
from vaestudy import VAE

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a GPU that PyTorch can use"
)

RNG = np.random.default_rng(0)
#: One column of which is constant.
TABLE = np.insert(RNG.normal(size=(60, 4)) * [1, 100, 0.01, 5], 2, 0.3, axis=1)
UNIT = RNG.random((60, 4))


@pytest.mark.parametrize("data", [TABLE, UNIT, UNIT > 0.5], ids=["normal", "unit", "binary"])
def test_a_model_fitted_on_a_gpu_answers_the_same_on_the_cpu(
    data: np.ndarray, tmp_path: Path
) -> None:
    on_gpu = quick(device="cuda").fit(data)
    assert on_gpu._state.device.type == on_gpu._fitted.device.type == "cuda"
    on_gpu.save(tmp_path / "model.safetensors")
    on_cpu = VAE.load(tmp_path / "model.safetensors", device="cpu")
    for method in ("transform", "reconstruct", "score_samples"):
        got, want = (getattr(vae, method)(data) for vae in (on_gpu, on_cpu))
        np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-9, err_msg=method)
    np.testing.assert_allclose(on_gpu.sample(20), on_cpu.sample(20), rtol=1e-7, atol=1e-9)
    holes = np.where(RNG.random(data.shape) < 0.3, np.nan, data)
    filled = on_gpu.impute(holes, n_iter=20)
    np.testing.assert_array_equal(filled[~np.isnan(holes)], holes[~np.isnan(holes)])
    assert np.isfinite(filled).all()
    assert on_gpu.partial_fit(data).n_iter_ == on_cpu.n_iter_ + 1


def test_training_on_a_gpu_pays() -> None:
    short, long = (
        quick(device="cuda", epochs=epochs, learning_rate=0.01, n_importance=200).fit(TABLE)
        for epochs in (1, 60)
    )
    assert long.score(TABLE) > short.score(TABLE) + 0.2
