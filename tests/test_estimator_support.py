"""What the estimator makes of its data: the likelihood they are for, rows outside, constants."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from estimating import BINARY, REAL, UNIT, quick
from vaestudy import VAE
from vaestudy.estimator.support import ConstantWarning, LikelihoodWarning, Scaling

RNG = np.random.default_rng(1)


@pytest.mark.parametrize(
    ("data", "likelihood"),
    [
        (BINARY, "bernoulli"),
        (BINARY > 0, "bernoulli"),
        (UNIT, "continuous-bernoulli"),
        (REAL, "normal"),
        (RNG.integers(0, 9, (30, 4)), "normal"),
    ],
)
def test_the_likelihood_follows_the_data(data: np.ndarray, likelihood: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vae = quick().fit(data)
    assert vae.likelihood_ == likelihood
    if likelihood != "normal":
        assert (vae.scale_ == 1).all()
        assert ((vae.sample(50) >= 0) & (vae.sample(50) <= 1)).all()


@pytest.mark.parametrize(
    ("data", "likelihood", "suited"),
    [
        (UNIT, "bernoulli", "'continuous-bernoulli' suits"),
        (BINARY, "continuous-bernoulli", "'bernoulli' suits"),
        (BINARY, "normal", "'bernoulli' suits"),
        (REAL, "gaussian", "'normal' suits"),
    ],
)
def test_a_likelihood_for_other_data_warns(data: np.ndarray, likelihood: str, suited: str) -> None:
    with pytest.warns(LikelihoodWarning, match=suited):
        quick(likelihood=likelihood).fit(data)


@pytest.mark.parametrize("likelihood", ["bernoulli", "continuous-bernoulli"])
def test_impossible_data_are_refused_in_fit_and_have_no_likelihood_after(likelihood: str) -> None:
    with pytest.raises(ValueError, match=r"expected values in \[0, 1\]"):
        quick(likelihood=likelihood).fit(REAL)
    data = BINARY if likelihood == "bernoulli" else UNIT
    vae = quick(likelihood=likelihood).fit(data)
    with pytest.warns(LikelihoodWarning, match="values outside"):
        scores = vae.score_samples(np.vstack([data[:2], data[:1] + 3]))
    assert np.isfinite(scores[:2]).all()
    assert scores[2] == -np.inf


LATER = [
    ("bernoulli", BINARY),
    ("continuous-bernoulli", UNIT),
    ("beta", UNIT),
    ("gaussian", UNIT),
]


@pytest.mark.parametrize(("likelihood", "data"), LATER, ids=[name for name, _ in LATER])
@pytest.mark.parametrize("method", ["transform", "reconstruct", "impute", "score_samples", "score"])
def test_later_rows_outside_the_unit_interval_draw_a_warning(
    method: str, likelihood: str, data: np.ndarray
) -> None:
    call = getattr(quick(likelihood=likelihood).fit(data), method)
    call = partial(call, n_iter=10) if method == "impute" else call
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call(data)
    said = rf"values in \[0, 255\] but .* likelihood '{likelihood}', which is for \[0, 1\].*scale X"
    with pytest.warns(LikelihoodWarning, match=said) as caught:
        call(255 * BINARY)
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize("method", ["transform", "score_samples", "impute", "partial_fit"])
def test_later_rows_between_0_and_1_draw_a_warning_of_a_model_of_0s_and_1s(method: str) -> None:
    vae = quick().fit(BINARY)
    call = getattr(vae, method)
    call = partial(call, n_iter=10) if method == "impute" else call
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call(BINARY[:5])
    with pytest.warns(LikelihoodWarning, match="fitted to 0s and 1s.* a cross-entropy") as caught:
        call(BINARY / 2)
    assert [warning.filename for warning in caught] == [__file__]
    # Whoever names the likelihood for such data has been told so by the fit.
    with pytest.warns(LikelihoodWarning, match="X is not binary"):
        named = quick(likelihood="bernoulli").fit(UNIT)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        named.transform(UNIT)


def test_a_warning_names_the_line_that_called_a_pipeline() -> None:
    pipeline = make_pipeline(MaxAbsScaler(), quick(likelihood="bernoulli"))
    with pytest.warns(LikelihoodWarning, match="suits these data") as caught:
        pipeline.fit(UNIT)
    with pytest.warns(LikelihoodWarning, match="fitted with") as later:
        pipeline.transform(UNIT + 1)
    assert [w.filename for w in (*caught, *later)] == [__file__] * 2


def test_what_is_missing_is_not_outside() -> None:
    vae, holes = quick().fit(UNIT), UNIT[:5].copy()
    holes[0], holes[3, 1] = np.nan, np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vae.impute(holes, n_iter=10)
        vae.impute(np.full((2, 4), np.nan), n_iter=10)
    holes[3, 2] = 1.5
    with pytest.warns(LikelihoodWarning, match=r", 1\.5\]"):
        vae.impute(holes, n_iter=10)


@pytest.mark.parametrize("value", [0.0, 0.1, -7.3, 1e-6, 1e300])
@pytest.mark.parametrize("likelihood", ["normal", "squared-error"])
def test_a_constant_column_stays_constant(value: float, likelihood: str, tmp_path: Path) -> None:
    data = np.insert(1e-3 * REAL, 2, value, axis=1)
    fitted = quick(likelihood=likelihood).fit(data)
    fitted.save(tmp_path / "x.safetensors")
    holes = np.where(RNG.random(data.shape) < 0.3, np.nan, data)
    holes[0, 2] = np.nan
    for vae in (fitted, VAE.load(tmp_path / "x.safetensors", device="cpu")):
        assert (vae.mean_[2], vae.scale_[2]) == (value, 0)
        codes = vae.transform(data)
        for rows in (
            vae.reconstruct(data),
            vae.inverse_transform(codes),
            vae.sample(500),
            vae.impute(holes, n_iter=10),
            vae.impute(holes, how="sample", n_iter=10),
        ):
            assert (rows[:, 2] == value).all()
            assert (np.ptp(rows, axis=0) > 0).tolist() == [True, True, False, True, True]


def test_a_constant_column_adds_nothing_to_the_density() -> None:
    data = np.insert(REAL, 2, 0.1, axis=1)
    vae, without = quick().fit(data), quick().fit(REAL)
    np.testing.assert_array_equal(vae.score_samples(data), without.score_samples(REAL))
    pd.testing.assert_frame_equal(vae.history_, without.history_)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vae.score_samples(data.astype(np.float32))
    changed = data + np.eye(5)[2]
    with pytest.warns(ConstantWarning, match="feature 2 held one value in training"):
        np.testing.assert_array_equal(vae.score_samples(changed), vae.score_samples(data))


def test_the_smallest_numbers_are_no_constant() -> None:
    data = REAL * [1, 1e-200, 1, 1]
    vae = quick().fit(data)
    assert 0 < np.ptp(vae.sample(100)[:, 1]) < 1e-198


def test_constant_data_altogether() -> None:
    data = np.full((20, 3), 5.0)
    vae = quick().fit(data)
    assert np.isfinite(vae.score(data))
    np.testing.assert_array_equal(vae.sample(4), data[:4])
    np.testing.assert_array_equal(vae.reconstruct(data), data)


def test_scaling_is_standardisation() -> None:
    scaling = Scaling.of(REAL)
    np.testing.assert_allclose(scaling.forward(REAL).mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(scaling.forward(REAL).std(0), 1)
    np.testing.assert_allclose(scaling.backward(scaling.forward(REAL)), REAL)
