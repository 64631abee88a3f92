"""The estimator: densities against closed forms, units, weights, stopping, keeping, streaming."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
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
from builders import LinearGaussian, generators
from estimating import quick, table_of_unlike_units
from exact import curved
from vaestudy import VAE
from vaestudy.estimator import fitted
from vaestudy.estimator.fitted import Fitted
from vaestudy.estimator.imputation import impute_rows
from vaestudy.estimator.inputs import Preparation
from vaestudy.estimator.support import Scaling
from vaestudy.latent_terms import standard_normal_log_prob
from vaestudy.likelihoods import Beta
from vaestudy.parameters import OBJECTIVE_PARAMETERS


@pytest.fixture
def table() -> np.ndarray:
    return table_of_unlike_units()


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


@pytest.mark.parametrize("kl_weight", [None, 1.0], ids=["q", "prior too"])
def test_all_rows_meet_the_same_samples_however_many_are_taken_at_once(
    kl_weight: float | None, scaling: Scaling, monkeypatch: pytest.MonkeyPatch
) -> None:
    vae, toy = exact(scaling, shift=0.3, widen=1.3)
    model = replace(vae._fitted, kl_weight=kl_weight)
    x = np.repeat(scaling.backward(toy.sample(3).numpy()), 2, axis=0)
    at_once = model.log_px([x], 5000, 0)
    monkeypatch.setattr(fitted, "CHUNK_ROWS", 600)
    in_parts = model.log_px([x], 5000, 0)
    np.testing.assert_allclose(in_parts[::2], in_parts[1::2], rtol=1e-12)
    # The mixture's halves are cut of each part, so that its samples are others.
    np.testing.assert_allclose(at_once, in_parts, rtol=1e-10 if kl_weight is None else 0.05)


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


def test_what_a_beta_draws_is_what_its_chain_measures() -> None:
    """Four of five draws are nearer to 0 or 1 than data, which are clipped there, can be."""
    model = curved(likelihood="beta")
    with torch.no_grad():
        model.output.bias.sub_(4)
    x, observed = torch.rand(1, 12, generator=generators(3)[0]).double(), torch.arange(12) < 3
    grid = torch.cartesian_prod(*[torch.linspace(-7, 7, 141, dtype=torch.float64)] * 2)
    with torch.no_grad():
        params = model.decode(grid[None])[0]
    law = torch.distributions.Beta(*Beta._concentrations(params))
    log_px_z = law.log_prob(Beta.clip(x))[:, observed].sum(1)
    weights = torch.softmax(log_px_z + standard_normal_log_prob(grid), 0)
    want = (weights.unsqueeze(1) * law.mean).sum(0)
    rows, seen = x.repeat(100, 1), observed.expand(100, -1)
    filled = impute_rows(model, rows, seen, 600, generators(0)[0])
    assert (filled.mean.mean(0) - want)[~observed].abs().max() < 0.02
    torch.testing.assert_close(filled.mean[seen], rows[seen], rtol=0, atol=0)
    torch.testing.assert_close(filled.draw[seen], rows[seen], rtol=0, atol=0)


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


def test_pandas_out_and_names(table: np.ndarray) -> None:
    vae = quick().set_output(transform="pandas")
    codes = vae.fit_transform(pd.DataFrame(table, columns=list("abcde")))
    assert list(codes.columns) == ["vae0", "vae1"]
    assert vae.reconstruct(pd.DataFrame(table, columns=list("abcde"))).shape == table.shape
    with pytest.raises(ValueError, match="feature names"):
        vae.transform(pd.DataFrame(table, columns=list("abcdx")))


def test_a_search_finds_the_dimension_of_a_plane() -> None:
    rng = np.random.default_rng(0)
    on_plane = rng.normal(size=(1000, 2)) @ rng.normal(size=(2, 12))
    x = on_plane + 0.1 * rng.normal(size=on_plane.shape)
    vae = quick(likelihood="normal", hidden=(16,), batch_size=20, epochs=10, learning_rate=0.02)
    grid = GridSearchCV(make_pipeline(vae), {"vae__n_z": np.array([1, 2])}, cv=2).fit(x)
    # By 5 to 12 nats with eight other seeds; of a hundred rows single ones could outweigh that.
    one, two = grid.cv_results_["mean_test_score"]
    assert two > one + 2
    assert grid.best_params_ == {"vae__n_z": 2}
    assert grid.transform(x).shape == (1000, 2)


def test_pipeline_and_clone(table: np.ndarray) -> None:
    pipeline = make_pipeline(MinMaxScaler(), quick(likelihood="continuous-bernoulli"))
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


def test_importing_the_package_imports_neither_torch_nor_scikit_learn() -> None:
    code = "import sys, vaestudy; print([m for m in ('torch', 'sklearn') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="no attribute 'VAEE'"):
        vaestudy.VAEE  # noqa: B018


def test_what_the_package_holds_is_found_from_it_alone() -> None:
    code = (
        "import vaestudy; print(vaestudy.checkpoint.load_model, vaestudy.inference.infer_missing)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.startswith("<function load_model")
    assert {"VAE", "__version__", "checkpoint", "inference"} <= set(dir(vaestudy))
    assert "TYPE_CHECKING" not in dir(vaestudy)
