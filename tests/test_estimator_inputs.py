"""What the estimator refuses, and by which words: data, frames, parameters, counts."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import torch

from estimating import REAL, quick
from vaestudy.config_errors import ConfigError
from vaestudy.devices import DeviceError
from vaestudy.estimator.fitting import DivergenceError
from vaestudy.estimator.support import LikelihoodWarning


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


def test_what_is_missing_of_objects_is_missing() -> None:
    frame = pd.DataFrame(REAL, columns=list("abcd"))
    frame["a"] = frame["a"].astype(object)
    vae = quick().fit(frame)
    frame.loc[3, "a"] = pd.NA
    filled = vae.impute(frame)
    np.testing.assert_array_equal(filled[3, 1:], REAL[3, 1:])
    assert np.isfinite(filled).all()
    with pytest.raises(ValueError, match=r"X contains NaN in 1 of 30 rows \(column 'a'\)"):
        quick().fit(frame)


def test_a_column_too_large_is_named() -> None:
    frame = pd.DataFrame(REAL * [1, 1e200, 1, 1], columns=list("abcd"))
    with pytest.raises(ValueError, match="feature 'b' is too large to standardise"):
        quick().fit(frame)


def test_what_is_far_beyond_all_data_has_no_density() -> None:
    assert (quick().fit(REAL).score_samples(REAL * 1e300) == -np.inf).all()


def test_numpys_numbers_are_numbers() -> None:
    want = quick(hidden=(6, 8)).fit(REAL).transform(REAL)
    for hidden in ((np.int64(6), np.int32(8)), np.array([6, 8]), [6, 8]):
        np.testing.assert_array_equal(quick(hidden=hidden).fit(REAL).transform(REAL), want)
    with pytest.raises(
        ValueError, match=r"^1 problem in VAE:\n  hidden.0: got 'a'; expected a whole"
    ):
        quick(hidden=("a",)).fit(REAL)


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


def test_frames_of_any_numeric_type() -> None:
    frame = pd.DataFrame({"a": [1, 2, 3] * 5, "b": [True, False, True] * 5, "c": np.arange(15.0)})
    with pytest.warns(LikelihoodWarning, match="'a', 'b' of X take few values"):
        model = quick().fit(frame)
    assert model.transform(frame).shape == (15, 2)
