"""What the chapter on activity draws and tells: families, counts of active units, their fates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vaestudy.figures.families import color_of, label_of, line_of
from vaestudy.report.phrases import final_mean
from vaestudy.stats import Interval
from vaestudy.study import EmptySelectionError, Study, tried

#: Half a decade: a dimension within this factor of the threshold is neither clearly active nor
#: clearly inactive.
MARGIN = 10**0.5

#: What can be added to a model, in the order in which the figures add it.
_ADDITIONS: tuple[dict[str, Any], ...] = (
    {},
    {"batch_norm": "hidden"},
    {"warmup": ...},
    {"batch_norm": "hidden", "warmup": ...},
)


@dataclass(frozen=True)
class Family:
    """Replicates of one combination, as a figure names and colours them."""

    parameters: dict[str, Any]
    runs: pd.DataFrame

    @property
    def label(self) -> str:
        return label_of(self.runs.iloc[0])

    @property
    def color(self) -> str:
        return color_of(self.runs.iloc[0])

    @property
    def line(self) -> Any:
        return line_of(self.runs.iloc[0])

    @property
    def warmup(self) -> int:
        """Epochs of warm-up; 0 without."""
        return int(self.runs["warmup"].iloc[0])


def find_family(study: Study, **parameters: Any) -> Family | None:
    """Return the replicates with these parameters, or None if the study has none.

    ``warmup=...`` stands for the study's standard warm-up, or where it has none for the longest
    that such a model has, unless that is the base model's own; ``n_z=...`` for any.
    """
    try:
        if parameters.get("warmup") is ...:
            standard = tried(lambda: study.warmup)
            longest = {"warmup": max(study.levels("warmup", **parameters))}
            parameters = {**parameters, **(standard or longest)}
            if parameters["warmup"] in (0, study.base["warmup"]):
                return None
        return Family(parameters, study.runs(**parameters))
    except EmptySelectionError:
        return None


def importance_weighted(study: Study) -> dict[str, Any]:
    """Return the study's importance-weighted objective as parameters.

    Empty if it has none, or none but the base model's own.
    """
    if study.base["objective"] == "iwae":
        return {}
    try:
        return study.iwae
    except EmptySelectionError:
        return {}


def find_families(study: Study, **parameters: Any) -> list[Family]:
    """Return VAE and IWAE, plain and with every addition, as far as the study has them."""
    weighted = importance_weighted(study)
    objectives = [{}, weighted] if weighted else [{}]
    found = [
        find_family(study, **{**objective, **addition, **parameters})
        for objective in objectives
        for addition in _ADDITIONS
    ]
    return _some(study, found)


def figure_four(study: Study) -> list[Family]:
    """Return the source's four: VAE, IW, IW + BN and IW + WU, as far as the study has them."""
    weighted = importance_weighted(study)
    wanted: list[dict[str, Any]] = [{}]
    wanted += [{**weighted, **addition} for addition in _ADDITIONS[:3]] if weighted else []
    return _some(study, [find_family(study, **parameters) for parameters in wanted])


def _some(study: Study, found: list[Family | None]) -> list[Family]:
    # What is added may be the base model's already.
    distinct: dict[tuple[str, ...], Family] = {}
    for family in found:
        if family is not None:
            distinct.setdefault(tuple(family.runs["run_id"]), family)
    if not distinct:
        raise EmptySelectionError(
            f"no run of the base model of {study.config.study!r} has finished"
        )
    return [*distinct.values()]


def plain_heads(study: Study) -> pd.DataFrame:
    """Return every finished run on the base's data whose means are neither squashed nor normalized.

    Both literal variants of the encoder's heads bound or fix the variance of a mean, whatever the
    latent dimension holds, so that their activity is not comparable.
    """
    runs = study.table("runs")
    keep: pd.Series = (
        (runs["status"] == "finished")
        & (runs["dataset"] == study.base["dataset"])
        & (runs["encoder_heads"] == "linear")
        & (runs["batch_norm"] != "all")
    )
    kept: pd.DataFrame = runs[keep].reset_index(drop=True)
    return kept


def base_networks(study: Study) -> pd.DataFrame:
    """Return those of :func:`plain_heads` of the base model's decoder, pixels and hidden layers.

    Another's dimensions have another scale of activity.
    """
    runs = plain_heads(study)
    for name in ("likelihood", "binarization", "hidden", "activation"):
        runs = runs[runs[name] == study.base[name]]
    return runs.reset_index(drop=True)


