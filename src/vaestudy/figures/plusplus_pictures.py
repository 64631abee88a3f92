"""Pictures of the chapter on VAE++: reconstructions, samples, and halves filled in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from vaestudy.figures.codes import decode
from vaestudy.figures.drawing import Drawing
from vaestudy.figures.families import label_of
from vaestudy.figures.mosaics import labelled_rows
from vaestudy.figures.plusplus_data import (
    LIKELIHOODS,
    Pictures,
    few_dimensions,
    levels,
    noted,
    other_dataset,
    pictures,
    plus_runs,
)
from vaestudy.inference import infer_missing
from vaestudy.latent_plane import encode_means
from vaestudy.masks import random_pixels, top_half, without_quadrant
from vaestudy.objectives import NO_BOUNDS
from vaestudy.study import Study

#: Pictures a row.
_COLUMNS = 10
#: Prior samples are decoded from the same points for all models of one latent dimension.
_SAMPLE_SEED = 2021
#: Light grey where a pixel is not observed.
_HIDDEN = 0.2
_SAMPLES = 2000

Images = NDArray[Any]


@dataclass
class Rows:
    """Rows of pictures as they are gathered."""

    image_shape: tuple[int, int]
    names: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    images: list[Images] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    breaks: list[int] = field(default_factory=list)

    def add(self, name: str, images: Images, run_id: str = "", note: str = "") -> None:
        """Add one row."""
        self.names.append(name)
        self.images.append(np.asarray(images, dtype=float))
        self.runs.append(run_id)
        self.notes.append(note)

    def gap(self) -> None:
        """Leave a wider space before what comes."""
        self.breaks.append(len(self.names))

    def drawing(self, head: str = "") -> Drawing:
        """Draw the rows; their data are the mean intensity of every picture."""
        stacked = np.stack(self.images).reshape(len(self.images), -1, *self.image_shape)
        figure = labelled_rows(
            stacked, self.names, self.notes, breaks=self.breaks, head=head, right=0.6
        )
        data = [
            {"row": name, "run_id": run, "column": column, "mean_intensity": picture.mean()}
            for name, run, row in zip(self.names, self.runs, stacked, strict=True)
            for column, picture in enumerate(row)
        ]
        runs = tuple(dict.fromkeys(run for run in self.runs if run))
        return Drawing(figure, pd.DataFrame(data), runs)


def _prior(n_z: int) -> Images:
    return np.random.default_rng(_SAMPLE_SEED).standard_normal((_COLUMNS, n_z))


def _sampled(shown: Pictures) -> Images:
    return decode(shown.model, _prior(shown.model.architecture.n_z))


def _rebuilt(shown: Pictures, rows: Sequence[int] | NDArray[np.int64]) -> Images:
    return decode(shown.model, encode_means(shown.model, shown.pixels[rows]))


def samples(study: Study) -> Drawing:
    """Draw decoder means at samples of the prior, for every number of latent dimensions."""
    rows = Rows(study.dataset.image_shape)
    for n_z in few_dimensions(study):
        shown = pictures(study, n_z=n_z)
        note = noted(study, "fid_of_means", 0, n_z=n_z)
        rows.add(f"$n_z = {n_z}$", _sampled(shown), shown.run_id, note)
    return rows.drawing("Fréchet distance")


def clothes(study: Study) -> Drawing:
    """Draw clothes, their reconstructions and samples, through two and through most dimensions."""
    name = other_dataset(study)
    ends = levels(study, "n_z", dataset=name)
    rows = Rows(study.dataset_named(name).image_shape)
    for n_z in dict.fromkeys((ends[0], ends[-1])):
        shown = pictures(study, dataset=name, n_z=n_z)
        if not rows.names:
            rows.add("grey original", shown.grey[shown.exemplars])
            rows.add("pixels as tested", shown.pixels[shown.exemplars].numpy())
        rows.gap()
        error = noted(study, "squared_error", 1, dataset=name, n_z=n_z)
        rows.add(f"$n_z = {n_z}$", _rebuilt(shown, shown.exemplars), shown.run_id, error)
        rows.add("samples", _sampled(shown), shown.run_id)
    return rows.drawing("squared error")


def divergences(study: Study) -> Drawing:
    """Draw reconstructions and samples of models with the KL and with other divergences."""
    first = pictures(study)
    rows = Rows(first.image_shape)
    rows.add("pixels as tested", first.pixels[first.exemplars].numpy())
    for parameters in objectives_of(study):
        shown = pictures(study, **parameters)
        rows.gap()
        note = noted(study, "nll", 1, **parameters)
        rows.add(label_of(parameters), _rebuilt(shown, shown.exemplars), shown.run_id, note)
        rows.add("samples", _sampled(shown), shown.run_id)
    return rows.drawing("test NLL")


def objectives_of(study: Study) -> list[dict[str, Any]]:
    """Return the VAE, the models of other divergences and that of none, as parameters.

    Raises
    ------
    EmptySelectionError
        If there is no other divergence.
    """
    found: list[dict[str, Any]] = [{"objective": "elbo"}]
    runs = plus_runs(study, objective=list(NO_BOUNDS), js_skew=...)
    table = runs[["objective", "js_skew"]].drop_duplicates().sort_values("js_skew")
    pairs = sorted(table.itertuples(index=False), key=lambda pair: NO_BOUNDS.index(pair[0]))
    return found + [{"objective": name, "js_skew": skew} for name, skew in pairs]


def weighted(study: Study) -> Drawing:
    """Draw reconstructions and samples of the IWAE by its number of samples."""
    first = pictures(study)
    rows = Rows(first.image_shape)
    rows.add("pixels as tested", first.pixels[first.exemplars].numpy())
    for k in levels(study, "k", objective="iwae"):
        shown = pictures(study, objective="iwae", k=k)
        rows.gap()
        note = noted(study, "squared_error", 2, objective="iwae", k=k)
        rows.add(f"$k = {k}$", _rebuilt(shown, shown.exemplars), shown.run_id, note)
        rows.add("samples", _sampled(shown), shown.run_id)
    return rows.drawing("squared error")


def grey(study: Study) -> Drawing:
    """Draw grey digits as models of each likelihood reconstruct them, and those models' samples."""
    rows = Rows(study.dataset.image_shape)
    for title, parameters in likelihoods_of(study).items():
        shown = pictures(study, **parameters)
        if not rows.names:
            rows.add("grey original", shown.grey[shown.exemplars])
        rows.gap()
        note = noted(study, "squared_error", 2, **parameters)
        rows.add(title, _rebuilt(shown, shown.exemplars), shown.run_id, note)
        rows.add("samples", _sampled(shown), shown.run_id)
    return rows.drawing("squared error")


