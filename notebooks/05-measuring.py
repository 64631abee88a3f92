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
import math

from vaestudy.figures import FIGURES
from vaestudy.figures.cells import means
from vaestudy.figures.measuring_data import (
    GAPS,
    INFORMATION,
    LIKELIHOOD,
    QUALITY,
    by_family,
    by_run,
    differences_by_family,
    error_of,
    has,
    n_images,
    of_base,
    threshold_table,
    yardstick,
)
from vaestudy.figures.measuring_prose import (
    change_of_number,
    compared,
    read_ceiling,
    read_check,
    read_costs,
    read_counts,
    read_distance,
    read_weighting,
    tell,
    told,
)
from vaestudy.figures.spans import OF_PERCENT
from vaestudy.report import present
from vaestudy.report.phrases import change, difference
from vaestudy.sample_measures import MEMORISED_QUANTILE
from vaestudy.stats import mean_interval, number
from vaestudy.study import Study, tried

present.style()
study = Study.load(config)
base, settings = study.config.base, study.config.evaluation
iwae = study.iwae


def vae(metric, digits, scale=1):
    """Tell the base model's mean of a measurement."""
    return told(study, metric, digits, scale)


def prose_of_base(make):
    """Show a paragraph about the base model, if it is among what was measured."""
    present.prose(tried(make) or "The base model is not among the models that were measured so.")


def show_differences(runs, columns, label):
    """Show the differences of a table's models, seed by seed."""
    differences = differences_by_family(runs, columns)
    if differences is not None:
        present.table(
            differences,
            label=f"{label}-differences",
            caption=f"The columns of @{label}, each model less the {runs['label'].iloc[0]}, seed by seed; {compared(runs, paired=True)}.",
            runs=runs["run_id"].tolist(),
            data=runs,
        )


def bars(runs):
    """Say in a caption what bars are, and the lines on them, if there are any."""
    several = runs["label"].duplicated().any()
    lines = "means over seeds, lines 95 % intervals (cut where they leave the panel)"
    return lines if several else "one run each"


def spread(values, digits):
    """Say how far the means of the families lie apart."""
    lowest, highest = values.min(), values.max()
    return f"between {number(lowest, digits)} and {number(highest, digits)}"


# %% [markdown]
# # Measuring {#sec:measuring}
#
# Every comparison so far rests on two numbers, an estimate of the test NLL and a count of active
# dimensions. Both have their weaknesses: the estimate is a bound whose slack depends on the encoder, the
# count on a threshold. This section measures the same models by other means, and asks of each number
# how far it can be trusted.
#
# ## Annealed importance sampling {#sec:annealing}
#
# The estimate of @eq:nll is low where the encoder is a bad proposal, and an encoder that serves the
# training objective need not be a good one. Annealed importance sampling [@neal2001; @wu2017] needs the encoder at
# most as a place to start. Chains walk from a base $q_0(z)$ to the joint $p_\theta(x, z)$ through
#
# $$ f_t(z) = q_0(z)^{1 - \beta_t}\, p_\theta(x, z)^{\beta_t}, \qquad 0 = \beta_0 < \dots < \beta_T = 1 , $$ {#eq:annealing}
#
# by one Hamiltonian transition at each temperature, and carry weights $w$ with $\mathbb E[w] = p_\theta(x)$, so
# that $\log \frac1C \sum_c w_c$ over $C$ chains is a bound from below as well. How close it comes can be checked on images
# that the model has made itself [@grosse2015]: there an exact posterior sample is known, chains that
# start from it and walk backwards give a bound from above, and the distance of the two is the most
# that annealing with these settings leaves, on images like these.

