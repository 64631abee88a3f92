"""Statistics of points in the plane, on clouds whose answers are known."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from builders import CPU
from vaestudy.config import RunConfig
from vaestudy.jobs import train_group
from vaestudy.measure import measure_group
from vaestudy.plane import (
    SYMMETRIES,
    curve_length,
    decoder_curve,
    describe,
    diamondness,
    energy_distance,
    energy_distance_to_normal,
    near_edge,
    nearest_symmetry,
    pass_through,
    purity,
    squareness,
    trustworthiness,
)
from vaestudy.study_parts import Further
from vaestudy.toys import make_toy
from vaestudy.vae import VAE, Architecture

RNG = np.random.default_rng(0)
UNIFORM = RNG.uniform(size=(2000, 2))
COMMON = {"energy_distance_to_prior", "energy_distance_of_samples"}
COMMON |= {"squared_error_of_draws", "trustworthiness", "class_purity"}


@pytest.mark.parametrize("d", [1, 2, 3])
def test_the_distance_to_the_normal_is_that_of_many_draws(d: int) -> None:
    z = 0.5 + RNG.normal(size=(1500, d)) * 1.5
    reference = RNG.normal(size=(4000, d))
    closed, drawn = energy_distance_to_normal(z), energy_distance(z, reference)
    assert closed == pytest.approx(drawn, abs=0.02)
    assert closed > 0.05


def test_the_distance_to_the_normal_of_one_is_known() -> None:
    """Two opposite points at a: 2 E|a - y| - E|z - z'| - 2 / sqrt(pi), without own pairs."""
    a, phi = 1.3, math.exp(-(1.3**2) / 2) / math.sqrt(2 * math.pi)
    across = 2 * phi + a * math.erf(a / math.sqrt(2))
    want = 2 * across - 2 * a - 2 / math.sqrt(math.pi)
    assert energy_distance_to_normal(np.array([[a], [-a]])) == pytest.approx(want, rel=1e-12)


def test_energy_distances_of_equal_distributions_are_near_zero() -> None:
    assert abs(energy_distance_to_normal(RNG.normal(size=(2000, 2)))) < 0.005
    assert abs(energy_distance(UNIFORM[:1000], UNIFORM[1000:])) < 0.002
    assert energy_distance(UNIFORM[:1000], UNIFORM[1000:] + 0.5) > 0.1


def test_the_square_is_as_near_its_edges_as_it_must_be() -> None:
    assert near_edge(UNIFORM).mean() == pytest.approx(0.19, abs=0.03)
    on_both_sides = np.array([[-0.04, 0.5], [0.5, 1.04], [0.04, 0.5], [-0.06, 0.5], [0.5, 0.5]])
    assert near_edge(on_both_sides).tolist() == [True, True, True, False, False]


def test_diamonds_squares_and_round_clouds() -> None:
    square = 2 * RNG.uniform(size=(200_000, 2)) - 1
    turned = square @ np.array([[1, 1], [-1, 1]])
    assert diamondness(square * [3, 1] + 7) == pytest.approx(-3 / 7, abs=0.01)
    assert diamondness(turned) == pytest.approx(3 / 7, abs=0.01)
    assert diamondness(RNG.normal(size=(200_000, 2))) == pytest.approx(0, abs=0.02)
    tilted = square @ np.array([[np.cos(0.4), np.sin(0.4)], [-np.sin(0.4), np.cos(0.4)]])
    assert abs(diamondness(tilted)) < 0.1
    for cloud in (square, turned, tilted):
        assert squareness(cloud) == pytest.approx(3 / 7, abs=0.01)
    assert squareness(RNG.normal(size=(200_000, 2))) < 0.02


@pytest.mark.parametrize("index", range(8))
def test_symmetries_are_found(index: int) -> None:
    slight = np.array([[math.cos(0.3), -math.sin(0.3)], [math.sin(0.3), math.cos(0.3)]])
    codes = (UNIFORM - 0.5) @ SYMMETRIES[index].T @ slight.T * 3 + 1
    assert nearest_symmetry(UNIFORM, codes) == index
    matrices = np.stack(SYMMETRIES)
    assert len(np.unique(matrices, axis=0)) == 8
    assert np.array_equal(SYMMETRIES[0], np.eye(2))


def test_purity_of_separate_mixed_and_coinciding_classes() -> None:
    classes = np.repeat([0, 1, 2, 3], 50)
    corners = np.array([[0, 0], [9, 0], [0, 9], [9, 9]])[classes]
    assert purity(corners + RNG.normal(size=(200, 2)), classes) == 1
    assert purity(RNG.normal(size=(2000, 2)), RNG.integers(4, size=2000)) == pytest.approx(
        0.25, abs=0.02
    )
    assert purity(corners.astype(float), classes) == 1
    assert purity(np.zeros((200, 2)), np.zeros(200, dtype=np.int64)) == 1


