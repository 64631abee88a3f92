"""Sentences of the chapter on points of the plane, whose wording the intervals decide."""

from __future__ import annotations

from typing import Any

from vaestudy.figures.plane_data import by_seed, compare, levels, mean_of, plane_runs
from vaestudy.report.phrases import change
from vaestudy.stats import Interval, number
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
    plain = _cell(2, low)
    sentences = []
    for decay in decays(study, 2):
        other = _cell(2, low, decay)
        diamond = compare(study, "diamondness", other, plain)
        zero = compare(study, "share_near_zero", other, plain)
        first = change(diamond, "raises diamondness by", "lowers diamondness by", "", 3)
        second = change(
            zero, "raises the share near zero by", "lowers the share near zero by", "", 3
        )
        sentences.append(f"$\\lambda = {decay:g}$ {_tidy(first)} and {_tidy(second)}")
    return f"Against no weight decay at $\\beta = {low:g}$, {'; '.join(sentences)}."


def read_edges(study: Study) -> str:
    """Say what ten times the KL weight does to the edges."""
    low, high = small_weights(study, 2)
    gap = compare(study, "share_near_edge", _cell(2, high), _cell(2, low))
    told = change(gap, "raises it by", "lowers it by", "", 3)
    share = _mean(study, "share_near_edge", _cell(2, low), 3)
    return (
        f"Of the square's own points a share of 0.19 lies within 0.05 of an edge; of the "
        f"reconstructions at $\\beta = {low:g}$, {share}. Ten times the weight {_tidy(told)}."
    )


def read_bands(study: Study) -> str:
    """Say whether both regularizers together lose location, and whether the cloud is the prior."""
    low, high = small_weights(study, 2)
    told = []
    for decay in decays(study, 2):
        gap = compare(study, "class_purity", _cell(2, high, decay), _cell(2, high))
        text = change(gap, "raises quadrant purity by", "lowers quadrant purity by", "", 3)
        told.append(f"$\\lambda = {decay:g}$ {_tidy(text)}")
    purity = _mean(study, "class_purity", _cell(2, high), 3)
    prior = compare(
        study, "energy_distance_to_prior", _cell(2, high, decays(study, 2)[-1]), _cell(2, low)
    )
    nearer = change(prior, "is farther from the prior by", "is nearer to the prior by", "", 4)
    return (
        f"At $\\beta = {high:g}$ without weight decay a share of {purity} of a code's neighbours "
        f"is of its own quadrant; {'; '.join(told)}. Against $\\beta = {low:g}$ without weight decay, "
        f"the cloud of both at their stronger values {_tidy(nearer)} in energy distance."
    )


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
        f"points to codes is another than the identity in {turned} of {total} models; by chance it would "
        f"be in seven of eight. The trustworthiness without weight decay is {trust}."
    )


def read_snake(study: Study) -> str:
    """Say how long the decoder's curve is, and what is left of the quadrants."""
    low, high = small_weights(study, 1)
    length = compare(study, "decoder_curve_length", _cell(1, low), _cell(1, high))
    purity = compare(study, "class_purity", _cell(1, high), _cell(1, low))
    ends = _mean(study, "decoder_curve_length", _cell(1, low), 2)
    longer = change(length, "is longer by", "is shorter by", "", 2)
    purer = change(purity, "raises quadrant purity by", "lowers quadrant purity by", "", 3)
    return (
        f"At $\\beta = {low:g}$ the curve in use is {ends} sides of the square long, which "
        f"{_tidy(longer)} than at $\\beta = {high:g}$. Ten times the weight {_tidy(purer)}."
    )


def read_annealing(study: Study) -> str:
    """Say how each annealed model ends, beside the same weight fixed and the lowest one."""
    annealed = plane_runs(study, n_z=2, weight_decay=0.0, warmup=...)
    annealed = annealed[annealed["warmup"] > 0]
    low, _ = small_weights(study, 2)
    told = []
    for (beta, warmup), _runs in annealed.groupby(["beta", "warmup"]):
        risen = {**_cell(2, float(beta)), "warmup": int(warmup)}
        same = compare(study, "squared_error_of_draws", risen, _cell(2, float(beta)))
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
    there = levels(plane_runs(study, dataset=..., n_z=2), "dataset")
    shapes = [name for name in there if name != "square"]
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


def _tidy(text: str) -> str:
    """Return a sentence about a pure number without the space that a unit would follow."""
    return text.replace("  ", " ")
