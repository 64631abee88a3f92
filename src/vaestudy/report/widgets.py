"""Live pictures for the HTML report: a decoder under the pointer, a space to turn.

Each function gives HTML that stands alone: no library, nothing loaded, and it follows the
colours of the page around it. On a screen a space stands instead of the figure's picture, which is
a still of it; a decoder stands beneath the figure's caption, with a line of its own.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vaestudy.figures.latent_space import MAX_POINTS
from vaestudy.figures.style import CLASS_COLORS
from vaestudy.report.errors import ReportError

Activation = Literal["softplus", "relu", "tanh"]
ACTIVATIONS = get_args(Activation)
Layer = tuple[NDArray[Any], NDArray[Any]]
# Below this many weights a layer keeps 32-bit floats; above, eight bits are enough for the eye.
_SMALL = 8192


def decoder_widget(
    layers: Sequence[Layer],
    activation: Activation,
    image_shape: tuple[int, int] = (28, 28),
    points: Mapping[str, ArrayLike] | None = None,
    extent: tuple[float, float, float, float] | None = None,
) -> str:
    """Make a latent plane that decodes under the pointer.

    Parameters
    ----------
    layers
        Weights ``W [in, out]`` and biases ``b [out]``, from the latent plane to the logits.
    activation
        Nonlinearity between the layers.
    image_shape
        Height and width of the decoded image.
    points
        ``x``, ``y`` and ``label`` (0 to 9) of the latent means to draw.
    extent
        ``(left, right, bottom, top)`` of the plane. By default all points, or 3 around 0.

    Returns
    -------
    str
        HTML for ``present.figure(…, interactive=…)``.
    """
    arrays = [(np.asarray(weight), np.asarray(bias)) for weight, bias in layers]
    _check_decoder(arrays, activation, image_shape)
    payload: dict[str, Any] = {
        "layers": [_pack_layer(*layer) for layer in arrays],
        "activation": activation,
        "shape": list(image_shape),
        "extent": [round(float(edge), 4) for edge in extent or _extent(points)],
        "colors": list(CLASS_COLORS),
    }
    if points is not None:
        plane = np.stack([np.asarray(points["x"]), np.asarray(points["y"])], axis=1)
        payload["points"] = _pack_points(plane, np.asarray(points["label"]))
    # A picture of lattices or images is no still of it: both are to be seen.
    return _widget("decoder", payload, ("network", "decoder"), stands="beneath")


def codes_by_class(codes: NDArray[Any], classes: NDArray[np.int64]) -> str:
    """Return :func:`latent_scatter_3d` of codes [N, 3] of digits, as many as a page shows."""
    names = [str(c) for c in range(classes.max() + 1)]
    return latent_scatter_3d(codes[:MAX_POINTS], classes[:MAX_POINTS], names)


def latent_scatter_3d(
    points: ArrayLike,
    labels: ArrayLike,
    names: Sequence[str],
    axes: Sequence[str] = ("z₀", "z₁", "z₂"),
) -> str:
    """Make a scatter plot of three dimensions that turns by mouse, finger and arrow keys.

    Parameters
    ----------
    points
        Coordinates ``[N, 3]``.
    labels
        Class of each point ``[N]``, an index into ``names``.
    names
        Names of the classes, at most ten.
    axes
        Names of the three dimensions.

    Returns
    -------
    str
        HTML for ``present.figure(…, interactive=…)``.
    """
    space, classes = np.asarray(points, dtype=float), np.asarray(labels)
    if space.ndim != 2 or space.shape[1] != 3:
        raise ReportError(f"points have shape {space.shape}, but expected [N, 3]")
    if len(axes) != 3:
        raise ReportError(f"{len(axes)} names of axes, but expected 3")
    if len(names) > len(CLASS_COLORS):
        raise ReportError(f"{len(names)} classes, but there are colours for {len(CLASS_COLORS)}")
    if classes.size and (classes.min() < 0 or classes.max() >= len(names)):
        raise ReportError(
            f"labels span {classes.min()} to {classes.max()}, but names has {len(names)} entries"
        )
    payload = {
        "points": _pack_points(space - space.mean(axis=0), classes),
        "names": list(names),
        "axes": list(axes),
        "colors": list(CLASS_COLORS),
    }
    return _widget("space", payload, ("network", "space"))


def _check_decoder(
    layers: Sequence[Layer], activation: Activation, image_shape: tuple[int, int]
) -> None:
    if activation not in ACTIVATIONS:
        raise ReportError(f"activation is {activation!r}, but must be one of {ACTIVATIONS}")
    n_in = 2
    for index, (weight, bias) in enumerate(layers):
        if weight.ndim != 2 or weight.shape[0] != n_in or bias.shape != weight.shape[1:]:
            raise ReportError(
                f"layer {index} has weights {weight.shape} and biases {bias.shape}, but expected "
                f"({n_in}, n) and (n,): weights go from input to output"
            )
        n_in = weight.shape[1]
    if n_in != image_shape[0] * image_shape[1]:
        raise ReportError(f"the decoder gives {n_in} logits, but an image has {image_shape} pixels")


def _pack_layer(weight: NDArray[Any], bias: NDArray[Any]) -> dict[str, Any]:
    """Pack a layer, output by output; large ones to eight bits with a scale for each output."""
    by_output = np.ascontiguousarray(weight.T, dtype=np.float64)
    packed: dict[str, Any] = {"in": weight.shape[0], "out": weight.shape[1]}
    if weight.size <= _SMALL:
        return packed | {"w": _base64(by_output, "<f4"), "b": _base64(bias, "<f4")}
    scale = np.abs(by_output).max(axis=1) / 127
    scale[scale == 0] = 1
    quantised = np.rint(by_output / scale[:, None])
    return packed | {
        "q": _base64(quantised, "i1"),
        "s": _base64(scale, "<f4"),
        "b": _base64(bias, "<f4"),
    }


def _pack_points(points: NDArray[Any], labels: NDArray[Any]) -> dict[str, Any]:
    """Pack coordinates to sixteen bits of the largest, and labels to eight."""
    scale = float(np.abs(points).max()) / 32767 if points.size else 1.0
    return {
        "xyz": _base64(np.rint(points / (scale or 1.0)), "<i2"),
        "label": _base64(labels, "u1"),
        "scale": scale,
    }


def _extent(points: Mapping[str, ArrayLike] | None) -> tuple[float, float, float, float]:
    if points is None:
        return (-3.0, 3.0, -3.0, 3.0)
    edges = []
    for axis in ("x", "y"):
        values = np.asarray(points[axis], dtype=float)
        margin = 0.04 * float(np.ptp(values)) or 1.0
        edges += [float(values.min()) - margin, float(values.max()) + margin]
    return (edges[0], edges[1], edges[2], edges[3])


def _base64(values: NDArray[Any], dtype: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values).astype(dtype).tobytes()).decode()


def _widget(
    name: str,
    payload: dict[str, Any],
    scripts: Sequence[str],
    stands: Literal["instead", "beneath"] = "instead",
) -> str:
    """Give a widget, which stands instead of its figure's picture or beneath its caption."""
    folder = resources.files("vaestudy.report").joinpath("resources/widgets")

    def read(file: str) -> str:
        return folder.joinpath(file).read_text(encoding="utf-8")

    script = "\n".join(read(f"{part}.js") for part in scripts)
    # A page ends a script at the first "</", whatever language it is in.
    data = json.dumps(payload, separators=(",", ":")).replace("</", "<\\/")
    return (
        f'<div class="vaestudy-widget {name}" data-stands="{stands}">'
        f"<style>{read('widget.css')}</style>"
        f'{read(f"{name}.html")}<script type="application/json">{data}</script>'
        f"<script>(root => {{\n{script}\n}})(document.currentScript.parentElement);</script></div>"
    )
