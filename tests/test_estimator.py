"""The estimator: densities against closed forms, units, weights, stopping, keeping, streaming."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

import vaestudy
from builders import LinearGaussian
from vaestudy import VAE
from vaestudy.checkpoint import CheckpointError
from vaestudy.estimator.fitted import Fitted
from vaestudy.estimator.inputs import Preparation
from vaestudy.estimator.support import Scaling
from vaestudy.parameters import OBJECTIVE_PARAMETERS

QUICK = {"hidden": (8,), "epochs": 4, "n_importance": 20, "device": "cpu", "random_state": 0}


def quick(**changes: object) -> VAE:
    return VAE(**{**QUICK, **changes})


@pytest.fixture
def table() -> np.ndarray:
    """60 rows of 5 features of very different units, two of them driven by the others."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(60, 2))
    x = np.column_stack([z, z.sum(1), z[:, 0] ** 2, rng.normal(size=60)])
    return x * [1, 100, 0.01, 1, 5] + [0, 1000, 0, 0, -3]


def exact(scaling: Scaling, **options: float) -> tuple[VAE, LinearGaussian]:
    """An estimator whose model is linear and Gaussian in standardised units."""
    toy = LinearGaussian(**options)
    vae = quick()
    vae.n_features_in_, vae._seed = len(toy.b), 0
    vae._fitted = Fitted(toy.model, Preparation("normal", scaling))
    return vae, toy


@pytest.fixture
def scaling() -> Scaling:
    return Scaling(np.array([1.0, -2, 0, 5, 0, 3]), np.array([2.0, 0.5, 10, 1, 0.1, 3]))


def original_units(toy: LinearGaussian, scaling: Scaling) -> torch.distributions.Distribution:
    covariance = (toy.w @ toy.w.T + toy.s**2 * torch.eye(len(toy.b), dtype=torch.float64)).numpy()
    mean = scaling.backward(toy.b.numpy())
    scaled = np.outer(scaling.scale, scaling.scale) * covariance
    return torch.distributions.MultivariateNormal(torch.from_numpy(mean), torch.from_numpy(scaled))


def test_score_samples_is_the_exact_density_in_original_units(scaling: Scaling) -> None:
    vae, toy = exact(scaling)
    x = scaling.backward(toy.sample(20).numpy())
    want = original_units(toy, scaling).log_prob(torch.from_numpy(x)).numpy()
    # q is the posterior, so every weight is p(x) and no noise is left.
    np.testing.assert_allclose(vae.score_samples(x), want, rtol=1e-9)
    assert vae.score(x) == pytest.approx(want.mean(), rel=1e-9)


def test_score_samples_converges_for_a_poor_encoder(scaling: Scaling) -> None:
    vae, toy = exact(scaling, shift=0.3, widen=1.3)
    x = scaling.backward(toy.sample(20).numpy())
    want = original_units(toy, scaling).log_prob(torch.from_numpy(x)).numpy()
    vae.set_params(n_importance=4000)
    np.testing.assert_allclose(vae.score_samples(x), want, atol=0.05)


def test_a_fit_comes_near_the_density_of_its_linear_data() -> None:
    toy = LinearGaussian()
    x = toy.sample(600).numpy() * [1, 10, 0.1, 1, 1, 1]
    train, test = x[:450], x[450:]
    vae = VAE(2, hidden=(20,), epochs=60, learning_rate=5e-3, device="cpu", random_state=0)
    scale = train.std(0)
    linear = PCA(2).fit(train / scale).score(test / scale) - np.log(scale).sum()
    # Probabilistic PCA is the family of the truth; a VAE has more to learn from as little.
    assert vae.fit(train).score(test) == pytest.approx(linear, abs=0.35)


