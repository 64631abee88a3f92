"""Sentences of the chapter on VAE++, whose wording the intervals decide."""

from __future__ import annotations

import math

from scipy import stats

from vaestudy.figures.measuring_prose import change_of_number
from vaestudy.figures.plusplus_data import (
    SOURCE,
    by_seed,
    gap,
    levels,
    mean_of,
    other_dataset,
    plus_runs,
)
from vaestudy.figures.plusplus_pictures import likelihoods_of, objectives_of
from vaestudy.figures.spans import mean_within
from vaestudy.report.phrases import change
from vaestudy.stats import EQUALS, mean_interval, number
from vaestudy.study import EmptySelectionError, Study

#: Under this variance, a hundredth of the prior's, a posterior is all but a point.
NARROW = 0.01


def read_model(study: Study) -> str:
    """Say what the source's model and its training are, and what they are here."""
    first = plus_runs(study).iloc[0]
    sizes = study.table("datasets").set_index("dataset")
    images = int(sizes.loc[first["dataset"], "n_train"])
    same = str(first["hidden"]) == SOURCE["hidden"]
    model = "The same" if same else f"One of {first['hidden']} hidden units"
    return (
        f"The source's model is 784–{SOURCE['hidden']}–{first['n_z']} and back, with tanh units "
        "and Adam [@kingma2015adam] at its own $\\varepsilon$, on pixels that are 1 above one half "
        f"and else 0; it sees {SOURCE['epochs']} epochs of {SOURCE['images']:,} images in batches "
        f"of {SOURCE['batch_size']}, 3 where the data are clothes or the divergence is another. "
        f"{model} is trained here at a step size of "
        f"{first['learning_rate']:g}, for {first['epochs']} epochs of {images:,} images in "
        f"batches of {first['batch_size']}."
    )


def read_third_dimension(study: Study) -> str:
    """Say what a third dimension changes in NLL and in the samples' looks."""
    three, two = {"n_z": 3}, {"n_z": 2}
    nll = gap(study, "nll", three, two)
    found = change(nll, "raises the test NLL by", "lowers the test NLL by")
    text = f"A third dimension {found}."
    if any(mean_of(study, "fid_of_means", **model) is None for model in (two, three)):
        return text
    looks = gap(study, "fid_of_means", three, two)
    what = "the Fréchet distance between decoded samples and training digits by"
    return f"{text} It {change_of_number(looks, f'raises {what}', f'lowers {what}', 0)}."


def read_variance(study: Study) -> str:
    """Say whether the posterior variance rises with the number of dimensions, by rank."""
    dimensions = [n for n in levels(study, "n_z") if n <= 10]
    if len(dimensions) < 3:
        return "Fewer than three numbers of dimensions are no trend."
    table = {n: by_seed(study, "posterior_variance", n_z=n) for n in dimensions}
    seeds = sorted(set.intersection(*(set(values.index) for values in table.values())))
    found = [
        float(stats.spearmanr(dimensions, [table[n][seed] for n in dimensions]).statistic)
        for seed in seeds
    ]
    ends = [mean_within(table[n], "posterior_variance") for n in (dimensions[0], dimensions[-1])]
    return (
        f"Its mean over images and dimensions is {ends[0].text(3)} at $n_z = {dimensions[0]}$ and "
        f"{ends[1].text(3)} at {dimensions[-1]}; its rank correlation with $n_z$ is "
        f"{mean_interval(found).within(-1, 1).text(2)}."
    )


def read_clothes(study: Study) -> str:
    """Say which share of clothes are recognised before and after reconstruction."""
    name = other_dataset(study)
    pair = [
        mean_of(study, metric, dataset=name)
        for metric in ("test_accuracy", "reconstruction_accuracy")
    ]
    own = [mean_of(study, m) for m in ("test_accuracy", "reconstruction_accuracy")]
    found = [interval for interval in (*pair, *own) if interval is not None]
    if len(found) < 4:
        return "This study has no classifier of clothes."
    # One classifier of one set of test images has one accuracy, whatever the seed of a model.
    clothes, digits = (number(100 * each.mean, 1) for each in found[::2])
    rebuilt, rebuilt_digits = (each.times(100).text(1, n=False) for each in found[1::2])
    return (
        f"A classifier of clothes names {clothes} of a hundred test images rightly, as the model "
        f"sees them. Of a hundred reconstructions it names {rebuilt}. A classifier of digits names "
        f"{digits} of a hundred test images rightly, and {rebuilt_digits} of a hundred "
        f"reconstructions (n{EQUALS}{found[1].n} models of each)."
    )


def read_divergences(study: Study) -> str:
    """Say how models of other divergences differ from the VAE in NLL and in KL."""
    told = []
    for other in objectives_of(study)[1:]:
        name = _NAMES.get(str(other["objective"]))
        if name is None:
            continue
        nll = gap(study, "nll", other, {})
        kl = gap(study, "kl", other, {})
        told.append(
            f"The {name} in place of the KL "
            f"{change(nll, 'raises the test NLL by', 'lowers the test NLL by')}, and "
            f"{change(kl, 'raises the KL by', 'lowers the KL by')}."
        )
    if told:
        told.append(
            "Trained for no bound on $\\log p(x)$, a posterior may be next to a point far from the "
            "prior, of which importance samples reach few of the codes that could have made an "
            "image: half of these models' samples are drawn from the prior instead "
            "[@hesterberg1995]. What both halves miss still makes their NLL too high, by an amount "
            "that its standard error does not tell."
        )
    return " ".join(told)