# %%
if has(study, "ais_nll"):
    runs = by_run(study, LIKELIHOOD)
    present.figure(
        FIGURES["annealed"](study),
        label="fig:annealed",
        caption=f"Two estimates of the NLL of the same {n_images(study, 'ais_nll')} test images, a row of points a run: plain importance "
        f"sampling with {settings.n_samples:,} samples and annealed importance sampling with {settings.ais.n_chains} chains of "
        f"{settings.ais.n_temperatures} temperatures. The bar reaches as far below the annealed estimate as the two bounds of "
        "the bidirectional check (BDMC) lie apart on simulated images.",
        alt="For each model an open point, the plain estimate, and a filled one, the annealed estimate, on a line, and a bar "
        "to the left of the filled one.",
        width="85%",
    )
    present.table(
        by_family(runs, LIKELIHOOD),
        label="tbl:annealed",
        caption=f"Plain and annealed NLL of the same images (nats), what the plain estimate leaves, the gap of the bidirectional check on "
        f"simulated images, and the effective number of chains, of {settings.ais.n_chains}; {compared(runs)}.",
        runs=runs["run_id"].tolist(),
        data=runs,
    )
    show_differences(runs, LIKELIHOOD, "tbl:annealed")
    start = "the encoder's $q_\\phi(z \\mid x)$" if settings.ais.base == "encoder" else "the prior"

    def annealed(gap):
        text = change(gap, "raises the NLL by", "lowers the NLL by")
        return f" On these images and by the annealed estimate, training with importance weights {text}."

    def tell_annealing():
        own = of_base(study, runs)
        several = runs["label"].duplicated().any()
        average = "on average over a model's seeds " if several else ""
        left = tell(mean_interval(own["left"]), error_of(own, "left"), 2)
        return f"""
With {start} as the base, annealing finds {left} nats more of the VAE than {settings.n_samples:,} importance
samples do, and {average}{spread(runs.groupby("label")["left"].mean(), 2)} for the models of @tbl:annealed (@fig:annealed). The check on simulated
images gives the VAE a gap of {vae("bdmc_gap", 2)} nats, {read_check(own)}, and of {settings.ais.n_chains} chains {vae("ais_effective_chains", 1)} count;
its Hamiltonian proposals are accepted at a rate of {vae("ais_acceptance", 2)}.{read_weighting(study, "ais_nll", annealed)} An estimate that moves by more than
the difference of two models cannot rank them; one that moves all models alike still can. For
scale: @wu2017 found 0.8 nat beneath the bound of 100,000 samples.
"""

    prose_of_base(tell_annealing)
else:
    present.prose("This study was not annealed: its configuration has no `ais`.")

# %% [markdown]
# ## What the ELBO leaves {#sec:gaps}
#
# The ELBO lies below $\log p_\theta(x)$ by $D_{\mathrm{KL}}(q_\phi(z \mid x) \,\|\, p_\theta(z \mid x))$. @cremer2018 divide that
# distance by asking what the best factorised Gaussian $q^*$ for the single image could reach:
#
# $$ \underbrace{\log p_\theta(x) - \mathcal L[q^*]}_{\text{approximation gap}}
#    + \underbrace{\mathcal L[q^*] - \mathcal L[q_\phi]}_{\text{amortization gap}} . $$ {#eq:gaps}
#
# The first is the price of the family, the second that of an encoder which has to serve all images at once.
# We find $q^*$ by gradient ascent from the encoder's answer, and take the annealed estimate for $\log p_\theta(x)$;
# the approximation gap is as far too small as that estimate is too low.

# %%
if has(study, "approximation_gap"):
    runs = by_run(study, GAPS)
    present.figure(
        FIGURES["inference-gaps"](study),
        label="fig:inference-gaps",
        caption=f"What lies between the ELBO and the annealed log-likelihood of {n_images(study, 'approximation_gap')} test images, by @eq:gaps; {bars(runs)}.",
        alt="A stacked horizontal bar for each model: the approximation gap, then the amortization gap.",
        width="85%",
    )
    present.table(
        by_family(runs, GAPS),
        label="tbl:gaps",
        caption=f"Approximation and amortization gap, and their sum, in nats; {compared(runs)}.",
        runs=runs["run_id"].tolist(),
        data=runs,
    )
    show_differences(runs, GAPS, "tbl:gaps")
    negative = (
        " Where an approximation gap is below zero by more than its error, annealing fell short of $\\mathcal L[q^*]$: more "
        "temperatures or chains would be needed."
        if runs["approximation_gap"].min() < 0
        else ""
    )

    def widened(wider):
        lazier = difference(study, "amortization_gap", iwae, {})
        return f""" Importance weighting {change(wider, "widens the approximation gap by", "narrows the approximation gap by")}; the
amortization gap it {change(lazier, "widens by", "narrows by")}. Wider ones are to be expected: it asks for a $q_\\phi$ from which one
of {iwae["k"]} samples is good, and no longer for a posterior that is near a factorised Gaussian."""

    def tell_gaps():
        return f"""
For the VAE the approximation gap is {vae("approximation_gap", 2)} nats and the amortization gap {vae("amortization_gap", 2)}: {read_costs(of_base(study, runs))}
(@fig:inference-gaps, @tbl:gaps).{negative}{read_weighting(study, "approximation_gap", widened)}
Cremer et al. [-@cremer2018] report gaps of 1.4 and 1.3 nats for a model of theirs.
"""

    prose_of_base(tell_gaps)
