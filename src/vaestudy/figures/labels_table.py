"""Table and sentences of the chapter on labels and networks, worded by their intervals."""

from __future__ import annotations

import math

import pandas as pd

from vaestudy.figures.beyond_data import Member, by_seed, compare, mean_of
from vaestudy.figures.cells import mean_cell
from vaestudy.figures.labels_data import (
    Pair,
    compared,
    find_told,
    kind_of,
    name_of,
    of_kind,
    plain,
    share_of,
    side_by_side,
)
from vaestudy.report.phrases import change
from vaestudy.stats import Interval, number, paired_difference
from vaestudy.study import Study

#: Metric: title, decimals, and what its values are multiplied by.
_COLUMNS = (
    ("nll_given_label", "$-\\log p(x \\mid y)$", 2, 1),
    ("nll", "$-\\log p(x)$", 2, 1),
    ("conditional_accuracy", "Drawn, %", 1, 100),
    ("conditional_accuracy_of_means", "Means, %", 1, 100),
    ("label_accuracy", "$q(y \\mid x)$, %", 1, 100),
    ("seconds", "s/epoch", 2, 1),
)


def labels_table(study: Study) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return every model's likelihoods and accuracies: for reading, and as numbers."""
    shown, numbers = [], []
    for member in compared(study):
        name = name_of(study, member)
        cells = {"Labels": name, "n": str(len(member.runs))}
        for metric, title, digits, factor in _COLUMNS:
            found = mean_of(study, member, metric)
            cells[title] = mean_cell(found and found.times(factor), digits)
            if found is not None:
                ends = (found.mean, found.low, found.high, found.n)
                numbers.append((name, metric, *ends))
        shown.append(cells)
    columns = ["labels", "metric", "mean", "low", "high", "n"]
    return pd.DataFrame(shown), pd.DataFrame(numbers, columns=columns)


def _with_unit(text: str, unit: str) -> str:
    """Put a unit behind the first number of an interval's text."""
    value, _, rest = text.partition(" ")
    return f"{value} {unit} {rest}".rstrip()


def read_likelihood(study: Study) -> str:
    """Say what an image gains in likelihood when its label is given, and what that is worth."""
    told, without = of_kind(find_told(study), "condition"), plain(study)
    if not told or without is None:
        lacks = "with all labels" if not told else "without labels to hold the others against"
        return f"This study has trained no model {lacks}."
    given = _by_seed_gap(study, told[0], without)
    if given is None:
        return "This study has not measured the likelihood given the label."
    said = change(given, "raises the NLL by", "lowers the NLL by")
    text = f"Against the plain VAE, telling the label {said}."
    n_classes = study.dataset.n_classes
    # What knowing the label can at most be worth to a perfect model of pixels: H(y) = log C.
    nats = math.log(n_classes)
    joint = Interval(given.mean + nats, given.low + nats, given.high + nats, given.n)
    return (
        f"{text} To say which of {n_classes} labels it is costs $\\ln {n_classes} = "
        f"{nats:.2f}$ nats: of image and label together, the conditional model's "
        f"$-\\log p(x, y)$ differs from the plain model's $-\\log p(x)$ by "
        f"{_with_unit(joint.text(2, signed=True), 'nats')}. What lies below zero is won over and "
        "above the label's own cost."
    )


def _by_seed_gap(study: Study, told: Member, without: Member) -> Interval | None:
    """Return the paired difference of −log p(x|y) of one to −log p(x) of the other."""
    given, marginal = by_seed(study, told, "nll_given_label"), by_seed(study, without, "nll")
    if not len(given.index.intersection(marginal.index)):
        return None
    return paired_difference(given, marginal)


def read_asked(study: Study) -> str:
    """Say how often samples show the class asked for, and what missing labels change."""
    members = side_by_side(find_told(study))
    reference, *others = members
    metric = "conditional_accuracy_of_means"
    parts = []
    for member in members:
        found = mean_of(study, member, metric)
        if found is not None:
            shown = _with_unit(found.times(100).text(1), "%")
            parts.append(f"{shown} with *{name_of(study, member)}*")
    if not parts:
        return "This study has not asked its models for classes."
    text = f"Decoder means show the class that was asked for in {'; '.join(parts)}."
    for member in others:
        gap = compare(study, member, reference, metric)
        if gap is not None and kind_of(reference) == "condition":
            said = change(gap.times(100), "raises that by", "lowers that by", "points", 1)
            text += f" Against all labels, *{name_of(study, member)}* {said}."
    return text


def read_inferred(study: Study) -> str:
    """Say how often M2 infers the label of a test image, by the share of labels it was told."""
    parts = []
    for member in of_kind(find_told(study), "m2"):
        found = mean_of(study, member, "label_accuracy")
        if found is not None:
            shown = _with_unit(found.times(100).text(1), "%")
            parts.append(f"{shown} from {100 * share_of(member):g} % of labels")
    if not parts:
        return "This study has trained no model that infers labels."
    return f"Of the test images, the classifier of M2 names rightly {'; '.join(parts)}."


def read_cut(study: Study) -> str:
    """Say which models were trained for fewer epochs than the base; empty if none were."""
    epochs = study.config.base.epochs
    cut = [m for m in find_told(study) if int(m.first["epochs"]) != epochs]
    if not cut:
        return ""
    names = ", ".join(f"*{name_of(study, m)}*" for m in cut)
    return (
        f"In this study models were not trained alike: the others have {epochs} epochs, and the "
        f"difference to {names} is one of training as well as of method."
    )


def read_networks(study: Study, pair: Pair) -> str:
    """Say what convolutions change at equal parameters."""
    changes = [
        change(gap, f"raises {what} by", f"lowers {what} by", unit, 2)
        for metric, what, unit in (
            ("nll", "the test NLL", "nats"),
            ("squared_error", "the squared error", "squared pixels"),
            ("seconds", "the time an epoch takes", "s"),
        )
        if (gap := compare(study, pair.conv, pair.mlp, metric)) is not None
    ]
    sizes = [int(m.first["n_parameters"]) for m in (pair.mlp, pair.conv)]
    apart = 100 * (sizes[1] / sizes[0] - 1)
    return (
        f"In the number of parameters they differ by {number(apart, 2, signed=True)} %. Taking "
        f"convolutions for dense layers {'; it '.join(changes)}."
    )
