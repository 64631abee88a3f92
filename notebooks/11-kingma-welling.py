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
import pandas as pd
import torch

from vaestudy.figures.aevb import aevb_runs, drawn_levels
from vaestudy.figures.cells import means
from vaestudy.figures.filled import read_filled
from vaestudy.figures.kingma_welling import FIGURES
from vaestudy.figures.spans import mean_within
from vaestudy.figures.summary_data import source_log, summary_runs
from vaestudy.figures.summary_prose import (
    aevb_table,
    log_table,
    plane_table,
    read_course,
    read_log,
    read_overfitting,
    read_plane,
    read_rows_left_out,
)
from vaestudy.latent_plane import METRICS, NEIGHBOURS
from vaestudy.report import present
from vaestudy.study import Study, tried

torch.set_num_threads(1)
present.style()
study = Study.load(config)
base = study.config.base
ten, two = tried(summary_runs, study, 10), tried(summary_runs, study, 2)
aevb = tried(aevb_runs, study)

# %% [markdown]
# # Kingma and Welling, summarised and tried {#sec:kingma-welling}
#
# An anonymous summary of the paper that introduced the VAE [@kingma2014] comes with an
# implementation, its training log and a handful of pictures [@vaesummary]. Its model is repeated here with
# all it shows; what it leaves out, the paper's own comparison of latent spaces, follows in @sec:aevb.
#
# ## Any distribution from a Gaussian {#sec:gaussian-to-ring}
#
# Why may the prior be a plain Gaussian? Because a function can turn it into something else. The
# summary borrows an example from @doersch2016: with
#
# $$ g(z) = \frac{z}{10} + \frac{z}{\lVert z \rVert} $$ {#eq:gaussian-to-ring}
#
# a point at distance $r$ from the centre goes to distance $1 + r/10$ in the same direction, and a round
# blot becomes a ring (@fig:gaussian-to-ring). A decoder is to find such a function by itself.

# %%
present.figure(
    FIGURES["gaussian-to-ring"](study),
    label="fig:gaussian-to-ring",
    caption="From a Gaussian to a ring. Left: samples of a Gaussian in the plane. Right: the same "
    "samples under @eq:gaussian-to-ring, none of which lies within the dashed circle of radius 1. A point's "
    "colour is its direction from the centre, the same on both sides.",
    alt="Left, a round cloud of points, densest in the middle. Right, the same points as a thin ring "
    "with an empty middle.",
)

# %% [markdown]
# ## The log {#sec:summary-log}
#
# The model has hidden layers of 512, 384 and 256 rectified linear units, mirrored in the decoder, and 10
# latent dimensions. Its images are grey, and its reconstruction term is the cross-entropy
#
# $$ -\sum_d \bigl( x_d \log \hat x_d + (1 - x_d) \log (1 - \hat x_d) \bigr), \qquad x_d \in [0, 1]. $$ {#eq:grey-cross-entropy}
#
# For grey $x$ this is no negative log-likelihood: @eq:bernoulli is a probability of black and white
# pixels alone, and its formula does not sum or integrate to 1 over anything else (@sec:grey). It is not even zero for a
# perfect reconstruction, since it cannot fall below the entropy of the pixels themselves. What the
# source calls loss may be compared with the same loss of other models, as here, and with nothing else in this report.

# %%
if ten is None:
    present.prose("This study has not trained the summary's model; `config.yaml` has it.")
else:
    run = ten.iloc[0]
    steps = run["epochs"] * (
        study.table("datasets").set_index("dataset")["n_train"][run["dataset"]] // run["batch_size"]
    )
    last = int(source_log()["step"].max()) + 500
    present.prose(
        f"The source takes {last:,} steps of 100 images with Adam at a rate of 0.001. Training here goes by "
        f"whole epochs: {run['epochs']} of them with batches of {run['batch_size']} make {steps:,} steps, at a rate of "
        f"{run['learning_rate']:g}"
        + (
            f", so that the log's steps are the same and the final model is {steps - last:,} steps older. "
            if steps >= last
            else f"; this is a short form of the source's, which needs {last:,}. "
        )
        + "Weights start from Glorot's uniform distribution on both sides. A row of the log is of one batch, before that "
        "batch changes the weights, and moves by some nats from batch to batch."
    )

