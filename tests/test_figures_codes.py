"""Plots of codes call classes and latent dimensions by their names."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from vaestudy.figures import any_data
from vaestudy.figures.latent_space import apart
from vaestudy.figures.plusplus import draw_cloud
from vaestudy.figures.plusplus_data import CLOTHES

RNG = np.random.default_rng(0)


def fitted(name: str, label_names: tuple[str, ...] = ()) -> Any:
    data = SimpleNamespace(
        name=name, label_names=label_names, test_labels=torch.arange(40) % (len(label_names) or 10)
    )
    return SimpleNamespace(title=name, codes=RNG.normal(size=(40, 2)), data=data, run_id=name)


def legend(figure: Figure, panel: int) -> tuple[str, ...]:
    found = figure.axes[panel].get_legend()
    assert found is not None
    return tuple(text.get_text() for text in found.get_texts())


def test_garments_have_their_names_and_other_classes_those_of_their_data(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [fitted("mnist-5k"), fitted("fashion-2k"), fitted("own-things", ("big", "small"))]
    monkeypatch.setattr(any_data, "find_fitted", lambda study: found)
    drawn = any_data.embeddings(SimpleNamespace())  # type: ignore[arg-type]
    assert legend(drawn.figure, 0) == tuple("0123456789")
    assert legend(drawn.figure, 1) == CLOTHES
    assert legend(drawn.figure, 2) == ("big", "small")


def test_dimensions_count_from_zero() -> None:
    shown: Any = SimpleNamespace(classes=np.arange(30) % 10, run_id="a")
    drawn = draw_cloud(shown, RNG.normal(size=(30, 3)).astype(np.float32))
    (axes,) = drawn.figure.axes
    names = [getattr(axes, f"get_{axis}label")() for axis in "xyz"]
    assert names == ["$z_0$", "$z_1$", "$z_2$"]
    assert list(drawn.data.columns[:3]) == ["z_0", "z_1", "z_2"]


def test_names_that_would_print_over_each_other_are_moved_apart() -> None:
    places = np.array([[0.0, 0.0], [0.01, 0.02], [0.5, 0.5], [0.51, 0.5], [2.0, 2.0]])
    moved = apart(places, 0.2)
    distances = np.linalg.norm(moved[:, None] - moved, axis=-1)[~np.eye(5, dtype=bool)]
    assert distances.min() > 0.19
    assert np.abs(moved - places).max() < 0.2
    np.testing.assert_array_equal(moved[-1], places[-1])
