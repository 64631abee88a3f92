"""Pictures of the summary's models: reconstructions, samples, and a plane of decoded codes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import ndimage

from vaestudy.figures.codes import Codes, labels
from vaestudy.figures.drawing import Drawing
from vaestudy.figures.latent_space import class_legend, haloed, scatter
from vaestudy.figures.lattices import MANIFOLD_SIDE, draw_lattice, lattice, prior_codes
from vaestudy.figures.mosaics import placed_figure, show, tile, trim
from vaestudy.figures.style import CLASS_COLORS, INK, TEXT_WIDTH
from vaestudy.figures.summary_data import summary_runs
from vaestudy.latent_plane import encode_means, slant
from vaestudy.splits import test_pixels
from vaestudy.study import Study

#: Pictures a side of the source's two figures of 100.
SIDE = 10
#: A class is named where so many cells of the lattice hang together.
NAMED_FROM = 4
_POINTS = 2000


def draw_reconstructions(study: Study) -> Drawing:
    """Draw 100 test digits in pairs: the reconstruction from the code's mean, and the original."""
    code = _first_codes(study, 10)
    pixels = test_pixels(study.dataset, "none")[: SIDE**2].numpy()
    rebuilt = code.decode(code.means[: SIDE**2])
    shape = (SIDE, SIDE, *study.dataset.image_shape)
    trimmed = trim(np.stack([rebuilt.reshape(shape), pixels.reshape(shape)]))
    figure = _mosaic_figure(np.concatenate([trimmed[0], trimmed[1]], axis=-1), pad=4)
    data = {
        "run_id": code.run_id,
        "test_image": np.arange(SIDE**2),
        "digit": labels(study)[: SIDE**2],
        "squared_error": ((rebuilt - pixels) ** 2).sum(1, dtype=np.float64),
    }
    return Drawing(figure, pd.DataFrame(data), (code.run_id,))


def draw_samples(study: Study) -> Drawing:
    """Draw the means of 100 codes from the prior."""
    code = _first_codes(study, 10)
    z = prior_codes(code.means.shape[1], SIDE**2)
    images = code.decode(z).reshape(SIDE, SIDE, *study.dataset.image_shape)
    data = pd.DataFrame(z.round(4), columns=[f"z_{i}" for i in range(z.shape[1])])
    data.insert(0, "run_id", code.run_id)
    return Drawing(_mosaic_figure(trim(images), pad=2, width=0.6), data, (code.run_id,))


def draw_plane(study: Study) -> Drawing:
    """Draw the decoded plane of the prior, and the same cells coloured by the digit they show."""
    code = _first_codes(study, 2)
    z = lattice(np.zeros(2), (0, 1), MANIFOLD_SIDE)
    images = code.decode(z)
    sure, named = name_images(study, images)
    side = (TEXT_WIDTH - 0.45) / 2
    figure = Figure(figsize=(TEXT_WIDTH, side + 0.9))
    left, right = figure.subplots(1, 2, sharey=True)
    draw_lattice(left, study, images, MANIFOLD_SIDE, (-2, -1, 0, 1, 2))
    draw_regions(right, sure, named)
    right.set(xticks=left.get_xticks(), xticklabels=[t.get_text() for t in left.get_xticklabels()])
    right.tick_params(length=2, pad=1.5, labelsize=7.5)
    left.set_title("decoded")
    right.set_title("named by the classifier")
    for axes in (left, right):
        axes.set_xlabel("$z_0$", labelpad=1)
    left.set_ylabel("$z_1$", labelpad=0)
    class_legend(figure, labels(study))
    places = {"row": np.repeat(np.arange(MANIFOLD_SIDE), MANIFOLD_SIDE)}
    places["column"] = np.tile(np.arange(MANIFOLD_SIDE), MANIFOLD_SIDE)
    data = pd.DataFrame({**places, "z_0": z[:, 0].round(5), "z_1": z[:, 1].round(5)})
    data = data.assign(run_id=code.run_id, digit=named, probability=sure.round(4))
    return Drawing(figure, data, (code.run_id,))


