"""Section 4.3: decoded lattices, planes, lines and samples of the latent space."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray
from scipy.stats import norm

from vaestudy.figures.codes import (
    Codes,
    codes_of,
    digits,
    exemplars,
    families,
    greyness,
    labels,
    objectives,
)
from vaestudy.figures.drawing import Drawing
from vaestudy.figures.mosaics import labelled_rows, show, tile, trim
from vaestudy.figures.style import TEXT_WIDTH
from vaestudy.layers import MemberLinear
from vaestudy.rng import stream_seed
from vaestudy.stats import number
from vaestudy.study import EmptySelectionError, Study

MANIFOLD_SIDE = 20
PLANE_SIDE = 11
STEPS = 7
SAMPLES = 10
#: Samples behind the numbers of :func:`prior_values`.
MANY = 500


def inverse_cdf(n: int) -> NDArray[np.float64]:
    r"""Return :math:`\Phi^{-1}((i + 1/2)/n)`: n points that hold equal parts of N(0, 1)."""
    return np.asarray(norm.ppf((np.arange(n) + 0.5) / n))


def lattice(code: NDArray[Any], units: tuple[int, int], n: int) -> NDArray[np.float64]:
    """Return the codes of an n × n lattice through ``code``, as rows of a page: top left first.

    The first unit grows from left to right, the second from bottom to top, both by the inverse
    CDF of the prior; the other dimensions stay those of ``code``.
    """
    steps = inverse_cdf(n)
    codes = np.tile(np.asarray(code, dtype=float), (n * n, 1))
    codes[:, units[0]] = np.tile(steps, n)
    codes[:, units[1]] = np.repeat(steps[::-1], n)
    return codes


def interpolation(start: NDArray[Any], end: NDArray[Any], steps: int) -> NDArray[np.float64]:
    """Return codes on the straight line from ``start`` to ``end``, both included."""
    share = np.linspace(0, 1, steps)[:, None]
    return np.asarray((1 - share) * start + share * end)


def manifold(study: Study) -> Drawing:
    """Draw the decoded plane of the models with n_z = 2, by the inverse CDF of the prior."""
    found = objectives(study, n_z=2)
    side = (TEXT_WIDTH - 0.45) / 2
    figure = Figure(figsize=(TEXT_WIDTH if len(found) > 1 else side + 0.4, side + 0.55))
    axes = figure.subplots(1, len(found), sharey=True, squeeze=False)[0]
    data = []
    for ax, family in zip(axes, found, strict=True):
        code = codes_of(study, family.runs(study)["run_id"].iloc[0])
        z = lattice(np.zeros(2), (0, 1), MANIFOLD_SIDE)
        draw_lattice(ax, study, code.decode(z), MANIFOLD_SIDE, (-2, -1, 0, 1, 2))
        ax.set_title(family.label.split(", $n_z")[0])
        ax.set_xlabel("$z_0$", labelpad=1)
        data.append(_lattice_data(code, z, (0, 1), "manifold", code.decode(z)))
    axes[0].set_ylabel("$z_1$", labelpad=0)
    return _drawing(figure, data)


def affine_layers(code: Codes) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Return weights ``[in, out]`` and biases of the decoder, from z to logits.

    Empty if it is more than affine layers and nonlinearities, or if its outputs are no logits.
    """
    model, form = code.model, code.model.architecture
    if (form.network, form.batch_norm, form.likelihood) != ("mlp", "none", "bernoulli"):
        return []
    affine = [m for m in [*model.decoder, model.output] if isinstance(m, MemberLinear)]
    found = []
    for layer in affine:
        assert layer.bias is not None  # only batch normalization takes a layer's bias
        found.append((layer.weight[0].detach().numpy(), layer.bias[0, 0].detach().numpy()))
    return found