# %%
drawn = tried(FIGURES["summary-log"], study) if ten is not None else None
if drawn is not None:
    present.figure(
        drawn,
        label="fig:summary-log",
        caption="The summary's log, and ours. Loss, reconstruction and KL term of single batches, lower is better, "
        "by step, counted from 0 as the source does. Orange crosses: the 20 rows that the source prints. Blue line: every one of our "
        "first steps, mean over seeds, the band their range; blue dots with bars: one step in 500. The left panel is "
        "the sum of the other two.",
        alt="Three panels with a logarithmic axis of steps: loss, reconstruction term and KL, each with "
        "a line that begins at step 0, dots and crosses.",
    )
    present.table(
        log_table(study),
        label="tbl:summary-log",
        runs=ten["run_id"].tolist(),
        data=drawn.data,
        caption="The same in numbers (nats, batch means, lower is better). *Loss*, *reconstruction*, *KL*: as the source prints them, "
        f"to two decimals. *Ours*: {means(len(ten))}.{read_rows_left_out(study)}",
    )
    present.prose(f"{read_log(study)} (@fig:summary-log, @tbl:summary-log.)")

# %% [markdown]
# ## What the KL does first {#sec:first-steps}
#
# The summary tells a story of two phases: first reconstruction and KL both fall, as the decoder learns
# the average image and the encoder moves to where the prior is; then they are traded against each
# other, the KL rising while the loss still falls. Its own log, of one step in 500, has hardly a place for the first
# phase.

# %%
drawn = tried(FIGURES["summary-first-steps"], study) if ten is not None else None
if drawn is None:
    present.prose("This study has not logged those steps.")
else:
    present.figure(
        drawn,
        label="fig:summary-first-steps",
        caption="Each of the first steps, counted from 0. Left: the KL of every batch, a line and a colour a seed; triangles mark where it is "
        "lowest (a mean over ten steps). Right: the same steps in the same colours, KL against reconstruction term.",
        alt="Two panels with the KL on a logarithmic axis: on the left against the step, with a triangle at "
        "each seed's lowest point; on the right against the reconstruction term.",
    )
    present.prose(f"""
{read_course(study)} (@fig:summary-first-steps.) That the KL does not end at zero is no merit of training as such. It is zero exactly
where the code says nothing of the image, and a model of structured images gains more by saying something than it pays for; single
dimensions do fall to zero all the same (@sec:activity).
""")

# %% [markdown]
# ## What it has learned {#sec:summary-pictures}

# %%
if ten is not None:
    errors = study.final(ten, "squared_error")["value"]
    kl = study.final(ten, "kl")["value"]
    present.prose(
        f"On test images the model with 10 latent dimensions has a KL of {mean_within(kl, 'kl').text(2)} nats, and its "
        f"reconstructions a squared error of {mean_within(errors, 'squared_error').text(2)}, summed over pixels. @fig:summary-reconstructions and "
        "@fig:summary-samples are the source's pictures, with test images in place of training images."
    )
    present.figure(
        FIGURES["summary-reconstructions"](study),
        label="fig:summary-reconstructions",
        caption="One hundred reconstructions. The first 100 test images in pairs, as in the source: counted from 0, even columns "
        "are reconstructions from the mean of the code, odd columns the originals.",
        alt="Ten rows of ten pairs of digits; in each pair a somewhat smoother digit stands left of its original.",
    )
    present.figure(
        FIGURES["summary-samples"](study),
        label="fig:summary-samples",
        caption="One hundred samples. Decoded means of codes drawn from the prior.",
        alt="Ten rows of ten decoded samples; many look like digits, some lie between two of them.",
        width="62%",
    )

# %% [markdown]
# ## A plane of digits {#sec:summary-plane}
#
# The same networks with two latent dimensions can be looked at whole.

# %%
if two is None:
    present.prose("This study has not trained that model.")
else:
    present.prose(
        "In @fig:summary-plane the source's two pictures stand side by side: codes at equal steps of the prior's probability, "
        "decoded; and the same codes coloured by the digit that they decode to, as a classifier names it (@sec:quality)."
    )
    present.figure(
        FIGURES["summary-plane"](study),
        label="fig:summary-plane",
        caption="The decoded plane, and the digit in each of its cells. Left: decoded means of codes at equal steps of the "
        "prior's probability. Right: the same cells in the colour of the digit that the classifier sees, paler where it is "
        "less sure; a figure stands in the middle of each digit's largest region.",
        alt="Left, a square of 20 by 20 digits that pass into one another. Right, the same square as a map in the "
        "colours of the digits, with a figure in the largest region of each.",
    )
    present.figure(
        FIGURES["summary-codes"](study),
        label="fig:summary-codes",
        caption="Test digits in the plane. Means of their codes. Left: by class, whose names stand at the medians. "
        "Right: by slant (@eq:slant), blue leaning to the left and red to the right.",
        alt="Two scatter plots of the same points: on the left ten colours, one for each digit, in regions that overlap in the "
        "middle; on the right colours from blue to red by slant.",
    )

