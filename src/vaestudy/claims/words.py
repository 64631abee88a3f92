"""Rows of the table ``claims`` in words, for the terminal and for the report."""

from __future__ import annotations

import math
import re

import pandas as pd

from vaestudy.stats import Interval, number

#: A unit that names a scale and is not counted: a share lies above 0.1, not above "0.1 share".
SHARE = "share"
#: The plural's s of a unit's first noun, as in "nats an epoch" and "sides of the square".
_PLURAL = re.compile(r"s(?= an | of |$)")
#: Between the parts of a model's name; the commas within its parentheses are not.
_SEPARATOR = re.compile(r", (?![^(]*\))")


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
    """Return ``estimate [low, high]`` of the decisive contrast, signed if it is a difference."""
    interval = Interval(row["estimate"], row["low"], row["high"], int(row["n"]))
    return interval.text(int(row["digits"]), signed=row["kind"] != "level", n=False)


def bootstrap_text(row: pd.Series) -> str:
    """Return ``[low, high]`` of the bootstrap."""
    signed = row["kind"] != "level"
    ends = (
        number(row[f"bootstrap_{end}"], int(row["digits"]), signed=signed)
        for end in ("low", "high")
    )
    return f"[{', '.join(ends)}]"


def compared_text(row: pd.Series) -> str:
    """Return the statistic, what it is measured on if not test data, and the runs compared."""
    title = row["title"] if row["split"] == "test" else f"{row['title']} (training data)"
    return f"{title}: {row['compared']}" if row["n"] else str(title)


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


def _counted(end: float, unit: str) -> str:
    if unit == SHARE:
        return _plain(end)
    counted = _PLURAL.sub("", unit, count=1) if abs(end) == 1 else unit
    return f"{_plain(end)} {counted}".rstrip()


def _plain(end: float) -> str:
    """Give a bound the decimals that it was written with, of five figures at most."""
    return number(end, len(f"{end:.5g}".partition(".")[2]))