def test_imputed_values_have_the_conditional_distribution(scaling: Scaling) -> None:
    vae, toy = exact(scaling, shift=0.5, widen=1.2)  # An encoder in error: the chain mends it.
    row = scaling.backward(toy.sample(1).numpy())
    missing = np.array([False, True, False, True, True, False])
    joint = original_units(toy, scaling)
    cov, mean = joint.covariance_matrix.numpy(), joint.mean.numpy()
    gain = cov[np.ix_(missing, ~missing)] @ np.linalg.inv(cov[np.ix_(~missing, ~missing)])
    want = mean[missing] + gain @ (row[0] - mean)[~missing]
    spread = cov[np.ix_(missing, missing)] - gain @ cov[np.ix_(~missing, missing)]
    holes = np.repeat(np.where(missing, np.nan, row), 400, axis=0)
    draws = vae.impute(holes, how="sample", n_iter=60, random_state=1)
    means = vae.impute(holes, n_iter=60, random_state=1)
    error = np.sqrt(spread.diagonal() / 400)
    assert (np.abs(draws[:, missing].mean(0) - want) < 4.5 * error).all()
    assert (np.abs(means[:, missing].mean(0) - want) < 4.5 * error).all()
    np.testing.assert_allclose(np.cov(draws[:, missing].T), spread, atol=0.3 * spread.max())
    np.testing.assert_array_equal(draws[:, ~missing], holes[:, ~missing])


def test_a_row_without_a_hole_is_left_alone_and_one_of_holes_is_filled(table: np.ndarray) -> None:
    vae = quick().fit(table)
    holes = table[:3].copy()
    holes[1] = np.nan
    filled = vae.impute(holes, n_iter=10)
    np.testing.assert_array_equal(filled[[0, 2]], table[[0, 2]])
    assert np.isfinite(filled).all()


def test_a_change_of_units_changes_nothing_but_units(table: np.ndarray) -> None:
    unit = np.array([2.0, 4, 0.5, 8, 0.25])  # Powers of 2 round to nothing.
    a, b = quick().fit(table), quick().fit(table * unit)
    np.testing.assert_allclose(a.transform(table), b.transform(table * unit), rtol=1e-9)
    shift = -np.log(unit).sum()
    np.testing.assert_allclose(a.score_samples(table) + shift, b.score_samples(table * unit))
    np.testing.assert_allclose(a.reconstruct(table) * unit, b.reconstruct(table * unit))
    bounds = [
        v.history_.query("metric == 'bound' and split == 'held-out'")["value"] for v in (a, b)
    ]
    np.testing.assert_allclose(bounds[0] + shift, bounds[1], rtol=1e-6)


def test_reconstruct_is_inverse_transform_of_transform(table: np.ndarray) -> None:
    vae = quick().fit(table)
    np.testing.assert_allclose(
        vae.reconstruct(table), vae.inverse_transform(vae.transform(table)), rtol=1e-12
    )
    assert vae.sample(7).shape == (7, 5)
    np.testing.assert_array_equal(vae.sample(3), vae.sample(3))
    assert (vae.sample(3, random_state=5) != vae.sample(3, random_state=6)).any()


def test_samples_have_the_moments_of_the_model(scaling: Scaling) -> None:
    vae, toy = exact(scaling)
    want, x = original_units(toy, scaling), vae.sample(20_000)
    error = np.sqrt(want.variance.numpy() / len(x))
    assert (np.abs(x.mean(0) - want.mean.numpy()) < 4.5 * error).all()
    np.testing.assert_allclose(x.var(0), want.variance.numpy(), rtol=0.05)


def test_whole_weights_are_repetitions_and_order_is_nothing(table: np.ndarray) -> None:
    weights = np.arange(len(table)) % 3
    shuffled = np.random.default_rng(1).permutation(len(table))
    a = quick().fit(table[shuffled], sample_weight=weights[shuffled])
    b = quick().fit(np.repeat(table, weights, axis=0))
    np.testing.assert_allclose(a.transform(table), b.transform(table), rtol=1e-5, atol=1e-7)