def planes(study: Study) -> Drawing:
    """Draw planes through a larger latent space: two active dimensions, and two inactive ones."""
    if study.config.base.n_z < 3:
        raise EmptySelectionError(f"the latent space of {study.config.study!r} is itself a plane")
    found = objectives(study)
    cell = TEXT_WIDTH / 3
    spacing = ConstrainedLayoutEngine(h_pad=0.02, hspace=0.06)
    figure = Figure(figsize=(TEXT_WIDTH, len(found) * (cell + 0.28)), layout=spacing)
    grid = figure.subplots(len(found), 3, squeeze=False)
    data = []
    for family, row in zip(found, grid, strict=True):
        code = codes_of(study, family.runs(study)["run_id"].iloc[0])
        for ax, (name, start, units) in zip(row, plane_choices(study, code), strict=True):
            z = lattice(start, units, PLANE_SIDE)
            images = code.decode(z)
            draw_lattice(ax, study, images, PLANE_SIDE, (-1, 0, 1))
            ax.set_title(name, fontsize=8, loc="center", pad=3)
            ax.set_xlabel(_unit(code, units[0]), fontsize=8, labelpad=0)
            ax.set_ylabel(_unit(code, units[1]), fontsize=8, labelpad=0)
            data.append(_lattice_data(code, z, units, name, images).assign(label=family.label))
        row[0].annotate(
            family.label, (0, 1), (-26, 16), xycoords="axes fraction",
            textcoords="offset points", fontsize=9.5, va="bottom",
        )  # fmt: skip
    return _drawing(figure, data)


def plane_choices(study: Study, code: Codes) -> list[tuple[str, NDArray[Any], tuple[int, int]]]:
    """Return the planes of :func:`planes`: a name, the code they pass through, their two units."""
    order = code.by_activity()
    first, last = (int(order[0]), int(order[1])), (int(order[-2]), int(order[-1]))
    digit = int(exemplars(study)[0])
    through = f"others as in a digit “{labels(study)[digit]}”"
    return [
        ("most active, others at 0", np.zeros(code.means.shape[1]), first),
        (f"most active, {through}", code.means[digit], first),
        (f"least active, {through}", code.means[digit], last),
    ]


def interpolations(study: Study) -> Drawing:
    """Draw the way between digits of two classes, straight in the means of q(z | x)."""
    shown, found = exemplars(study), objectives(study)
    half = len(shown) // 2
    pairs = [(int(shown[i]), int(shown[i + half])) for i in range(half)]
    pixels = digits(study).numpy()
    width = TEXT_WIDTH if len(found) > 1 else TEXT_WIDTH * 0.6
    figure = Figure(figsize=(width, 0.3 + width / len(found) / (STEPS + 2.2) * half))
    axes = figure.subplots(1, len(found), squeeze=False)[0]
    data = []
    for ax, family in zip(axes, found, strict=True):
        code = codes_of(study, family.runs(study)["run_id"].iloc[0])
        rows = []
        for row, (start, end) in enumerate(pairs):
            z = interpolation(code.means[start], code.means[end], STEPS)
            images = code.decode(z)
            rows.append(np.stack([pixels[start], *images, pixels[end]]))
            data.append(_path_data(study, code, z, images, (row, start, end)))
        _draw_paths(ax, np.stack(rows).reshape(half, STEPS + 2, *study.dataset.image_shape))
        ax.set_title(family.label)
    return _drawing(figure, data)


def prior_samples(study: Study) -> Drawing:
    """Draw decoded means of the same draws from the prior, a row for every model family."""
    rows: list[tuple[str, NDArray[Any]]] = []
    breaks: list[int] = []
    group, data = 0, []
    for family in families(study):
        run_id = family.runs(study)["run_id"].iloc[0]
        model = codes_of(study, run_id)
        z = prior_codes(model.means.shape[1], SAMPLES)
        images = model.decode(z)
        breaks += [len(rows)] if family.group != group else []
        group = family.group
        grey = greyness(images)
        data += [
            {"row": len(rows), "column": i, "label": family.label, "run_id": run_id,
             "norm_z": float(np.linalg.norm(z[i])), "greyness": float(grey[i])}
            for i in range(SAMPLES)
        ]  # fmt: skip
        rows.append((family.label, images))
    values = prior_values(study).groupby("family")["prior"].first()
    shape = (len(rows), SAMPLES, *study.dataset.image_shape)
    figure = labelled_rows(
        np.stack([images for _, images in rows]).reshape(shape),
        [name for name, _ in rows],
        [number(values[name], 1) for name, _ in rows],
        breaks=breaks,
        head="greyness",
    )
    return _drawing(figure, [pd.DataFrame(data)])


