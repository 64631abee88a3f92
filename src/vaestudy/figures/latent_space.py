"""Section 4.2: where the encoder puts the test digits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from vaestudy.figures.codes import Codes, codes_of, labels, objectives
from vaestudy.figures.drawing import Drawing
from vaestudy.figures.mosaics import placed_figure
from vaestudy.figures.style import CLASS_COLORS, INK, TEXT_WIDTH
from vaestudy.latent_plane import neighbour_accuracy
from vaestudy.study import EmptySelectionError, Study

#: A scatter plot of more points than these is a blot: the first ones are drawn.
MAX_POINTS = 2000
#: Small multiples of n_z that fit side by side.
MAX_COLUMNS = 4
#: Between the names of two classes, over the width of the plot.
_NAME = 0.07
_BOTH = ("pc_1", "pc_2", "z_a", "z_b")


def principal_components(means: NDArray[Any], n: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the first ``n`` principal components of the means and their shares of the variance."""
    pca = PCA(n_components=n, svd_solver="full").fit(means)
    return pca.transform(means), pca.explained_variance_ratio_


def latent_plane(study: Study) -> Drawing:
    """Draw the test digits' means in the plane, for the two objectives at n_z = 2."""
    found = objectives(study, n_z=2)
    codes = [codes_of(study, f.runs(study)["run_id"].iloc[0]) for f in found]
    reach = 1.04 * max(2.1, *(float(np.abs(c.means).max()) for c in codes))
    side = (TEXT_WIDTH - 0.1) / 2
    figure = Figure(figsize=(TEXT_WIDTH if len(found) > 1 else side, side + 0.35))
    axes = figure.subplots(1, len(found), sharex=True, sharey=True, squeeze=False)[0]
    for ax, family, code in zip(axes, found, codes, strict=True):
        scatter(ax, code.means, labels(study), names=True)
        for sigma in (1, 2):
            ax.add_patch(Circle((0, 0), sigma, fill=False, ec=INK, lw=0.8, ls=(0, (4, 2))))
            x, y = sigma * _clear_direction(code.means, labels(study), sigma)
            haloed(ax, x, y, rf"{sigma}$\sigma$", color=INK, fontsize=8)
        ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel="$z_0$")
        ax.set_title(family.label.split(", $n_z")[0])
    axes[0].set_ylabel("$z_1$")
    class_legend(figure, labels(study))
    data = [_points(c.run_id, c.means[:, :2], labels(study)) for c in codes]
    return Drawing(figure, pd.concat(data), tuple(c.run_id for c in codes))


def latent_projections(study: Study) -> Drawing:
    """Draw the VAE's means at growing n_z: principal components above, most active units below."""
    family = objectives(study)[0]
    levels = [n for n in study.levels("n_z", **family.parameters) if n > 2]
    if not levels:
        raise EmptySelectionError(f"{study.config.study!r} has no latent space beyond the plane")
    pick = np.unique(np.linspace(0, len(levels) - 1, MAX_COLUMNS).round().astype(int))
    levels = [levels[i] for i in pick]
    wide = TEXT_WIDTH if len(levels) > 1 else TEXT_WIDTH / 2
    figure = Figure(figsize=(wide, 1.92 * wide / max(len(levels), 2) + 0.7))
    grid = figure.subplots(2, len(levels), squeeze=False)
    data, runs = [], []
    for n_z, (top, bottom) in zip(levels, grid.T, strict=True):
        run_id = (
            study.runs(**{**family.parameters, "n_z": n_z}).sort_values("seed")["run_id"].iloc[0]
        )
        code = codes_of(study, run_id)
        runs.append(run_id)
        projected, share = principal_components(code.means, 2)
        a, b = code.by_activity()[:2]
        _panel(top, projected, study, (_component(1, share), _component(2, share)))
        pair = code.means[:, [a, b]]
        _panel(bottom, pair, study, (_unit(code, a), _unit(code, b)))
        top.set_title(f"$n_z = {n_z}$")
        points = _points(run_id, np.hstack([projected, pair]), labels(study), _BOTH)
        data.append(points.assign(n_z=n_z, unit_a=a, unit_b=b))
    class_legend(figure, labels(study))
    return Drawing(figure, pd.concat(data), tuple(runs))


def latent_cloud(study: Study) -> Drawing:
    """Draw the base model's means along their first three principal components."""
    code, space, share = cloud_of(study)
    figure = placed_figure(TEXT_WIDTH * 0.72, TEXT_WIDTH * 0.52)
    axes: Any = figure.add_axes((-0.04, 0.03, 0.94, 0.99), projection="3d")
    shown, classes = space[:MAX_POINTS], labels(study)[:MAX_POINTS]
    colors = np.array(CLASS_COLORS)[classes]
    axes.scatter(*shown.T, c=colors, s=6, lw=0, alpha=0.85, depthshade=False, rasterized=True)
    axes.set(**{f"{axis}label": _component(i, share) for i, axis in enumerate("xyz", 1)})
    axes.set_box_aspect(np.ptp(shown, axis=0), zoom=0.98)
    axes.view_init(elev=22, azim=-58)
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.pane.set(facecolor="white", edgecolor="#d5dade")
        axis._axinfo["grid"].update(color="#e3e7eb", linewidth=0.5)
        axis.labelpad = -6
        axis.set_major_locator(MaxNLocator(4))
        axis.set_tick_params(pad=-3, labelsize=7.5)
    class_legend(figure, labels(study), columns=1)
    return Drawing(figure, _points(code.run_id, space, labels(study)), (code.run_id,))


