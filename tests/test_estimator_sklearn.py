"""What scikit-learn asks of an estimator."""

from __future__ import annotations

from collections.abc import Callable

from sklearn.utils.estimator_checks import parametrize_with_checks

from vaestudy import VAE


@parametrize_with_checks([VAE(hidden=(8,), epochs=3, n_importance=5, device="cpu")])
def test_scikit_learn_accepts_it(estimator: VAE, check: Callable[[VAE], None]) -> None:
    check(estimator)
