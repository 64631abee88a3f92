"""Sentences of the chapter on implementing that depend on what came out."""

from __future__ import annotations

from vaestudy.figures.implementing_table import epochs_to
from vaestudy.report.phrases import change, difference, final_mean, verdict
from vaestudy.stats import mean_interval
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
        texts.append(
            f"With $n_z = {two}$ the IWAE's NLL {change(worse, 'is higher by', 'is lower by')} "
            f"than with {reference}, which {verdict(worse, 'higher')} that {two} are too few."
        )
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
    used = final_mean(study, "active_units", {**study.iwae, "n_z": max(levels)})
    epochs = {n: mean_interval(epochs_to(study, {"n_z": n, **study.iwae})) for n in levels}
    fastest = min(epochs, key=lambda n: epochs[n].mean)
    return (
        "The draft states that all models with $n_z \\ge 10$ converge to the same bound, that "
        "$n_z = 10$ does so fastest, and wonders whether ten dimensions suffice because there are "
        "ten digits. Two models are called equivalent here if the interval of their difference "
        "lies within half a nat of zero; the differences above say which are. Getting within 1 nat "
        f"of its own last value takes the fewest epochs, {epochs[fastest].text(1)}, at "
        f"$n_z = {fastest}$. As to the digits: with {max(levels)} dimensions on offer the IWAE "
        f"uses {used.text(1)}, a number that tells of the images' variety and of the bound's "
        "price, and has no reason to equal the number of classes."
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
