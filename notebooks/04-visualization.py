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

import torch

from vaestudy.figures.cells import means
from vaestudy.figures.codes import codes_of, digits, families, labels, objectives
from vaestudy.figures.latent_prose import (
    error_gap,
    read_groups,
    read_neighbours,
    read_path,
    read_plane_step,
    read_planes,
    read_prior,
    read_reconstructions,
    read_weighting,
    span,
)
from vaestudy.figures.latent_space import MAX_POINTS, cloud_of, neighbour_values
from vaestudy.figures.latent_table import by_seed, neighbour_table, reconstruction_table
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
from vaestudy.stats import mean_interval, number
from vaestudy.study import Study, tried

torch.set_num_threads(1)
present.style()
study = Study.load(config)


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
# mean of $q_\phi(z \mid x)$. Numbers with an interval, or told of seeds, are over all seeds; those of what a picture
# shows (greyness, changes, norms, votes of a projection) are of the model that is drawn.
#
# ## Data reconstruction {#sec:reconstruction}

# %%
errors = reconstruction_values(study)
marks = yardsticks(study)
names = errors["family"].unique().tolist()
vae, *weighted = [family.label for family in objectives(study)]
base = by_seed(errors, "squared_error", family=vae)
present.prose(
    "@fig:reconstructions gives the same ten digits, the first of each class in the test set, to "
    f"{len(names)} model families. The models see the second row: pixels drawn from the grey "
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
    caption="The same ten test digits as every model family reconstructs them. Each row "
    "after the second decodes the means of the codes of the second row's pixels; the number on "
    "the right is the model's mean squared error over the whole test set. The groups: "
    f"{read_groups(families(study), study.base['n_z'])}.",
    alt="A grid of digits from 0 to 9. The two top rows hold the originals and their binarized "
    "pixels; below, one row for each model family shows smoother versions of the same digits.",
)

# %%
seeds = len(study.config.seeds)
present.table(
    reconstruction_table(errors),
    label="tbl:reconstructions",
    caption=f"How well each family reconstructs the test set. In squared pixels and nats: "
    f"{means(seeds)}; differences are taken seed by seed. The reconstruction term is left out for "
    "Gaussian decoders, whose density is no probability of binary pixels. Unless its name says "
    f"otherwise a model has $n_z = {study.base['n_z']}$.",
    runs=errors["run_id"].tolist(),
    data=errors,
)

# %%
text = read_reconstructions(errors)
if weighted:
    text += " " + read_weighting(error_gap(errors, weighted[0]))
low = study.levels("n_z")[0]
if (small := f"{vae}, $n_z = {low}$") in names:
    text += " " + read_plane_step(error_gap(errors, small), low)
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
    caption="The test digits in a two-dimensional latent space. Every point is the mean of "
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
present.table(
    neighbour_table(near, levels),
    label="tbl:neighbours",
    caption="How well a digit's neighbours in latent space tell its class, in per cent of "
    "test digits whose class is that of the majority of the five nearest others (Euclidean "
    "distance of means, each digit left out of its own vote), and the number of active units. "
    f"{means(seeds).capitalize()}. The same vote on the "
    f"{study.dataset.test.shape[1]} tested pixels is right for {number(100 * pixels, 1)} %.",
    runs=near["run_id"].tolist(),
    data=near,
)

# %%
present.prose(
    "The eye is generous to such plots, so @tbl:neighbours counts: of a digit's five nearest "
    "neighbours in latent space, how often does the majority have its class? The encoder has "
    f"seen no label. {read_neighbours(near, levels, pixels)}"
)

# %% [markdown]
# Beyond two dimensions a picture needs a projection, and two are natural. Principal components of
# the means show the directions in which the codes vary most, whatever the axes. The two most
# active dimensions by $A_u$ (@sec:activity) show axes of the model's own; they mean something
# because the factorised posterior ties a VAE to its axes, where rotating the prior would change
# nothing.

# %%
projections, cloud = tried(FIGURES["latent-projections"], study), tried(cloud_of, study)
if projections is None:
    present.prose("This study has trained no VAE of more than two latent dimensions.")
else:
    present.figure(
        projections,
        label="fig:latent-projections",
        caption=f"The {vae}'s codes as its latent space grows. Above, the first two principal "
        "components of the test digits' means, with their shares of the variance; below, the two "
        "most active dimensions, with their activities. Dimensions are numbered from 0. Colours as "
        "in @fig:latent-plane.",
        alt="Two rows of small scatter plots in ten colours, a column for each number of latent "
        "dimensions: above by principal components, below by the most active dimensions.",
    )

