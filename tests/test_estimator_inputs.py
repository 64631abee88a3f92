"""What the estimator is given: likelihoods by data, bad input, files larger than memory."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from test_estimator import quick
from vaestudy import VAE
from vaestudy.config_errors import ConfigError
from vaestudy.estimator import inputs
from vaestudy.estimator.fitting import DivergenceError
from vaestudy.estimator.rows import weighted
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
    ],
)
def test_bad_parameters_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        quick(**changes).fit(REAL)
    assert issubclass(ConfigError, ValueError)


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


BAD_WEIGHTS = [
    (np.zeros(30), "at least one non-zero number"),
    (np.full(30, -1.0), "no negative weights"),
    (np.ones(29), r"sample_weight.shape == \(29,\), expected \(30,\)"),
]


@pytest.mark.parametrize(("weights", "message"), [*BAD_WEIGHTS, (np.eye(30)[0], "2 rows or more")])
def test_bad_weights_are_named(weights: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        quick().fit(REAL, sample_weight=weights)


def test_scores_are_weighted_as_fits_are() -> None:
    vae = quick(likelihood="continuous-bernoulli").fit(UNIT)
    for weights, message in BAD_WEIGHTS:
        with pytest.raises(ValueError, match=message):
            vae.score(UNIT, sample_weight=weights)
    weights = np.arange(30)
    want = np.repeat(vae.score_samples(UNIT), weights).mean()
    assert vae.score(UNIT, sample_weight=weights) == pytest.approx(want, rel=1e-12)
    impossible = np.vstack([UNIT, UNIT[:1] + 3])
    assert vae.score(impossible) == -np.inf
    assert vae.score(impossible, sample_weight=[*weights, 0]) == pytest.approx(want, rel=1e-12)


def test_fractional_weights_are_met_in_proportion() -> None:
    rows = torch.arange(4.0).unsqueeze(1)
    source = weighted(rows, np.array([0.1, 0.0, 0.5, 0.4]), 0, torch.device("cpu"))
    assert len(source) == 4
    met = torch.cat([source.index_select(0, torch.arange(4))[:, 0] for _ in range(5000)])
    shares = torch.bincount(met.long(), minlength=4) / len(met)
    assert shares.numpy() == pytest.approx([0.1, 0, 0.5, 0.4], abs=0.01)


def test_scaling_is_standardisation() -> None:
    scaling = Scaling.of(REAL)
    np.testing.assert_allclose(scaling.forward(REAL).mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(scaling.forward(REAL).std(0), 1)
    np.testing.assert_allclose(scaling.backward(scaling.forward(REAL)), REAL)


def test_frames_of_any_numeric_type() -> None:
    frame = pd.DataFrame({"a": [1, 2, 3] * 5, "b": [True, False, True] * 5, "c": np.arange(15.0)})
    assert quick().fit(frame).transform(frame).shape == (15, 2)


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
    weights = np.full(30, 2.0)
    assert np.isfinite(quick().fit(mapped, sample_weight=weights).score(mapped))


def test_a_streamed_file_is_surveyed_where_it_has_weight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.npy"
    np.save(path, REAL)
    monkeypatch.setattr(inputs, "STREAM_FROM", 0)
    monkeypatch.setattr(inputs, "BLOCK_BYTES", 2 * 8 * REAL.shape[1])  # Two rows are looked at.
    weights = np.zeros(len(REAL))
    weights[[4, 7, 9]] = [1.0, 5.0, 3.0]  # Neither the first nor the last.
    vae = quick(likelihood="normal").fit(np.load(path, mmap_mode="r"), sample_weight=weights)
    np.testing.assert_allclose(vae.mean_, np.average(REAL[[4, 9]], axis=0, weights=[1, 3]))


def test_bad_values_in_a_streamed_file_are_found_when_they_are_met(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "STREAM_FROM", 0)
    monkeypatch.setattr(inputs, "BLOCK_BYTES", 2 * 8 * 4)
    data, path = UNIT.copy(), tmp_path / "x.npy"
    for value, message in ((np.nan, "NaN"), (3.0, r"values in \[.*3\]")):
        data[13, 2] = value
        np.save(path, data)
        with pytest.raises(ValueError, match=message):
            quick().fit(np.load(path, mmap_mode="r"))
    np.save(path, np.array([["a", "b"]] * 9))
    with pytest.raises(ValueError, match="expected real numbers"):
        quick().fit(np.load(path, mmap_mode="r"))


_HUGE = """
import sys
import numpy as np
import torch
torch.set_num_threads(1)
from vaestudy.estimator import fitting, inputs
from vaestudy.estimator.support import Scaling
from vaestudy.train import _batches, initial_state, train_step
import resource

shape = (4_000_000, 625)
np.lib.format.open_memmap(sys.argv[1], "w+", np.float32, shape)  # 10 GB of nothing.
X = np.load(sys.argv[1], mmap_mode="r")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
seen, _ = inputs.survey(X, None)
device = torch.device("cpu")
rows = inputs.training_rows(X, None, inputs.Preparation("normal", Scaling.none(625)), 0, device)
assert len(rows) == len(X)
data = fitting.hold_out(rows, 0.0005, 0, device)
run = fitting.configure({"hidden": (8,), "likelihood": "normal"})
state = initial_state((run,), 625, device)
orders = torch.randperm(len(data.train)).unsqueeze(0)
for step, x in zip(range(20), _batches(data.train, orders, 100), strict=False):
    train_step(state, x, torch.randn(1, 1, 100, run.n_z), torch.ones(1))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1000)
"""


def test_a_file_of_ten_gigabytes_is_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "huge.npy"
    code = [sys.executable, "-c", _HUGE, str(path)]
    out = subprocess.run(code, capture_output=True, text=True, check=True)
    assert path.stat().st_blocks * 512 < 2**24, "the file is meant to be sparse"
    assert float(out.stdout) < 500, "MB grown: the rows' order alone is 64"
