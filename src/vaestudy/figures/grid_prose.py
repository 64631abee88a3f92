"""Sentences on a grid of the user's own data, worded by their intervals."""

from __future__ import annotations

import pandas as pd

from vaestudy.figures.grid_data import Scale, find_grid
from vaestudy.figures.packaged import by_seed
from vaestudy.figures.packaged_data import Variant
from vaestudy.report.phrases import change
from vaestudy.stats import mean_interval, paired_difference
from vaestudy.study import Study


def read_lowest(study: Study) -> str:
    """Say which combination has the lowest test NLL, and by how much; empty of a single one."""
    told = [_lowest(study, scale) for scale in find_grid(study)]
    told = [text for text in told if text]
    if not told:
        return ""
    return " ".join(
        [*told, "The lowest of several is picked by the very seeds that it is judged by, which "
         "flatters it."]
    )  # fmt: skip


def read_drawn(study: Study) -> str:
    """Say which combinations the figures show, if not all."""
    told = [
        f"the {len(scale.drawn)} with the lowest mean {scale.nll_name} of the {scale.n} "
        "combinations" + (f" ({scale.title})" if scale.title else "")
        for scale in find_grid(study)
        if len(scale.drawn) < scale.n
    ]
    return f"The figures show {'; '.join(told)}; @tbl:own-combinations has all." if told else ""


def _lowest(study: Study, scale: Scale) -> str:
    measured = [(member, by_seed(study, member, scale.nll)) for member in scale.drawn]
    measured = [(member, values) for member, values in measured if len(values)]
    if len(measured) < 2:
        return ""
    (best, values), (second, others) = sorted(measured, key=_mean)[:2]
    gap = paired_difference(values, others)
    own = change(gap, "it is higher by", "it is lower by")
    of = f" ({scale.title})" if scale.title else ""
    return (
        f"Of {scale.n} combinations{of}, *{best.label}* has the lowest mean {scale.nll_name} in "
        f"nats a row, {mean_interval(values).text()}. Beside the next, *{second.label}*, {own}."
    )


def _mean(measured: tuple[Variant, pd.Series]) -> float:
    return float(measured[1].mean())
