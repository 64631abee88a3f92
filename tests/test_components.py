"""Principal components against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from builders import randn
from vaestudy.components import linear_errors, project


@pytest.mark.parametrize("n", [1, 3, 5])
def test_projections_are_those_of_scikit_learn(n: int) -> None:
    mixing = randn(5, 5)
    train, test = (randn(m, 5, seed=m).float() @ mixing.float() + 2 for m in (1500, 40))
    pca = PCA(n, svd_solver="full").fit(train.double().numpy())
    expected = pca.inverse_transform(pca.transform(test.double().numpy()))
    np.testing.assert_allclose(project(train, test, n).numpy(), expected, atol=1e-9)
    found = linear_errors(train, test, n)
    assert found.components == pytest.approx(((test.numpy() - expected) ** 2).sum(1).mean())
    assert found.mean == pytest.approx(((test - train.mean(0)) ** 2).sum(1).mean().item(), rel=1e-5)


def test_more_components_than_columns_leave_nothing() -> None:
    rows = randn(9, 3).float()
    assert linear_errors(rows, rows, 7).components == pytest.approx(0, abs=1e-10)


def test_none_are_refused() -> None:
    with pytest.raises(ValueError, match="expected at least 1"):
        project(torch.zeros(3, 2), torch.zeros(3, 2), 0)
