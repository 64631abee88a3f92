r"""A small classifier that judges samples: it names images, and its features compare sets of them.

Two strided convolutions, a layer of 64 features h(x) and a linear layer on them,

.. math:: p(y|x) = \mathrm{softmax}(W h(x) + b)

Each time an image is presented in training it is grey or drawn as binary pixels, each with
probability 1/2: what a decoder expects is grey, what it draws is binary, and both are judged. One
classifier a data set judges all models; it is trained on the CPU, whatever device they are on.
"""

from __future__ import annotations

import logging
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from vaestudy.adam import Adam
from vaestudy.binarization import as_float, draw_bernoulli, fixed_binarization
from vaestudy.data import Dataset
from vaestudy.rng import stream_seed
from vaestudy.tensorfile import read_tensors, write_tensors

log = logging.getLogger(__name__)

N_FEATURES = 64
_CHANNELS = (8, 16)
_KERNEL = 5
_CHUNK = 500
_METADATA = "vaestudy-classifier"


class ClassifierError(RuntimeError):
    """A saved classifier cannot be used; the message names the file and the remedy."""


@dataclass(frozen=True)
class ClassifierSettings:
    """How to train; Adam's rate falls linearly to zero."""

    epochs: int = 10
    batch_size: int = 50
    learning_rate: float = 3e-3
    seed: int = 0


@dataclass(frozen=True)
class Accuracy:
    """Share of test images whose class is named rightly: of grey images, and of binary ones."""

    grey: float
    binary: float


