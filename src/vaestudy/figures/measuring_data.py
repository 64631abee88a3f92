"""What the chapter on measuring shows: slower measurements by family, and nearest neighbours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from vaestudy.binarization import as_float
from vaestudy.examination import FREE
from vaestudy.figures.activity_data import base_networks
from vaestudy.figures.cells import mean_cell
from vaestudy.figures.families import label_of, order_of
from vaestudy.figures.spans import OF_PERCENT, difference_within, mean_within
from vaestudy.quality import draw_samples
from vaestudy.rng import stream_seed
from vaestudy.sample_measures import MEMORISED_QUANTILE, nearest
from vaestudy.splits import test_pixels
from vaestudy.stats import mean_interval
from vaestudy.study import EmptySelectionError, Study, tried

#: Metrics of each section, and of each of its tables: title and digits of a column.
LIKELIHOOD = {
    "is_nll": ("NLL, importance sampling", 2),
    "ais_nll": ("NLL, annealed", 2),
    "left": ("Left by importance sampling", 2),
    "bdmc_gap": ("BDMC gap", 2),
    "ais_effective_chains": ("Effective chains", 1),
}
GAPS = {
    "approximation_gap": ("Approximation", 2),
    "amortization_gap": ("Amortization", 2),
    "inference_gap": ("Together", 2),
}
INFORMATION = {
    "mutual_information": ("Mutual information", 2),
    "marginal_kl": ("Marginal KL", 2),
    "effective_dimensions": ("$D_1$", 1),
    "participation_ratio": ("$D_2$", 1),
    "active_units": ("Active units", 1),
}
QUALITY = {
    "fid": ("Fréchet, drawn", 0),
    "fid_of_means": ("Fréchet, means", 0),
    "sample_confidence": ("Confidence", 2),
    "class_balance": ("Balance", 2),
    "reconstruction_accuracy": ("Accuracy", 2),
    "memorised": ("Memorised", 2),
}
#: Columns that are computed from others, per run.
_DERIVED = {
    "left": ("is_nll", "ais_nll", -1.0),
    "inference_gap": ("approximation_gap", "amortization_gap", 1.0),
}

Columns = Mapping[str, tuple[str, int]]


def has(study: Study, metric: str) -> bool:
    """Whether any run of the chapter's families has this measurement."""
    try:
        return len(by_run(study, {metric: ("", 0)})) > 0
    except EmptySelectionError:
        return False


def by_run(study: Study, columns: Columns) -> pd.DataFrame:
    """Return the runs of the chapter's families that have all these measurements, one row a run.

    Families depart from the base model in objective, batch normalization and warm-up, which is the
    study's standard one, or where it has none its longest. Columns: ``run_id``, ``seed``,
    ``label``, ``n_z``, the metrics, and the Monte Carlo standard error of each as
    ``METRIC_error``, missing where it is not known.

    Raises
    ------
    EmptySelectionError
        If there are none.
    """
    runs = study.runs(**dict.fromkeys(FREE["families"], ...))
    standard = tried(lambda: study.warmup) or {"warmup": max(study.levels("warmup"))}
    runs = runs[runs["warmup"].isin((0, standard["warmup"])) & (runs["warmup_cycles"] == 1)]
    wanted = [part for name in columns for part in _DERIVED.get(name, (name,))[:2]]
    evaluation = study.table("evaluation")
    values = evaluation[evaluation["metric"].isin(wanted)]
    wide = values.pivot_table(index="run_id", columns="metric", values="value").dropna()
    found = runs.merge(wide, left_on="run_id", right_index=True)
    if found.empty or set(wanted) - set(wide):
        raise EmptySelectionError(f"no run of {study.config.study!r} has {', '.join(wanted)}")
    found = found.merge(_errors(values, wanted), left_on="run_id", right_index=True)
    for name, (first, second, sign) in _DERIVED.items():
        if name in columns:
            found[name] = found[first] + sign * found[second]
    if "left" in columns:
        # Two independent estimates; the two gaps share one, so that their errors do not add up.
        found["left_error"] = np.hypot(found["is_nll_error"], found["ais_nll_error"])
    found["label"] = found.apply(label_of, axis=1)
    found["order"] = found.apply(order_of, axis=1)
    found = found.sort_values(["order", "seed"], ignore_index=True)
    names = list(dict.fromkeys([*wanted, *columns]))
    known = [f"{name}_error" for name in names if f"{name}_error" in found]
    return found[["run_id", "seed", "label", "n_z", *names, *known]]


def of_base(study: Study, runs: pd.DataFrame) -> pd.DataFrame:
    """Return those of the chapter's runs that are the base model's.

    Raises
    ------
    EmptySelectionError
        If it was left out of what was measured.
    """
    own = runs[runs["run_id"].isin(study.runs()["run_id"])]
    if own.empty:
        raise EmptySelectionError(f"{study.config.study!r} has not measured its base model so")
    return own


