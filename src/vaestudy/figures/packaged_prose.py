"""Sentences on the packaged model and on any data, worded by their intervals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from vaestudy.figures.any_data import error_ratio
from vaestudy.figures.packaged import (
    by_seed,
    measured_models,
    training_seconds,
    variance_ratios,
)
from vaestudy.figures.packaged_data import (
    PACKAGE,
    Variant,
    explained,
    find_fitted,
    find_variants,
)
from vaestudy.figures.spans import NOT_NEGATIVE
from vaestudy.report.phrases import change
from vaestudy.stats import Interval, mean_interval, number, paired_difference
from vaestudy.study import Study

_NAMES = {"adam": "Adam", "adagrad": "Adagrad"}


def read_package(study: Study) -> str:
    """Say what the package's defaults are, and which of them this study's model has not."""
    first = find_variants(study)[0].first
    words = {
        "hidden": "{} hidden units",
        "n_z": "{} latent dimensions",
        "batch_size": "batches of {}",
        "epochs": "{} epochs",
    }
    changed = [
        f"{words[name].format(first[name])} in place of {theirs}"
        for name, theirs in PACKAGE.items()
        if str(first[name]) != str(theirs)
    ]
    return (
        f"That package has one hidden layer of {PACKAGE['hidden']} rectified linear units on "
        f"either side, {PACKAGE['n_z']} latent dimensions, AdaMax, batches of "
        f"{PACKAGE['batch_size']} and {PACKAGE['epochs']} epochs unless its user says otherwise. "
        f"Here it is trained with {' and '.join(changed) or 'these defaults'}, once so and once "
        "for each of its choices changed"
    )


def read_samples(study: Study) -> str:
    """Say what more samples change, and how long they take."""
    told = [
        f"With {variant.first['k']} samples and {_epochs(variant)}, training "
        f"{change(_gap(study, variant), 'raises the NLL by', 'lowers the NLL by')}, "
        f"{_duration(study, variant)}."
        for variant in _others(study, lambda run, packaged: run["k"] != packaged["k"])
    ]
    return " ".join(told) or "This study has trained it with one sample only."


def read_optimizers(study: Study) -> str:
    """Say what each other optimiser changes."""
    told = [
        f"In place of AdaMax, {_NAMES[variant.first['optimizer']]} "
        f"{change(_gap(study, variant), 'raises the NLL by', 'lowers the NLL by')}."
        for variant in _others(
            study, lambda run, packaged: run["optimizer"] != packaged["optimizer"]
        )
    ]
    return " ".join(told) or "This study has trained it with AdaMax only."


def read_averaging(study: Study) -> str:
    """Say what a KL that is averaged over latent dimensions changes."""
    packaged = find_variants(study)[0]
    told = []
    for variant in _others(study, lambda run, packaged: run["beta"] == 1 / packaged["n_z"]):
        kl = paired_difference(by_seed(study, variant, "kl"), by_seed(study, packaged, "kl"))
        told.append(
            f"It {change(_gap(study, variant), 'raises the NLL by', 'lowers the NLL by')}, and "
            f"{change(kl, 'raises the KL by', 'lowers the KL by')}."
        )
    return " ".join(told) or "This study has trained it with the sum only."


def read_variances(study: Study) -> str:
    """Say which estimator has the less variance, in each model's encoder."""
    told = []
    for model in measured_models(study):
        ratio = mean_interval(variance_ratios(study, model)).within(*NOT_NEGATIVE)
        told.append(f"In the encoder of the {model.label}, {_ratio(ratio, _VARIANCE)}.")
    return " ".join(told)


def read_errors(study: Study) -> str:
    """Say on which data sets the model keeps more than as many principal components."""
    told = []
    for one in find_fitted(study):
        ratio = error_ratio(study, one)
        if len(ratio):
            cut = mean_interval(ratio).within(*NOT_NEGATIVE)
            told.append(f"On *{one.title}* {_ratio(cut, _ERROR)}.")
    return " ".join(told)