def test_fractional_weights_move_the_model_where_the_weight_is() -> None:
    x = np.repeat([[0.0, 0.0], [1.0, 1.0]], 100, axis=0) + np.random.default_rng(0).normal(
        0, 0.01, (200, 2)
    )
    weights = np.repeat([0.05, 0.95], 100)
    vae = quick(likelihood="normal", epochs=40, learning_rate=0.02).fit(x, sample_weight=weights)
    assert vae.mean_ == pytest.approx([0.95, 0.95], abs=0.01)
    assert (vae.sample(2000) > 0.5).mean() == pytest.approx(0.95, abs=0.05)


def test_stopping_keeps_the_best_epoch(table: np.ndarray) -> None:
    vae = quick(epochs=200, patience=3, learning_rate=0.05).fit(table)
    held_out = vae.history_.query("split == 'held-out' and metric == 'bound'").set_index("epoch")
    trained = held_out["value"].drop(0)
    assert vae.best_epoch_ == trained.idxmax()
    assert vae.n_iter_ == vae.best_epoch_ + 3 < 200
    # The kept weights are those of the best epoch: retraining up to there ends with them.
    again = quick(epochs=vae.best_epoch_, patience=200, learning_rate=0.05).fit(table)
    np.testing.assert_array_equal(again.transform(table), vae.transform(table))


def test_without_stopping_all_rows_are_trained_on(table: np.ndarray) -> None:
    vae = quick(early_stopping=False).fit(table)
    assert vae.n_iter_ == vae.best_epoch_ == 4
    assert set(vae.history_["split"]) == {"train", "training-rows"}


def test_partial_fit_goes_on(table: np.ndarray) -> None:
    whole = quick(early_stopping=False, epochs=3).fit(table)
    parts = quick()
    for _ in range(3):
        parts.partial_fit(table)
    np.testing.assert_array_equal(whole.transform(table), parts.transform(table))
    before, scale = whole.score(table), whole.scale_
    for _ in range(5):
        whole.partial_fit(table[:40])
    assert whole.n_iter_ == 8
    assert whole.score(table) > before
    np.testing.assert_array_equal(whole.scale_, scale)


def test_history_says_what_each_epoch_was_measured_on(table: np.ndarray) -> None:
    history = quick().fit(table).partial_fit(table).history_
    measured = history[history["split"] != "train"].groupby("epoch")["split"].first()
    assert measured.tolist() == ["held-out"] * 5 + ["training-rows"]


def test_warmup_may_outlast_the_first_partial_fit(table: np.ndarray) -> None:
    vae = quick(warmup=4)
    betas = vae.partial_fit(table).partial_fit(table).history_.query("metric == 'beta'")["value"]
    assert betas.tolist() == [0, 0.25]


def test_a_saved_model_is_the_same_model(table: np.ndarray, tmp_path: Path) -> None:
    frame = pd.DataFrame(table, columns=list("abcde"))
    vae = quick().fit(frame)
    path = tmp_path / "vae.safetensors"
    vae.save(path)
    again = VAE.load(path, device="cpu")
    np.testing.assert_array_equal(vae.transform(frame), again.transform(frame))
    np.testing.assert_array_equal(vae.score_samples(frame), again.score_samples(frame))
    np.testing.assert_array_equal(vae.sample(5), again.sample(5))
    pd.testing.assert_frame_equal(vae.history_, again.history_)
    assert again.get_params() == vae.get_params()
    assert list(again.feature_names_in_) == list("abcde")
    assert again.partial_fit(frame).n_iter_ == vae.n_iter_ + 1


