"""A remark for captions: that pictures with dark or grey ground are decoded so."""

from __future__ import annotations

import pandas as pd

from vaestudy.dataset import Dataset
from vaestudy.figures.drawing import Drawing


def read_filled(drawn: Drawing, dataset: Dataset, *, explained: bool = False) -> str:
    """Say how many decoded pictures have more ink than any test image; empty if none have.

    Parameters
    ----------
    drawn
        Its data have the mean intensity of every picture as ``mean_intensity`` or their sum over
        pixels as ``ink``, and the run that decoded it, empty for a picture of the data.
    dataset
        The data that the runs were trained on.
    explained
        Whether an earlier caption has said how that comes.
    """
    shares = _shares(drawn.data, dataset.test.shape[1])
    intensity = dataset.test.numpy() / 255
    most = max(intensity.mean(1).max(), (intensity > 0.5).mean(1).max())
    filled = int((shares > most).sum())
    if not filled:
        return ""
    counted = f" Of the {len(shares)} decoded pictures {filled}"
    if explained:
        return f"{counted} {'have' if filled > 1 else 'has'} more ink than any test image."
    more = "has more ink than any test image. It is"
    if filled > 1:
        more = "have more ink than any test image, mostly on a ground that is not white. They are"
    return (
        f"{counted} {more} decoded so: nothing has taught a "
        "decoder what to show far from the codes of training images."
    )


def _shares(data: pd.DataFrame, n_pixels: int) -> pd.Series:
    """Return the mean intensity of the pictures that a model has decoded."""
    own = data[data["run_id"] != ""]
    return own["mean_intensity"] if "mean_intensity" in own else own["ink"] / n_pixels
