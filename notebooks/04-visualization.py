# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% tags=["parameters"]
config = "configs/quick.yaml"

# %% tags=["setup"]
from typing import get_args

import pandas as pd
import torch

from vaestudy.figures.codes import codes_of, digits, labels, objectives
from vaestudy.figures.latent_space import MAX_POINTS, cloud_of, neighbour_values
from vaestudy.figures.lattices import (
    MANIFOLD_SIDE,
    MANY,
    PLANE_SIDE,
    STEPS,
    affine_layers,
    prior_values,
)
from vaestudy.figures.reconstructions import reconstruction_values, yardsticks
from vaestudy.figures.visualization import FIGURES
from vaestudy.latent_plane import neighbour_accuracy
from vaestudy.report import present
from vaestudy.report.widgets import Activation, decoder_widget, latent_scatter_3d
from vaestudy.stats import mean_interval, number, paired_difference
from vaestudy.study import Study

torch.set_num_threads(1)
present.style()
study = Study.load(config)


def by_seed(table, value, **where):
    """Return the values of the rows that `where` selects, by seed."""
    for name, wanted in where.items():
        table = table[table[name] == wanted]
    return table.set_index("seed")[value]


def verdict(interval, higher, lower, undecided):
    """Choose the words that an interval of a difference allows."""
    return {"higher": higher, "lower": lower, "undecided": undecided}[interval.sign]


# %% [markdown]
# # Latent space visualization {#sec:visualization}
#
# @sec:activity counted the dimensions that a model uses; this one looks at what they hold. Its three
# sections are bare headings in the draft that we follow [@bettencourt2016]; the questions and the
# pictures are therefore ours. We ask what comes back when a digit is encoded and decoded
# (@sec:reconstruction), where the encoder puts the digits (@sec:transformation), and what the
# decoder makes of the points in between (@sec:lattices).
#
# All pictures are of the study's first seed and all digits are test digits. A picture of a decoded
# code is the mean $\mathbb{E}[x \mid z]$, never a draw of the pixels, and a digit's code is the
# mean of $q_\phi(z \mid x)$. Numbers are over all seeds.
#
# ## Data reconstruction {#sec:reconstruction}

# %%
errors = reconstruction_values(study)
marks = yardsticks(study)
families = errors["family"].unique().tolist()
vae, *weighted = [family.label for family in objectives(study)]
base = by_seed(errors, "squared_error", family=vae)
present.prose(
    "@fig:reconstructions gives the same ten digits, the first of each class in the test set, to "
    f"{len(families)} model families. The models see the second row: pixels drawn from the grey "
    "values of the first, the fixed draw that every model of the study is tested on. As a "
    r"measure we take the squared error $\lVert x - \mathbb{E}[x \mid z = \mu(x)] \rVert^2$, "
    "averaged over the test set. Two reconstructions need no model and give it a scale: the mean "
    f"training image scores {number(marks['mean'], 1)}, and the grey image from which the pixels "
    f"were drawn scores {number(marks['grey'], 1)}. The latter is no lower limit, since an "
    "encoder sees the drawn pixels themselves, but what lies below it is noise that a code has "
    f"kept. The {vae} stands at {mean_interval(base).text(1)}."
)

# %%
present.figure(
    FIGURES["reconstructions"](study),
    label="fig:reconstructions",
    caption="**The same ten test digits as every model family reconstructs them.** Each row "
    "after the second decodes the means of the codes of the second row's pixels; the number on "
    "the right is the model's mean squared error over the whole test set. The groups: additions "
    f"to the base model ($n_z = {study.base['n_z']}$, Bernoulli); the Gaussian decoder; variants "
    "that follow the source to the letter; and the smallest and largest latent spaces.",
    alt="A grid of digits from 0 to 9. The two top rows hold the originals and their binarized "
    "pixels; below, one row for each model family shows smoother versions of the same digits.",
)

# %%
rows = []
for family in families:
    values = by_seed(errors, "squared_error", family=family)
    bernoulli = errors.loc[errors["family"] == family, "likelihood"].iloc[0] == "bernoulli"
    term = mean_interval(by_seed(errors, "reconstruction", family=family))
    change = paired_difference(values, base).text(1, signed=True, n=False)
    rows.append(
        {
            "model": family,
            "squared error": mean_interval(values).text(1, n=False),
            f"minus {vae}": "–" if family == vae else change,
            r"$\mathbb{E}_q \log p(x \mid z)$ (nats)": term.text(1, n=False) if bernoulli else "–",
            "active units": mean_interval(by_seed(errors, "active_units", family=family)).text(
                1, n=False
            ),
        }
    )