else:
    present.prose("This study has no gaps: its configuration has no `gaps`.")

# %% [markdown]
# ## Information in the code {#sec:information}
#
# How much the code says about the image is bounded by how many images there are to tell apart. With
# the aggregate posterior $q(z) = \frac1N \sum_n q_\phi(z \mid x_n)$ the mean KL term divides [@hoffman2016] into
#
# $$ \frac1N \sum_n D_{\mathrm{KL}}\bigl(q_\phi(z \mid x_n) \,\|\, p(z)\bigr) = I(n; z) + D_{\mathrm{KL}}\bigl(q(z) \,\|\, p(z)\bigr),
#    \qquad I(n; z) \le \ln N , $$ {#eq:information}
#
# the mutual information of code and image, and the marginal KL. The second tells how far the codes taken together
# are from the prior that samples are drawn from. It buys nothing: only the first describes images.
#
# A count of active dimensions needs a threshold. Where dimensions share the KL unequally, an effective
# number does without one [@hill1973]: with shares $p_u$ of the mean KL,
#
# $$ D_1 = \exp\Bigl(-\sum_u p_u \ln p_u\Bigr), \qquad D_2 = \frac{1}{\sum_u p_u^2} , $$ {#eq:effective}
#
# each of them $k$ if $k$ dimensions share it equally.

# %%
if has(study, "mutual_information"):
    runs = by_run(study, INFORMATION)
    n = n_images(study, "mutual_information")
    present.figure(
        FIGURES["information"](study),
        label="fig:information",
        caption=f"Left: the mean KL of the code over {n:,} test images, divided by @eq:information, and the most that the first part can be, "
        f"$\\ln N \\approx {math.log(n):.2f}$. Right: active dimensions, and the effective numbers $D_1$ and $D_2$ of @eq:effective. {bars(runs).capitalize()}.",
        alt="Left, stacked bars of mutual information and marginal KL, and a vertical line. Right, three marks for each model: "
        "active units and two effective numbers of dimensions.",
    )
    present.table(
        by_family(runs, INFORMATION),
        label="tbl:information",
        caption=f"Mutual information and marginal KL (nats), effective and active dimensions; {compared(runs)}.",
        runs=runs["run_id"].tolist(),
        data=runs,
    )
    show_differences(runs, INFORMATION, "tbl:information")
    present.prose(read_ceiling(runs, n))

    def tell_information():
        own = of_base(study, runs)
        share = mean_interval(
            100 * own["mutual_information"] / (own["mutual_information"] + own["marginal_kl"])
        ).within(*OF_PERCENT)
        warm = None if base.warmup else tried(lambda: study.warmup)
        drift = warm and tried(lambda: difference(study, "marginal_kl", warm, {}))
        moved = drift and change(
            drift, "raises the marginal KL of the VAE by", "lowers that of the VAE by"
        )
        return f"""
In per cent of the VAE's KL term mutual information is {share.text(0)}; the rest is the distance between the codes and
the prior that samples come from.{f" Warm-up {moved}." if moved else ""} {read_counts(own)}
"""

    prose_of_base(tell_information)
else:
    present.prose("This study did not divide the KL term: its configuration has no `information`.")

# %%
drawn = tried(FIGURES["activity-density"], study)
if drawn is None:
    present.prose("Heads that bound or normalise $\\mu$ leave no activity to compare here.")
else:
    present.figure(
        drawn,
        label="fig:activity-density",
        caption="Activity of all latent dimensions of all runs with unchanged heads and the base model's hidden layers and decoder, by objective. Left: its density on "
        f"a logarithmic axis. Right: the share of dimensions with more activity. The line is the threshold of {settings.activity_threshold:g}.",
        alt="Left, density curves over activity on a logarithmic axis with a vertical line at the "
        "threshold. Right, falling curves.",
    )
    present.table(
        threshold_table(study),
        label="tbl:thresholds",
        caption="Dimensions of @fig:activity-density that count as active, by where the threshold is drawn: share of those of all runs of a "
        f"seed; {means()}.",
        runs=drawn.runs,
    )
    present.prose("""
How much depends on the threshold shows in the density of $A_u$ over runs (@fig:activity-density, @tbl:thresholds). Where it
has a gap, all thresholds within the gap count the same; outside one, the count moves with the threshold.
""")

