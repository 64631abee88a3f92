"""What the chapter on activity draws and tells: families, counts of active units, their fates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vaestudy.figures.families import color_of, label_of, line_of
from vaestudy.study import EmptySelectionError, Study

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

    ``warmup=...`` stands for the longest warm-up that such a model has, ``n_z=...`` for any.
    """
    try:
        if parameters.get("warmup") is ...:
            warmup = max(study.levels("warmup", **{**parameters, "warmup": ...}))
            if warmup == 0:
                return None
            parameters = {**parameters, "warmup": warmup}
        return Family(parameters, study.runs(**parameters))
    except EmptySelectionError:
        return None


def importance_weighted(study: Study) -> dict[str, Any]:
    """Return the study's importance-weighted objective as parameters; empty if it has none."""
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
    families = [family for family in found if family is not None]
    if not families:
        raise EmptySelectionError(
            f"no run of the base model of {study.config.study!r} has finished"
        )
    return families


def plain_heads(study: Study) -> pd.DataFrame:
    """Return every finished run whose means are neither squashed nor normalized.

    Both literal variants of the encoder's heads bound or fix the variance of a mean, whatever the
    latent dimension holds, so that their activity is not comparable.
    """
    runs = study.table("runs")
    keep = (
        (runs["status"] == "finished")
        & (runs["encoder_heads"] == "linear")
        & (runs["batch_norm"] != "all")
    )
    return runs[keep].reset_index(drop=True)


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


def fates(study: Study, runs: pd.DataFrame, *, margin: float = 1.0) -> pd.DataFrame:
    """Return what became of each run's dimensions over training.

    A dimension is pruned when it falls from active to inactive, and returns when it is active
    again after that.

    Parameters
    ----------
    study, runs
        Whose dimensions.
    margin
        1: the threshold itself counts. Larger: inactive is only what falls below threshold /
        margin, active what rises above threshold × margin; between them a dimension stays what it
        was, so that one that hovers about the threshold does not count.

    Returns
    -------
    pandas.DataFrame
        ``run_id, seed, n_z, pruned, returned, returns, lost, lowest, lowest_epoch, active``: per
        run, dimensions ever pruned, those of them that returned, how often they did in all,
        those pruned and inactive at the end, fewest active units, when, and active units at the
        end.
    """
    threshold = study.config.evaluation.activity_threshold
    rows = []
    for (run_id, seed, n_z), units in study.units(runs).groupby(
        ["run_id", "seed", "n_z"], sort=False
    ):
        activity = units.pivot_table(index="epoch", columns="unit", values="activity")
        states = follow(activity.to_numpy(), threshold, margin)
        told = {k: int(v) for k, v in _tell(states, activity.index.to_numpy()).items()}
        rows.append({"run_id": run_id, "seed": seed, "n_z": n_z, **told})
    return pd.DataFrame(rows)


def follow(
    activity: NDArray[np.float64], threshold: float, margin: float = 1.0
) -> NDArray[np.bool_]:
    """Return whether each dimension counts as active at each epoch (rows), as in `fates`."""
    clear = np.where(
        activity > threshold * margin, 1, np.where(activity <= threshold / margin, -1, 0)
    )
    clear[0] = np.where(activity[0] > threshold, 1, -1)
    # An epoch of doubt takes the last clear state before it.
    last = np.maximum.accumulate(np.where(clear != 0, np.arange(len(clear))[:, None], 0), axis=0)
    states: NDArray[np.bool_] = np.take_along_axis(clear, last, axis=0) > 0
    return states


def _tell(active: NDArray[np.bool_], epochs: NDArray[np.int64]) -> dict[str, int]:
    falls = active[:-1] & ~active[1:]
    rises = ~active[:-1] & active[1:] & np.maximum.accumulate(falls, axis=0)
    pruned, units = falls.any(axis=0), active.sum(axis=1)
    return {
        "pruned": pruned.sum(),
        "returned": rises.any(axis=0).sum(),
        "returns": rises.sum(),
        "lost": (pruned & ~active[-1]).sum(),
        "lowest": units.min(),
        "lowest_epoch": epochs[units.argmin()],
        "active": units[-1],
    }