seeds = len(study.config.seeds)
present.table(
    pd.DataFrame(rows),
    label="tbl:reconstructions",
    caption=f"**How well each family reconstructs the test set.** Means over {seeds} seeds with "
    "95 % intervals; differences are taken seed by seed. The reconstruction term is left out for "
    "Gaussian decoders, whose density is no probability of binary pixels. Unless its name says "
    f"otherwise a model has $n_z = {study.base['n_z']}$.",
    runs=errors["run_id"].tolist(),
    data=errors,
)

# %%
low, high = study.levels("n_z")[0], study.levels("n_z")[-1]


def change_of(name):
    """Return the interval of the change in squared error against the VAE."""
    return paired_difference(by_seed(errors, "squared_error", family=name), base)


def listed(names):
    """Return names as a list in a sentence."""
    return "; ".join(names)  # names hold commas


others = {name: change_of(name) for name in families if name != vae}
better = [name for name, change in others.items() if change.sign == "lower"]
worse = [name for name, change in others.items() if change.sign == "higher"]
best = min(families, key=lambda name: by_seed(errors, "squared_error", family=name).mean())
poorest = max(families, key=lambda name: by_seed(errors, "squared_error", family=name).mean())
text = f"In @tbl:reconstructions, {best} has the lowest mean error and {poorest} the highest. " + (
    f"Over {seeds} seeds the intervals place {len(better) + len(worse)} of the {len(others)} "
    "other families: "
    + ", and ".join(
        part
        for part in (
            f"below the {vae} ({listed(better)})" if better else "",
            f"above the {vae} ({listed(worse)})" if worse else "",
        )
        if part
    )
    + ". "
    if better or worse
    else f"Over {seeds} seeds no interval decides between the {vae} and another family. "
)
if weighted:
    change = others[weighted[0]]
    text += (
        f"Importance weighting changes the squared error by {change.text(1, signed=True)}"
        + verdict(
            change,
            ": its reconstructions are farther from the pixels. That is no contradiction to a "
            "higher likelihood, because the bound of @burda2016 rewards a code of which some "
            "sample explains the digit, not the mean of the codes alone",
            ": its reconstructions are closer to the pixels as well",
            ", which does not tell its reconstructions from the VAE's",
        )
        + ". "
    )
small = f"{vae}, $n_z = {low}$"
if small in others:
    text += (
        f"What no picture hides is the step to $n_z = {low}$: "
        f"{others[small].text(1, signed=True)} squared pixels"
        + verdict(others[small], "", ", an improvement", ", within the spread of the seeds")
        + ". Reconstruction is what a model buys with active units; which of them it keeps is "
        "the subject of @sec:activity."
    )
present.prose(text)

# %% [markdown]
# ## Data in latent space {#sec:transformation}
#
# With two latent dimensions the codes can be drawn as they are, in @fig:latent-plane. The prior
# asks for the whole cloud, all digits together, to be close to $\mathcal{N}(0, I)$, whose one and
# two standard deviations the circles mark; nothing in training names the classes.

# %%
present.figure(
    FIGURES["latent-plane"](study),
    label="fig:latent-plane",
    caption="**The test digits in a two-dimensional latent space.** Every point is the mean of "
    r"$q_\phi(z \mid x)$ for one test digit, coloured by its class; bold figures stand at the "
    "classes' medians, and the dashed circles at one and two standard deviations of the prior.",
    alt="Scatter plots with a colour for each of the ten classes, around two dashed circles; the "
    "name of each class stands in the middle of its points.",
)

# %%
near = neighbour_values(study)
pixels = neighbour_accuracy(digits(study).numpy(), labels(study))
shared = near.groupby("n_z")["family"].nunique() == near["family"].nunique()
levels = sorted(shared.index[shared])
rows = []
for n_z in levels:
    row = {"$n_z$": n_z}
    for family in near["family"].unique():
        where = {"family": family, "n_z": n_z}
        row[family] = mean_interval(100 * by_seed(near, "accuracy", **where)).text(1, n=False)
        row[f"{family}: active"] = mean_interval(by_seed(near, "active", **where)).text(1, n=False)
    if weighted:
        a = by_seed(near, "accuracy", family=weighted[0], n_z=n_z)
        b = by_seed(near, "accuracy", family=vae, n_z=n_z)
        row["difference"] = paired_difference(100 * a, 100 * b).text(1, signed=True, n=False)
    rows.append(row)
