"""Points in the plane: drawn from what they say, always the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from vaestudy import toys
from vaestudy.data import DataError, load_dataset
from vaestudy.dataset import Dataset, load_prepared, save_prepared
from vaestudy.dataset_names import PLANE
from vaestudy.splits import load_splits
from vaestudy.toys import N_TEST, N_TRAIN, SHAPES, make_toy, quadrant

CPU = torch.device("cpu")


def points(name: str) -> np.ndarray:
    return torch.cat([(data := make_toy(name)).train, data.test]).double().numpy()


def test_every_shape_is_a_data_set_and_a_parameters_level() -> None:
    assert tuple(SHAPES) == PLANE


@pytest.mark.parametrize("name", PLANE)
def test_the_pinned_checksums_hold(name: str, tmp_path: Path) -> None:
    data = load_dataset(name, tmp_path / "not used", download=False)
    assert data.train.shape == (N_TRAIN, 2)
    assert data.test.shape == (N_TEST, 2)
    assert not data.is_grey
    rows = {row.numpy().tobytes() for row in torch.cat([data.train, data.test])}
    assert len(rows) == N_TRAIN + N_TEST
    save_prepared(data, tmp_path / "toy.safetensors")
    assert torch.equal(load_prepared(tmp_path / "toy.safetensors").train, data.train)


def test_other_points_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toys, "N_TRAIN", N_TRAIN - 1)
    with pytest.raises(DataError, match="square has the checksum"):
        load_dataset("square", tmp_path)


def test_values_lie_on_the_grid() -> None:
    scaled = make_toy("moons").train.double() * 2**20
    assert torch.equal(scaled, scaled.round())


def test_the_square_is_uniform() -> None:
    x = points("square")
    for column in (x[:, 0], x[:, 1], (x[:, 0] + x[:, 1]) % 1):
        assert stats.kstest(column, "uniform").pvalue > 1e-3
    labels = make_toy("square").train_labels
    assert torch.equal(labels, torch.from_numpy(quadrant(x[:N_TRAIN] - 0.5)))
    assert quadrant(np.array([[-1, -1], [1, -1], [-1, 1], [1, 1]])).tolist() == [0, 1, 2, 3]


def test_the_ring_is_the_image_of_a_gaussian() -> None:
    x = points("ring")
    radius, angle = np.hypot(*x.T), np.arctan2(*x.T[::-1])
    # |g(z)| = |z| / 10 + 1, and |z| of two standard normal numbers is Rayleigh.
    assert stats.kstest(10 * (radius - 1), "rayleigh").pvalue > 1e-3
    assert stats.kstest((angle + np.pi) / (2 * np.pi), "uniform").pvalue > 1e-3


def test_the_moons_are_two_half_circles() -> None:
    x, labels = points("moons"), torch.cat([(d := make_toy("moons")).train_labels, d.test_labels])
    second = labels.numpy() == 1
    centred = np.where(second[:, None], [1.0, 0.5] - x, x)
    # Moments of the upper half of the unit circle, and the noise's variance.
    np.testing.assert_allclose(centred.mean(0), [0, 2 / np.pi], atol=0.02)
    variances = [0.5 + 0.01, 0.5 - 4 / np.pi**2 + 0.01]
    np.testing.assert_allclose(centred.var(0), variances, rtol=0.03)
    assert second.mean() == pytest.approx(0.5, abs=0.02)


def test_the_mixture_is_eight_gaussians() -> None:
    data = make_toy("mixture")
    for component in range(8):
        own = data.train[data.train_labels == component].double()
        angle = torch.tensor(2 * torch.pi * component / 8)
        centre = torch.stack([angle.cos(), angle.sin()]).double()
        torch.testing.assert_close(own.mean(0), centre, rtol=0, atol=0.015)
        torch.testing.assert_close(own.std(0), torch.full((2,), 0.1).double(), rtol=0.1, atol=0)


def test_points_are_presented_as_they_are() -> None:
    data = make_toy("ring")
    splits = load_splits(data, "none", CPU)
    assert torch.equal(splits.train, data.train)
    assert torch.equal(splits.test, data.test)
    torch.testing.assert_close(data.pixel_means(), data.train.mean(0), rtol=0, atol=1e-6)


def test_both_splits_are_floats_or_neither() -> None:
    arrays = make_toy("square").arrays
    grey = {**arrays, "test": arrays["test"].to(torch.uint8)}
    with pytest.raises(ValueError, match=r"train is torch\.float32 .*float32 in both splits"):
        Dataset.build("half", grey, (1, 2), "")
