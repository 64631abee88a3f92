"""Convolutional networks beside dense ones of as many parameters: pictures and numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from vaestudy.convolutions import conv_widths
from vaestudy.figures.beyond_data import Member, compare, mean_of
from vaestudy.figures.cells import mean_cell
from vaestudy.figures.drawing import Drawing
from vaestudy.figures.labels_data import Pair, as_images, find_pairs, first_seed
from vaestudy.figures.mosaics import labelled_rows
from vaestudy.networks import Shape
from vaestudy.quality import draw_samples, reconstruct
from vaestudy.rng import stream_seed
from vaestudy.splits import test_pixels
from vaestudy.stats import number
from vaestudy.study import Study

_TITLES = {"mlp": "MLP", "conv": "convolutional"}
_QUANTITIES = (
    ("nll", "Test NLL", 2),
    ("elbo", "Test ELBO", 2),
    ("squared_error", "Squared error", 2),
    ("active_units", "Active units", 1),
    ("seconds", "s/epoch", 2),
)


def networks(study: Study) -> Drawing:
    """Draw the first test image of every class, rebuilt by both networks, and samples of both."""
    pair = find_pairs(study)[0]
    dataset = study.dataset_named(pair.dataset)
    binarization = str(pair.mlp.first["binarization"])
    shown = np.unique(dataset.test_labels.numpy(), return_index=True)[1]
    pixels = test_pixels(dataset, binarization)[shown]
    rows = [("pixels as tested", "", pixels)]
    for member in (pair.mlp, pair.conv):
        run = first_seed(member)["run_id"]
        rows.append((f"{_title(member)}, rebuilt", run, reconstruct(study.model(run), pixels)))
    for member in (pair.mlp, pair.conv):
        run = first_seed(member)["run_id"]
        generator = torch.Generator().manual_seed(stream_seed(0, "figure-networks"))
        samples = draw_samples(study.model(run), len(shown), generator).means
        rows.append((f"{_title(member)}, samples", run, samples))
    images = np.stack([as_images(study, pair.dataset, x) for *_, x in rows])
    notes = ["squared\nerror", *("" if i > 2 else _error(rows, i, pixels) for i in range(1, 5))]
    figure = labelled_rows(images, [name for name, *_ in rows], notes, breaks=[1, 3])
    data = [
        {"row": row, "column": column, "label": name, "run_id": run, "mean_ink": float(x.sum())}
        for row, (name, run, parts) in enumerate(rows)
        for column, x in enumerate(parts)
    ]
    runs = tuple(dict.fromkeys(run for _, run, _ in rows if run))
    return Drawing(figure, pd.DataFrame(data), runs)


def _error(rows: Sequence[tuple[str, str, torch.Tensor]], row: int, pixels: torch.Tensor) -> str:
    return number(float((rows[row][2] - pixels).square().sum(1).mean()), 1)


def _title(member: Member) -> str:
    return _TITLES[str(member.first["network"])]


def networks_table(study: Study) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both networks' quantities and their paired difference: for reading, and as numbers.

    Raises
    ------
    EmptySelectionError
        If there are no convolutional models with twins.
    """
    shown, numbers = [], []
    for pair in find_pairs(study):
        for member in (pair.mlp, pair.conv):
            n_parameters = int(member.first["n_parameters"])
            cells = {"Network": _title(member), "Data": pair.dataset, "n": str(len(member.runs))}
            cells["Parameters"] = f"{n_parameters:,}"
            for metric, title, digits in _QUANTITIES:
                found = mean_of(study, member, metric)
                cells[title] = mean_cell(found, digits)
                if found is not None:
                    ends = (found.mean, found.low, found.high, found.n)
                    numbers.append((_title(member), pair.dataset, metric, *ends))
            shown.append(cells)
        cells = {"Network": "difference", "Data": pair.dataset, "n": "", "Parameters": "–"}
        for metric, title, digits in _QUANTITIES:
            gap = compare(study, pair.conv, pair.mlp, metric)
            cells[title] = mean_cell(gap, digits, signed=True)
            if gap is not None:
                cells["n"] = str(gap.n)
                ends = (gap.mean, gap.low, gap.high, gap.n)
                numbers.append(("difference", pair.dataset, metric, *ends))
        shown.append(cells)
    columns = ["network", "dataset", "metric", "mean", "low", "high", "n"]
    return pd.DataFrame(shown), pd.DataFrame(numbers, columns=columns)


def widths(study: Study, pair: Pair) -> tuple[int, int]:
    """Return channels of the first convolution, and units of the dense layer."""
    base = study.config.base
    n_features = study.dataset_named(pair.dataset).train.shape[1]
    model = study.model(first_seed(pair.conv)["run_id"])
    shape = Shape(n_features, 0, base.n_z, model.likelihood.n_heads, base.hidden)
    return conv_widths(shape)
