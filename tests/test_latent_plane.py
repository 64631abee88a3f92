"""What a plane knows, on images and codes whose answers are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from builders import CPU, architecture, perturbed, run_config, tiny_dataset
from vaestudy.jobs import train_group
from vaestudy.latent_plane import (
    METRICS,
    NEIGHBOURS,
    explained_by_code,
    neighbour_accuracy,
    plane_metrics,
    slant,
    within_classes,
)
from vaestudy.measure import measure_group
from vaestudy.vae import VAE


@pytest.mark.parametrize("lean", [-1, 0, 1])
def test_slant_of_a_sheared_bar(lean: int) -> None:
    """A bar one pixel wide that moves by ``lean`` pixels a row upwards, not in the middle."""
    image = np.zeros((1, 9, 20))
    for y in range(1, 8):
        image[0, y, 10 - lean * y] = 0.7
    assert slant(image)[0] == pytest.approx(lean)


def test_slant_of_a_gaussian_is_its_regression_slope() -> None:
    y, x = np.mgrid[-20:21, -20:21]
    height = -y
    (a, b), c = (16.0, 9.0), 6.0  # variances of height and x, and their covariance
    det = a * b - c * c
    image = np.exp(-(b * height**2 - 2 * c * height * x + a * x**2) / (2 * det))[None]
    assert slant(image)[0] == pytest.approx(c / a, rel=1e-3)


def test_slant_without_height_is_zero() -> None:
    flat = np.zeros((2, 5, 5))
    flat[1, 2] = 1
    assert slant(flat).tolist() == [0, 0]


def test_code_explains_what_it_is_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    codes = rng.standard_normal((1500, 2)).astype(np.float32)
    assert explained_by_code(codes, codes[:, 0].astype(float)) > 0.97
    unrelated = explained_by_code(codes, rng.standard_normal(1500))
    # The mean of ten unrelated values adds a tenth of their variance to the error.
    assert unrelated == pytest.approx(-0.1, abs=0.05)


def test_class_means_are_taken_off() -> None:
    values, classes = np.array([1.0, 3.0, 10.0, 10.0]), np.array([0, 0, 1, 1])
    assert within_classes(values, classes).tolist() == [-1, 1, 0, 0]


def test_of_classes_with_as_many_votes_the_nearest_wins() -> None:
    rng = np.random.default_rng(2)
    codes, classes = rng.standard_normal((80, 2)), rng.integers(0, 4, 80)
    right = []
    for code, own in zip(codes, classes, strict=True):
        near = classes[np.argsort(np.linalg.norm(codes - code, axis=1))[1:6]].tolist()
        # The first of those named most often: `max` keeps the earliest.
        right.append(max(near, key=near.count) == own)
    assert neighbour_accuracy(codes, classes) == pytest.approx(np.mean(right))


def test_small_sets_and_those_without_classes_have_no_such_metrics() -> None:
    data = tiny_dataset()
    model = perturbed(VAE(architecture(n_features=data.test.shape[1], n_z=2))).float().eval()
    test = data.test.float() / 255
    few = data.subset(n_test=NEIGHBOURS)
    assert plane_metrics(model, few, test[:NEIGHBOURS]) == {}
    unlabelled = replace(data, test_labels=torch.zeros_like(data.test_labels))
    assert list(plane_metrics(model, unlabelled, test)) == ["slant_explained"]


@pytest.mark.parametrize("n_z", [2, 3])
def test_planes_are_measured(tmp_path: Path, n_z: int) -> None:
    run, data = run_config(n_z=n_z, epochs=1), tiny_dataset()
    settings = {"device": CPU, "compile_policy": "never"}
    train_group([run], data, tmp_path, checkpoint_every=1, **settings)
    table = measure_group([run], data, tmp_path, n_samples=2, threshold=0.01, **settings)
    found = table.set_index("metric")["value"].reindex(METRICS)
    assert found.notna().all() if n_z == 2 else found.isna().all()
    if n_z == 2:
        assert 0 <= found["neighbour_accuracy"] <= 1
        assert (found <= 1).all()