def draw_codes(study: Study) -> Drawing:
    """Draw the test digits' means in the plane, by class and by slant."""
    code = _first_codes(study, 2)
    classes = labels(study)
    slants = slant(study.dataset.test.numpy().reshape(-1, *study.dataset.image_shape))
    reach = 1.04 * float(np.abs(code.means[:_POINTS]).max())
    side = (TEXT_WIDTH - 0.1) / 2
    figure = Figure(figsize=(TEXT_WIDTH, side + 0.95))
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    scatter(left, code.means, classes, names=True)
    end = float(np.quantile(np.abs(slants), 0.98))
    dots = right.scatter(
        *code.means[:_POINTS].T, c=slants[:_POINTS], cmap="coolwarm", vmin=-end, vmax=end,
        s=7, lw=0, rasterized=True,
    )  # fmt: skip
    for axes, title in ((left, "by class"), (right, "by slant")):
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", title=title)
        axes.set_xlabel("$z_0$", labelpad=1)
    left.set_ylabel("$z_1$", labelpad=0)
    bar = figure.colorbar(dots, ax=right, orientation="horizontal", aspect=30, pad=0.02)
    bar.set_label("slant (positive: leans to the right)", fontsize=8)
    bar.outline.set_visible(False)
    class_legend(figure, classes)
    points = pd.DataFrame(code.means[:_POINTS].astype(float).round(3), columns=["z_0", "z_1"])
    data = points.assign(
        run_id=code.run_id, digit=classes[:_POINTS], slant=slants[:_POINTS].round(4)
    )
    return Drawing(figure, data, (code.run_id,))


def name_images(study: Study, images: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the classifier's probability of the likeliest class of every image, and that class."""
    from vaestudy.classifier import load_classifier

    path = study.config.directory / "classifiers" / f"{study.dataset.name}.safetensors"
    classifier, _ = load_classifier(path, study.dataset)
    sure, named = classifier.probabilities(torch.from_numpy(images)).max(-1)
    return sure.numpy(), named.numpy()


def draw_regions(axes: Axes, sure: NDArray[Any], named: NDArray[Any]) -> None:
    """Draw a lattice's cells in their classes' colours, paler where the classifier is less sure."""
    n = round(len(named) ** 0.5)
    colors = np.array([to_rgb(color) for color in CLASS_COLORS])[named]
    shade = sure[:, None].clip(0, 1)
    axes.imshow((shade * colors + 1 - shade).reshape(n, n, 3), extent=(0, 1, 0, 1))
    axes.spines[:].set_visible(False)
    for digit, (row, column) in region_centres(named.reshape(n, n)).items():
        x, y = (column + 0.5) / n, 1 - (row + 0.5) / n
        haloed(axes, x, y, str(digit), color=INK, fontsize=10, fontweight="bold")


def region_centres(named: NDArray[Any]) -> dict[int, tuple[int, int]]:
    """Return for each class the innermost cell of its largest region, if that has enough cells."""
    centres = {}
    for digit in np.unique(named):
        regions, n_regions = ndimage.label(np.pad(named == digit, 1))
        sizes = np.bincount(regions.ravel(), minlength=n_regions + 1)[1:]
        if sizes.max() < NAMED_FROM:
            continue
        depth = ndimage.distance_transform_edt(regions == 1 + sizes.argmax())
        row, column = np.unravel_index(depth.argmax(), depth.shape)
        centres[int(digit)] = int(row) - 1, int(column) - 1
    return centres


def _first_codes(study: Study, n_z: int) -> Codes:
    """Return the first seed's model with the codes of the grey test digits."""
    run_id = summary_runs(study, n_z)["run_id"].iloc[0]
    model = study.model(run_id)
    return Codes(run_id, model, encode_means(model, test_pixels(study.dataset, "none")))


def _mosaic_figure(images: NDArray[Any], pad: int, width: float = 1.0) -> Figure:
    mosaic = tile(images, pad=pad)
    height, across = mosaic.pixels.shape
    figure = placed_figure(TEXT_WIDTH * width, TEXT_WIDTH * width * height / across)
    axes = figure.add_axes((0, 0, 1, 1))
    show(axes, mosaic, aspect="auto")
    axes.set(xticks=[], yticks=[])
    return figure


FIGURES: dict[str, Callable[[Study], Drawing]] = {
    "summary-reconstructions": draw_reconstructions,
    "summary-samples": draw_samples,
    "summary-plane": draw_plane,
    "summary-codes": draw_codes,
}