# %%
if projections is not None:
    seen = {
        name: [
            neighbour_accuracy(part[list(columns)].to_numpy(), part["digit"].to_numpy())
            for _, part in projections.data.groupby("n_z")
        ]
        for name, columns in {"pc": ("pc_1", "pc_2"), "active": ("z_a", "z_b")}.items()
    }
    drawn = near["run_id"].isin(projections.runs)
    whole = near.loc[drawn, "accuracy"]
    wins = sum(pc > active for pc, active in zip(seen["pc"], seen["active"], strict=True))
    percent = {name: [100 * vote for vote in votes] for name, votes in seen.items()}
    present.prose(
        "What the projections keep can be counted by the same vote, here of the models drawn. With "
        f"principal components it is right for {span(percent['pc'])} % of the digits, with the two most "
        f"active dimensions for {span(percent['active'])}: the components are ahead at {wins} of "
        f"{len(seen['pc'])} values of $n_z$. The whole of the same latent spaces gives "
        f"{span(100 * whole)} % "
        "(@tbl:neighbours). No plane can hold what the KL term spreads out: it draws the variance of "
        "every dimension in use towards the prior's, so that none of them stands out."
        + (
            f" At $n_z = {study.base['n_z']}$ three principal components hold "
            f"{number(100 * cloud[2].sum(), 0)} % of it (@fig:latent-cloud)."
            if cloud
            else ""
        )
    )

# %%
if cloud is not None:
    code, space, share = cloud
    present.figure(
        FIGURES["latent-cloud"](study),
        label="fig:latent-cloud",
        caption=f"The {vae}'s codes along their first three principal components ($n_z = "
        f"{study.base['n_z']}$), which hold {number(100 * share.sum(), 0)}  % of their "
        "variance. Every point is a test digit. On screen the cloud can be turned.",
        alt="A three-dimensional scatter plot of the test digits' codes, with a colour for each class.",
        width="80%",
        interactive=latent_scatter_3d(
            space[:MAX_POINTS],
            labels(study)[:MAX_POINTS],
            [str(c) for c in range(labels(study).max() + 1)],
            [f"PC {i} ({100 * part:.0f} %)" for i, part in enumerate(share, 1)],
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
present.figure(
    plane,
    label="fig:manifold",
    caption="The plane of a two-dimensional latent space, decoded. A lattice of "
    f"{MANIFOLD_SIDE} × {MANIFOLD_SIDE} codes at equal steps of the prior's probability; the "
    "axes give $z$.",
    alt="Lattices of small digits, in which neighbouring digits are alike and classes pass into "
    "one another.",
    interactive=widget,
)

# %%
grey = plane.data.groupby("run_id", sort=False)["greyness"].mean()
of_each = [
    f"{number(mean, 1)} for the {family.label}"
    for mean, family in zip(grey, objectives(study, n_z=2), strict=True)
]
present.prose(
    "Moving through @fig:manifold changes the digits by degrees, and classes that look alike lie "
    "side by side. Between classes the decoder hesitates, and how much can be measured. We call "
    r"$\sum_d m_d (1 - m_d)$ the greyness of a mean image $m$: the variance of pixels drawn from "
    "it, 0 for pure black and white. Of the lattices drawn the clearest cell has "
    f"{number(plane.data['greyness'].min(), 1)}, the greyest "
    f"{number(plane.data['greyness'].max(), 1)}, and the mean is "
    f"{' and '.join(of_each)}."
)

# %%
drawing = tried(FIGURES["planes"], study)
if drawing is not None:
    present.figure(
        drawing,
        label="fig:planes",
        caption=f"Planes through a latent space of {study.base['n_z']} dimensions. Each lattice "
        f"of {PLANE_SIDE} × {PLANE_SIDE} cells varies two dimensions as in @fig:manifold: the two "
        "most active ones with all others at 0, the same with all others as in the code of a test "
        "digit, and the two least active ones around the same digit.",
        alt="Rows of three lattices of small digits: left, the plane around zero; in the middle, the "
        "same dimensions around the code of one digit; right, the two least active dimensions around "
        "it.",
    )
    present.prose(
        f"With $n_z = {study.base['n_z']}$ one can show planes only, and @fig:planes shows three for "
        "each objective. Two dimensions are a part of a digit here. "
        + read_planes(drawing.data, study.config.evaluation.activity_threshold)
    )

# %%
drawing = FIGURES["interpolations"](study)
present.figure(
    drawing,
    label="fig:interpolations",
    caption="On the way from one digit to another. Between two test digits (outside the "
    f"rules), {STEPS} decoded codes at equal steps on the straight line between the digits' "
    "means; the first and the last are the reconstructions of the two.",
    alt="Rows of digits for each model; in every row one digit turns into another step by step.",
)

# %%
present.prose(
    "A straight line between two codes (@fig:interpolations) need not lead through averages of its "
    "ends. Cross-fading the two reconstructions would double the strokes: "
    + read_path(drawing.data, STEPS)
)

# %%
present.figure(
    FIGURES["prior-samples"](study),
    label="fig:prior-samples",
    caption="What each model family generates. Decoded means of ten draws from the prior, "
    f"the same draws for all models of one $n_z$; on the right, the mean greyness of {MANY} such "
    "images. Rows as in @fig:reconstructions.",
    alt="A grid of generated images, one row for each model family; some are readable digits, "
    "others strokes that belong to no class.",
)

# %%
present.prose(
    "The lattices and lines stay near codes of digits. The prior itself (@fig:prior-samples) "
    "need not: where the codes of the data leave gaps, a decoder was never trained. Gaps show as "
    "hesitation, so we compare the greyness of samples with that of reconstructions of test "
    f"digits, seed by seed. {read_prior(prior_values(study))} Greyness sees hesitation only: a "
    "confident stroke that is no digit passes."
)
