"""What the estimator is given: likelihoods by data, bad input, columns that are constant."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from estimating import quick
from vaestudy import VAE
from vaestudy.config_errors import ConfigError
from vaestudy.devices import DeviceError
from vaestudy.estimator.fitting import DivergenceError
from vaestudy.estimator.support import ConstantWarning, LikelihoodWarning, Scaling

RNG = np.random.default_rng(0)
REAL = RNG.normal(size=(30, 4))
UNIT = RNG.random((30, 4))
BINARY = (UNIT > 0.5).astype(float)


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
    assert len(caught) == 1


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
    assert len(caught) == 1
    # Whoever names the likelihood for such data has been told so by the fit.
    with pytest.warns(LikelihoodWarning, match="X is not binary"):
        named = quick(likelihood="bernoulli").fit(UNIT)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        named.transform(UNIT)


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


def with_value(value: object) -> np.ndarray:
    bad = REAL.astype(object if isinstance(value, str) else float)
    bad[3, 1] = value
    return bad


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (with_value(np.nan), r"NaN in 1 of 30 rows \(column 1\).*VAE.impute"),
        (with_value(np.inf), r"infinity in 1 of 30 rows \(column 1\)"),
        (with_value("red"), "could not convert string to float: 'red'; expected numbers"),
        (REAL.reshape(30, 2, 2), r"shape \(30, 2, 2\); .*of shape \(30, 4\)"),
        (np.empty((0, 4)), "0 sample"),
        (np.empty((4, 0)), "0 feature"),
        (REAL[:1], "1 sample"),
        (REAL[0], "Expected 2D array"),
        (with_value(1e308), "too large to standardise"),
    ],
)
def test_bad_data_are_named(data: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        quick().fit(data)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (["red", "green"] * 15, "column 'c' holds str, such as 'red'; expected numbers: make"),
        (pd.date_range("2020", periods=30), "column 'c' holds datetime64.*such as '2020-01-01"),
        (pd.Categorical(["red", "green"] * 15), "column 'c' holds category, such as 'red'"),
        ([1.0, None] * 15, r"NaN in 15 of 30 rows \(column 'c'\)"),
        (pd.array([1, None] * 15, "Int64"), r"NaN in 15 of 30 rows \(column 'c'\)"),
    ],
)
def test_bad_columns_of_frames_are_named(column: object, message: str) -> None:
    frame = pd.DataFrame(REAL[:, :2], columns=["a", "b"]).assign(c=column)
    with pytest.raises(ValueError, match=message):
        quick().fit(frame)


def test_columns_of_objects_that_are_numbers_are_taken() -> None:
    frame = pd.DataFrame({"a": np.array([1, 2.5] * 15, object), "b": ["1", "2"] * 15})
    assert quick().fit(frame).likelihood_ == "normal"


@pytest.mark.parametrize("method", ["transform", "score_samples", "reconstruct", "impute"])
def test_another_number_of_features_is_named(method: str) -> None:
    with pytest.raises(ValueError, match="X has 3 features, but VAE is expecting 4"):
        getattr(quick().fit(REAL), method)(REAL[:, :3])


def test_missing_values_go_to_impute_alone() -> None:
    vae = quick().fit(REAL)
    with pytest.raises(ValueError, match="NaN"):
        vae.transform(with_value(np.nan))
    with pytest.raises(ValueError, match="infinity"):
        vae.impute(with_value(np.inf))
    with pytest.raises(ValueError, match="expected 'mean' or 'sample'"):
        vae.impute(REAL, how="median")


def test_latent_points_of_another_dimension_are_named() -> None:
    with pytest.raises(ValueError, match=r"3 columns.*n_z=2"):
        quick().fit(REAL).inverse_transform(REAL[:, :3])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_z": 0}, "n_z: got 0; expected a number greater than 0"),
        ({"objective": "elob"}, "objective: got 'elob'; expected one of"),
        ({"likelihood": "cauchy"}, "likelihood is 'cauchy'; expected one of auto, bernoulli"),
        ({"hidden": 50}, r"hidden: got 50; expected a list, such as \[200, 200\]"),
        ({"patience": 0}, "patience is 0; expected a whole number of at least 1"),
        ({"patience": "long"}, "patience is 'long'"),
        ({"n_importance": 0.5}, "n_importance is 0.5"),
        ({"early_stopping": "no"}, "early_stopping is 'no'; expected True or False"),
        ({"validation_fraction": 1.0}, "validation_fraction is 1.0"),
        ({"validation_fraction": "half"}, "validation_fraction is 'half'"),
        ({"batch_size": "big"}, "batch_size: got 'big'"),
        ({"device": "gpu"}, "device is 'gpu'; expected auto, cpu or cuda"),
    ],
)
def test_bad_parameters_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        quick(**changes).fit(REAL)
    assert issubclass(ConfigError, ValueError)


def test_a_gpu_that_is_not_there_is_no_wrong_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="finds no usable GPU") as found:
        quick(device="cuda").fit(REAL)
    assert not isinstance(found.value, ValueError)


def test_bad_counts_are_named() -> None:
    vae = quick().fit(REAL)
    with pytest.raises(ValueError, match=r"n_samples is 2\.5; expected a whole number"):
        vae.sample(2.5)
    with pytest.raises(ValueError, match=r"n_iter is 5; expected a whole number of at least 10"):
        vae.impute(REAL, n_iter=5)


def test_latent_points_may_stand_in_a_frame() -> None:
    vae = quick().fit(REAL)
    codes = vae.transform(REAL)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = vae.inverse_transform(pd.DataFrame(codes))
    np.testing.assert_array_equal(found, vae.inverse_transform(codes))


def test_divergence_is_an_error() -> None:
    with pytest.raises(DivergenceError, match="lower it"):
        quick(learning_rate=1e30).fit(REAL)


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


def test_frames_of_any_numeric_type() -> None:
    frame = pd.DataFrame({"a": [1, 2, 3] * 5, "b": [True, False, True] * 5, "c": np.arange(15.0)})
    assert quick().fit(frame).transform(frame).shape == (15, 2)