def prior_codes(n_z: int, n: int) -> NDArray[np.float64]:
    """Return the same draws from N(0, I) for every model with ``n_z`` latent dimensions."""
    rng = np.random.default_rng(stream_seed(0, "prior"))
    return rng.standard_normal((n, n_z))


def prior_values(study: Study) -> pd.DataFrame:
    """Return the greyness of prior samples and of reconstructions of every run, a row a run."""
    rows = []
    for family in families(study):
        for _, run in family.runs(study).iterrows():
            code = codes_of(study, run["run_id"])
            drawn = code.decode(prior_codes(code.means.shape[1], MANY))
            rows.append(
                {
                    "family": family.label,
                    "run_id": run["run_id"],
                    "seed": int(run["seed"]),
                    "prior": float(greyness(drawn).mean()),
                    "reconstruction": float(greyness(code.decode(code.means[:MANY])).mean()),
                }
            )
    return pd.DataFrame(rows)


def draw_lattice(
    axes: Axes, study: Study, images: NDArray[Any], n: int, ticks: tuple[int, ...]
) -> None:
    """Draw n × n decoded codes over the unit square of the prior's CDF, values of z as ticks."""
    shaped = images.reshape(n, n, *study.dataset.image_shape)
    show(axes, tile(trim(shaped), pad=0), extent=(0, 1, 0, 1))
    axes.set(xticks=norm.cdf(ticks), yticks=norm.cdf(ticks))
    names = [number(tick, 0) for tick in ticks]
    axes.set_xticklabels(names, fontsize=7.5)
    axes.set_yticklabels(names, fontsize=7.5)
    axes.tick_params(length=2, pad=1.5)


def _draw_paths(axes: Axes, images: NDArray[Any]) -> None:
    mosaic = tile(images, pad=3)
    show(axes, mosaic)
    axes.set(xticks=[], yticks=[])
    width = images.shape[-1] + 3
    for x in (width - 1.5, mosaic.pixels.shape[1] - width + 1.5):
        axes.axvline(x - 0.5, color="#D55E00", lw=1.0)


def _lattice_data(
    code: Codes, z: NDArray[Any], units: tuple[int, int], name: str, images: NDArray[Any]
) -> pd.DataFrame:
    n = round(len(z) ** 0.5)
    centre = images[len(z) // 2]
    return pd.DataFrame(
        {
            "run_id": code.run_id,
            "panel": name,
            "row": np.repeat(np.arange(n), n),
            "column": np.tile(np.arange(n), n),
            "unit_x": units[0],
            "unit_y": units[1],
            "activity_x": code.activity[units[0]],
            "activity_y": code.activity[units[1]],
            "z_x": z[:, units[0]].round(5),
            "z_y": z[:, units[1]].round(5),
            "squared_change": ((images - centre) ** 2).sum(1, dtype=np.float64),
            "greyness": greyness(images),
        }
    )


def _path_data(
    study: Study, code: Codes, z: NDArray[Any], images: NDArray[Any], place: tuple[int, int, int]
) -> pd.DataFrame:
    row, start, end = place
    share = np.linspace(0, 1, len(z))[:, None]
    # The same steps between the two reconstructions themselves: one fades out, one fades in.
    faded = ((1 - share) * images[0] + share * images[-1]).astype(np.float32)
    return pd.DataFrame(
        {
            "run_id": code.run_id,
            "row": row,
            "column": np.arange(len(z)) + 1,
            "from": labels(study)[start],
            "to": labels(study)[end],
            "share": share[:, 0].round(5),
            "norm_z": np.linalg.norm(z, axis=1),
            "greyness": greyness(images),
            "greyness_faded": greyness(faded),
        }
    )


def _unit(code: Codes, unit: int) -> str:
    return f"$z_{{{unit}}}$  ($A_u = {code.activity[unit]:.2g}$)"


def _drawing(figure: Figure, data: list[pd.DataFrame]) -> Drawing:
    table = pd.concat(data, ignore_index=True)
    return Drawing(figure, table, tuple(dict.fromkeys(table["run_id"])))


FIGURES: dict[str, Callable[[Study], Drawing]] = {
    "manifold": manifold,
    "planes": planes,
    "interpolations": interpolations,
    "prior-samples": prior_samples,
}
