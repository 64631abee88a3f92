"""What the chapter beyond the paper compares: objectives of one model and budget, and by what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from vaestudy.figures.activity_data import find_family
from vaestudy.figures.families import (
    color_of,
    label_of,
    line_of,
    marker_of,
    order_of,
    weighs_samples,
)
from vaestudy.figures.spans import difference_within, mean_within
from vaestudy.parameters import OBJECTIVE_PARAMETERS
from vaestudy.stats import Interval
from vaestudy.study import EmptySelectionError, Study

#: Parameters that make an objective; in all others the members of the chapter equal the base.
_OBJECTIVE = (
    *("objective", "k", "beta"),
    *dict.fromkeys(name for own in OBJECTIVE_PARAMETERS.values() for name in own.names),
)
_ANNEALING = ("warmup", "warmup_cycles", "warmup_rise")


@dataclass(frozen=True)
class Quantity:
    """A column of the chapter's tables: its metric, its title, its decimals."""

    metric: str
    title: str
    digits: int


QUANTITIES = (
    Quantity("nll", "Test NLL", 2),
    Quantity("active_units", "Active units", 1),
    Quantity("gradient_snr_encoder", "SNR, encoder", 2),
    Quantity("gradient_snr_decoder", "SNR, decoder", 2),
    Quantity("gradient_variance_encoder", "Variance, encoder", 0),
    Quantity("seconds", "s/epoch", 2),
)


@dataclass(frozen=True, eq=False)
class Member:
    """Replicates of one objective, as the chapter names and draws them."""

    runs: pd.DataFrame

    @property
    def first(self) -> pd.Series:
        """One of its runs, for what they share."""
        return self.runs.iloc[0]

    @property
    def label(self) -> str:
        return label_of(self.first)

    @property
    def color(self) -> str:
        return color_of(self.first)

    @property
    def marker(self) -> str:
        return marker_of(self.first)

    @property
    def line(self) -> Any:
        return line_of(self.first)

    @property
    def weighted(self) -> bool:
        """Whether it weighs its samples by importance."""
        return weighs_samples(self.first)

    def is_(self, **parameters: Any) -> bool:
        """Whether its parameters have these values."""
        return all(self.first[name] == value for name, value in parameters.items())


def find_members(study: Study) -> list[Member]:
    """Return every objective that the study has tried on the base model, those of one sample first.

    Linear warm-up belongs to the chapters before; cyclical annealing is a member.

    Raises
    ------
    EmptySelectionError
        If not even the base model has finished.
    """
    runs = study.runs(**dict.fromkeys((*_OBJECTIVE, *_ANNEALING), ...))
    plain = runs["warmup"] == study.base["warmup"]
    runs = runs[plain | (runs["warmup_cycles"] > 1)]
    found = [Member(group) for _, group in runs.groupby("combination_id", sort=False)]
    return sorted(found, key=lambda m: (m.weighted, order_of(m.first), m.first["beta"]))


def of_one_k(members: Sequence[Member]) -> tuple[int, list[Member]]:
    """Return the K above 1 of which there are most objectives, and those.

    Raises
    ------
    EmptySelectionError
        If there is none.
    """
    counts = Counter(int(m.first["k"]) for m in members if m.weighted)
    if not counts:
        raise EmptySelectionError("the study has no importance-weighted objective")
    k = max(counts, key=lambda level: (counts[level], -level))
    return k, [m for m in members if m.weighted and m.is_(k=k)]


def betas(members: Sequence[Member]) -> list[Member]:
    """Return the VAEs of all KL weights, lowest first.

    Raises
    ------
    EmptySelectionError
        If there is only one weight.
    """
    found = [m for m in members if m.is_(objective="elbo", k=1, warmup_cycles=1)]
    if len(found) < 2:
        raise EmptySelectionError("the study has one KL weight only: there is no sweep of beta")
    return sorted(found, key=lambda member: float(member.first["beta"]))


def schedules(study: Study, members: Sequence[Member]) -> list[Member]:
    """Return the VAE without annealing, with the standard linear warm-up, and with cycles."""
    linear = find_family(study, warmup=...)
    cyclical = [m for m in members if m.is_(objective="elbo", k=1) and m.first["warmup_cycles"] > 1]
    return [base_of(study), *([Member(linear.runs)] if linear else []), *cyclical]


def base_of(study: Study) -> Member:
    """Return the base model."""
    return Member(study.runs())


def reference_of(member: Member, members: Sequence[Member]) -> Member | None:
    """Return what a member is compared with: the IWAE of its K, or the VAE; None for that itself.

    The IWAE is itself compared with the VAE, and so is what weighs samples where the study has no
    IWAE of its K.
    """
    weighted = member.weighted and not member.is_(objective="iwae")
    wanted: list[dict[str, Any]] = [{"objective": "elbo", "k": 1}]
    if weighted:
        wanted.insert(0, {"objective": "iwae", "k": member.first["k"]})
    plain = {"beta": 1.0, "warmup_cycles": 1}
    found = (other for one in wanted for other in members if other.is_(**one, **plain))
    reference = next(found, None)
    return None if reference is member else reference


def without_iwae(members: Sequence[Member]) -> list[Member]:
    """Return what weighs samples and has no IWAE of its K beside it, but the VAE only."""
    return [
        member
        for member in members
        if member.weighted
        and not member.is_(objective="iwae")
        and (reference := reference_of(member, members)) is not None
        and not reference.weighted
    ]


def by_seed(study: Study, member: Member, metric: str) -> pd.Series:
    """Return a quantity of a member, one value a seed; empty where it was not measured.

    ``seconds`` are of training, an epoch of one model: a job's time divided among its models.
    """
    if metric == "seconds":
        timing = study.table("timing").merge(member.runs[["run_id", "seed"]], on="run_id")
        each = timing["train_seconds"] / timing["members"] / timing["epochs_timed"]
        return each.set_axis(timing["seed"])
    return study.final(member.runs, metric).set_index("seed")["value"].astype(float).dropna()


def mean_of(study: Study, member: Member, metric: str) -> Interval | None:
    """Return a quantity's mean over seeds; None where it was not measured."""
    values = by_seed(study, member, metric)
    return mean_within(values, metric, member.runs) if len(values) else None


def compare(study: Study, member: Member, other: Member | None, metric: str) -> Interval | None:
    """Return the paired difference member − other; None where one of them was not measured."""
    if other is None:
        return None
    values, others = (by_seed(study, m, metric) for m in (member, other))
    if not len(values.index.intersection(others.index)):
        return None
    return difference_within(values, others, metric, (member.runs, other.runs))


def n_draws(study: Study) -> int:
    """Return how many gradients the signal-to-noise ratios are estimated from; 0 if none are."""
    evaluation = study.table("evaluation")
    rows = evaluation[evaluation["metric"] == "gradient_snr_encoder"]
    return int(rows["n_samples"].max()) if len(rows) else 0


def runs_of(members: Sequence[Member]) -> tuple[str, ...]:
    """Return the ids of all runs of the members."""
    return tuple(dict.fromkeys(run_id for m in members for run_id in m.runs["run_id"]))