present.table(
    pd.DataFrame(rows),
    label="tbl:neighbours",
    caption="**How well a digit's neighbours in latent space tell its class,** in per cent of "
    "test digits whose class is that of the majority of the five nearest others (Euclidean "
    "distance of means, each digit left out of its own vote), and the number of active units. "
    f"Means over {seeds} seeds with 95 % intervals. The same vote on the "
    f"{study.dataset.test.shape[1]} tested pixels is right for {number(100 * pixels, 1)} %.",
    runs=near["run_id"].tolist(),
    data=near,
)

# %%
low, high = levels[0], levels[-1]


def accuracy(n_z):
    """Return the VAE's accuracies at one n_z, in per cent, by seed."""
    return 100 * by_seed(near, "accuracy", family=vae, n_z=n_z)


peak = max(levels, key=lambda n_z: accuracy(n_z).mean())
gain = paired_difference(accuracy(peak), accuracy(low))
last = paired_difference(accuracy(high), accuracy(peak)) if high != peak else None
beyond = mean_interval(accuracy(peak) - 100 * pixels)
present.prose(
    "The eye is generous to such plots, so @tbl:neighbours counts: of a digit's five nearest "
    "neighbours in latent space, how often does the majority have its class? The encoder has "
    f"seen no label. In the plane the {vae} reaches {mean_interval(accuracy(low)).text(1)} per "
    f"cent; its best mean is at $n_z = {peak}$ with {mean_interval(accuracy(peak)).text(1)}"
    + (
        f", a change of {gain.text(1, signed=True, n=False)} points"
        + verdict(gain, "", "", " that the seeds do not decide")
        if peak != low
        else ""
    )
    + (
        f". From there to $n_z = {high}$ it changes by {last.text(1, signed=True, n=False)} "
        "points" + verdict(last, "", "", ", too little for these seeds to tell")
        if last
        else ""
    )
    + ". Dimensions that have been pruned cost the vote nothing: their means are the same for "
    "every digit and add nothing to a distance. The pixels themselves, without any model, are "
    f"right for {number(100 * pixels, 1)} per cent; against them the best latent space differs "
    f"by {beyond.text(1, signed=True, n=False)} points"
    + verdict(beyond, "", "", ", so that neither is decidedly better")
    + "."
)

# %% [markdown]
# Beyond two dimensions a picture needs a projection, and two are natural. Principal components of
# the means show the directions in which the codes vary most, whatever the axes. The two most
# active dimensions by $A_u$ (@sec:activity) show axes of the model's own; they mean something
# because the factorised posterior ties a VAE to its axes, where rotating the prior would change
# nothing.

# %%
projections = FIGURES["latent-projections"](study)
present.figure(
    projections,
    label="fig:latent-projections",
    caption=f"**The {vae}'s codes as its latent space grows.** Above, the first two principal "
    "components of the test digits' means, with their shares of the variance; below, the two "
    "most active dimensions, with their activities. Dimensions are numbered from 0. Colours as "
    "in @fig:latent-plane.",
    alt="Two rows of small scatter plots in ten colours, a column for each number of latent "
    "dimensions: above by principal components, below by the most active dimensions.",
)

# %%
seen = {
    name: [
        neighbour_accuracy(part[list(columns)].to_numpy(), part["digit"].to_numpy())
        for _, part in projections.data.groupby("n_z")
    ]
    for name, columns in {"pc": ("pc_1", "pc_2"), "active": ("z_a", "z_b")}.items()
}
code, space, share = cloud_of(study)
drawn = near["run_id"].isin(projections.runs)
whole = near.loc[drawn, "accuracy"]
wins = sum(pc > active for pc, active in zip(seen["pc"], seen["active"], strict=True))
present.prose(
    "What the projections keep can be counted by the same vote, here of the models drawn. With "
    f"principal components it is right for {number(100 * min(seen['pc']), 0)} to "
    f"{number(100 * max(seen['pc']), 0)} per cent of the digits, with the two most active "
    f"dimensions for {number(100 * min(seen['active']), 0)} to "
    f"{number(100 * max(seen['active']), 0)}: the components are ahead at {wins} of "
    f"{len(seen['pc'])} values of $n_z$. The whole of the same latent spaces gives "
    f"{number(100 * whole.min(), 0)} to {number(100 * whole.max(), 0)} per cent "
    "(@tbl:neighbours). No plane can hold what the KL term spreads out: it draws the variance of "
    "every dimension in use towards the prior's, so that none of them stands out. At $n_z = "
    f"{study.base['n_z']}$ three principal components hold {number(100 * share.sum(), 0)} per "
    "cent of it (@fig:latent-cloud)."
)

