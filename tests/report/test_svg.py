"""The report's drawings: smaller than matplotlib writes them, and the same to the eye."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from vaestudy.report.svg import slim


def drawn(draw: Callable[[Axes], object]) -> str:
    figure = Figure(figsize=(3, 2))
    draw(figure.subplots())
    stream = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "path"}):
        figure.savefig(stream, format="svg")
    return stream.getvalue()


def pictures(svg: str) -> list[NDArray[np.float64]]:
    found = re.findall(r"data:image/png;base64,([^\"]*)", svg)
    opened = (Image.open(io.BytesIO(base64.b64decode(text))) for text in found)
    return [np.asarray(picture.convert("RGBA"), dtype=float) for picture in opened]


def test_scales_of_glyphs_stay_exact() -> None:
    svg = slim(drawn(lambda axes: axes.set_title("Words")))
    assert 'transform="scale(0.015625)"' in svg


def test_lengths_are_rounded_and_keep_their_signs() -> None:
    path = '<path d="M -0.5001 -0.001 \nL 3.000 12.3456 \nz\n"/>'
    svg = slim(f'<svg xmlns="http://www.w3.org/2000/svg">{path}</svg>')
    assert 'd="M-0.5 0L3 12.35z"' in svg


def test_what_is_referred_to_keeps_its_id() -> None:
    svg = slim(drawn(lambda axes: axes.plot([0, 1], [0, 1], "o")))
    root = ElementTree.fromstring(svg)
    ids = {element.get("id") for element in root.iter()} - {None}
    named = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', svg))
    assert ids == {name for pair in named for name in pair if name}
    assert "metadata" not in svg
    assert "<!--" not in svg


def test_few_colours_stay_as_they_are() -> None:
    values = np.random.default_rng(0).integers(0, 24, (40, 60))
    before = drawn(lambda axes: axes.imshow(values, interpolation="nearest"))
    after = slim(before)
    assert len(after) < len(before) / 2
    for old, new in zip(pictures(before), pictures(after), strict=True):
        np.testing.assert_array_equal(old, new)


def test_many_colours_stay_close() -> None:
    rng = np.random.default_rng(0)
    x, y, hues = rng.normal(size=(3, 3000))
    before = drawn(lambda axes: axes.scatter(x, y, c=hues, s=4, lw=0, rasterized=True))
    after = slim(before)
    assert len(after) < 0.6 * len(before)
    (old,), (new,) = pictures(before), pictures(after)
    assert old.shape == new.shape
    assert np.abs(old - new).mean() < 3


@pytest.mark.parametrize("interpolation", ["nearest", "none"])
def test_the_viewer_resamples(interpolation: str) -> None:
    svg = drawn(lambda axes: axes.imshow([[0, 1]], interpolation=interpolation))
    assert "image-rendering" not in slim(svg)