# %% [markdown]
# The source reads two things from its pictures: that the plane encodes how digits are slanted, and that it
# falls into regions of single digits. Both can be counted on test digits. We take as a digit's slant the slope of
# its ink, from the moments of its intensities $p_i$ at places $(x_i, y_i)$, with $y$ counted downwards,
#
# $$ s = \frac{\sum_i p_i\, (x_i - \bar x)(\bar y - y_i)}{\sum_i p_i\, (y_i - \bar y)^2} , $$ {#eq:slant}
#
# zero for an upright digit and positive for one that leans to the right, and foretell it by the mean slant of the
# nearest other codes; the share of its variance that this explains is $R^2$. Since classes differ in slant, a plane that knew only
# the class would explain some of it: slants are therefore taken about their class's mean as well.

# %%
if two is not None:
    present.table(
        plane_table(study),
        label="tbl:summary-plane",
        runs=two["run_id"].tolist(),
        data=pd.concat([study.final(two, name) for name in METRICS]),
        caption="What the plane knows of the test digits: shares in per cent, "
        f"{means(len(two))}. Slants are foretold by the {NEIGHBOURS} nearest other codes.",
    )
    present.prose(f"{read_plane(study)} (@tbl:summary-plane.)")

# %% [markdown]
# ## The paper's own figures {#sec:aevb}
#
# The paper itself [@kingma2014] asks how the bound depends on the number of latent dimensions, and shows it as training goes on
# (its Fig. 2, for 3, 5, 10, 20 and 200 dimensions), with samples beside it (its Fig. 5, for 2, 5, 10 and 20). Its model has one hidden
# layer of 500 tanh units on either side; one sample an image and minibatches of 100 are drawn. The paper
# does not say how it makes binary pixels of grey ones, which global stepsize Adagrad ended up with (one of three, chosen on the first iterations), or
# whether its samples are draws or means. Ours are dynamically binarized pixels, Adam, Glorot's initial
# weights and no weight decay, where the paper has Adagrad, weights from $\mathcal N(0, 0.01)$ and a small decay from a Gaussian prior on them; pictures are of means.

# %%
if aevb is None:
    present.prose("This study has not trained that model; `config.yaml` has it.")
else:
    run = aevb.iloc[0]
    n_train = study.table("datasets").set_index("dataset")["n_train"][run["dataset"]]
    drawn = FIGURES["aevb-bounds"](study)
    present.figure(
        drawn,
        label="fig:aevb-bounds",
        caption="The bound against images evaluated, on training (solid) and test images (dashed); means over seeds, bands "
        "their range. A training value is the mean over an epoch's batches, while the model improves; a test value is taken at the "
        f"epoch's end. Images are counted as often as they are shown: {int(drawn.data['images'].max()):,} in all, {n_train:,} different ones.",
        alt="Panels with a logarithmic axis of images evaluated, one for each number of latent dimensions, with a solid curve for "
        "training and a dashed one for test images.",
    )
    present.table(
        aevb_table(study),
        label="tbl:aevb",
        runs=aevb["run_id"].tolist(),
        data=drawn.data,
        caption="Where the curves of @fig:aevb-bounds end, and the test NLL (nats) and active units there: "
        f"{means(aevb['seed'].nunique())}. Bounds: higher is better; NLL: lower is better.",
    )
    present.prose(
        f"The paper remarks that superfluous latent variables do not overfit. {read_overfitting(study)} (@tbl:aevb.) "
        "What becomes of dimensions in excess is the topic of @sec:effect-latent-dimension."
    )

# %%
if aevb is not None and drawn_levels(study):
    drawn = FIGURES["aevb-samples"](study)
    present.figure(
        drawn,
        label="fig:aevb-samples",
        caption="Samples from latent spaces of growing dimension: decoded means of codes from the prior, of the models of "
        "@fig:aevb-bounds." + read_filled(drawn, study.dataset),
        alt="Squares of ten by ten decoded samples, one for each number of latent dimensions.",
    )
