"""Sentences of the chapter on points of the plane, whose wording the intervals decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vaestudy.figures.plane_data import by_seed, compare, levels, mean_of, other_shapes, plane_runs
from vaestudy.stats import EQUALS, Interval, number
from vaestudy.study import EmptySelectionError, Study

Cell = dict[str, Any]


def small_weights(study: Study, n_z: int) -> tuple[float, float]:
    """Return the two lowest KL weights of the grid: the source's, and ten times as much."""
    betas = levels(plane_runs(study, n_z=n_z, weight_decay=0.0), "beta")
    if len(betas) < 2:
        raise EmptySelectionError(f"{study.config.study!r} has one KL weight only on the square")
    return float(betas[0]), float(betas[1])


def decays(study: Study, n_z: int) -> list[float]:
    """Return the grid's weights of weight decay, the lowest, which is none, left out."""
    found = levels(plane_runs(study, n_z=n_z), "weight_decay")
    if len(found) < 2:
        raise EmptySelectionError(f"{study.config.study!r} has no weight decay on the square")
    return [float(level) for level in found[1:]]


def _cell(n_z: int, beta: float, decay: float = 0.0) -> Cell:
    return {"n_z": n_z, "beta": beta, "weight_decay": decay}


def _mean(study: Study, metric: str, cell: Cell, digits: int) -> str:
    return mean_of(study, metric, **cell).text(digits)


def read_error(study: Study) -> str:
    """Set the squared error of every KL weight beside its first-order prediction."""
    betas = levels(plane_runs(study, n_z=2, weight_decay=0.0), "beta")
    parts = [
        f"{_mean(study, 'squared_error_of_draws', _cell(2, beta), 4)} at $\\beta = {beta:g}$"
        for beta in betas
    ]
    return f"The squared error measured is {'; '.join(parts)}."


def read_decay(study: Study) -> str:
    """Say what weight decay does to the cloud's shape and to values near zero, at the lowest β."""
    low, _ = small_weights(study, 2)
    cells = {f"$\\lambda = {decay:g}$": _cell(2, low, decay) for decay in decays(study, 2)}
    return (
        f"Against no weight decay, at $\\beta = {low:g}$, diamondness"
        + _changes(study, "diamondness", cells, _cell(2, low))
        + " Squareness"
        + _changes(study, "squareness", cells, _cell(2, low))
        + " The share near zero"
        + _changes(study, "share_near_zero", cells, _cell(2, low))
    )


def read_edges(study: Study) -> str:
    """Say what ten times the KL weight does to the edges."""
    low, high = small_weights(study, 2)
    cells = {f"$\\beta = {high:g}$": _cell(2, high)}
    share = _mean(study, "share_near_edge", _cell(2, low), 3)
    return (
        f"Of the square's own points a share of 0.19 lies within 0.05 of an edge; of the "
        f"reconstructions at $\\beta = {low:g}$, {share}. The share"
        + _changes(study, "share_near_edge", cells, _cell(2, low))
    )


def read_bands(study: Study) -> str:
    """Say whether both regularizers together lose location, and whether the cloud is the prior."""
    low, high = small_weights(study, 2)
    cells = {f"$\\lambda = {decay:g}$": _cell(2, high, decay) for decay in decays(study, 2)}
    purity = _mean(study, "class_purity", _cell(2, high), 3)
    strong = {f"$\\beta = {high:g}$ and {name}": cell for name, cell in cells.items()}
    return (
        f"At $\\beta = {high:g}$ without weight decay quadrant purity is {purity}. It"
        + _changes(study, "class_purity", cells, _cell(2, high))
        + f" The energy distance to the prior, against $\\beta = {low:g}$ without weight decay,"
        + _changes(study, "energy_distance_to_prior", strong, _cell(2, low), 4)
    )