def _errors(values: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """Return the Monte Carlo standard errors of measurements, a row a run, NaN if not known."""
    known = values.assign(error=values["standard_error"].astype(float))
    wide = known.pivot_table(index="run_id", columns="metric", values="error", dropna=False)
    return wide.reindex(columns=list(dict.fromkeys(metrics))).add_suffix("_error")


def error_of(seeds: pd.DataFrame, metric: str) -> float:
    """Return the Monte Carlo standard error of a single seed's value; NaN if it is not known."""
    errors = seeds.get(f"{metric}_error")
    return math.nan if errors is None or len(seeds) != 1 else float(errors.iloc[0])


def by_family(runs: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    """Return the report's table: a row a family, its n, and each mean with its 95 % interval.

    A family of one seed has its Monte Carlo standard error instead.
    """
    rows = []
    for label, seeds in runs.groupby("label", sort=False):
        cells = {"Model": label, "n": len(seeds)}
        for name, (title, digits) in columns.items():
            error = error_of(seeds, name)
            cells[title] = mean_cell(mean_within(seeds[name], name, seeds), digits, error=error)
        rows.append(cells)
    return pd.DataFrame(rows)


def differences_by_family(runs: pd.DataFrame, columns: Columns) -> pd.DataFrame | None:
    """Return what each family has more than the first, the study's simplest, seed by seed.

    A row a family, with n, the seeds that both have, and each mean of paired differences with its
    95 % interval, or of one seed with its Monte Carlo standard error as of independent estimates;
    None if no family shares a seed with the first.
    """
    families = runs.set_index("seed").groupby("label", sort=False)
    (_, plain), *others = families
    rows = []
    for label, own in others:
        shared = own.index.intersection(plain.index)
        if shared.empty:
            continue
        cells = {"Model": label, "n": len(shared)}
        for name, (title, digits) in columns.items():
            difference = difference_within(own[name], plain[name], name, (own, plain))
            error = math.hypot(*(error_of(t.loc[shared], name) for t in (own, plain)))
            cells[title] = mean_cell(difference, digits, signed=True, error=error)
        rows.append(cells)
    return pd.DataFrame(rows) if rows else None


def of_one_scale(study: Study) -> pd.DataFrame:
    """Return the runs whose activities compare, with ``label`` and ``order`` by objective.

    Raises
    ------
    EmptySelectionError
        If there are none.
    """
    runs = base_networks(study)
    if runs.empty:
        raise EmptySelectionError(f"{study.config.study!r} has no model with plain heads")
    bare = runs[["objective", "k"]].assign(label=lambda t: t.apply(label_of, axis=1))
    return runs.assign(label=bare["label"], order=bare.apply(order_of, axis=1)).sort_values("order")


def threshold_table(study: Study) -> pd.DataFrame:
    """Return the share of dimensions (%) above a third of the threshold, it, and three times it.

    Of each seed over all runs of an objective; then the mean over seeds.
    """
    threshold = study.config.evaluation.activity_threshold
    runs = of_one_scale(study)
    units = final_activity(study, runs).merge(runs[["run_id", "seed", "label"]], on="run_id")
    rows = []
    for label in runs["label"].unique():
        own = units[units["label"] == label]
        row = {"Model": label, "Runs": own["run_id"].nunique(), "$n$": own["seed"].nunique()}
        for factor, title in ((1 / 3, "a third"), (1, "the threshold"), (3, "three times")):
            above = (own["activity"] > factor * threshold).groupby(own["seed"]).mean()
            name = f"Above {title}, {factor * threshold:.2g} (%)"
            row[name] = mean_cell(mean_interval(100 * above).within(*OF_PERCENT), 0)
        rows.append(row)
    return pd.DataFrame(rows)


def yardstick(study: Study, metric: str) -> float:
    """Return a measurement of the data themselves, which all runs of the families share."""
    return float(by_run(study, {metric: ("", 0)})[metric].median())


def n_images(study: Study, metric: str) -> int:
    """Return how many images a measurement was taken on."""
    runs = by_run(study, {metric: ("", 0)})
    return int(study.final(runs[["run_id"]], metric)["n_data"].max())


@dataclass(frozen=True)
class Neighbours:
    """Images; the nearest training image of each, its class and how far it is."""

    images: NDArray[np.float32]
    training: NDArray[np.float32]
    label: NDArray[np.int64]
    distance: NDArray[np.float32]
    index: NDArray[np.int64]

    def closest(self, classes: NDArray[np.int64]) -> Neighbours:
        """Return of each class the image that lies closest to a training image of that class.

        Without a class, thin strokes would fill the row: they are close to one another.
        """
        order = np.argsort(self.distance, kind="stable")
        first = [rows[0] for c in classes if len(rows := order[self.label[order] == c])]
        return Neighbours(
            images=self.images[first],
            training=self.training[first],
            label=self.label[first],
            distance=self.distance[first],
            index=self.index[first],
        )


@dataclass(frozen=True)
class Memory:
    """Drawn samples of one model and as many test images, with their nearest training images."""

    run_id: str
    samples: Neighbours
    held_out: Neighbours
    limit: float


def find_neighbours(study: Study, run_id: str, n: int = 1000) -> Memory:
    """Draw samples anew and find the nearest training image of each, and of the test images."""
    model, dataset = study.model(run_id), study.dataset
    train, labels = as_float(dataset.train, "none"), dataset.train_labels
    generator = torch.Generator().manual_seed(stream_seed(0, "nearest-training-image"))
    drawn = draw_samples(model, n, generator).drawn
    held_out = test_pixels(dataset, study.config.base.binarization)[:n]
    found = [_neighbours(x, train, labels) for x in (drawn, held_out)]
    limit = float(np.quantile(found[1].distance, MEMORISED_QUANTILE))
    return Memory(run_id, found[0], found[1], limit)


def _neighbours(x: torch.Tensor, train: torch.Tensor, labels: torch.Tensor) -> Neighbours:
    distance, index = nearest(x, train)
    return Neighbours(
        images=x.numpy(),
        training=train[index].numpy(),
        label=labels[index].numpy(),
        distance=distance.numpy(),
        index=index.numpy(),
    )


def final_activity(study: Study, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the activity of every latent dimension at the end of training."""
    units = study.table("units")
    units = units[units["run_id"].isin(runs["run_id"])]
    last = units.groupby("run_id")["epoch"].transform("max")
    return units[units["epoch"] == last]
