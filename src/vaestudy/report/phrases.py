"""Sentences whose wording the numbers decide, for the chapters' prose."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from vaestudy.stats import SEEDS_FOR_A_VERDICT, Interval
from vaestudy.study import EmptySelectionError, Study

if TYPE_CHECKING:
    from vaestudy.claims import Ledger, Ruling

#: Relative to the checkout, where notebooks run.
LEDGER = Path("report/claims.yaml")
NO_VERDICT = "gives no verdict on the statement"

Parameters = Mapping[str, Any]


def by_seed(study: Study, metric: str, parameters: Parameters) -> pd.Series:
    """Return the final values of ``metric``, one a seed, of one combination.

    Raises
    ------
    EmptySelectionError
        If the study has no such run, or has not measured it.
    """
    final = study.final(study.runs(**parameters), metric)
    if final.empty:
        raise EmptySelectionError(
            f"{study.config.study!r} has not measured {metric} of {dict(parameters)}"
        )
    return final.set_index("seed")["value"].astype(float)


def final_mean(study: Study, metric: str, parameters: Parameters | None = None) -> Interval:
    """Return the mean over seeds of a final measurement, its interval cut to what it can be."""
    # Figures import these sentences' parts.
    from vaestudy.figures.spans import mean_within

    chosen = parameters or {}
    return mean_within(by_seed(study, metric, chosen), metric, study.runs(**chosen))


def difference(study: Study, metric: str, a: Parameters, b: Parameters) -> Interval:
    """Return the paired difference a − b of a final measurement, cut as :func:`final_mean`.

    Raises
    ------
    EmptySelectionError
        If the study has measured it of no seed of both.
    """
    values = by_seed(study, metric, a), by_seed(study, metric, b)
    if values[0].index.intersection(values[1].index).empty:
        raise EmptySelectionError(
            f"{study.config.study!r} has measured {metric} of no seed of both {dict(a)} and "
            f"{dict(b)}"
        )
    from vaestudy.figures.spans import difference_within

    return difference_within(*values, metric, (study.runs(**a), study.runs(**b)))


def change(interval: Interval, more: str, less: str, unit: str = "nats", digits: int = 2) -> str:
    """Say in which direction a difference goes, no stronger than its interval.

    Parameters
    ----------
    interval
        A paired difference.
    more, less
        What to say if it is surely positive or surely negative, e.g. ``"raises the NLL by"``.
    unit, digits
        How the number is written.

    Returns
    -------
    str
        e.g. ``lowers the NLL by 1.20 nats [0.80, 1.60] (n = 5)``, or ``… (n = 5: undecided)``.
    """
    if is_nothing(interval):
        return f"makes no difference ({interval.text(digits)})"
    if interval.mean == 0:
        return f"makes no difference on average ({interval.text(digits)}: undecided)"
    size = _absolute(interval).text(digits)
    value, rest = size.split(" ", 1)
    if interval.sign == "higher":
        return f"{more} {value} {unit} {rest}"
    if interval.sign == "lower":
        return f"{less} {value} {unit} {rest}"
    lean, (ends, _, seeds) = more if interval.mean > 0 else less, rest.partition("(")
    return f"{lean} {value} {unit} {ends}({seeds.removesuffix(')')}: undecided)"


def is_nothing(interval: Interval) -> bool:
    """Whether a difference is zero in every seed, and not only on average."""
    return interval.low == interval.high == 0


def _absolute(interval: Interval) -> Interval:
    if interval.mean >= 0:
        return interval
    return Interval(-interval.mean, -interval.high, -interval.low, interval.n)


def verdict(study: Study, claim: str) -> str:
    """Say what the study means for the statement of a claim, by the ledger's own rule.

    Parameters
    ----------
    study
        The study.
    claim
        The claim's id in ``report/claims.yaml``.

    Returns
    -------
    str
        ``supports the statement``, ``contradicts …``, or ``leaves the statement undecided``; what
        speaks for or against it by too few seeds or samples for a verdict is called an estimate.
    """
    # Claims read the data of figures, whose prose asks for verdicts.
    from vaestudy.claims import judge

    rulings = [judge(one, study) for one in _ledger(LEDGER).claims if one.id == claim]
    # A ledger of one's own may have left the claim out.
    return _in_words(rulings[0]) if rulings else NO_VERDICT


@cache
def _ledger(path: Path) -> Ledger:
    from vaestudy.claims import load_ledger

    return load_ledger(path)


def _in_words(ruling: Ruling) -> str:
    verb = {"supported": "supports", "contradicted": "contradicts"}.get(ruling.lean)
    if ruling.decisive is None:
        return NO_VERDICT
    if verb is None:
        return "leaves the statement undecided"
    told = ["being no more than the least effect that counts"] if ruling.too_small else []
    if not ruling.sufficient:
        n = min(judged.t.n for judged in ruling.contrasts)
        few = f"{n} seeds" if n < SEEDS_FOR_A_VERDICT else "too few importance samples"
        told.append(f"as an estimate from {few} and not a verdict")
    return f"{', '.join([verb, *told])}{',' if told else ''} the statement"


def scope(study: Study) -> str:
    """Return what was trained, in words."""
    runs, seeds = study.table("runs"), len(study.config.seeds)
    text = (
        f"{len(runs)} models of {runs['combination_id'].nunique()} combinations, "
        f"{seeds} seed{'s' if seeds > 1 else ''} each"
    )
    sizes = study.table("datasets").set_index("dataset")["n_train"]
    name = study.base["dataset"]
    if name not in sizes:  # A part of a study may train on other data alone.
        return text
    rows = "rows" if study.config.of_own_data else "images"
    return f"{text}, the base model {study.config.base.epochs} epochs of {sizes[name]:,} {rows}"


#: What becomes of grey values, by how the base model's data are binarized.
_PIXELS = {
    "dynamic": "Training images are binarized afresh at each presentation, every pixel on with a "
    "probability equal to its grey value; test images are binarized once",
    "static": "Images are binarized once, every pixel on with a probability equal to its grey "
    "value",
    "threshold": "Images are binarized, every pixel on whose grey value is above one half",
    "none": "Pixels are grey values, and nothing is binarized",
}


def pixels_text(study: Study) -> str:
    """Say what the base model's pixels are, in training and in tests."""
    return _PIXELS[study.config.base.binarization]


def seconds_text(seconds: float) -> str:
    """Return a duration for a reader."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
