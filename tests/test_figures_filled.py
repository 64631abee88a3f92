"""The remark on pictures with more ink than any test image."""

from __future__ import annotations

import pandas as pd
import torch
from matplotlib.figure import Figure

from vaestudy.dataset import Dataset
from vaestudy.figures.drawing import Drawing
from vaestudy.figures.filled import read_filled


def digits() -> Dataset:
    """Test images of 16 pixels, of which at most four have ink."""
    test = torch.zeros(3, 16, dtype=torch.uint8)
    test[1, :4] = 255
    labels = torch.zeros(3, dtype=torch.int64)
    arrays = {"train": test, "train_labels": labels, "test": test, "test_labels": labels}
    return Dataset.build("digits", arrays, (4, 4), "made up")


def drawn(**columns: list[object]) -> Drawing:
    return Drawing(Figure(), pd.DataFrame(columns))


def test_pictures_with_a_filled_ground_are_counted_as_decoded_so() -> None:
    text = read_filled(drawn(run_id=["a", "a", ""], mean_intensity=[0.9, 0.2, 0.9]), digits())
    assert text.startswith(" Of the 2 decoded pictures 1 has more ink than any test image")
    sums = drawn(run_id=["a", "a"], ink=[14.0, 12.0])
    assert "2 decoded pictures 2 have" in read_filled(sums, digits())


def test_what_has_been_explained_is_counted_only() -> None:
    two = drawn(run_id=["a", "a"], ink=[14.0, 12.0])
    assert read_filled(two, digits(), explained=True) == (
        " Of the 2 decoded pictures 2 have more ink than any test image."
    )


def test_nothing_is_said_of_pictures_as_light_as_test_images() -> None:
    assert read_filled(drawn(run_id=["a"], mean_intensity=[0.25]), digits()) == ""