def _changes(
    study: Study, metric: str, cells: Mapping[str, Cell], plain: Cell, digits: int = 3
) -> str:
    """Say by how much each named cell differs from a plain one, and where that is no chance."""
    gaps = {name: compare(study, metric, cell, plain) for name, cell in cells.items()}
    sizes = [f"{gap.text(digits, signed=True, n=False)} at {name}" for name, gap in gaps.items()]
    n = min(gap.n for gap in gaps.values())
    sure = [name for name, gap in gaps.items() if gap.sign != "undecided"]
    where = f"excludes zero at {_list(sure)} alone" if sure else "excludes zero nowhere"
    if len(sure) == len(gaps):
        where = "excludes zero" if len(gaps) == 1 else "excludes zero everywhere"
    return f" changes by {_list(sizes)} (n{EQUALS}{n}; the interval {where})."


def _list(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def read_symmetry(study: Study) -> str:
    """Say in how many models the latent image is turned or mirrored, over all seeds and λ."""
    low, _ = small_weights(study, 2)
    cells = [_cell(2, low, decay) for decay in (0.0, *decays(study, 2))]
    counts = [by_seed(study, "rotated_or_mirrored", cell) for cell in cells]
    turned = sum(int(values.sum()) for values in counts)
    total = sum(len(values) for values in counts)
    trust = _mean(study, "trustworthiness", _cell(2, low), 3)
    return (
        f"At $\\beta = {low:g}$ the symmetry of the square that comes nearest to the map from "
        f"points to codes is another than the identity in {turned} of {total} models; by "
        f"chance it would be in seven of eight. The trustworthiness without weight decay is "
        f"{trust}."
    )


def read_snake(study: Study) -> str:
    """Say how long the decoder's curve is, and what is left of the quadrants."""
    low, high = small_weights(study, 1)
    plain, more = _cell(1, low), {f"$\\beta = {high:g}$": _cell(1, high)}
    length = _mean(study, "decoder_curve_length", plain, 2)
    return (
        f"At $\\beta = {low:g}$ the curve in use is {length} sides of the square long. Its length"
        + _changes(study, "decoder_curve_length", more, plain, 2)
        + " Quadrant purity"
        + _changes(study, "class_purity", more, plain)
    )


def read_annealing(study: Study) -> str:
    """Say how each annealed model ends, beside the same weight fixed and the lowest one."""
    annealed = plane_runs(study, n_z=2, weight_decay=0.0, warmup=...)
    annealed = annealed[annealed["warmup"] > 0]
    low, _ = small_weights(study, 2)
    told = []
    ends = annealed[["beta", "warmup"]].drop_duplicates().sort_values("beta")
    for beta, warmup in ends.itertuples(index=False):
        risen = {**_cell(2, beta), "warmup": warmup}
        same = compare(study, "squared_error_of_draws", risen, _cell(2, beta))
        small = compare(study, "squared_error_of_draws", risen, _cell(2, low))
        told.append(
            f"With a weight that rises from 0 to {beta:g}, the squared error is "
            f"{_mean(study, 'squared_error_of_draws', risen, 4)}: {_versus(same, f'{beta:g}')}, "
            f"and {_versus(small, f'{low:g}')}."
        )
    return " ".join(told)


def _versus(gap: Interval, fixed: str) -> str:
    text = gap.text(4, signed=True, n=False)
    word = {"higher": "more than", "lower": "less than", "undecided": "not to be told from"}
    return f"{word[gap.sign]} with {fixed} fixed ({text})"


def read_shapes(study: Study) -> str:
    """Say of each shape how far samples are from the data at the lowest KL weight."""
    shapes = other_shapes(study)
    beta = min(levels(plane_runs(study, dataset=shapes[0], n_z=2), "beta"))
    parts = []
    for name in shapes:
        cell = {"dataset": name, **_cell(2, float(beta))}
        samples, prior = (
            mean_of(study, metric, **cell)
            for metric in ("energy_distance_of_samples", "energy_distance_to_prior")
        )
        parts.append(f"*{name}*: {number(samples.mean, 4)} and {number(prior.mean, 4)}")
    return (
        f"At $\\beta = {beta:g}$ the energy distances of samples from the data, and of codes from "
        f"the prior, are {'; '.join(parts)} (means over seeds; intervals in @tbl:shapes)."
    )
