"""Sample quality, on cases whose answer is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from builders import FixedVariance, generators, randn, tiny_dataset
from vaestudy.classifier import Classifier, ClassifierSettings, train_classifier
from vaestudy.quality import (
    Judge,
    Measured,
    draw_samples,
    make_judge,
    measure_quality,
    reconstruct,
)
from vaestudy.sample_measures import (
    MEMORISED_QUANTILE,
    Moments,
    class_balance,
    confidence,
    frechet_distance,
    memorised_share,
    moments,
    nearest,
)
from vaestudy.splits import test_pixels as pixels_of_test
from vaestudy.splits import train_pixels as pixels_of_train
from vaestudy.vae import VAE, Architecture


def gaussian(mean: list[float], deviations: list[float], rotation: Tensor | None = None) -> Moments:
    covariance = torch.diag(torch.tensor(deviations, dtype=torch.float64).square())
    if rotation is not None:
        covariance = rotation @ covariance @ rotation.T
    return Moments(torch.tensor(mean, dtype=torch.float64), covariance)


def test_frechet_distance_of_commuting_gaussians_is_known() -> None:
    # ‖m₁ - m₂‖² + Σ (s₁ - s₂)², whatever the axes that both share.
    rotation = torch.linalg.qr(randn(3, 3))[0]
    a = gaussian([0, 0, 0], [1, 2, 3], rotation)
    b = gaussian([1, -2, 2], [2, 0.5, 3], rotation)
    assert frechet_distance(a, b) == pytest.approx(9 + 1 + 2.25)
    assert frechet_distance(b, a) == pytest.approx(9 + 1 + 2.25)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_agrees_with_the_matrix_square_root() -> None:
    from scipy.linalg import sqrtm

    first, second = randn(40, 4), 2 * randn(50, 4, seed=1) + randn(50, 1, seed=2)
    a, b = moments(first), moments(second)
    root = torch.from_numpy(sqrtm((a.covariance @ b.covariance).numpy()).real)
    expected = (a.mean - b.mean).square().sum() + (a.covariance + b.covariance - 2 * root).trace()
    assert frechet_distance(a, b) == pytest.approx(expected.item())


def test_frechet_distance_of_constant_features() -> None:
    still, spread = gaussian([1, 0], [0, 0]), gaussian([0, 0], [3, 4])
    assert frechet_distance(still, spread) == pytest.approx(1 + 25)


def test_moments_are_those_of_the_features() -> None:
    features = randn(30, 3).float()
    found = moments(features)
    torch.testing.assert_close(found.covariance, torch.cov(features.double().T))
    with pytest.raises(ValueError, match="of 1 images; expected at least 2"):
        moments(features[:1])


def test_confidence_and_balance_of_known_predictions() -> None:
    one_class = torch.tensor([[0.7, 0.2, 0.1]]).expand(6, 3)
    assert confidence(one_class) == pytest.approx((0.7, 0))
    assert class_balance(one_class) == pytest.approx(1 / 3)
    assert class_balance(torch.eye(3).repeat(4, 1)) == pytest.approx(1)
    # Half and half over two of three classes: two effective classes.
    assert class_balance(torch.eye(3)[:2].repeat(5, 1)) == pytest.approx(2 / 3)
    mean, error = confidence(torch.tensor([[0.5, 0.5], [0.0, 1.0]]))
    assert (mean, error) == pytest.approx((0.75, math.sqrt(0.125 / 2)))


@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_nearest_finds_what_all_pairs_find(chunk: int) -> None:
    x, images = randn(9, 5), randn(20, 5, seed=1)
    distance, index = nearest(x, images, chunk)
    expected = torch.cdist(x, images).min(1)
    torch.testing.assert_close(distance, expected.values)
    assert torch.equal(index, expected.indices)


def test_copies_of_training_images_are_memorised_and_new_images_are_not() -> None:
    train, fresh = randn(300, 20), randn(2000, 20, seed=1)
    held_out = nearest(randn(2000, 20, seed=2), train)[0]
    copies = train[:50] + 1e-3 * randn(50, 20, seed=3)
    assert memorised_share(nearest(copies, train)[0], held_out) == 1
    # As new as the held-out ones: a share of 5 %, to four standard deviations.
    assert memorised_share(nearest(fresh, train)[0], held_out) == pytest.approx(0.05, abs=0.028)
    half = nearest(torch.cat([copies, fresh[:50] + 10]), train)[0]
    assert memorised_share(half, held_out) == 0.5


class Identity(nn.Module):
    """An encoder or decoder that hands its input on."""

    def forward(self, x: Tensor) -> Tensor:
        return x


def mirror(n_features: int = 16) -> VAE:
    """A model whose code is the image: mu(x) = x, and E[x|z] = z."""
    model = VAE(Architecture(n_features, n_features, hidden=(n_features,)), members=1).eval()
    model.encoder, model.decoder, model.output = Identity(), Identity(), Identity()
    model.heads = DoubleHead()
    model.likelihood = FixedVariance(0.5)
    return model


class DoubleHead(nn.Module):
    """Mean x, log-variance 0."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, torch.zeros_like(x)], -1)


