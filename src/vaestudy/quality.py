r"""How good samples and reconstructions are, as a classifier and the training set see them.

Samples are z ~ p(z), then x ~ p(x|z). They are judged twice: as **drawn** pixels, which are what
the model says of data and compare with test pixels binarized alike; and as decoder **means**
E[x|z], which show what a model has learned without the pixels' own noise, and compare with the
images' own means: the grey images of which binary pixels are drawn, and thresholded images, of
which nothing is drawn, as they are.

Of either, `sample_measures` gives the Fréchet distance, the classifier's confidence and the balance
of classes. Memorisation is judged of drawn samples against drawn test pixels, which bear the same
noise; means would be nearer to everything, for being smooth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from vaestudy.binarization import as_float, fixed_binarization
from vaestudy.classifier import Classifier, binomial_error, label_agreement
from vaestudy.data import Dataset
from vaestudy.evaluate import check_evaluating
from vaestudy.rng import normal
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
from vaestudy.splits import TRAIN_BINARIZATION_SEED, test_pixels
from vaestudy.vae import VAE

#: Rows that are decoded at once.
_CHUNK = 500


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