_NAMES = {
    "jensen-shannon": "sampled Jensen–Shannon divergence",
    "geometric-js": "geometric one",
}


def read_half_joint(study: Study) -> str:
    """Say what half of the joint density trains; nothing if it was not tried."""
    half = next((p for p in objectives_of(study) if p["objective"] == "half-joint"), None)
    variance = None if half is None else mean_of(study, "posterior_variance", **half)
    if half is None or variance is None:
        return ""
    # Two digits of however small a number.
    digits = max(3, 1 - math.floor(math.log10(variance.mean)))
    error = gap(study, "squared_error", half, {})
    elbo = gap(study, "elbo", half, {})
    points = ": codes are all but points" if variance.mean < NARROW else ""
    return (
        "Half of $\\log p_\\theta(x, z)$ leaves the posterior a variance of "
        f"{variance.text(digits)}{points}. Against the VAE it "
        f"{change(error, 'raises the squared error by', 'lowers the squared error by', 'pixels')} "
        f"and {change(elbo, 'raises the test ELBO by', 'lowers the test ELBO by')}."
    )


def read_weighted(study: Study) -> str:
    """Say what more samples of the IWAE change in NLL and squared error."""
    few, *further = levels(study, "k", objective="iwae")
    if not further:
        return f"This study has $k = {few}$ only."
    many = further[-1]
    ends = [{"objective": "iwae", "k": k} for k in (many, few)]
    nll = gap(study, "nll", *ends)
    error = gap(study, "squared_error", *ends)
    return (
        f"Against $k = {few}$, $k = {many}$ "
        f"{change(nll, 'raises the test NLL by', 'lowers the test NLL by')} and "
        f"{change(error, 'raises the squared error by', 'lowers the squared error by', 'pixels')}."
    )


def read_grey(study: Study) -> str:
    """Say how the Beta's reconstructions compare with the Bernoulli's."""
    grey = {"binarization": "none"}
    found = []
    if {"beta", "bernoulli"} <= set(levels(study, "likelihood", **grey)):
        beta, bernoulli = ({**grey, "likelihood": name} for name in ("beta", "bernoulli"))
        error = gap(study, "squared_error", beta, bernoulli)
        said = change(error, "raises the squared error by", "lowers the squared error by", "pixels")
        found.append(f"Against the Bernoulli, the Beta {said}.")
    by_error, by_density = (_ranking(study, m) for m in ("squared_error", "nll_clipped"))
    if len(by_error) > 1:
        found.append(
            f"On average, densities rank the decoders as errors do: {', '.join(by_error)}."
            if by_error == by_density
            else f"On average, errors rank the decoders {', '.join(by_error)}, best first, and "
            f"densities {', '.join(by_density)}."
        )
    return " ".join(found)


def _ranking(study: Study, metric: str) -> list[str]:
    means = {
        title: by_seed(study, metric, **parameters).mean()
        for title, parameters in likelihoods_of(study).items()
    }
    return sorted(means, key=lambda title: means[title])


def read_halves(study: Study) -> str:
    """Say what looking at the top half is worth to the bottom half."""
    informed, exact, ignorant = (
        by_seed(study, f"nll_of_bottom_{m}") for m in ("variational", "importance", "prior")
    )
    if not len(informed):
        raise EmptySelectionError("the study has not inferred halves")
    worth, lost = mean_interval(ignorant - informed), mean_interval(informed - exact)
    most = mean_interval(ignorant - exact)
    told = (
        f"In two dimensions a look at the top half is worth {worth.text(1)} nats to the bottom "
        f"half. Against the importance-weighted posterior the variational one "
        f"{change(lost, 'loses', 'gains')}. That posterior is itself worth {most.text(1)}"
    )
    if most.mean >= 0:
        return f"{told}."
    return f"{told}: no inference from the top helps a decoder that is too sure of what it sees."


def read_search(study: Study) -> str:
    """Name the latent dimension of the lowest mean NLL on each data set; say what the most give."""
    told = []
    for name, title in ((study.base["dataset"], "digits"), (other_dataset(study), "clothes")):
        tried = levels(study, "n_z", dataset=name)
        means = {n_z: by_seed(study, "nll", dataset=name, n_z=n_z).mean() for n_z in tried}
        best = min(means, key=lambda n_z: means[n_z])
        told.append(f"On {title} the lowest mean NLL of those tried is at $n_z = {best}$")
        least, most = min(tried), max(tried)
        units = mean_of(study, "active_units", dataset=name, n_z=most)
        few, many = (mean_of(study, "squared_error", dataset=name, n_z=n) for n in (least, most))
        if units is not None and few is not None and many is not None:
            where = "there" if best == most else f"at $n_z = {most}$"
            active = "all" if units.mean == most else units.text(1)
            left = f"{100 * many.mean / few.mean:.0f}\N{NO-BREAK SPACE}%"
            told[-1] += (
                f"; {where}, {active} units are active and the squared error is {left} of that at "
                f"$n_z = {least}$"
            )
    return ". ".join(told) + "."
