"""Rows of the table ``claims`` in words, for the terminal and for the report."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from vaestudy.stats import Interval, decimals, number

if TYPE_CHECKING:
    from vaestudy.claims.ledger import Document

#: A unit that names a scale and is not counted: a share lies above 0.1, not above "0.1 share".
SHARE = "share"
#: The plural's s of a unit's first noun, as in "nats an epoch" and "sides of the square".
_PLURAL = re.compile(r"s(?= an | of |$)")
#: Between the parts of a model's name; the commas within its parentheses are not.
_SEPARATOR = re.compile(r", (?![^(]*\))")
#: A parameter in a model's name, with its level; n_z is a symbol and stays.
_LEVEL = re.compile(r"\b(?!n_z\b)([a-z]+(?:_[a-z]+)*) = ([^\s,]+)")
_OPTIMIZERS = {"adam": "Adam", "adamax": "AdaMax", "adagrad": "Adagrad"}
_LEVELS: dict[str, Callable[[str], str]] = {
    "optimizer": lambda level: _OPTIMIZERS.get(level, level),
    "dataset": "on {}".format,
    "epochs": "{} epochs".format,
    "warmup": "warm-up of {} epochs".format,
}


def claimed_text(row: pd.Series) -> str:
    """Return where a claim says that its statistic lies, such as ``below −0.1 nats``."""
    low, high = row["region_low"], row["region_high"]
    if low == -high:
        return f"within ±{_counted(high, row['unit'])}"
    if math.isinf(low):
        return f"below {_counted(high, row['unit'])}"
    if math.isinf(high):
        return f"above {_counted(low, row['unit'])}"
    return f"from {_plain(low)} to {_counted(high, row['unit'])}"


def interval_text(row: pd.Series) -> str:
    """Return ``estimate [low, high]`` of the decisive contrast, signed if it is a difference.

    The ends are cut off where the statistic ends, which the t interval of few seeds does not know.
    """
    low, high = _cut(row, "low", "high")
    interval = Interval(row["estimate"], low, high, int(row["n"]))
    return interval.text(_digits(row), signed=row["kind"] != "level", n=False)


def bootstrap_text(row: pd.Series) -> str:
    """Return ``[low, high]`` of the bootstrap."""
    signed, digits = row["kind"] != "level", _digits(row)
    ends = (
        number(end, digits, signed=signed) for end in _cut(row, "bootstrap_low", "bootstrap_high")
    )
    return f"[{', '.join(ends)}]"


def compared_text(row: pd.Series) -> str:
    """Return the statistic, what it is measured on if not test data, and the runs compared."""
    title = row["title"] if row["split"] == "test" else f"{row['title']} (training data)"
    return f"{title}: {_in_words(row['compared'])}" if row["n"] else str(title)


def sources_text(documents: Mapping[str, Document], numbers: Iterable[str]) -> str:
    """Return title and citation of some documents, by the number that their claims begin with."""
    known = (number for number in sorted(set(numbers)) if number in documents)
    return "; ".join(f"{n}, *{documents[n].title}* [@{documents[n].cite}]" for n in known)


def minus_text(a: str, b: str) -> str:
    """Name the difference of two models; what both share beside their family is said once."""
    (first, *of_a), (second, *of_b) = (_SEPARATOR.split(label) for label in (a, b))
    shared = [part for part in of_a if part in of_b]
    left, right = (
        ", ".join([name, *(part for part in parts if part not in shared)])
        for name, parts in ((first, of_a), (second, of_b))
    )
    if left == right:
        return f"{a} − {b}"
    return f"{left} − {right}" + (f", both {', '.join(shared)}" if shared else "")


def _in_words(compared: str) -> str:
    """Say the parameters in the names of models as a reader would."""
    told = _LEVEL.sub(
        lambda found: _LEVELS.get(found[1], f"{found[1].replace('_', ' ')} {{}}".format)(found[2]),
        compared,
    )
    factor = told.removeprefix("rank correlation with ")
    if factor not in (told, "n_z"):
        return told.replace("_", " ")
    return told.replace("L2=", "weight decay ")


def _cut(row: pd.Series, *ends: str) -> list[float]:
    # A table of an earlier version does not say where its statistics end.
    span = row.get("lowest", -math.inf), row.get("highest", math.inf)
    return [float(np.clip(row[end], *span)) for end in ends]


def _digits(row: pd.Series) -> int:
    """Return decimals that show on which side of the claimed region's edges an interval lies.

    They give the estimate, and the distances to the edges, two significant digits, but to half of
    the interval one at least and no more than two; and are no fewer than the metric's.
    """
    least, values = int(row["digits"]), row[["estimate", "low", "high"]].astype(float)
    edges = [edge for edge in (row["region_low"], row["region_high"]) if math.isfinite(edge)]
    gaps = [value - edge for value in values for edge in edges]
    wanted = max(decimals(value, least) for value in (values["estimate"], *gaps))
    half = (values["high"] - values["low"]) / 2
    if not half > 0:
        return wanted
    most = decimals(half, least)
    return min(max(wanted, most - 1), most)


def _counted(end: float, unit: str) -> str:
    if unit == SHARE:
        return _plain(end)
    counted = _PLURAL.sub("", unit, count=1) if abs(end) == 1 else unit
    return f"{_plain(end)} {counted}".rstrip()


def _plain(end: float) -> str:
    """Give a bound the decimals that it was written with, of five figures at most."""
    return number(end, len(f"{end:.5g}".partition(".")[2]))
