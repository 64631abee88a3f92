r"""How good samples and reconstructions are, as a classifier and the training set see them.

Samples are z ~ p(z), then x ~ p(x|z). They are judged twice: as **drawn** pixels, which are what
the model says of data and compare with test pixels binarized alike; and as decoder **means**
E[x|z], which show what a model has learned without the pixels' own noise, and compare with the
images' own means: the grey images of which binary pixels are drawn, and thresholded images, of
which nothing is drawn, as they are.

Fréchet distance of two sets of images, between the Gaussians with their features' moments (Heusel
et al. 2017; here of our own classifier's features, so that values compare within a data set only):

.. math:: \|m_1 - m_2\|^2 + \mathrm{tr}\bigl(C_1 + C_2 - 2\,(C_1 C_2)^{1/2}\bigr)

Class balance: with :math:`\hat p` the shares of C predicted classes,
:math:`\exp(-\sum_c \hat p_c\ln\hat p_c)/C`, from 1/C for a single class to 1 for all alike.

Memorisation: the share of drawn samples that lie nearer to a training image than the nearest 5 % of
the test images do. A model that makes new images has about 5 %. Drawn samples and drawn test pixels
bear the same noise; means would be nearer to everything, for being smooth.

References
----------
Heusel, Ramsauer, Unterthiner, Nessler & Hochreiter (2017), *GANs trained by a two time-scale update
rule converge to a local Nash equilibrium*, NeurIPS.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from vaestudy.binarization import as_float, fixed_binarization
from vaestudy.classifier import Classifier, binomial_error, label_agreement
from vaestudy.data import Dataset
from vaestudy.evaluate import check_evaluating
from vaestudy.rng import normal
from vaestudy.splits import TRAIN_BINARIZATION_SEED, test_pixels
from vaestudy.vae import VAE

#: The share of test images that are by definition nearer than the limit of memorisation.
MEMORISED_QUANTILE = 0.05
_CHUNK = 500


@dataclass(frozen=True)
class Moments:
    """Mean and covariance of features, in float64 on the CPU."""

    mean: Float64[Tensor, "F"]
    covariance: Float64[Tensor, "F F"]


def moments(features: Float[Tensor, "N F"]) -> Moments:
    """Return the mean and the unbiased covariance.

    Raises
    ------
    ValueError
        If there are fewer than two rows.
    """
    if len(features) < 2:
        raise ValueError(f"features are of {len(features)} images; expected at least 2: draw more")
    wide = features.detach().cpu().double()
    return Moments(wide.mean(0), torch.cov(wide.T).reshape(wide.shape[1], wide.shape[1]))


def frechet_distance(a: Moments, b: Moments) -> float:
    r"""Return the squared Fréchet distance of two Gaussians.

    The trace of :math:`(C_1 C_2)^{1/2}` is that of :math:`(C_1^{1/2} C_2 C_1^{1/2})^{1/2}`, which
    is symmetric: its eigenvalues are real, also where features are constant and C is singular.
    """
    root = _root(a.covariance)
    eigenvalues = torch.linalg.eigvalsh(root @ b.covariance @ root)
    cross = eigenvalues.clamp_min(0).sqrt().sum()
    traces = a.covariance.trace() + b.covariance.trace()
    distance = (a.mean - b.mean).square().sum() + traces - 2 * cross
    return max(0.0, float(distance))


def _root(covariance: Float64[Tensor, "F F"]) -> Float64[Tensor, "F F"]:
    values, vectors = torch.linalg.eigh(covariance)
    root: Tensor = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    return root


def confidence(probabilities: Float[Tensor, "N C"]) -> tuple[float, float]:
    """Return the mean probability of the likeliest class, and its standard error."""
    top = probabilities.amax(-1).double()
    return top.mean().item(), top.std().item() / math.sqrt(len(top))


def class_balance(probabilities: Float[Tensor, "N C"]) -> float:
    """Return the effective number of predicted classes over the number of classes."""
    n, n_classes = probabilities.shape
    shares = torch.bincount(probabilities.argmax(-1), minlength=n_classes).double() / n
    entropy = -torch.special.xlogy(shares, shares).sum()
    return float(entropy.exp()) / n_classes


def nearest(
    x: Float[Tensor, "N D"], images: Float[Tensor, "T D"], chunk: int = _CHUNK
) -> tuple[Float[Tensor, "N"], Int64[Tensor, "N"]]:
    """Return every row's Euclidean distance to the nearest of ``images``, and which that is.

    In chunks: memory grows with ``chunk`` times T.
    """
    squares = images.square().sum(-1)
    # What is left out of the square, |x|², is the same for all images.
    found = [(squares - 2 * part @ images.T).min(-1) for part in x.split(chunk)]
    least = torch.cat([values for values, _ in found]) + x.square().sum(-1)
    return least.clamp_min(0).sqrt(), torch.cat([index for _, index in found])


def memorised_share(
    samples: Float[Tensor, "N"], held_out: Float[Tensor, "T"], quantile: float = MEMORISED_QUANTILE
) -> float:
    """Return the share of samples nearer to the training set than a quantile of held-out images.

    ``samples`` and ``held_out`` are distances to the nearest training image.
    """
    limit = torch.quantile(held_out, quantile)
    return (samples < limit).double().mean().item()


@dataclass(frozen=True)
class Samples:
    """Unconditional samples: their decoder means, and pixels drawn with them."""

    means: Float[Tensor, "N D"]
    drawn: Float[Tensor, "N D"]


@torch.no_grad()
def draw_samples(model: VAE, n: int, generator: torch.Generator) -> Samples:
    """Draw z from the prior and x from the decoder, with a model of one member.

    Raises
    ------
    ValueError
        If the model is in training mode or has several members.
    """
    check_evaluating(model)
    if model.members != 1:
        raise ValueError(f"the model has {model.members} members; expected 1: load them one by one")
    parameter = next(model.parameters())
    z = normal([generator], (n, model.architecture.n_z), parameter.device).to(parameter.dtype)
    means, drawn = [], []
    for part in z.split(_CHUNK, 1):
        params = model.decode(part)[0]
        means.append(model.likelihood.mean(params))
        drawn.append(model.likelihood.sample(params, generator))
    return Samples(torch.cat(means), torch.cat(drawn))


@torch.no_grad()
def reconstruct(model: VAE, x: Float[Tensor, "N D"]) -> Float[Tensor, "N D"]:
    """Return E[x | z = mu(x)], with a model of one member."""
    check_evaluating(model)
    parts = [model.decode(model.encode(part.unsqueeze(0))[0])[0] for part in x.split(_CHUNK)]
    return torch.cat([model.likelihood.mean(params) for params in parts])


@dataclass(frozen=True)
class Yardstick:
    """What all samples of one kind, drawn or means, are held against.

    ``train`` are the training images' moments, ``floor`` is the Fréchet distance that as many test
    images have from them, ``confidence`` the classifier's on those test images.
    """

    train: Moments
    floor: float
    confidence: float


@dataclass(frozen=True)
class Judge:
    """Everything that the models of one data set and binarization are judged with.

    Parameters
    ----------
    classifier
        Trained on the data set.
    test, labels
        The pixels that all runs are tested on, and their classes.
    train
        Means of the training images, to which nearest distances are taken.
    held_out
        Distance of each of the first test images to its nearest training image.
    drawn, means
        Yardsticks for drawn pixels and for decoder means.
    """

    classifier: Classifier
    test: Float[Tensor, "T D"]
    labels: Int64[Tensor, "T"]
    train: Float[Tensor, "N D"]
    held_out: Float[Tensor, "H"]
    drawn: Yardstick
    means: Yardstick


@torch.no_grad()
def make_judge(
    classifier: Classifier,
    dataset: Dataset,
    binarization: str,
    n_samples: int,
    device: torch.device | str = "cpu",
) -> Judge:
    """Measure the data themselves, with as many test images as there will be samples, if there are.

    Parameters
    ----------
    classifier
        Trained on ``dataset``.
    dataset
        Training and test images.
    binarization
        How the models saw them.
    n_samples
        How many samples will be judged.
    device
        Where to compute.
    """
    classifier = classifier.to(device)
    drawn_train = fixed_binarization(dataset.train, binarization, TRAIN_BINARIZATION_SEED)
    drawn_test = test_pixels(dataset, binarization).to(device)
    mean_train = _mean_pixels(dataset.train, binarization).to(device)
    mean_test = _mean_pixels(dataset.test, binarization).to(device)
    drawn = as_float(drawn_train, binarization).to(device)
    return Judge(
        classifier,
        test=drawn_test,
        labels=dataset.test_labels.to(device),
        train=mean_train,
        held_out=nearest(drawn_test[:n_samples], mean_train)[0],
        drawn=_yardstick(classifier, drawn, drawn_test[:n_samples]),
        means=_yardstick(classifier, mean_train, mean_test[:n_samples]),
    )


def _mean_pixels(pixels: Tensor, binarization: str) -> Tensor:
    """Return E[x] of every pixel as models see it: its intensity, unless a threshold decides it."""
    how = "threshold" if binarization == "threshold" else "none"
    # A threshold draws nothing, so that the seed is of no effect.
    return as_float(fixed_binarization(pixels, how, TRAIN_BINARIZATION_SEED), how)


def _yardstick(classifier: Classifier, train: Tensor, test: Tensor) -> Yardstick:
    known = moments(classifier.features(train))
    floor = frechet_distance(moments(classifier.features(test)), known)
    return Yardstick(known, floor, confidence(classifier.probabilities(test))[0])


@dataclass(frozen=True)
class Measured:
    """A value, its standard error if it has one, and how many images it comes from."""

    value: float
    standard_error: float | None
    n: int


def measure_quality(
    judge: Judge, model: VAE, n_samples: int, generator: torch.Generator
) -> dict[str, Measured]:
    """Judge a model's samples and reconstructions; the data's own values stand beside the model's.

    Returns
    -------
    dict
        By metric: ``fid``, ``sample_confidence`` and ``class_balance`` of drawn pixels, and with
        ``_of_means`` those of decoder means; their ``_floor`` or ``test_`` values;
        ``memorised``; ``reconstruction_accuracy`` and, of the test pixels, ``test_accuracy``.
    """
    samples = draw_samples(model, n_samples, generator)
    found: dict[str, Measured] = {}
    n_floor = len(judge.held_out)
    for x, yardstick, suffix in (
        (samples.drawn, judge.drawn, ""),
        (samples.means, judge.means, "_of_means"),
    ):
        probabilities = judge.classifier.probabilities(x)
        distance = frechet_distance(moments(judge.classifier.features(x)), yardstick.train)
        found[f"fid{suffix}"] = Measured(distance, None, n_samples)
        found[f"fid_floor{suffix}"] = Measured(yardstick.floor, None, n_floor)
        found[f"sample_confidence{suffix}"] = Measured(*confidence(probabilities), n_samples)
        found[f"test_confidence{suffix}"] = Measured(yardstick.confidence, None, n_floor)
        found[f"class_balance{suffix}"] = Measured(class_balance(probabilities), None, n_samples)
    memorised = memorised_share(nearest(samples.drawn, judge.train)[0], judge.held_out)
    # The limit is a quantile of finitely many images, whose error adds to that of the share.
    of_limit = binomial_error(MEMORISED_QUANTILE, n_floor)
    error = math.hypot(binomial_error(memorised, n_samples), of_limit)
    found["memorised"] = Measured(memorised, error, n_samples)
    for name, x in (
        ("reconstruction_accuracy", reconstruct(model, judge.test)),
        ("test_accuracy", judge.test),
    ):
        found[name] = _share(label_agreement(judge.classifier, x, judge.labels), len(x))
    return found


def _share(value: float, n: int) -> Measured:
    return Measured(value, binomial_error(value, n), n)