def without_free_bits(runs: pd.DataFrame) -> pd.DataFrame:
    """Leave out models that pay nothing for a dimension's first nats, which keeps all of them."""
    return runs[runs["objective"] != "free-bits"].reset_index(drop=True)


def with_usual_warmup(study: Study) -> list[Family]:
    """Return those of :func:`find_families` whose warm-up is as long as the base model's."""
    return [f for f in find_families(study) if f.warmup == study.base["warmup"]]


def at_the_end(study: Study, runs: pd.DataFrame) -> pd.DataFrame:
    """Return one row a latent dimension of ``runs`` after the last epoch."""
    units = study.units(runs)
    return units[units["epoch"] == units["epochs"]].reset_index(drop=True)


def count_active(study: Study, runs: pd.DataFrame) -> pd.DataFrame:
    """Return active units per run and epoch: ``run_id, seed, epoch, active``."""
    units = study.units(runs)
    active = units["activity"] > study.config.evaluation.activity_threshold
    counts = active.groupby([units["run_id"], units["seed"], units["epoch"]], sort=False).sum()
    return counts.rename("active").reset_index()


def over_seeds(counts: pd.DataFrame, value: str = "active") -> pd.DataFrame:
    """Return mean, lowest and highest seed and n per epoch."""
    grouped = counts.groupby("epoch")[value]
    return grouped.agg(mean="mean", low="min", high="max", n="count").reset_index()


def fates(study: Study, runs: pd.DataFrame) -> pd.DataFrame:
    """Return what became of each run's dimensions over training.

    A dimension is pruned when it falls from active to inactive, and returns when it is active
    again after that. One that hovers about the threshold does both by accident, so two stricter
    counts stand beside.

    Returns
    -------
    pandas.DataFrame
        ``run_id, seed, n_z``, and per run: ``pruned``, dimensions that ever were; ``returned``,
        those of them that did; ``clearly``, those that rose `MARGIN` above the threshold;
        ``stayed``, those that ended a decade above it; ``lost``, those inactive at the end;
        ``lowest`` and ``lowest_epoch``, the fewest active units after any epoch of training and
        after which; ``active`` at the end.
    """
    threshold = study.config.evaluation.activity_threshold
    rows = []
    for (run_id, seed, n_z), units in study.units(runs).groupby(
        ["run_id", "seed", "n_z"], sort=False
    ):
        activity = units.pivot_table(index="epoch", columns="unit", values="activity")
        told = follow(activity.to_numpy(), activity.index.to_numpy(), threshold)
        rows.append({"run_id": run_id, "seed": seed, "n_z": n_z, **told})
    return pd.DataFrame(rows)


def follow(
    activity: NDArray[np.float64], epochs: NDArray[np.int64], threshold: float
) -> dict[str, int]:
    """Return one run's row of `fates` from its activity, epochs × dimensions."""
    active = activity > threshold
    fallen = np.maximum.accumulate(active[:-1] & ~active[1:], axis=0)
    later, pruned, count = activity[1:], fallen[-1], active.sum(axis=1)
    # An untrained model may lack a unit or two by chance, which training has no part in.
    lowest = np.where(epochs > 0, count, count.max() + 1).argmin()
    return {
        "pruned": int(pruned.sum()),
        "returned": int((fallen & active[1:]).any(axis=0).sum()),
        "clearly": int((fallen & (later > threshold * MARGIN)).any(axis=0).sum()),
        "stayed": int((pruned & (activity[-1] > 10 * threshold)).sum()),
        "lost": int((pruned & ~active[-1]).sum()),
        "lowest": int(count[lowest]),
        "lowest_epoch": int(epochs[lowest]),
        "active": int(count[-1]),
    }


def final_units(study: Study, **parameters: Any) -> Interval:
    """Return the mean over seeds of the active units at the end, of at most n_z."""
    return final_mean(study, "active_units", parameters)


def count_paying(study: Study, runs: pd.DataFrame, nats: float) -> pd.Series:
    """Return by seed how many dimensions have a KL above ``nats`` at the end."""
    final = at_the_end(study, runs)
    return (final["kl"] > nats).groupby(final["seed"]).sum().astype(float)