class Classifier(nn.Module):
    """A classifier of images [N, D].

    Parameters
    ----------
    image_shape
        Height and width; their product is D.
    n_classes
        How many classes there are.
    """

    def __init__(self, image_shape: tuple[int, int], n_classes: int) -> None:
        super().__init__()
        self.image_shape, self.n_classes = image_shape, n_classes
        first, second = _CHANNELS
        height, width = (math.ceil(math.ceil(side / 2) / 2) for side in image_shape)
        self.body = nn.Sequential(
            nn.Conv2d(1, first, _KERNEL, stride=2, padding=_KERNEL // 2),
            nn.ReLU(),
            nn.Conv2d(first, second, _KERNEL, stride=2, padding=_KERNEL // 2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(second * height * width, N_FEATURES),
            nn.ReLU(),
        )
        self.head = nn.Linear(N_FEATURES, n_classes)

    def forward(self, x: Float[Tensor, "N D"]) -> Float[Tensor, "N C"]:
        """Return the logits of every class."""
        logits: Tensor = self.head(self._body(x))
        return logits

    @torch.no_grad()
    def features(self, x: Float[Tensor, "N D"]) -> Float[Tensor, "N F"]:
        """Return the features before the last layer, in chunks."""
        return torch.cat([self._body(part) for part in x.split(_CHUNK)])

    @torch.no_grad()
    def probabilities(self, x: Float[Tensor, "N D"]) -> Float[Tensor, "N C"]:
        """Return p(y|x), in chunks."""
        return torch.softmax(self.head(self.features(x)), -1)

    def _body(self, x: Tensor) -> Tensor:
        return self.body(x.unflatten(-1, (1, *self.image_shape)))  # type: ignore[no-any-return]


def label_agreement(
    classifier: Classifier, x: Float[Tensor, "N D"], labels: Int64[Tensor, "N"]
) -> float:
    """Return the share of images that the classifier gives the class they are meant to have.

    With reconstructions and their originals' labels: what the code keeps of the class. With
    samples and the labels they were conditioned on: how well a conditional model obeys.
    """
    named = classifier.probabilities(x).argmax(-1)
    return (named == labels).double().mean().item()


def binomial_error(share: float, n: int) -> float:
    """Return the standard error of a share of n images."""
    return math.sqrt(share * (1 - share) / n)


def train_classifier(
    dataset: Dataset, settings: ClassifierSettings | None = None
) -> tuple[Classifier, Accuracy]:
    """Train a classifier on the training set; the same data and settings give the same weights.

    Raises
    ------
    ValueError
        If the training set is smaller than one batch.
    """
    settings = settings or ClassifierSettings()
    if len(dataset.train) < settings.batch_size:
        raise ValueError(
            f"{dataset.name} has {len(dataset.train)} training images; expected at least a batch "
            f"of {settings.batch_size}: lower batch_size"
        )
    classifier = _initial(dataset, settings)
    steps = settings.epochs * (len(dataset.train) // settings.batch_size)
    adam = Adam(
        classifier.named_parameters(),
        learning_rate=settings.learning_rate,
        beta1=0.9,
        beta2=0.999,
        eps=1e-8,
    )
    for epoch in range(settings.epochs):
        seed = stream_seed(settings.seed, "classifier", epoch)
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(dataset.train), generator=generator)
        for rows in order.split(settings.batch_size):
            if len(rows) < settings.batch_size:
                continue
            x = present(dataset.train[rows], generator)
            loss = nn.functional.cross_entropy(classifier(x), dataset.train_labels[rows])
            adam.zero_grad()
            loss.backward()
            adam.learning_rate = settings.learning_rate * (1 - adam.step_count / steps)
            adam.step()
        log.info("epoch %d/%d  loss %.4f", epoch + 1, settings.epochs, loss.item())
    accuracy = measure_accuracy(classifier.eval(), dataset)
    log.info("accuracy on test images: %.4f grey, %.4f binary", accuracy.grey, accuracy.binary)
    return classifier, accuracy


def present(pixels: UInt8[Tensor, "B D"], generator: torch.Generator) -> Float[Tensor, "B D"]:
    """Return every image grey or as freshly drawn binary pixels, at random."""
    grey = torch.rand(len(pixels), 1, generator=generator) < 0.5
    return torch.where(grey, as_float(pixels, "none"), draw_bernoulli(pixels, generator))


def measure_accuracy(classifier: Classifier, dataset: Dataset) -> Accuracy:
    """Return the accuracy on the test set, grey and as one draw of binary pixels."""
    binary = as_float(fixed_binarization(dataset.test, "static", 0), "static")
    grey = as_float(dataset.test, "none")
    return Accuracy(
        label_agreement(classifier, grey, dataset.test_labels),
        label_agreement(classifier, binary, dataset.test_labels),
    )


def _initial(dataset: Dataset, settings: ClassifierSettings) -> Classifier:
    """Return an untrained classifier, its weights from the seed and not from the global stream."""
    n_classes = int(dataset.train_labels.max()) + 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(settings.seed, "classifier-init"))
        return Classifier(dataset.image_shape, n_classes)


def save_classifier(
    classifier: Classifier, accuracy: Accuracy, dataset: Dataset, path: Path
) -> None:
    """Write weights, accuracy and the checksum of the data to one safetensors file."""
    described = {
        "image_shape": classifier.image_shape,
        "n_classes": classifier.n_classes,
        "data_sha256": dataset.sha256,
        "accuracy": asdict(accuracy),
    }
    write_tensors(path, _METADATA, described, classifier.state_dict())


def load_classifier(path: Path, dataset: Dataset) -> tuple[Classifier, Accuracy]:
    """Return the classifier that was trained on ``dataset``, and its accuracy.

    Raises
    ------
    ClassifierError
        If the file is missing, damaged or was made from other data.
    """
    remedy = f"delete it if it exists and run `vaestudy classifier` on {dataset.name}"
    try:
        tensors, described = read_tensors(path, _METADATA)
        height, width = described["image_shape"]
        classifier = Classifier((height, width), described["n_classes"])
        classifier.load_state_dict(tensors)
    except FileNotFoundError:
        raise ClassifierError(f"{path} does not exist, expected a classifier; {remedy}") from None
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ClassifierError(f"{path} is not a whole classifier ({error}); {remedy}") from None
    if described["data_sha256"] != dataset.sha256:
        raise ClassifierError(f"{path} was trained on other data than {dataset.name}; {remedy}")
    return classifier.eval(), Accuracy(**described["accuracy"])