def test_what_is_no_saved_model_is_refused(table: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "vae.safetensors"
    with pytest.raises(CheckpointError, match="does not exist"):
        VAE.load(path)
    quick().fit(table).save(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="damaged"):
        VAE.load(path)


def test_pandas_out_and_names(table: np.ndarray) -> None:
    vae = quick().set_output(transform="pandas")
    codes = vae.fit_transform(pd.DataFrame(table, columns=list("abcde")))
    assert list(codes.columns) == ["vae0", "vae1"]
    assert vae.reconstruct(pd.DataFrame(table, columns=list("abcde"))).shape == table.shape
    with pytest.raises(ValueError, match="feature names"):
        vae.transform(pd.DataFrame(table, columns=list("abcdx")))


def test_pipeline_grid_and_clone(table: np.ndarray) -> None:
    pipeline = make_pipeline(MinMaxScaler(), quick(likelihood="continuous-bernoulli"))
    plain = make_pipeline(quick(likelihood="normal"))
    grid = GridSearchCV(plain, {"vae__n_z": np.array([1, 3])}, cv=2)
    assert grid.fit(table).best_params_["vae__n_z"] in (1, 3)
    assert np.isfinite(grid.cv_results_["mean_test_score"]).all()
    assert pipeline.fit_transform(table).shape == (60, 2)
    copy = clone(pipeline).fit(table)
    np.testing.assert_array_equal(copy.transform(table), pipeline.transform(table))


OBJECTIVES_WITH_PARAMETERS = [
    {"objective": "free-bits", "free_bits": 0.5, "free_bits_group": 2},
    {"objective": "miwae", "k": 4, "k_groups": 2},
    {"objective": "piwae", "k": 4, "k_groups": 2},
    {"objective": "ciwae", "k": 4, "elbo_share": 0.5},
    {"objective": "geometric-js", "js_skew": 0.5},
]


@pytest.mark.parametrize("parameters", OBJECTIVES_WITH_PARAMETERS, ids=lambda p: p["objective"])
def test_objectives_with_parameters_of_their_own(
    parameters: dict[str, object], table: np.ndarray, tmp_path: Path
) -> None:
    assert {p["objective"] for p in OBJECTIVES_WITH_PARAMETERS} == set(OBJECTIVE_PARAMETERS)
    vae = clone(quick(epochs=2, **parameters))
    assert parameters.items() <= vae.get_params().items()
    codes = vae.fit(table).transform(table)
    assert np.isfinite(vae.score(table))
    vae.save(tmp_path / "vae.safetensors")
    again = VAE.load(tmp_path / "vae.safetensors", device="cpu")
    assert again.get_params() == vae.get_params()
    np.testing.assert_array_equal(again.transform(table), codes)
    # Each of its parameters reaches training.
    plain = quick(epochs=2, **{**parameters, "objective": "elbo"})
    with pytest.raises(ValueError, match="which has no such parameter"):
        plain.fit(table)
    (name, *_) = OBJECTIVE_PARAMETERS[str(parameters["objective"])].names
    with pytest.raises(ValueError, match=f"set {name}, or write objective"):
        vae.set_params(**{name: type(vae)().get_params()[name]}).fit(table)


def test_weight_decay_keeps_weights_small(table: np.ndarray) -> None:
    def size(weight_decay: float) -> float:
        fitted = quick(epochs=20, weight_decay=weight_decay).fit(table)._fitted
        return sum(
            float(p.detach().square().sum()) for p in fitted.model.parameters() if p.dim() > 2
        )

    assert size(100.0) < 0.9 * size(0.0)


def test_random_state_decides(table: np.ndarray) -> None:
    a, b, c = (quick(random_state=s).fit(table).transform(table) for s in (0, 0, 1))
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()


def test_a_progress_bar_is_shown_if_asked(
    table: np.ndarray, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    quick().fit(table)
    assert capsys.readouterr().err == ""
    with caplog.at_level("INFO", "vaestudy"):
        quick(verbose=True).fit(table)
    assert "held out" in caplog.text
    assert "test " not in caplog.text
    assert "rows/s" in caplog.text
    shown = capsys.readouterr().err
    assert "held out" in shown
    assert "rows/s" in shown
    assert "test" not in shown
    quick(verbose=True, early_stopping=False).fit(table)
    assert "held out" not in capsys.readouterr().err


def test_importing_the_package_imports_neither_torch_nor_scikit_learn() -> None:
    code = "import sys, vaestudy; print([m for m in ('torch', 'sklearn') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="no attribute 'VAEE'"):
        vaestudy.VAEE  # noqa: B018
