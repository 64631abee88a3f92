"""What the chapter on points of the plane draws and tells: its runs, their passages, intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vaestudy.figures.spans import difference_within, mean_within
from vaestudy.figures.style import PALETTE
from vaestudy.plane import Passage, pass_through
from vaestudy.stats import Interval
from vaestudy.study import EmptySelectionError, Study

SQUARE = "square"
#: The strongest weight decay of the source's grid; stronger ones are told of apart.
STRONGEST = 1.0
#: Other shapes, in the order in which they are drawn.
SHAPES = ("ring", "moons", "mixture")
#: Of the quadrants, and of up to eight components.
COLORS = np.array(PALETTE)


@dataclass(frozen=True)
class Statistic:
    """A column of the chapter's tables and a panel of its heat maps."""

    metric: str
    title: str
    digits: int


SQUARED_ERROR = Statistic("squared_error_of_draws", "squared error", 4)
EDGE = Statistic("share_near_edge", "share near an edge", 3)
ZERO = Statistic("share_near_zero", "share near zero", 3)
TO_PRIOR = Statistic("energy_distance_to_prior", "energy distance to prior", 4)
OF_SAMPLES = Statistic("energy_distance_of_samples", "energy distance of samples", 4)
TRUST = Statistic("trustworthiness", "trustworthiness", 3)
PURITY = Statistic("class_purity", "quadrant purity", 3)
DIAMOND = Statistic("diamondness", "diamondness", 3)
SQUARE_LIKE = Statistic("squareness", "squareness", 3)
LENGTH = Statistic("decoder_curve_length", "length of the curve", 2)
ON_THE_PLANE = (SQUARED_ERROR, EDGE, ZERO, TO_PRIOR, DIAMOND, SQUARE_LIKE, TRUST, PURITY)
ON_THE_LINE = (SQUARED_ERROR, LENGTH, EDGE, TO_PRIOR, TRUST, PURITY)


def plane_runs(study: Study, **parameters: Any) -> pd.DataFrame:
    """Return the finished runs of one data set of points that have these parameters.

    Unlike :meth:`Study.runs`, what is left out is anything but annealing, of which there is none,
    and weight decay, which is no stronger than the source's: these models share nothing with the
    base.

    Raises
    ------
    EmptySelectionError
        If there are none.
    """
    table = study.table("runs")
    wanted = {"dataset": SQUARE, "warmup": 0, **parameters}
    keep = table["status"] == "finished"
    for name, value in wanted.items():
        if value is not ...:
            keep &= table[name] == value
    if "weight_decay" not in parameters:
        keep &= table["weight_decay"] <= STRONGEST
    if not keep.any():
        raise EmptySelectionError(f"no finished run of {study.config.study!r} has {wanted}")
    return table[keep].sort_values("seed", kind="stable").reset_index(drop=True)


def levels(runs: pd.DataFrame, name: str) -> list[Any]:
    """Return the levels of a parameter among runs, lowest first."""
    return sorted(runs[name].unique().tolist())


def first_run(study: Study, **parameters: Any) -> pd.Series:
    """Return the run of the lowest seed."""
    return plane_runs(study, **parameters).iloc[0]


@cache
def passage_of(directory: Path, run_id: str, dataset: str, seed: int) -> Passage:
    """Return the held-out points on their way through a trained model, as it was measured."""
    from vaestudy.checkpoint import load_model
    from vaestudy.data import load_prepared

    points = load_prepared(directory / "data" / f"{dataset}.safetensors")
    model, _ = load_model(directory / "runs" / run_id / "model.safetensors")
    return pass_through(model, points.test, points.test_labels.numpy(), seed)


def passage(study: Study, run: pd.Series) -> Passage:
    """Return :func:`passage_of` of a row of the runs table."""
    return passage_of(
        study.config.directory, str(run["run_id"]), str(run["dataset"]), int(run["seed"])
    )


def other_shapes(study: Study) -> list[str]:
    """Return the shapes beside the square that have been trained with two latent dimensions.

    Raises
    ------
    EmptySelectionError
        If there are none.
    """
    runs = plane_runs(study, dataset=..., n_z=2)
    found = [name for name in SHAPES if (runs["dataset"] == name).any()]
    if not found:
        raise EmptySelectionError(f"{study.config.study!r} has no shape beside the square")
    return found


def by_seed(study: Study, metric: str, parameters: Mapping[str, Any]) -> pd.Series:
    """Return the final values of a statistic, one a seed."""
    values = study.final(plane_runs(study, **parameters), metric)
    return values.set_index("seed")["value"].astype(float)


def mean_of(study: Study, metric: str, **parameters: Any) -> Interval:
    """Return the mean over seeds of a statistic, its interval cut to what it can be."""
    return mean_within(by_seed(study, metric, parameters), metric)


def compare(study: Study, metric: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> Interval:
    """Return the paired difference a − b of a statistic."""
    return difference_within(by_seed(study, metric, a), by_seed(study, metric, b), metric)


def cells(study: Study, n_z: int) -> list[dict[str, Any]]:
    """Return every combination of KL weight and weight decay on the square, as parameters."""
    runs = plane_runs(study, n_z=n_z)
    found = runs[["beta", "weight_decay"]].drop_duplicates().sort_values(["beta", "weight_decay"])
    pairs = zip(found["beta"], found["weight_decay"], strict=True)
    return [{"n_z": n_z, "beta": beta, "weight_decay": decay} for beta, decay in pairs]


def points_table(run: pd.Series, passage: Passage, n: int) -> pd.DataFrame:
    """Return the first n points with their codes and reconstructions, for the reader."""
    parts = {"x": passage.points, "z": passage.codes, "decoded": passage.decoded}
    columns = {
        f"{name}_{i + 1}": values[:n, i].round(3)
        for name, values in parts.items()
        for i in range(values.shape[1])
    }
    keys = {k: run[k] for k in ("dataset", "n_z", "beta", "weight_decay", "seed")}
    return pd.DataFrame({**columns, "class": passage.classes[:n]}).assign(**keys)


def colors_of(classes: NDArray[np.int64]) -> NDArray[Any]:
    """Return each point's colour."""
    return np.asarray(COLORS[classes])


def run_ids(rows: Sequence[pd.Series]) -> tuple[str, ...]:
    """Return the ids of some runs."""
    return tuple(str(row["run_id"]) for row in rows)