def cloud_of(study: Study) -> tuple[Codes, NDArray[Any], NDArray[Any]]:
    """Return the base VAE's codes, their first three principal components and their shares.

    Raises
    ------
    EmptySelectionError
        If they have fewer dimensions.
    """
    if study.config.base.n_z < 3:
        raise EmptySelectionError(f"codes of {study.config.study!r} have no three dimensions")
    code = codes_of(study, objectives(study)[0].runs(study)["run_id"].iloc[0])
    return code, *principal_components(code.means, 3)


def neighbour_values(study: Study) -> pd.DataFrame:
    """Return the neighbours' accuracy in every latent space of the n_z sweep, a row a run."""
    rows = []
    for family in objectives(study):
        for _, run in study.runs(**{**family.parameters, "n_z": ...}).iterrows():
            code = codes_of(study, run["run_id"])
            rows.append(
                {
                    "run_id": run["run_id"],
                    "n_z": int(run["n_z"]),
                    "family": family.label,
                    "seed": int(run["seed"]),
                    "accuracy": neighbour_accuracy(code.means, labels(study)),
                    "active": int(
                        (code.activity > study.config.evaluation.activity_threshold).sum()
                    ),
                }
            )
    return pd.DataFrame(rows)


def scatter(axes: Axes, points: NDArray[Any], classes: NDArray[Any], *, names: bool) -> None:
    """Draw points in their classes' colours, with each class's name at its median if asked."""
    points, classes = points[:MAX_POINTS], classes[:MAX_POINTS]
    size = 7 if names else 2.5
    x, y = points.T
    axes.scatter(x, y, c=np.array(CLASS_COLORS)[classes], s=size, lw=0, alpha=0.8, rasterized=True)
    if not names:
        return
    found = np.unique(classes)
    medians = np.stack([np.median(points[classes == digit], axis=0) for digit in found])
    places = apart(medians, _NAME * float(np.ptp(points, axis=0).max()))
    for digit, (right, up) in zip(found, places, strict=True):
        haloed(axes, right, up, str(digit), color=INK, fontsize=11, fontweight="bold")


def apart(places: NDArray[Any], least: float) -> NDArray[np.float64]:
    """Push places [N, 2] from one another until no two are nearer than ``least``, or nearly so."""
    moved = places.astype(np.float64)
    for _ in range(200):
        between = moved[:, None] - moved
        distance = np.linalg.norm(between, axis=-1)
        np.fill_diagonal(distance, np.inf)
        if distance.min() >= least:
            break
        push = np.clip(least - distance, 0, None) / np.clip(distance, 1e-9, None)
        moved += 0.3 * (push[..., None] * between).sum(1)
    return moved


def class_legend(figure: Figure, classes: NDArray[Any], columns: int = 0) -> None:
    """Name the colours of the classes, in one row below the panels or in one column beside them."""
    present = np.unique(classes)
    dots = [
        Line2D([], [], ls="", marker="o", ms=5, color=CLASS_COLORS[c], label=str(c))
        for c in present
    ]
    figure.legend(
        handles=dots,
        loc="center right" if columns else "outside lower center",
        ncols=columns or (len(present) if figure.get_figwidth() > 4 else 5),
        handletextpad=0.1,
        columnspacing=1.0,
    )


def _panel(axes: Axes, points: NDArray[Any], study: Study, names: Sequence[str]) -> None:
    scatter(axes, points, labels(study), names=False)
    reach = 1.05 * float(np.abs(points).max())
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    axes.set_xlabel(names[0], fontsize=8, labelpad=1)
    axes.set_ylabel(names[1], fontsize=8, labelpad=0)
    axes.tick_params(labelsize=7.5, pad=1.5)


def _component(which: int, share: NDArray[Any]) -> str:
    return f"PC {which} ({100 * share[which - 1]:.0f} %)"


def _unit(code: Codes, unit: int) -> str:
    return f"$z_{{{unit}}}$ ($A_u$ {code.activity[unit]:.2f})"


def _clear_direction(means: NDArray[Any], classes: NDArray[Any], radius: float) -> NDArray[Any]:
    """Return the direction in which a circle's label is farthest from the classes' names."""
    names = np.stack([np.median(means[classes == c], axis=0) for c in np.unique(classes)])
    angles = np.deg2rad(np.arange(0, 360, 15))
    ways = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    distance = np.linalg.norm(radius * ways[:, None] - names, axis=-1).min(1)
    return np.asarray(ways[distance.argmax()])


def haloed(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    """Write a text with a white halo, which keeps it legible on any colour."""
    halo = [withStroke(linewidth=2.2, foreground="white")]
    axes.text(x, y, text, ha="center", va="center", path_effects=halo, **style)


def _points(
    run_id: str,
    values: NDArray[Any],
    classes: NDArray[Any],
    names: Sequence[str] = ("x", "y", "z"),
) -> pd.DataFrame:
    shown = values[:MAX_POINTS].astype(float).round(3)
    frame = pd.DataFrame(shown, columns=list(names)[: values.shape[1]])
    frame.insert(0, "run_id", run_id)
    frame.insert(1, "test_image", np.arange(len(frame)))
    return frame.assign(digit=classes[:MAX_POINTS])


FIGURES: dict[str, Callable[[Study], Drawing]] = {
    "latent-plane": latent_plane,
    "latent-projections": latent_projections,
    "latent-cloud": latent_cloud,
}
