"""Weights of rows: how often each stands in the data, in memory, in parts and in a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from estimating import quick, table_of_unlike_units
from vaestudy.estimator import inputs
from vaestudy.estimator.fitting import hold_out
from vaestudy.estimator.rows import weighted
from vaestudy.estimator.support import LikelihoodWarning

RNG = np.random.default_rng(0)
REAL = RNG.normal(size=(30, 4))
UNIT = RNG.random((30, 4))


@pytest.fixture
def table() -> np.ndarray:
    return table_of_unlike_units()


def two_places() -> tuple[np.ndarray, np.ndarray]:
    """200 rows near 0 or near 1, half of them each, and weights that say 1 in 20, 19 in 20."""
    x = np.repeat([[0.0, 0.0], [1.0, 1.0]], 100, axis=0)
    return x + np.random.default_rng(0).normal(0, 0.01, (200, 2)), np.repeat([0.05, 0.95], 100)


def test_whole_weights_are_repetitions_and_order_is_nothing(table: np.ndarray) -> None:
    weights = np.arange(len(table)) % 3
    shuffled = np.random.default_rng(1).permutation(len(table))
    a = quick().fit(table[shuffled], sample_weight=weights[shuffled])
    b = quick().fit(np.repeat(table, weights, axis=0))
    np.testing.assert_allclose(a.transform(table), b.transform(table), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("streamed", [False, True])
def test_fractional_weights_move_the_model_where_the_weight_is(
    streamed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, weights = two_places()
    if streamed:
        np.save(tmp_path / "x.npy", x)
        x = np.load(tmp_path / "x.npy", mmap_mode="r")
        monkeypatch.setattr(inputs, "STREAM_FROM", 0)
        assert inputs.is_streamed(x)
    vae = quick(likelihood="normal", epochs=40, learning_rate=0.02).fit(x, sample_weight=weights)
    assert vae.mean_ == pytest.approx([0.95, 0.95], abs=0.01)
    assert (vae.sample(2000) > 0.5).mean() == pytest.approx(0.95, abs=0.05)


def test_partial_fits_learn_as_often_as_the_weights_say(table: np.ndarray) -> None:
    counts = np.arange(len(table)) % 3  # A third of the rows counts for nothing.

    def trained(x: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
        # The second call's weights, to a model that stands, take another way than the first's.
        vae = quick(batch_size=10).partial_fit(x, sample_weight=weights)
        return vae.partial_fit(x, sample_weight=weights).transform(table)

    want = trained(np.repeat(table, counts, axis=0), None)
    np.testing.assert_allclose(trained(table, counts), want, rtol=1e-5, atol=1e-7)
    assert np.abs(trained(table, None) - want).max() > 1e-3


def test_rows_of_no_weight_are_not_learned_by_a_model_that_stands(table: np.ndarray) -> None:
    begun = [quick(batch_size=10).partial_fit(table) for _ in range(3)]
    some = np.arange(len(table)) < 40
    weighed, fewer, all_rows = (
        begun[0].partial_fit(table, sample_weight=some.astype(float)),
        begun[1].partial_fit(table[some]),
        begun[2].partial_fit(table),
    )
    want = fewer.transform(table)
    np.testing.assert_allclose(weighed.transform(table), want, rtol=1e-5, atol=1e-7)
    assert np.abs(all_rows.transform(table) - want).max() > 1e-3


BAD_WEIGHTS = [
    (np.zeros(30), "at least one non-zero number"),
    (np.full(30, -1.0), "no negative weights"),
    (np.ones(29), r"sample_weight.shape == \(29,\), expected \(30,\)"),
]


@pytest.mark.parametrize(("weights", "message"), [*BAD_WEIGHTS, (np.eye(30)[0], "2 rows or more")])
def test_bad_weights_are_named(weights: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        quick().fit(REAL, sample_weight=weights)


def test_weights_of_a_survey_are_told_how_to_count(table: np.ndarray) -> None:
    weights = np.full(len(table), 1e12)
    with pytest.raises(ValueError, match=r"up to 6e\+13 rows.*divide sample_weight by its mean"):
        quick().fit(table, sample_weight=weights)
    quick().fit(table, sample_weight=weights / weights.mean())


def test_scores_are_weighted_as_fits_are() -> None:
    vae = quick(likelihood="continuous-bernoulli").fit(UNIT)
    for weights, message in BAD_WEIGHTS:
        with pytest.raises(ValueError, match=message):
            vae.score(UNIT, sample_weight=weights)
    weights = np.arange(30)
    want = np.repeat(vae.score_samples(UNIT), weights).mean()
    assert vae.score(UNIT, sample_weight=weights) == pytest.approx(want, rel=1e-12)
    impossible = np.vstack([UNIT, UNIT[:1] + 3])
    with pytest.warns(LikelihoodWarning, match="values outside"):
        assert vae.score(impossible) == -np.inf
    with pytest.warns(LikelihoodWarning, match="values outside"):
        assert vae.score(impossible, sample_weight=[*weights, 0]) == pytest.approx(want, rel=1e-12)


def test_fractional_weights_are_met_in_proportion() -> None:
    rows = torch.arange(4.0).unsqueeze(1)
    source = weighted(rows, np.array([0.1, 0.0, 0.5, 0.4]), 0, torch.device("cpu"))
    assert len(source) == 4
    met = torch.cat([source.index_select(0, torch.arange(4))[:, 0] for _ in range(5000)])
    shares = torch.bincount(met.long(), minlength=4) / len(met)
    assert shares.numpy() == pytest.approx([0.1, 0, 0.5, 0.4], abs=0.01)


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


def test_rows_of_fractional_weights_are_held_out_whole() -> None:
    rows = torch.arange(300.0).unsqueeze(1)
    weights = np.random.default_rng(3).exponential(size=300)
    weights[:20] = 0
    whole = weighted(rows, weights / weights.mean(), 0, torch.device("cpu"))
    splits = hold_out(whole, 0.1, 7, torch.device("cpu"))
    held = set(splits.test[:, 0].tolist())
    met = [splits.train.index_select(0, torch.arange(len(splits.train))) for _ in range(200)]
    trained = set(torch.cat(met)[:, 0].tolist())
    assert not held & trained
    assert not held & set(range(20))
    assert len(splits.test) + len(splits.train) == 300
    assert len(held | trained) > 250
    # Each part meets its rows in proportion to their weights.
    counts = torch.bincount(torch.cat(met)[:, 0].long(), minlength=300).numpy()
    kept = sorted(int(row) for row in trained)
    assert np.corrcoef(counts[kept], weights[kept])[0, 1] > 0.99
