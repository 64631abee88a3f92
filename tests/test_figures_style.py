"""The house style's colours can be told apart."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from vaestudy.figures.style import CLASS_COLORS

# Linear sRGB as seen by an eye without green and without red cones (Machado et al., 2009).
SEEN = {
    "all": np.eye(3),
    "no green": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "no red": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
}
# OKLab (Ottosson, 2020): linear sRGB to cones, and their cube roots to lightness and hue.
CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def linear(colors: tuple[str, ...]) -> np.ndarray:
    srgb = np.array([to_rgb(color) for color in colors])
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize(("eye", "least"), [("all", 0.18), ("no green", 0.1), ("no red", 0.1)])
def test_any_two_classes_have_colours_apart(eye: str, least: float) -> None:
    seen = np.clip(linear(CLASS_COLORS) @ SEEN[eye].T, 0, 1)
    lab = np.cbrt(seen @ CONES.T) @ OKLAB.T
    distances = np.linalg.norm(lab[:, None] - lab, axis=-1)
    assert distances[np.triu_indices(len(lab), 1)].min() > least


def test_class_colours_stand_out_on_white_and_on_the_dark_page() -> None:
    luminance = linear(CLASS_COLORS) @ (0.2126, 0.7152, 0.0722)
    dark = linear(("#14171a",)) @ (0.2126, 0.7152, 0.0722)
    assert (1.05 / (luminance + 0.05)).min() > 1.6
    assert ((luminance + 0.05) / (dark + 0.05)).min() > 2.5