class Scalar(nn.Module):
    """Something that tells a model's type and device."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))


def with_parameter(model: VAE) -> VAE:
    model.extra = Scalar()
    return model


def test_samples_come_from_the_prior_through_the_decoder() -> None:
    samples = draw_samples(with_parameter(mirror()), 4000, *generators(0))
    assert samples.means.shape == samples.drawn.shape == (4000, 16)
    # z ~ N(0, I) is the mean, and drawn pixels add a variance of 0.25.
    assert samples.means.var().item() == pytest.approx(1, abs=0.03)
    assert (samples.drawn - samples.means).var().item() == pytest.approx(0.25, abs=0.01)
    again = draw_samples(with_parameter(mirror()), 4000, *generators(0))
    assert torch.equal(again.drawn, samples.drawn)


def test_samples_need_one_trained_member() -> None:
    architecture = Architecture(16, 2, hidden=(4,))
    with pytest.raises(ValueError, match="has 2 members; expected 1"):
        draw_samples(VAE(architecture, members=2).eval(), 3, *generators(0))
    with pytest.raises(ValueError, match="training mode"):
        draw_samples(VAE(architecture, members=1), 3, *generators(0))


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return train_classifier(tiny_dataset(), ClassifierSettings(epochs=20, batch_size=20))[0]


def test_a_perfect_mirror_keeps_the_accuracy_of_the_test_images(classifier: Classifier) -> None:
    data = tiny_dataset()
    judge = make_judge(classifier, data, "dynamic", 30)
    x = pixels_of_test(data, "dynamic")
    torch.testing.assert_close(reconstruct(mirror(), x), x)
    found = measure_quality(judge, with_parameter(mirror()), 30, *generators(0))
    assert found["reconstruction_accuracy"].value == found["test_accuracy"].value
    assert found["test_accuracy"].n == len(data.test)
    assert found["memorised"].value == 0
    # No share below, yet the limit below which none is comes of finitely many images itself.
    expected = (MEMORISED_QUANTILE * (1 - MEMORISED_QUANTILE) / len(judge.held_out)) ** 0.5
    assert found["memorised"].standard_error == pytest.approx(expected)
    # Noise is further from the data than the test images are.
    assert found["fid"].value > found["fid_floor"].value
    assert found["fid_of_means"].value > found["fid_floor_of_means"].value
    assert {name for name, m in found.items() if m.standard_error is None} == {
        *("fid", "fid_of_means", "fid_floor", "fid_floor_of_means"),
        *("class_balance", "class_balance_of_means"),
        *("test_confidence", "test_confidence_of_means"),
    }


class Copier(nn.Module):
    """A decoder that gives back training images, whatever the code."""

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.images = nn.Parameter(images)

    def forward(self, z: Tensor) -> Tensor:
        rows = torch.arange(z.shape[1]) % len(self.images)
        return self.images[rows].expand(len(z), -1, -1)


def test_a_model_that_copies_is_found_out(classifier: Classifier) -> None:
    _, found = of_copies(classifier, "none")
    assert found["memorised"].value == 1
    assert found["fid_of_means"].value < 1e-3 * found["fid_floor_of_means"].value


def test_means_of_thresholded_images_are_not_grey(classifier: Classifier) -> None:
    judge, found = of_copies(classifier, "threshold")
    torch.testing.assert_close(judge.train, pixels_of_train(tiny_dataset(), "threshold"))
    assert found["fid_of_means"].value < 1e-3 * found["fid_floor_of_means"].value


def of_copies(classifier: Classifier, binarization: str) -> tuple[Judge, dict[str, Measured]]:
    """Return what is found of a model that copies the training images, and who found it."""
    data = tiny_dataset()
    judge = make_judge(classifier, data, binarization, len(data.test))
    model = mirror()
    model.decoder = Copier(judge.train)
    model.likelihood = FixedVariance(1e-3)
    return judge, measure_quality(judge, model, len(data.train), *generators(0))
