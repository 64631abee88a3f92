"""Imputation by models that are hardly trained, and of rows that show nothing."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import load_wine
from sklearn.exceptions import ConvergenceWarning

from estimating import REAL, quick
from vaestudy import VAE

WINE = load_wine().data


@pytest.fixture(scope="module")
def hardly_trained() -> VAE:
    """Of its own guesses the encoder makes codes further out, of these the decoder further ones."""
    return VAE(epochs=3, hidden=(8,), device="cpu", random_state=0).fit(WINE)


@pytest.mark.parametrize("how", ["mean", "sample"])
def test_chains_that_run_off_begin_again(hardly_trained: VAE, how: str) -> None:
    holes = np.where(np.random.default_rng(0).random(WINE.shape) < 0.5, np.nan, WINE)
    holes[0], holes[1, 1:], holes[2] = WINE[0], np.nan, np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        filled = hardly_trained.impute(holes, how=how)
    # In standard deviations; the data themselves reach 4.4.
    assert np.abs((filled - WINE.mean(0)) / WINE.std(0)).max() < 8
    observed = ~np.isnan(holes)
    np.testing.assert_array_equal(filled[observed], WINE[observed])


def test_a_row_of_which_nothing_is_observed_is_a_draw_of_the_model(hardly_trained: VAE) -> None:
    n = 2000
    drawn = hardly_trained.impute(np.full((n, 13), np.nan), how="sample", n_iter=10)
    want = hardly_trained.sample(n, random_state=1)
    error = want.std(0) * np.sqrt(2 / n)
    assert (np.abs(drawn.mean(0) - want.mean(0)) < 4.5 * error).all()
    np.testing.assert_allclose(drawn.std(0), want.std(0), rtol=0.15)


def test_what_is_no_number_in_the_end_is_said() -> None:
    vae, holes = quick(likelihood="normal").fit(REAL), REAL.copy()
    holes[:7, 2] = np.nan
    vae._fitted.model.output.bias.data.fill_(torch.inf)
    with pytest.warns(ConvergenceWarning, match="no finite numbers for 7 of 30 rows") as caught:
        vae.impute(holes, n_iter=10)
    assert caught[0].filename == __file__