def test_trustworthiness_of_a_copy_and_of_noise() -> None:
    assert trustworthiness(UNIFORM[:300], 3 * UNIFORM[:300] + 1) == 1
    assert trustworthiness(UNIFORM[:300], RNG.normal(size=(300, 2))) < 0.6


def test_the_length_of_a_circle() -> None:
    angle = np.linspace(0, 2 * np.pi, 5000)
    assert curve_length(np.stack([np.cos(angle), np.sin(angle)], 1)) == pytest.approx(2 * np.pi)


def known_model(n_z: int, logvar: float = -20.0) -> VAE:
    """It encodes x as x - 1/2 in its first dimensions and decodes z as z + 1/2, repeated."""
    likelihood = Architecture(2, n_z, hidden=(2,), likelihood="squared-error")
    model = VAE(likelihood).eval()
    model.encoder, model.decoder = nn.Identity(), nn.Identity()
    with torch.no_grad():
        model.heads.weight.copy_(torch.cat([torch.eye(2)[:, :n_z], torch.zeros(2, n_z)], 1))
        model.heads.bias.copy_(torch.tensor([-0.5] * n_z + [logvar] * n_z))
        model.output = type(model.output)(1, n_z, 2)
        model.output.weight.copy_(torch.eye(2) if n_z == 2 else torch.ones(1, 2))
        model.output.bias.fill_(0.5)
    return model


def test_a_faithful_model_passes_points_through() -> None:
    points = make_toy("square").test
    model = known_model(2)
    passage = pass_through(model, points, make_toy("square").test_labels.numpy(), seed=3)
    np.testing.assert_allclose(passage.decoded, passage.points, atol=1e-3)
    np.testing.assert_allclose(passage.codes, passage.points - 0.5, atol=1e-3)
    again = pass_through(model, points, passage.classes, seed=3)
    np.testing.assert_array_equal(again.drawn, passage.drawn)
    found = describe(passage, model, "square")
    assert found["trustworthiness"] == pytest.approx(1, abs=1e-4)
    assert found["rotated_or_mirrored"] == 0
    assert found["share_near_edge"] == pytest.approx(0.19, abs=0.03)
    assert found["share_near_zero"] == pytest.approx(0.0975, abs=0.03)
    assert found["diamondness"] == pytest.approx(-3 / 7, abs=0.03)
    assert set(describe(passage, model, "ring")) == COMMON


def test_a_code_that_says_nothing_is_told_by_its_noise() -> None:
    data = make_toy("square")
    passage = pass_through(known_model(2, logvar=6.0), data.test, data.test_labels.numpy(), seed=0)
    assert purity(passage.codes, passage.classes) == pytest.approx(0.25, abs=0.03)


def test_one_dimension_has_a_curve() -> None:
    data = make_toy("square")
    model = known_model(1)
    passage = pass_through(model, data.test, data.test_labels.numpy(), seed=0)
    found = describe(passage, model, "square")
    assert set(found) == COMMON | {"share_near_edge", "share_near_zero", "decoder_curve_length"}
    # The middle 99 % of a uniform coordinate, along the diagonal.
    assert found["decoder_curve_length"] == pytest.approx(0.99 * math.sqrt(2), abs=0.01)
    z, curve = decoder_curve(model, passage.codes)
    np.testing.assert_allclose(curve, z[:, None] + 0.5 + np.zeros((1, 2)), atol=1e-5)


def test_a_group_of_points_is_measured(tmp_path: Path) -> None:
    values = {"dataset": "square", "binarization": "none", "likelihood": "squared-error"}
    small = {"hidden": (4,), "n_z": 2, "epochs": 1, "batch_size": 500, "learning_rate": 0.01}
    runs = [RunConfig(**values, **small, beta=b, weight_decay=0.1) for b in (0.01, 1.0)]
    data = make_toy("square")
    train_group(runs, data, tmp_path, device=CPU, checkpoint_every=1, compile_policy="never")
    further = {run.run_id: Further(gradient_draws=4) for run in runs}
    table = measure_group(
        runs, data, tmp_path, device=CPU, n_samples=10, threshold=0.01, further=further
    )
    assert {*table["run_id"]} == {run.run_id for run in runs}
    wanted = COMMON | {"nll", "squared_error", "share_near_edge", "diamondness"}
    assert wanted <= {*table["metric"]}
    assert np.isfinite(table["value"]).all()
    own = table[table["run_id"] == runs[0].run_id].set_index("metric")["value"]
    # No mixture of Gaussians of variance 1/2 is denser than one is at its mean.
    assert own["nll"] > math.log(math.pi)
