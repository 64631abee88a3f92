"""The chapter on VAE++ in studies that have trained some of its models."""

from __future__ import annotations

from pathlib import Path

import pytest

from plusplus import PLUS, VALUES, train
from vaestudy.figures.plusplus import FIGURES
from vaestudy.figures.plusplus_prose import (
    read_grey,
    read_weighted,
)
from vaestudy.report.phrases import scope
from vaestudy.study import EmptySelectionError


def test_sentences_of_a_part_of_the_study(tmp_path: Path) -> None:
    """Gaussian grey pixels, one k, samples of two dimensions: no more is said than was run."""
    experiments = {
        "larger-latent": {"title": "a", "set": PLUS, "vary": {"n_z": [2]}},
        "samples": {
            "title": "b",
            "set": PLUS,
            "vary": {"objective": [{"objective": "iwae", "k": 5}]},
        },
        "grey": {
            "title": "c",
            "set": {**PLUS, "binarization": "none"},
            "vary": {"likelihood": ["gaussian", "continuous-bernoulli"]},
        },
    }
    part = train(tmp_path, {**VALUES, "experiments": experiments, "evaluation": {"n_samples": 5}})
    assert read_weighted(part) == "This study has $k = 5$ only."
    assert read_grey(part).startswith("On average, ")


def test_many_dimensions_alone_are_no_course(tmp_path: Path) -> None:
    experiments = {"larger-latent": {"title": "a", "set": PLUS, "vary": {"n_z": [11]}}}
    part = train(tmp_path, {**VALUES, "experiments": experiments, "evaluation": {"n_samples": 5}})
    for name in ("plus-samples", "plus-variance"):
        with pytest.raises(EmptySelectionError, match="ten dimensions or fewer"):
            FIGURES[name](part)


def test_a_part_on_other_data_says_nothing_of_the_base_models_images(tmp_path: Path) -> None:
    experiments = {"fashion": {"title": "a", "set": {**PLUS, "dataset": "fashion-2k"}}}
    part = train(tmp_path, {**VALUES, "experiments": experiments, "evaluation": {"n_samples": 5}})
    n = len(part.config.seeds)
    assert scope(part) == f"{n} models of 1 combinations, {n} seeds each"
    with pytest.raises(EmptySelectionError, match="was trained on mnist-5k"):
        FIGURES["plus-samples"](part)
