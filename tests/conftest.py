"""One thread, and shapes checked: jaxtyping's annotations are enforced by beartype here alone."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
import torch
from hypothesis import settings
from jaxtyping import install_import_hook

# Children that a test starts compute with one thread too.
os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)

# Not binarization: it checks shapes and types itself, and its tests ask for those errors.
MATHS = (
    "adam",
    "ais",
    "annealing",
    "bdmc",
    "checkpoint",
    "classifier",
    "convolutions",
    "estimator.imputation",
    "estimator.rows",
    "evaluate",
    "gradients",
    "gaps",
    "hierarchy",
    "history",
    "hmc",
    "information",
    "kernels",
    "layer_activity",
    "label_measures",
    "labels",
    "layers",
    "likelihoods.base",
    "likelihoods.gaussian",
    "likelihoods.pixels",
    "objectives",
    "posteriors",
    "quality",
    "rng",
    "train",
    "latent_terms",
    "vae",
)
install_import_hook([f"vaestudy.{name}" for name in MATHS], "beartype.beartype")

settings.register_profile("vaestudy", deadline=None, derandomize=True)
settings.load_profile("vaestudy")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the workflow's tests first: two workers end together if the longest files begin."""
    items.sort(key=lambda item: "workflow" not in item.path.parts)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture(autouse=True)
def _log_handlers() -> Iterator[None]:
    """Take away the handlers of a command that a test called: their stream ends with the test.

    pytest's own are subclasses of these two and stay.
    """
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)
    for handler in root.handlers[:]:
        if type(handler) in (logging.StreamHandler, logging.FileHandler):
            root.removeHandler(handler)
            handler.close()
