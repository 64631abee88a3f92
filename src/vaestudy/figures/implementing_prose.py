"""Sentences of the chapter on implementing that depend on what came out."""

from __future__ import annotations

import pandas as pd

from vaestudy.figures.activity_data import final_units
from vaestudy.figures.implementing_table import epochs_to, settled, speed_gap
from vaestudy.report.phrases import Parameters, change, difference, verdict
from vaestudy.stats import mean_interval, paired_difference
from vaestudy.study import Study

#: Nats within which two likelihoods count as the same.
ALIKE = 0.5


def read_dimensions(study: Study) -> str:
    """Say what more latent dimensions do to the importance-weighted autoencoder."""
    iwae = study.iwae
    levels = study.levels("n_z", **iwae)
    reference = min((n for n in levels if n >= 10), default=max(levels))
    texts = []
    if (two := min(levels)) < reference:
        worse = difference(study, "nll", {**iwae, "n_z": two}, {**iwae, "n_z": reference})
        text = (
            f"With $n_z = {two}$ the IWAE's NLL {change(worse, 'is higher by', 'is lower by')} "
            f"than with {reference}"
        )
        if two == 2:  # The claim's own number; of another the source says nothing.
            text += f", which {verdict(study, '000.two-dimensions-worse')} that {two} are too few"
        texts.append(f"{text}.")
    rest = [n for n in levels if n > reference]
    for n in rest:
        gap = difference(study, "nll", {**iwae, "n_z": n}, {**iwae, "n_z": reference})
        same = "; the two are equivalent" if gap.low > -ALIKE and gap.high < ALIKE else ""
        texts.append(
            f"From $n_z = {reference}$ to {n} it {change(gap, 'rises by', 'falls by')}{same}."
        )
    if rest:
        texts.append(_read_ten(study))
    return " ".join(texts)


def _read_ten(study: Study) -> str:
    levels = study.levels("n_z", **study.iwae)
    used = final_units(study, **study.iwae, n_z=max(levels))
    return (
        "The draft states that all models with $n_z \\ge 10$ converge to the same bound, that "
        "$n_z = 10$ does so fastest, and wonders whether ten dimensions suffice because there are "
        "ten digits. Two models are called equivalent here if the interval of their difference "
        "lies within half a nat of zero; the differences above say which are. "
        f"{_read_fastest(study)} As to the digits: with {max(levels)} dimensions on offer the IWAE "
        f"uses {used.text(1)}, a number that tells of the images' variety and of the bound's "
        "price, and has no reason to equal the number of classes."
    )


def _read_fastest(study: Study) -> str:
    """Say at which latent dimension the IWAE gets near its last bound first, if at any."""
    each = {n: {**study.iwae, "n_z": n} for n in study.levels("n_z", **study.iwae)}
    late = {n: ~settled(study, parameters) for n, parameters in each.items()}
    if all(seeds.all() for seeds in late.values()):
        return (
            "With no $n_z$ does the IWAE's bound get within 1 nat of its own last value before the "
            "last epoch: none had settled, and which is fastest cannot be seen here."
        )
    epochs = {n: epochs_to(study, parameters).astype(float) for n, parameters in each.items()}
    first, *others = sorted(epochs, key=lambda n: epochs[n].mean())
    told: dict[bool, list[str]] = {True: [], False: []}
    for n in others:
        gap = paired_difference(epochs[n], epochs[first])
        more = gap.sign == "higher"
        told[more].append(f"{n} ({gap.text(1, signed=True, n=False)})" if more else str(n))
    fewest = mean_interval(epochs[first]).within(0, study.config.base.epochs)
    text = (
        "Getting within 1 nat of its own last value takes the fewest epochs on average, "
        f"{fewest.text(1)}, at $n_z = {first}$"
    )
    text += f"; it takes more with {', '.join(told[True])}" if told[True] else ""
    if told[False]:
        text += f"; with $n_z$ of {', '.join(told[False])} the difference is undecided"
    return f"{text}.{_had_not_settled(pd.concat(list(late.values())))}"