# %%
present.figure(
    FIGURES["latent-cloud"](study),
    label="fig:latent-cloud",
    caption=f"**The {vae}'s codes along their first three principal components** ($n_z = "
    f"{study.base['n_z']}$), which hold {number(100 * share.sum(), 0)} per cent of their "
    "variance. Every point is a test digit. On screen the cloud can be turned.",
    alt="A three-dimensional scatter plot of the test digits' codes, with a colour for each class.",
    width="80%",
    interactive=latent_scatter_3d(
        space[:MAX_POINTS],
        labels(study)[:MAX_POINTS],
        [str(c) for c in range(labels(study).max() + 1)],
    ),
)

# %% [markdown]
# ## Latent hyperplane lattices {#sec:lattices}
#
# The decoder can be asked about any point. To spread the questions as the prior would, we put them
# at equal steps of probability, as @kingma2014 do: the $i$-th of $n$ steps along an axis is $z =
# \Phi^{-1}\bigl((i + \tfrac12)/n\bigr)$, with $\Phi$ the distribution function of $\mathcal{N}(0,
# 1)$, so that every cell of the lattice holds the same share of the prior.

# %%
plane = FIGURES["manifold"](study)
flat = codes_of(study, plane.runs[0])
layers, activation = affine_layers(flat), flat.model.architecture.activation
widget = ""
if layers and activation in get_args(Activation):
    x, y = flat.means[:MAX_POINTS].T
    points = {"x": x, "y": y, "label": labels(study)[:MAX_POINTS]}
    widget = decoder_widget(layers, activation, study.dataset.image_shape, points)
live = f"On screen the {vae}'s decoder runs under the pointer, over the test digits' codes."
present.figure(
    plane,
    label="fig:manifold",
    caption="**The plane of a two-dimensional latent space, decoded.** A lattice of "
    f"{MANIFOLD_SIDE} × {MANIFOLD_SIDE} codes at equal steps of the prior's probability; the "
    "axes give $z$. " + (live if widget else ""),
    alt="Lattices of small digits, in which neighbouring digits are alike and classes pass into "
    "one another.",
    interactive=widget,
)

# %%
grey = plane.data.groupby("run_id", sort=False)["greyness"]
present.prose(
    "Moving through @fig:manifold changes the digits by degrees, and classes that look alike lie "
    "side by side. Between classes the decoder hesitates, and how much can be measured. We call "
    r"$\sum_d m_d (1 - m_d)$ the greyness of a mean image $m$: the variance of pixels drawn from "
    "it, 0 for pure black and white. The clearest cell of the lattices has "
    f"{number(plane.data['greyness'].min(), 1)}, the greyest "
    f"{number(plane.data['greyness'].max(), 1)}, and the mean is "
    f"{number(grey.mean().iloc[0], 1)} for the {vae}"
    + (f" and {number(grey.mean().iloc[1], 1)} for the {weighted[0]}" if weighted else "")
    + "."
)

# %%
drawing = FIGURES["planes"](study)
change = drawing.data.groupby(["label", "panel"], sort=False)["squared_change"].mean()
present.figure(
    drawing,
    label="fig:planes",
    caption=f"**Planes through a latent space of {study.base['n_z']} dimensions.** Each lattice "
    f"of {PLANE_SIDE} × {PLANE_SIDE} cells varies two dimensions as in @fig:manifold: the two "
    "most active ones with all others at 0, the same with all others as in the code of a test "
    "digit, and the two least active ones around the same digit.",
    alt="Rows of three lattices of small digits: left, the plane around zero; in the middle, the "
    "same dimensions around the code of one digit; right, the two least active dimensions around "
    "it.",
)

