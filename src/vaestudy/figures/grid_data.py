"""Combinations of a user's own grid: what they are called, and which are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from vaestudy.config import ModelParameters
from vaestudy.figures.families import NAMED, label_of
from vaestudy.figures.packaged_data import Variant, title_of
from vaestudy.source_chapters import own_experiments
from vaestudy.study import EmptySelectionError, Study

#: Combinations in one figure; of more, those with the lowest test NLL.
MOST_DRAWN: Final = 12
#: What a bound and an NLL are of: others are on another scale.
_SCALE: Final = ("dataset", "likelihood", "binarization")
#: Of what their bounds are of p(x|y), not of p(x): models that are tested with labels.
_GIVEN: Final = ("condition", "blanked")
_FAMILY: Final = tuple(name for name in NAMED if name not in _SCALE)
_SYMBOLS: Final = {"n_z": "$n_z$", "lr_schedule": "learning rate"}


@dataclass(frozen=True, eq=False)
class Scale:
    """Combinations whose bounds and test NLLs can be held against each other.

    Parameters
    ----------
    title
        Their data and likelihood, as far as these vary.
    drawn
        Those that figures show, in the grid's order.
    n
        How many there are.
    nll
        The metric of their likelihoods.
    """

    title: str
    drawn: tuple[Variant, ...]
    n: int
    nll: str = "nll"

    @property
    def nll_name(self) -> str:
        """What readers call it."""
        return "test NLL given the label" if self.nll == "nll_given_label" else "test NLL"


def find_grid(study: Study) -> list[Scale]:
    """Return the finished combinations, by what their NLLs are of.

    Raises
    ------
    EmptySelectionError
        If there are none.
    """
    runs = grid_runs(study)
    varied = varied_in(runs)
    keys = [*(runs[name] for name in _SCALE), runs["labels"].isin(_GIVEN)]
    groups = [part for _, part in runs.groupby(keys, sort=False)]
    most = MOST_DRAWN // len(groups)
    return [_scale(study, part, varied, max(1, most)) for part in groups]


def grid_runs(study: Study) -> pd.DataFrame:
    """Return the finished runs of the user's own grid.

    Those are all of a study of the user's own data; of others, those of experiments that no
    chapter knows, or all where there are none.

    Raises
    ------
    EmptySelectionError
        If there are none.
    """
    runs = study.table("runs")
    own = set(own_experiments(study.config.chosen))
    if own and not study.config.of_own_data:
        runs = runs[[not own.isdisjoint(names.split(",")) for names in runs["experiments"]]]
    runs = runs[runs["status"] == "finished"]
    if runs.empty:
        raise EmptySelectionError(f"no run of {study.config.study!r} has finished")
    return runs


def varied_in(runs: pd.DataFrame) -> tuple[str, ...]:
    """Return the parameters that have several levels among ``runs``."""
    names = [name for name in ModelParameters.model_fields if name in runs]
    return tuple(name for name in names if len(runs[name].unique()) > 1)


def name_of(study: Study, first: pd.Series, varied: Sequence[str]) -> str:
    """Return what a combination is called among those that differ in ``varied``."""
    said = _scale_of(study, first, varied)
    if any(name in varied for name in _FAMILY) or not varied:
        said.append(label_of({name: first[name] for name in _FAMILY if name in first}))
    if "warmup" in varied:
        said.append(f"WU {first['warmup']}" if first["warmup"] else "no WU")
    said += [
        f"{_SYMBOLS.get(name, name.replace('_', ' '))} = {first[name]}"
        for name in varied
        if name not in (*_SCALE, *_FAMILY, "warmup")
    ]
    return ", ".join(said)


def _scale_of(study: Study, first: pd.Series, varied: Sequence[str]) -> list[str]:
    names = {name: str(first[name]) for name in _SCALE if name in varied}
    return [title_of(study, text) if name == "dataset" else text for name, text in names.items()]


def _scale(study: Study, runs: pd.DataFrame, varied: Sequence[str], most: int) -> Scale:
    parts = [part for _, part in runs.groupby("combination_id", sort=False)]
    members = [Variant(name_of(study, part.iloc[0], varied), part) for part in parts]
    given = runs["labels"].iloc[0] in _GIVEN
    said = ["labels given"] if given and "labels" in varied else []
    title = ", ".join([*_scale_of(study, runs.iloc[0], varied), *said])
    metric = "nll_given_label" if given else "nll"
    drawn = members
    if len(members) > most:
        nll = study.final(runs, metric).groupby("combination_id")["value"].mean()
        kept = set(nll.nsmallest(most).index)
        drawn = [member for member in members if member.first["combination_id"] in kept]
    return Scale(title, tuple(drawn), len(members), metric)
