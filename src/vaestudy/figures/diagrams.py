"""Drawn, not measured: the architecture, and what initialisation does to a signal."""

from __future__ import annotations

import math
from itertools import pairwise

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from vaestudy.figures.drawing import Drawing
from vaestudy.figures.style import INK, MUTED, PALETTE, TEXT_WIDTH
from vaestudy.study import Study

_ENCODER, _LATENT, _DECODER = PALETTE[0], PALETTE[4], PALETTE[2]


def architecture(study: Study) -> Drawing:
    """Draw the base model layer by layer, with widths."""
    base = study.config.base
    n_features = study.dataset.train.shape[1]
    hidden = list(base.hidden)
    blocks = [
        ("x", n_features, "data", MUTED),
        *[("h", width, base.activation, _ENCODER) for width in hidden],
        ("μ, log σ²", base.n_z, "q(z|x)", _LATENT),
        ("z = μ + σε", base.n_z, "sample", _LATENT),
        *[("h", width, base.activation, _DECODER) for width in hidden[::-1]],
        ("p(x|z)", n_features, base.likelihood, MUTED),
    ]
    figure = Figure(figsize=(TEXT_WIDTH, 2.35))
    axes = figure.subplots()
    centres = [_block(axes, i, *block) for i, block in enumerate(blocks)]
    for left, right in pairwise(centres):
        axes.add_patch(_arrow(left[0] + left[1], right[0] - right[1]))
    _brace(
        axes, centres[0][0], centres[len(hidden) + 1][0], r"encoder, parameters $\phi$", _ENCODER
    )
    _brace(
        axes,
        centres[-len(hidden) - 2][0],
        centres[-1][0],
        r"decoder, parameters $\theta$",
        _DECODER,
    )
    axes.set(xlim=(-0.6, len(blocks) - 0.4), ylim=(-1.75, 1.5))
    axes.axis("off")
    data = pd.DataFrame(blocks, columns=["block", "width", "kind", "color"]).drop(columns="color")
    return Drawing(figure, data)


def _block(axes: Axes, i: int, name: str, width: int, kind: str, color: str) -> tuple[float, float]:
    half_height, half_width = 0.28 + 0.10 * math.log2(width), 0.30
    box = FancyBboxPatch(
        (i - half_width, -half_height),
        2 * half_width,
        2 * half_height,
        boxstyle="round,pad=0.02,rounding_size=0.06",
        facecolor=color,
        edgecolor=color,
        alpha=0.16,
    )
    axes.add_patch(box)
    axes.text(i, 0.12, name, ha="center", va="center", fontsize=8, color=INK)
    axes.text(i, -0.16, f"{width}", ha="center", va="center", fontsize=8, color=INK)
    axes.text(i, half_height + 0.1, kind, ha="center", va="bottom", fontsize=7.5, color=MUTED)
    return float(i), half_width + 0.03


def _arrow(start: float, end: float) -> FancyArrowPatch:
    return FancyArrowPatch(
        (start, 0),
        (end, 0),
        arrowstyle="-|>",
        mutation_scale=7,
        color=MUTED,
        lw=0.8,
        shrinkA=1,
        shrinkB=1,
    )


def _brace(axes: Axes, left: float, right: float, text: str, color: str) -> None:
    y = -1.42
    axes.plot(
        [left - 0.3, left - 0.3, right + 0.3, right + 0.3],
        [y + 0.08, y, y, y + 0.08],
        color=color,
        lw=1,
    )
    axes.text((left + right) / 2, y - 0.08, text, ha="center", va="top", fontsize=8.5, color=color)


def initialization(study: Study) -> Drawing:
    """Draw how a signal grows or dies through untrained layers at several initial scales.

    The networks are deep on purpose (ten layers of the base model's width, tanh, as in Glorot
    & Bengio): with two hidden layers every scale would do.
    """
    data = pd.concat([_signal(study.config.base.hidden[0], gain) for gain in (0.5, 1.0, 2.0)])
    figure = Figure(figsize=(TEXT_WIDTH, 2.2))
    left, right = figure.subplots(1, 2)
    for color, (gain, rows) in zip(PALETTE, data.groupby("gain"), strict=False):
        name = "Glorot" if gain == 1 else f"Glorot × {gain:g}"
        left.plot(rows["layer"], rows["activation_std"], color=color, marker="o", label=name)
        right.plot(rows["layer"], rows["gradient_std"], color=color, marker="o", label=name)
    left.set(xlabel="layer", ylabel="std. of activations", yscale="log", title="signal, forwards")
    right.set(xlabel="layer", ylabel="std. of gradient", yscale="log", title="gradient, backwards")
    left.legend(loc="lower left")
    return Drawing(figure, data)


def _signal(width: int, gain: float, depth: int = 10) -> pd.DataFrame:
    """Return the spread of activations and of their gradients in each layer."""
    import torch

    generator = torch.Generator().manual_seed(0)
    std = gain * math.sqrt(2 / (width + width))
    x = torch.randn(500, width, generator=generator)
    layers = []
    for _ in range(depth):
        weight = torch.randn(width, width, generator=generator) * std
        x = torch.tanh(x @ weight).requires_grad_()
        x.retain_grad()
        layers.append(x)
    direction = torch.randn(500, width, generator=generator)
    (x * direction).sum().backward()
    rows = [
        (gain, i + 1, h.std().item(), h.grad.std().item())
        for i, h in enumerate(layers)
        if h.grad is not None
    ]
    return pd.DataFrame(rows, columns=["gain", "layer", "activation_std", "gradient_std"])