# %%
threshold = study.config.evaluation.activity_threshold
names = change.index.get_level_values("label").unique()
parts = [
    f"for the {name} by {number(change[name].iloc[1], 1)} squared pixels in the most active "
    f"plane and by {number(change[name].iloc[2], 3)} in the least active one"
    for name in names
]
quiet = max(change[name].iloc[2] / change[name].iloc[1] for name in names)
last = drawing.data.groupby(["label", "panel"], sort=False)[["activity_x", "activity_y"]].max()
inactive = all(last.loc[name].iloc[2].max() < threshold for name in names)
around = sum(change[name].iloc[1] < change[name].iloc[0] for name in names)
present.prose(
    f"With $n_z = {study.base['n_z']}$ one can show planes only, and @fig:planes shows three for "
    "each objective. Two dimensions are a part of a digit here. On average over the lattice, the "
    f"picture differs from the one in its centre {' and '.join(parts)}. Around the code of a "
    "digit the two most active dimensions change "
    + {len(names): "less", 0: "more"}.get(around, "now more, now less")
    + " than around 0, where nothing else says what to draw. "
    + (
        "The least active dimensions do nothing over the whole range of the prior: what the "
        "encoder does not write, the decoder does not read. Activity is a property of the "
        "encoder, so this had to be looked at."
        if quiet < 0.01
        else "The least active dimensions still change the picture, by up to "
        f"{number(100 * quiet, 1)} per cent of what the most active ones do."
    )
    + (
        ""
        if inactive
        else f" Not all of them are below the threshold of {threshold} here (@sec:activity): "
        "these models have not pruned enough dimensions for an inactive pair."
    )
)

# %%
drawing = FIGURES["interpolations"](study)
present.figure(
    drawing,
    label="fig:interpolations",
    caption="**On the way from one digit to another.** Between two test digits (outside the "
    f"rules), {STEPS} decoded codes at equal steps on the straight line between the digits' "
    "means; the first and the last are the reconstructions of the two.",
    alt="Rows of digits for each model; in every row one digit turns into another step by step.",
)

# %%
path = drawing.data
ends = path[path["share"].isin([0, 1])]["greyness"].mean()
centre = path[path["share"].sub(0.5).abs() < 0.5 / STEPS]
present.prose(
    "A straight line between two codes (@fig:interpolations) leads through pictures that are not "
    "averages of its ends. Cross-fading the two reconstructions would double the strokes: half "
    f"way, its greyness is {number(centre['greyness_faded'].mean(), 1)}, where the ends have "
    f"{number(ends, 1)}. The decoded code half way has {number(centre['greyness'].mean(), 1)}"
    + (
        ", much nearer to a digit than to a double exposure."
        if centre["greyness"].mean() - ends < 0.5 * (centre["greyness_faded"].mean() - ends)
        else "; in this study the decoder half way is little more decided than a double exposure."
    )
    + " Half way is also where codes are least typical of the prior in many dimensions: the mean "
    f"norm falls from {number(path[path['share'].isin([0, 1])]['norm_z'].mean(), 2)} at the ends "
    f"to {number(centre['norm_z'].mean(), 2)}."
)

# %%
values = prior_values(study)
present.figure(
    FIGURES["prior-samples"](study),
    label="fig:prior-samples",
    caption="**What each model family generates.** Decoded means of ten draws from the prior, "
    f"the same draws for all models of one $n_z$; on the right, the mean greyness of {MANY} such "
    "images. Rows as in @fig:reconstructions.",
    alt="A grid of generated images, one row for each model family; some are readable digits, "
    "others strokes that belong to no class.",
)

# %%
gaps = {
    family: paired_difference(
        by_seed(values, "prior", family=family), by_seed(values, "reconstruction", family=family)
    )
    for family in families
}
greyer = [family for family, gap in gaps.items() if gap.sign == "higher"]
clearer = [family for family, gap in gaps.items() if gap.sign == "lower"]
most = max(gaps, key=lambda family: gaps[family].mean)
present.prose(
    "The lattices and lines stay near codes of digits. The prior itself (@fig:prior-samples) "
    "need not: where the codes of the data leave gaps, a decoder was never trained. Gaps show as "
    "hesitation, so we compare the greyness of samples with that of reconstructions of test "
    f"digits, seed by seed. For the {vae} the samples' minus the reconstructions' is "
    f"{gaps[vae].text(1, signed=True)}"
    + (f", for the {weighted[0]} {gaps[weighted[0]].text(1, signed=True)}" if weighted else "")
    + f". Samples are decidedly greyer in {len(greyer)} of {len(gaps)} families and decidedly "
    f"clearer in {len(clearer)}; the largest gap, that of {most}, is "
    f"{gaps[most].text(1, signed=True)}. Greyness sees hesitation only: a confident stroke that "
    "is no digit passes."
)