# %% [markdown]
# ## Samples, judged {#sec:quality}
#
# A likelihood does not show what samples look like. A small convolutional classifier of the data set, trained once
# on grey and on binary images, serves as the judge. It names the class of each sample, and its last hidden
# layer gives features, whose means $m$ and covariances $C$ over samples and over training images are compared by
# the squared Fréchet distance of the normal distributions that have them [@heusel2017], which we call the Fréchet
# distance as others do,
#
# $$ \lVert m_1 - m_2 \rVert^2 + \operatorname{tr}\bigl( C_1 + C_2 - 2\,(C_1 C_2)^{1/2} \bigr) . $$ {#eq:frechet}
#
# Samples are judged twice: as *drawn* pixels, which is what the model says of data, against images binarized
# alike; and as decoder *means*, which are free of the pixels' own noise, against the images' own means (grey ones,
# unless a threshold made them black and white). The features are not those of the network that other papers use, so
# the distances compare within this report only.

# %%
if has(study, "fid"):
    runs = by_run(study, QUALITY)
    floor, floor_means = yardstick(study, "fid_floor"), yardstick(study, "fid_floor_of_means")
    accuracy, sure = yardstick(study, "test_accuracy"), yardstick(study, "test_confidence")
    present.table(
        by_family(runs, QUALITY),
        label="tbl:quality",
        caption=f"Quality of {settings.quality.n_samples:,} samples: Fréchet distance from the training images; mean confidence of the classifier on drawn "
        "pixels; balance, the effective number of predicted classes over all classes; its accuracy on reconstructions of "
        f"test images; and the share of drawn samples nearer to a training image than the nearest {100 * MEMORISED_QUANTILE:.0f} % of test "
        f"images; {compared(runs)}. Test images themselves have distances of {number(floor, 1)} (drawn) and "
        f"{number(floor_means, 1)} (grey), a confidence of {number(sure, 3)} and an accuracy of {number(accuracy, 3)}.",
        runs=runs["run_id"].tolist(),
        data=runs,
    )
    show_differences(runs, QUALITY, "tbl:quality")
    worst = runs["memorised"].max()
    present.prose(
        f"The classifier names {100 * accuracy:.1f} % of the test images rightly and is sure of them to {number(sure, 3)} on average."
    )

    def moved_away(gap):
        text = change_of_number(gap, "raises the distance by", "lowers the distance by", 1)
        return f" Importance weighting {text}."

    def kept(gap):
        text = change_of_number(gap.times(100), "raises that number by", "lowers that number by", 1)
        return f", and importance weighting {text}"

    def tell_quality():
        return f"""
Of the VAE's samples the classifier is sure to {vae("sample_confidence", 3)}, and their Fréchet distance of {vae("fid", 1)} stands
against {number(floor, 1)} for test images (@tbl:quality), {read_distance(study)}.{read_weighting(study, "fid", moved_away)} Reconstructions
of the VAE keep the class in {vae("reconstruction_accuracy", 1, scale=100)} of a hundred cases{read_weighting(study, "reconstruction_accuracy", kept)}.
"""

    prose_of_base(tell_quality)
else:
    present.prose("This study's samples were not judged: its configuration has no `quality`.")

# %%
drawn = tried(FIGURES["nearest-training-image"], study)
if drawn is None:
    present.prose("The base model is told classes: it draws no samples without one.")
else:
    present.figure(
        drawn,
        label="fig:nearest-training-image",
        caption="A check for memorisation, with the base VAE. Of 1,000 drawn samples, for each digit, the one closest to a training image of "
        "that digit, above that image; below, the same for test images. Distances are Euclidean, from "
        "drawn pixels to training images.",
        alt="Four rows of digits: samples, their nearest training images, test images, and theirs.",
    )
    closest = drawn.data.groupby("kind")["distance"].min()
    remark = (
        f" In no run of @tbl:quality do more than {100 * worst:.1f} % of the samples come nearer to the training set than "
        f"the nearest {100 * MEMORISED_QUANTILE:.0f} % of the test images do: nothing here suggests that samples are copies."
        if has(study, "memorised") and worst <= 2 * MEMORISED_QUANTILE
        else f" In the run most suspect {100 * worst:.1f} % of the samples come nearer to the training set than the nearest "
        f"{100 * MEMORISED_QUANTILE:.0f} % of the test images do."
        if has(study, "memorised")
        else ""
    )
    present.prose(f"""
A model could also draw good samples by remembering images. The closest of 1,000 samples is {number(closest["sample"], 1)} away from a training
image, the closest test image {number(closest["test"], 1)} (@fig:nearest-training-image).{remark}
""")
