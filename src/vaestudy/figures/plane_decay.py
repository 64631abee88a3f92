"""Weight decay of points of the plane beyond the source's values: where its effects set in."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from vaestudy.figures.drawing import Drawing
from vaestudy.figures.plane import draw_pairs
from vaestudy.figures.plane_data import (
    DIAMOND,
    EDGE,
    PURITY,
    SQUARED_ERROR,
    STRONGEST,
    TO_PRIOR,
    ZERO,
    Statistic,
    by_seed,
    compare,
    levels,
    plane_runs,
)
from vaestudy.figures.plane_table import statistics_table
from vaestudy.stats import Interval
from vaestudy.study import EmptySelectionError, Study

#: A code of one dimension tells half of the square: a quadrant purity of about 0.5, where one that
#: tells nothing has 0.25, and one that tells where a point lies nearly 1.
_OF_ONE = (0.35, 0.65)
_STATISTICS = (SQUARED_ERROR, ZERO, EDGE, PURITY, TO_PRIOR, DIAMOND)


def _stronger(study: Study) -> tuple[list[float], list[float]]:
    """Return the KL weights with stronger weight decay, and no decay, the source's, the stronger.

    Raises
    ------
    EmptySelectionError
        If there is none.
    """
    table = plane_runs(study, n_z=2, weight_decay=...)
    beyond = table[table["weight_decay"] > STRONGEST]
    if beyond.empty:
        raise EmptySelectionError(f"{study.config.study!r} has no weight decay above {STRONGEST:g}")
    betas = levels(beyond, "beta")
    usual = levels(plane_runs(study, n_z=2, beta=betas[0]), "weight_decay")
    return betas, [*sorted({usual[0], usual[-1]}), *levels(beyond, "weight_decay")]


def draw_decay(study: Study) -> Drawing:
    """Draw codes and reconstructions of the square from the source's strongest weight decay up."""
    betas, (_, *decays) = _stronger(study)
    return draw_pairs(study, 2, betas, decays)


def decay_table(study: Study) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Return the statistics of every KL weight and weight decay: shown, as numbers, their runs."""
    named, runs = [], []
    betas, decays = _stronger(study)
    for beta in betas:
        for decay in decays:
            cell = {"n_z": 2, "beta": beta, "weight_decay": decay}
            named.append(({"$\\beta$": f"{beta:g}", "$\\lambda$": f"{decay:g}"}, cell))
            runs += plane_runs(study, **cell)["run_id"].tolist()
    shown, numbers = statistics_table(study, named, _STATISTICS)
    return shown, numbers, runs


def read_onset(study: Study) -> str:
    """Say from which weight decay on each of the source's effects is to be seen, if any."""
    betas, decays = _stronger(study)
    effects = ((ZERO, "values near zero are rarer"), (PURITY, "quadrant purity is lower"))
    said = []
    for beta in betas:
        parts = [_from(_onset(study, s, beta, decays), what) for s, what in effects]
        said.append(f"at $\\beta = {beta:g}$, {' and '.join(parts)}")
    return f"Against no weight decay, {'; '.join(said)}."


def read_left(study: Study) -> str:
    """Say of how many models, by quadrant purity, one dimension is left, and of how many none."""
    betas, (_, *decays) = _stronger(study)
    one: list[str] = []
    none: list[str] = []
    for decay in decays:
        cells = [{"n_z": 2, "beta": beta, "weight_decay": decay} for beta in betas]
        purity = pd.concat([by_seed(study, PURITY.metric, cell) for cell in cells])
        for found, kept in ((one, purity.between(*_OF_ONE)), (none, purity < _OF_ONE[0])):
            if kept.any():
                found.append(f"{int(kept.sum())} of {len(kept)} at $\\lambda = {decay:g}$")
    least, most = _OF_ONE
    text = f"By their purity, {least:g} to {most:g}, " + (
        f"models with one dimension left are {', '.join(one)}" if one else "no model has one left"
    )
    if not none:
        return f"{text}; none has given up both."
    return (
        f"{text}; below that, so that both have been given up and the code says nothing, are "
        f"{', '.join(none)}."
    )


def _onset(
    study: Study, statistic: Statistic, beta: float, decays: Sequence[float]
) -> tuple[float, Interval] | None:
    """Return the weight decay from which on it surely lowers a statistic, and by how much there."""
    plain, *others = ({"n_z": 2, "beta": beta, "weight_decay": decay} for decay in decays)
    found = None
    for cell in reversed(others):
        gap = compare(study, statistic.metric, plain, cell)
        if gap.sign != "higher":
            break
        found = float(cell["weight_decay"]), gap
    return found


def _from(onset: tuple[float, Interval] | None, what: str) -> str:
    if onset is None:
        return f"of no weight is it sure that from there on {what}"
    decay, gap = onset
    return f"from $\\lambda = {decay:g}$ on {what}, there by {gap.text(3)}"


FIGURES: dict[str, Callable[[Study], Drawing]] = {"square-decay": draw_decay}