def read_speed(
    study: Study, changed: Parameters, reference: Parameters, what: str, claim: str
) -> str:
    """Say whether a change gets the test bound to within 1 nat of its last value sooner.

    Parameters
    ----------
    study
        The study.
    changed, reference
        The two combinations.
    what
        The change, e.g. ``"BN"``.
    claim
        The ledger's claim that it is faster.
    """
    late = pd.concat([~settled(study, parameters) for parameters in (changed, reference)])
    if late.all():
        return (
            f"no model gets there before the last epoch, with {what} or without: neither had "
            "settled, and their speeds cannot be told here."
        )
    gap = speed_gap(study, changed, reference)
    return (
        f"with {what} it {change(gap, 'comes later by', 'comes earlier by', 'epochs', 1)}, which "
        f"{verdict(study, claim)} that it is faster (a model that goes on to a better end can take "
        f"longer to get near it).{_had_not_settled(late)}"
    )


def _had_not_settled(late: pd.Series) -> str:
    """Say of how many runs the epochs are censored by the end of training; empty if of none."""
    if not late.any():
        return ""
    return (
        f" Of these {len(late)} runs {int(late.sum())} get there in the last epoch only: they had "
        "not settled, and their epochs are those of training."
    )


def settling_note(study: Study) -> str:
    """Say in a caption what the count of epochs means where it is the last one; else nothing."""
    last = study.config.base.epochs
    late = [
        ~settled(study, {**objective, "n_z": n})
        for objective in ({}, study.iwae)
        for n in study.levels("n_z", **objective)
    ]
    if not pd.concat(late).any():
        return ""
    return f" (of {last} epochs; a run that gets there in the last one only had not settled)"


def read_gaussian(study: Study) -> str:
    """Say what the floor of the Gaussian's variance lets one expect of its code, and what came."""
    gaussian = {"likelihood": "gaussian"}
    kl = difference(study, "kl", gaussian, {})
    units = difference(study, "active_units", gaussian, {})
    return (
        "Apart from the family, @eq:gaussian itself gives a reason for a difference: a variance "
        "that cannot fall below $e^{-1}$ makes errors cheap, so that one expects the Gaussian "
        "model to spend less on its code and to keep fewer dimensions active. Its KL "
        f"{change(kl, 'is higher by', 'is lower by')}; its number of active dimensions "
        f"{change(units, 'is higher by', 'is lower by', 'units', 1)}."
    )


def read_variants(study: Study) -> str:
    """Say what the draft's letter, where it differs from this study's choices, does."""
    texts = []
    if study.has(adam_beta2=0.9):
        gap = difference(study, "nll", {"adam_beta2": 0.9}, {})
        texts.append(
            "With the printed $\\beta_2 = 0.9$ the second moment is an average of about ten steps, "
            f"and the NLL {change(gap, 'rises by', 'falls by')}."
        )
    if study.has(encoder_heads="bounded"):
        gap = difference(study, "nll", {"encoder_heads": "bounded"}, {})
        texts.append(
            "Bounded heads leave the encoder little room: a mean in $(0, 1)$ with a standard "
            "deviation of at least 0.61 can carry only a fraction of a nat a dimension, so that "
            f"the code needs many. The NLL {change(gap, 'rises by', 'falls by')}."
        )
    if study.has(batch_norm="all"):
        gap = difference(study, "active_units", {"batch_norm": "all"}, {"batch_norm": "hidden"})
        texts.append(
            "Batch normalization on the heads sets each dimension's spread by a learned scale "
            "instead of by what it carries; the number of dimensions over the threshold "
            f"{change(gap, 'is higher by', 'is lower by', 'units', 1)} than with BN on the hidden "
            "layers alone, and it no longer counts the same thing."
        )
    return " ".join(texts)
