"""Sentences of the chapter on the latent space that depend on what came out."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pandas as pd

from vaestudy.figures.codes import Family
from vaestudy.figures.latent_table import by_seed
from vaestudy.figures.spans import OF_PERCENT
from vaestudy.stats import Interval, mean_interval, number, paired_difference


def read_groups(shown: Sequence[Family], n_z: int) -> str:
    """Name the groups of families of :func:`~vaestudy.figures.codes.families` that are drawn.

    Parameters
    ----------
    shown
        The families.
    n_z
        Latent dimensions of the base model.
    """
    sizes = list(dict.fromkeys(f.parameters["n_z"] for f in shown if "n_z" in f.parameters))
    names = {
        0: f"additions to the base model ($n_z = {n_z}$, Bernoulli)",
        1: "the Gaussian decoder",
        2: "variants that follow the source to the letter",
        3: f"latent spaces of {' and '.join(map(str, sizes))} dimensions",
    }
    return "; ".join(names[group] for group in dict.fromkeys(f.group for f in shown))


def span(values: Collection[float], digits: int = 0) -> str:
    """Return the range of values as a reader sees it, a single number if its ends look alike."""
    low, high = number(min(values), digits), number(max(values), digits)
    return low if low == high else f"{low} to {high}"


def read_reconstructions(errors: pd.DataFrame) -> str:
    """Say which families reconstruct better and worse than the first, as far as seeds decide."""
    means = errors.groupby("family", sort=False)["squared_error"].mean()
    base, *others = means.index
    gaps = {name: error_gap(errors, name) for name in others}
    better = [name for name, gap in gaps.items() if gap.sign == "lower"]
    worse = [name for name, gap in gaps.items() if gap.sign == "higher"]
    text = (
        f"In @tbl:reconstructions, {means.idxmin()} has the lowest mean error and "
        f"{means.idxmax()} the highest. "
    )
    seeds = errors["seed"].nunique()
    if not better and not worse:
        return (
            f"{text}Over {seeds} seeds no interval decides between the {base} and another family."
        )
    # Semicolons: the names hold commas.
    parts = [f"below the {base} ({'; '.join(better)})"] if better else []
    parts += [f"above the {base} ({'; '.join(worse)})"] if worse else []
    return (
        f"{text}Over {seeds} seeds the intervals place {len(better) + len(worse)} of the "
        f"{len(gaps)} other families: {', and '.join(parts)}."
    )


def error_gap(errors: pd.DataFrame, name: str) -> Interval:
    """Return the paired difference of a family's squared error to the first family's."""
    values = by_seed(errors, "squared_error", family=name)
    return paired_difference(
        values, by_seed(errors, "squared_error", family=errors["family"].iloc[0])
    )


def read_weighting(gap: Interval) -> str:
    """Say what importance weighting does to reconstructions."""
    reading = {
        "higher": ": its reconstructions are farther from the pixels. That is no contradiction to "
        "a higher likelihood, because the bound of @burda2016 rewards a code of which some sample "
        "explains the digit, not the mean of the codes alone",
        "lower": ": its reconstructions are closer to the pixels as well",
        "undecided": ", which does not tell its reconstructions from the VAE's",
    }[gap.sign]
    return f"Importance weighting changes the squared error by {gap.text(1, signed=True)}{reading}."


def read_plane_step(gap: Interval, n_z: int) -> str:
    """Say what a code of few dimensions costs the reconstruction."""
    reading = {
        "higher": "",
        "lower": ", an improvement",
        "undecided": ", within the spread of the seeds",
    }[gap.sign]
    return (
        f"What no picture hides is the step to $n_z = {n_z}$: {gap.text(1, signed=True)} squared "
        f"pixels{reading}. Reconstruction is what a model buys with active units; which of them it "
        "keeps is the subject of @sec:activity."
    )


def read_neighbours(near: pd.DataFrame, levels: Sequence[int], pixels: float) -> str:
    """Say how well the first family's neighbours tell a class, by number of dimensions.

    Parameters
    ----------
    near
        From :func:`~vaestudy.figures.latent_space.neighbour_values`.
    levels
        Numbers of latent dimensions, in order.
    pixels
        The accuracy of the same vote on the pixels, in [0, 1].
    """
    vae = near["family"].iloc[0]
    accuracy = {n: 100 * by_seed(near[near["family"] == vae], "accuracy", n_z=n) for n in levels}
    low, high = levels[0], levels[-1]
    peak = max(levels, key=lambda n: accuracy[n].mean())
    text = (
        f"In the plane the {vae} reaches {_percent(accuracy[low])}; its best mean "
        f"is at $n_z = {peak}$ with {_percent(accuracy[peak])}"
    )
    if peak != low:
        gain = _gap(accuracy[peak], accuracy[low])
        text += f", a change of {_points(gain)}"
        text += " that the seeds do not decide" if gain.sign == "undecided" else ""
    if peak != high:
        last = _gap(accuracy[high], accuracy[peak])
        text += f". From there to $n_z = {high}$ it changes by {_points(last)}"
        text += ", too little for these seeds to tell" if last.sign == "undecided" else ""
    beyond = mean_interval(accuracy[peak] - 100 * pixels).within(-100 * pixels, 100 * (1 - pixels))
    undecided = ", so that neither is decidedly better" if beyond.sign == "undecided" else ""
    return (
        f"{text}. Dimensions that have been pruned cost the vote nothing: their means are the same "
        "for every digit and add nothing to a distance. The pixels themselves, without any model, "
        f"are right for {number(100 * pixels, 1)} %; against them the {vae}'s best mean differs by "
        f"{_points(beyond)}{undecided}."
    )


def _percent(values: pd.Series) -> str:
    mean, rest = mean_interval(values).within(*OF_PERCENT).text(1).split(" ", 1)
    return f"{mean} % {rest}"


def _gap(a: pd.Series, b: pd.Series) -> Interval:
    return paired_difference(a, b).within(-100, 100)


def _points(gap: Interval) -> str:
    return f"{gap.text(1, signed=True, n=False)} points"


def read_planes(data: pd.DataFrame, threshold: float) -> str:
    """Say what moving along the most and the least active dimensions does to the picture.

    Parameters
    ----------
    data
        Of the figure of planes.
    threshold
        Activity above which a dimension counts as active.
    """
    of_panel = data.groupby(["label", "panel"], sort=False)
    changes = {
        str(name): part.to_numpy()
        for name, part in of_panel["squared_change"].mean().groupby("label", sort=False)
    }
    parts = [
        f"for the {name} by {number(change[1], 1)} squared pixels in the most active plane and by "
        f"{number(change[2], 3)} in the least active one"
        for name, change in changes.items()
    ]
    around = sum(change[1] < change[0] for change in changes.values())
    compared = {len(changes): "less", 0: "more"}.get(around, "now more, now less")
    text = (
        "In the models drawn and on average over the lattice, the picture differs from the one in "
        "its centre "
        f"{' and '.join(parts)}. Around the code of a digit the two most active dimensions change "
        f"{compared} than around 0, where nothing else says what to draw. "
    )
    quiet = max(change[2] / change[1] for change in changes.values())
    text += (
        "The least active dimensions do nothing over the whole range of the prior: what the "
        "encoder does not write, the decoder does not read. Activity is a property of the encoder, "
        "so this had to be looked at."
        if quiet < 0.01
        else "The least active dimensions still change the picture, by up to "
        f"{number(100 * quiet, 1)} % of what the most active ones do."
    )
    least = of_panel[["activity_x", "activity_y"]].max().groupby("label").nth(2)
    if (least.to_numpy() < threshold).all():
        return text
    return (
        f"{text} Not all of them are below the threshold of {threshold} here (@sec:activity): "
        "these models have not pruned enough dimensions for an inactive pair."
    )


def read_path(path: pd.DataFrame, steps: int) -> str:
    """Say whether the decoder passes through digits on its way from one to another.

    Parameters
    ----------
    path
        Data of the figure of interpolations.
    steps
        Decoded codes on a line.
    """
    ends = path[path["share"].isin([0, 1])]
    centre = path[path["share"].sub(0.5).abs() < 0.5 / steps]
    grey, faded = centre["greyness"].mean(), centre["greyness_faded"].mean()
    at_ends = ends["greyness"].mean()
    reading = (
        ", much nearer to a digit than to a double exposure"
        if grey - at_ends < 0.5 * (faded - at_ends)
        else "; in this study the decoder half way is little more decided than a double exposure"
    )
    return (
        f"half way, and on average over the lines drawn, its greyness is {number(faded, 1)}, where "
        f"the ends have {number(at_ends, 1)}. "
        f"The decoded code half way has {number(grey, 1)}{reading}. Half way is also where codes "
        "are least typical of the prior in many dimensions: the mean norm falls from "
        f"{number(ends['norm_z'].mean(), 2)} at the ends to {number(centre['norm_z'].mean(), 2)}."
    )


def read_prior(values: pd.DataFrame) -> str:
    """Compare the greyness of samples with that of reconstructions, family by family.

    Parameters
    ----------
    values
        From :func:`~vaestudy.figures.lattices.prior_values`.
    """
    gaps = {
        str(family): paired_difference(by_seed(own, "prior"), by_seed(own, "reconstruction"))
        for family, own in values.groupby("family", sort=False)
    }
    greyer = sum(gap.sign == "higher" for gap in gaps.values())
    clearer = sum(gap.sign == "lower" for gap in gaps.values())
    base, most = next(iter(gaps)), max(gaps, key=lambda family: gaps[family].mean)
    return (
        f"For the {base} the samples' minus the reconstructions' is "
        f"{gaps[base].text(1, signed=True)}. Samples are decidedly greyer in {greyer} of "
        f"{len(gaps)} families and decidedly clearer in {clearer}; the largest gap, that of "
        f"{most}, is {gaps[most].text(1, signed=True)}."
    )