def likelihoods_of(study: Study) -> dict[str, dict[str, Any]]:
    """Return the likelihoods that grey pixels were modelled with, as parameters, by title.

    Raises
    ------
    EmptySelectionError
        If there is none.
    """
    there = levels(study, "likelihood", binarization="none")
    return {
        title: {"binarization": "none", "likelihood": name}
        for name, title in LIKELIHOODS.items()
        if name in there
    }


def halves(study: Study) -> Drawing:
    """Draw what is inferred of digits of which a half, a quarter or most pixels are hidden."""
    shown = pictures(study)
    x = shown.pixels[shown.exemplars]
    shape = shown.image_shape
    rows = Rows(shape)
    rows.add("pixels as tested", x.numpy())
    _fill(rows, shown, x, "top half", top_half(shape), ("variational", "importance", "prior"))
    _fill(rows, shown, x, "without a quarter", without_quadrant(shape), ("variational",))
    scattered = random_pixels(shape, 0.1, torch.Generator().manual_seed(_SAMPLE_SEED))
    _fill(rows, shown, x, "a tenth of the pixels", scattered, ("variational",))
    return rows.drawing()


def _fill(
    rows: Rows,
    shown: Pictures,
    x: torch.Tensor,
    name: str,
    observed: torch.Tensor,
    methods: Sequence[str],
) -> None:
    rows.gap()
    rows.add(name, torch.where(observed, x, _HIDDEN).numpy())
    for method in methods:
        generator = torch.Generator().manual_seed(_SAMPLE_SEED)
        found = infer_missing(
            shown.model, x, observed, generator, method=method, n_samples=_SAMPLES
        )
        rows.add(method, found.mean.numpy(), shown.run_id)
        if method == "variational":
            rows.add("variational, one z", found.example.numpy(), shown.run_id)


PICTURES: dict[str, Callable[[Study], Drawing]] = {
    "plus-samples": samples,
    "plus-fashion": clothes,
    "plus-divergences": divergences,
    "plus-weighted": weighted,
    "plus-grey": grey,
    "plus-halves": halves,
}