def read_features(study: Study) -> str:
    """Say which column of each table the code keeps best, and which least."""
    told = []
    for one in find_fitted(study):
        if one.data.of_images:
            continue
        kept = pd.Series(explained(one.rows.numpy(), one.nearest), one.feature_names).dropna()
        told.append(f"Of *{one.title}* {kept_words(kept)}")
    return " ".join(told)


def kept_words(shares: pd.Series) -> str:
    """Say which column the code keeps best and worst; of less than nothing, what that means."""
    rounded = (100 * shares).round()
    no_better = "the nearest representation does no better than the column's mean"
    if rounded.max() <= 0:
        return f"the code keeps nothing of any column: {no_better}."
    best = f"{_percent(rounded.max())} of *{rounded.idxmax()}*, the most of any column"
    if rounded.min() > 0:
        least = f"{_percent(rounded.min())} of *{rounded.idxmin()}*, the least"
        return f"the code keeps {best}, and {least}."
    lost = [f"*{name}*" for name in rounded.index[rounded <= 0]]
    some = ", ".join(lost) if len(lost) <= 3 else f"{len(lost)} of {len(rounded)}"
    return f"the code keeps {best}, and nothing of {some}: there {no_better}."


def _percent(share: float) -> str:
    return f"{number(share, 0)}\N{NO-BREAK SPACE}%"


def read_categories(study: Study) -> str:
    """Say how exactly each table's model knows the columns of two values; empty without any."""
    told = []
    for one in find_fitted(study):
        two = [column.unique().numel() == 2 for column in one.data.train.T]
        if one.data.of_images or not any(two) or one.spread is None:
            continue
        names = [f"*{name}*" for name, both in zip(one.feature_names, two, strict=True) if both]
        of_two, others = one.spread[two].mean(), one.spread[np.logical_not(two)].mean()
        told.append(
            f"Of *{one.title}*, {' and '.join(names)} take two values: there the decoder's standard"
            f" deviation is {number(of_two, 3)} of the column's own, and {number(others, 3)} on "
            "average over the other columns (test rows, one seed)."
        )
    return " ".join(told)


#: What stands before a ratio, and after it if it lies above 1, below 1, or about it.
_VARIANCE = (
    "sampling the KL multiplies the variance of the gradient by",
    ": the closed form is the quieter",
    ": the closed form is the noisier",
)
_ERROR = (
    "the error relative to theirs is",
    ": the model keeps less",
    ": the model keeps more",
)


def _ratio(interval: Interval, words: tuple[str, str, str]) -> str:
    """Say on which side of 1 a ratio lies, no stronger than its interval."""
    begin, above, below = words
    if interval.low > 1:
        side = above
    elif interval.high < 1:
        side = below
    else:
        seeds = f"{interval.n} seed{'s' if interval.n > 1 else ''}"
        side = f", which {seeds} cannot tell from equal"
    return f"{begin} {interval.text(2)}{side}"


def _others(study: Study, differs: Callable[[pd.Series, pd.Series], bool]) -> list[Variant]:
    packaged, *others = find_variants(study)
    return [variant for variant in others if differs(variant.first, packaged.first)]


def _gap(study: Study, variant: Variant) -> Interval:
    packaged = find_variants(study)[0]
    return paired_difference(by_seed(study, variant, "nll"), by_seed(study, packaged, "nll"))


def _duration(study: Study, variant: Variant) -> str:
    """Say how long a variant trains, as a multiple of the packaged model's time."""
    times = training_seconds(study, variant) / training_seconds(study, find_variants(study)[0])
    many = mean_interval(times).within(*NOT_NEGATIVE).text(2)
    return f"in {many} times the packaged model's time"


def _epochs(variant: Variant) -> str:
    n = int(variant.first["epochs"])
    return f"{number(n, 0)} epoch{'s' if n > 1 else ''}"
