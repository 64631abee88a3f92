"""Matplotlib's SVG → the same picture in a third of the bytes.

What goes is what nobody sees: metadata, comments, line breaks, ids that nothing refers to, lengths
below a hundredth of a point, and the full colours that a picture stores for each of its pixels.
"""

from __future__ import annotations

import base64
import io
import re
from xml.etree import ElementTree

import numpy as np
from PIL import Image

_SVG = "http://www.w3.org/2000/svg"
_LINK = "http://www.w3.org/1999/xlink"
_HREF = f"{{{_LINK}}}href"
_PNG = "data:image/png;base64,"
_NUMBER = re.compile(r"-?\d*\.\d+(?:e-?\d+)?")
#: Colours that a palette of a byte a pixel holds.
_PALETTE = 256
#: Characters of a picture worth approximating: clouds of points are, colour bars are not.
_LARGE = 8_000


def slim(svg: str) -> str:
    """Return a drawing of matplotlib's without what cannot be seen of it.

    Lengths are rounded to a hundredth of a point, scales are not: a glyph has units of 1/64.
    Pictures get a palette, of their own colours where these are 256 at most; if not, large ones get
    the 256 that come nearest.

    Parameters
    ----------
    svg
        As matplotlib writes it with ``svg.fonttype: path``.
    """
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _LINK)
    root = ElementTree.fromstring(svg)
    for metadata in root.findall(f"{{{_SVG}}}metadata"):
        root.remove(metadata)
    referenced = _references(root)
    for element in root.iter():
        element.tail = None
        element.text = (element.text or "").strip() or None
        if element.get("id") not in referenced:
            element.attrib.pop("id", None)
        for name, value in element.attrib.items():
            element.set(name, _shorter(name, value))
    _unwrap(root)
    return ElementTree.tostring(root, encoding="unicode")


def _references(root: ElementTree.Element) -> set[str]:
    """Return the ids that some element names, by ``href`` or ``url(…)``."""
    named: set[str] = set()
    for element in root.iter():
        named.add(element.get(_HREF, "").removeprefix("#"))
        for value in element.attrib.values():
            named.update(re.findall(r"url\(#([^)]+)\)", value))
    return named


def _shorter(name: str, value: str) -> str:
    if name == "d":
        rounded = _NUMBER.sub(_hundredths, " ".join(value.split()))
        return re.sub(r" ?([A-Za-z]) ?", r"\1", rounded)
    if name == _HREF and value.startswith(_PNG):
        return _PNG + _paletted("".join(value.removeprefix(_PNG).split()))
    if name == "style":
        # A picture that is embedded pixel by pixel is the viewer's to enlarge smoothly.
        return re.sub(r"image-rendering:[^;]*;?", "", value.replace(": ", ":").replace("; ", ";"))
    if name in ("x", "y"):
        return _NUMBER.sub(_hundredths, value)
    return value


def _hundredths(match: re.Match[str]) -> str:
    short = f"{float(match[0]):.2f}".rstrip("0").rstrip(".")
    return "0" if short == "-0" else short


def _paletted(encoded: str) -> str:
    """Return a picture, base64 in and out, with a byte a pixel instead of four; or as it was."""
    picture = Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGBA")
    small = _exact(picture)
    if small is None:
        if len(encoded) < _LARGE:
            return encoded
        # Of all of Pillow's ways this one keeps transparency.
        small = picture.quantize(_PALETTE, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    stream = io.BytesIO()
    small.save(stream, format="png", optimize=True)
    return min(base64.b64encode(stream.getvalue()).decode(), encoded, key=len)


def _exact(picture: Image.Image) -> Image.Image | None:
    """Return a picture with a palette of its own colours, or None if it has too many."""
    pixels = np.asarray(picture).reshape(-1, 4)
    colors, index = np.unique(pixels.view("<u4").ravel(), return_inverse=True)
    if len(colors) > _PALETTE:
        return None
    small = Image.fromarray(index.reshape(picture.height, picture.width).astype(np.uint8), "P")
    small.putpalette(colors.astype("<u4").tobytes(), "RGBA")
    return small


def _unwrap(parent: ElementTree.Element) -> None:
    """Replace groups that have no attributes by what they hold."""
    for child in list(parent):
        _unwrap(child)
        if child.tag == f"{{{_SVG}}}g" and not child.attrib:
            place = list(parent).index(child)
            parent.remove(child)
            for offset, inner in enumerate(child):
                parent.insert(place + offset, inner)
