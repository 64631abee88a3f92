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
from vaestudy.figures import FIGURES
from vaestudy.figures.activity_data import (
    MARGIN,
    at_the_end,
    base_networks,
    figure_four,
    final_units,
    find_families,
    find_family,
    importance_weighted,
    with_usual_warmup,
    without_free_bits,
)
from vaestudy.figures.activity_heatmaps import shown_seed
from vaestudy.figures.activity_metric_prose import (
    WORTH,
    read_plateau,
    read_price,
    read_threshold,
)
from vaestudy.figures.activity_prose import (
    read_addition,
    read_course,
    read_latent_dimension,
    read_returns,
    read_ten,
    read_warmup,
)
from vaestudy.figures.activity_table import combinations, fate_table, size_table
from vaestudy.figures.cells import means
from vaestudy.figures.run_notes import weight_note
from vaestudy.report import present
from vaestudy.report.phrases import change, difference, final_mean
from vaestudy.study import Study

present.style()
study = Study.load(config)
base = study.config.base
threshold = study.config.evaluation.activity_threshold
seeds = len(study.config.seeds)
weighted = importance_weighted(study)
families = find_families(study)
vae = families[0]
iwae = find_family(study, **weighted) if weighted else None
plains = [vae, iwae] if iwae else [vae]


def gap_text(metric, a, b, more, less, unit="units", digits=1):
    gap = difference(study, metric, a.parameters, b.parameters)
    return change(gap, more, less, unit, digits)


# %% [markdown]
# # Latent dimension activity {#sec:activity}

# %%
vae_units = final_units(study).text(1)
iwae_text = (
    f"; of the importance-weighted autoencoder's, {final_units(study, **weighted).text(1)}"
    if iwae
    else ""
)
caution = (
    f"They come from {seeds} seeds a combination, too few for a verdict on any statement: what "
    "follows are estimates."
    if seeds < 5
    else ""
)
present.prose(f"""
Of the {base.n_z} latent dimensions that the base VAE is given, {vae_units} are in use when training
ends{iwae_text}. Which dimensions these are, when that is settled and what decides it is the subject
of this section. The draft that we follow [@bettencourt2016] stops in the middle of its first
sentence here and leaves headings and four pictures; the text and the measurements are ours.
{caution}
""")

# %% [markdown]
# ## The activity metric {#sec:activity-metric}
#
# A dimension is in use if the code it receives depends on the image. @burda2016 measure how much
# by the variance, over the data, of the mean that the encoder gives it,
#
# $$ A_u = \operatorname{Var}_{x}\bigl( \mathbb E_{q_\phi(z \mid x)}[z_u] \bigr)
#        = \operatorname{Var}_{x}\bigl( \mu_u(x) \bigr) , $$ {#eq:activity}
#
# and call it active when $A_u$ exceeds 0.01. We take the variance over the test images. Why the
# variance of the mean, and not of the code itself? By the law of total variance a code's spread
# over the data has two parts,
#
# $$ \operatorname{Var}(z_u) = \operatorname{Var}_x\bigl(\mu_u(x)\bigr)
#    + \mathbb E_x\bigl[\sigma_u^2(x)\bigr] , $$ {#eq:total-variance}
#
# and training presses their sum towards 1, the variance of the prior, whether the dimension is
# used or not. A dimension that ignores the image has $\mu_u = 0$ and $\sigma_u = 1$ throughout:
# all of its spread is noise. One that pins the image down has a small $\sigma_u$, and nearly all
# of its spread is signal. $A_u$ is the part that is signal.
#
# Its companion is the dimension's share of the KL term, the mean over images of its summand in
# @eq:kl. The two are tied in one direction. For any fixed variance of $\mu_u$ that summand is
# least when $\mu_u$ has mean zero and $\sigma_u = 1$, so
#
# $$ \mathbb E_x\bigl[\mathrm{KL}_u\bigr] \;\ge\; \tfrac12 A_u : $$ {#eq:price}
#
# activity has a price, in nats. The converse does not follow, since a posterior can be narrow, or
# off centre, in the same way for every image; such a dimension would pay without carrying
# anything.
#
# ### Where to draw the line {#sec:threshold}

# %%
comparable = without_free_bits(base_networks(study))
low, high = threshold / MARGIN, threshold * MARGIN
present.prose("""
A threshold is only as good as the gap it falls into. @fig:activity-histogram shows what lies on either side of it.
""")
present.figure(
    FIGURES["activity-histogram"](study),
    label="fig:activity-histogram",
    caption=f"Where the threshold of {threshold:g} (line) falls. (a) Activity at the end of "
    f"training of all {comparable['n_z'].sum():,} latent dimensions of {len(comparable)} models: those "
    "of the base model's hidden layers, decoder and pixels, with plain encoder heads and without free bits; "
    "dimensions above the threshold in blue. (b) Active units of "
    "the four models of @fig:activity-heatmaps as a function of the threshold, means over seeds; "
    "where a line is level, the threshold does not matter. The shaded band spans half a decade "
    f"either way, from {low:.2g} to {high:.2g}.",
    alt="Left, a histogram of activity on a logarithmic axis with the threshold drawn as a line. "
    "Right, decreasing step curves, one a model, of the number of units above each threshold.",
)
present.prose(f"""
Of the dimensions of @fig:activity-histogram,
{read_threshold(study)} {read_plateau(study, figure_four(study))}
The
models that take the draft's equations for the heads at their word are left out of the histogram:
a sigmoid holds $\\mu_u$ within $(0, 1)$, and batch normalization of the heads sets its variance
outright (@sec:effect-batch-norm), so that their $A_u$ means something else. So are other networks and decoders, whose
dimensions have a scale of their own, and free bits, which let every dimension have its first nats for nothing.
""")

# %% [markdown]
# ### Why the KL term prunes {#sec:why-prune}
#
# The draft notes in its margin that the reason is owed. Here it is. Let the decoder ignore
# dimension $u$, as it nearly does when its weights are small. The bound @eq:elbo then depends on
# this part of the encoder through the KL term alone, whose gradients are
#
# $$ \frac{\partial\, \mathrm{KL}_u}{\partial \mu_u} = \mu_u , \qquad
#    \frac{\partial\, \mathrm{KL}_u}{\partial \log \sigma_u^2}
#    = \tfrac12 \bigl(\sigma_u^2 - 1\bigr) , $$ {#eq:pull}
#
# and descending them leads straight to $\mu_u = 0$, $\sigma_u = 1$ for every image: to the prior,
# where the term takes its least value, 0. What the encoder says through $u$ fades; and once $z_u$
# is noise that knows nothing of $x$, a decoder weight on it can only blur the reconstruction, so
# the decoder's weights fade too. Each side has good reason to drop what the other has dropped. A
# dimension stays out of this only if, early on, what it tells the decoder is worth more nats of
# reconstruction than it costs.
#
# How much is that? For a linear decoder the answer is exact [@lucas2019]. Let the data have
# variance $\lambda$ along a direction, and the decoder leave noise of variance $s^2$ there. The
# best bound has a dimension for that direction if $\lambda > s^2$, and then
#
# $$ A_u = 1 - \frac{s^2}{\lambda} , \qquad \sigma_u^2 = 1 - A_u , \qquad
#    \mathrm{KL}_u = \tfrac12 \ln\frac{\lambda}{s^2} = -\tfrac12 \ln (1 - A_u) ; $$ {#eq:linear}
#
# if $\lambda \le s^2$ the best use of the dimension is none. Two things follow. Pruning is not in
# itself a failure of the optimiser: at the optimum the KL term removes whatever varies less than
# the noise that the decoder assumes, much like automatic relevance determination [@mackay2001;
# @dai2020]. And the pruned state is not a trap as long as $\lambda > s^2$: it is then a saddle,
# from which the dimension grows back, slowly if $\lambda$ exceeds $s^2$ by little. Early in
# training the decoder is poor, $s^2$ is in effect large, and most dimensions are not worth their
# price; as the fit improves, $s^2$ falls and more of them are. If networks behave like the linear
# model, dimensions should be pruned early and *return* later. Whether they do is measured in
# @sec:effect-warmup.

# %%
present.figure(
    FIGURES["activity-kl"](study),
    label="fig:activity-kl",
    caption="What activity costs: KL of each latent dimension against its activity at the end of "
    f"training, all seeds, $n_z = {base.n_z}$. No dimension can lie below the solid line "
    "(@eq:price); those of a linear model at its optimum lie on the dashed one (@eq:linear). The "
    "vertical line is the threshold.",
    alt="Scatter plot on logarithmic axes of the KL of every dimension against its activity, with "
    "the lower bound as a solid line and the linear model's curve as a dashed one.",
)
present.prose(
    "@fig:activity-kl sets the two measures side by side for trained networks. "
    + read_price(study, with_usual_warmup(study))
)

# %% [markdown]
# ## Effects of implementation on activity {#sec:effects}

# %%
shown = figure_four(study)
letters = dict(zip((f.label for f in shown), "abcd", strict=False))
named = ", ".join(f"({letter}) {label}" for label, letter in letters.items())
missing = 4 - len(shown)
absent = f" (without {missing} of them, which this study has not trained)" if missing else ""
present.prose(f"""
The draft's Figure 4 shows four models through training{absent}; @fig:activity-heatmaps repeats it,
@fig:kl-heatmaps gives the same dimensions' KL, and @fig:active-units counts the active ones, for
these models and others.
""")
present.figure(
    FIGURES["activity-heatmaps"](study),
    label="fig:activity-heatmaps",
    caption=f"Activity of every latent dimension at every epoch: {named}; seed "
    f"{shown_seed(shown[0])}, Bernoulli decoder, $n_z = {base.n_z}$. Rows are dimensions, the "
    "most active at the end on top. The colour scale is logarithmic, sand where a dimension is "
    f"inactive and blue where it is active; it changes at the threshold of {threshold:g}, marked "
    "on the bar. Epoch 0 is the untrained model"
    + ("; a dashed line ends the warm-up." if any(f.warmup for f in shown) else "."),
    alt="Heat maps of dimension by epoch, one a model. Blue cells are active, sand-coloured ones "
    "inactive.",
)
present.figure(
    FIGURES["kl-heatmaps"](study),
    label="fig:kl-heatmaps",
    caption="KL of every latent dimension at every epoch, for the models and in the order of rows "
    "of @fig:activity-heatmaps. The colour scale is logarithmic and ends with the largest KL of any "
    "dimension after the last epoch; what is higher earlier is drawn like it.",
    alt="Heat maps of dimension by epoch, one a model; darker cells have a larger KL.",
)
present.figure(
    FIGURES["active-units"](study),
    label="fig:active-units",
    caption="Active units through training of the VAE and of the importance-weighted "
    "autoencoder, plain and with batch normalization (BN), warm-up (WU) and both; $n_z = "
    f"{base.n_z}$. Lines are means over seeds, bands their range. A dotted vertical line ends the "
    "warm-up.",
    alt="Two panels of curves of the number of active units by epoch, one curve a combination.",
)
present.prose(read_course(study, vae))

# %% [markdown]
# ### Importance weighting {#sec:effect-importance-weighting}

# %%
present.prose("""
The importance-weighted bound (@eq:iwae) has no KL term of its own, but charges for the same
thing. For a dimension that the decoder ignores, each of the $K$ weights contains a factor
$p(z_u)/q_\\phi(z_u \\mid x)$ that the rest of the model does not see; with $K = 1$ the mean of
its logarithm is minus the KL, and as $K$ grows the average within the logarithm brings the charge
towards zero. Straying from the prior is cheaper, and pruning should be weaker; @burda2016 find
more active units in their importance-weighted models than in their VAEs.
""")
if iwae is None:
    present.prose(
        "This study has trained no importance-weighted model of the base size beside the base model."
    )
else:
    nats = gap_text("kl", iwae, vae, "is higher by", "is lower by", "nats", 2)
    present.prose(f"""
{read_addition(study, iwae, vae, f"importance weighting with $K = {weighted['k']}$", "000.iw-more-active")} The KL of
all dimensions together {nats}.
""")

# %% [markdown]
# ### Batch normalization {#sec:effect-batch-norm}

# %%
told = [
    read_addition(study, normal, plain, "batch normalization of the hidden layers", claim)
    for plain, claim in zip(plains, ("000.bn-more-active-vae", "000.bn-more-active"), strict=False)
    if base.batch_norm == "none"
    and (normal := find_family(study, **{**plain.parameters, "batch_norm": "hidden"}))
]
present.prose(f"""
That batch normalization keeps more units active is one of the statements to be tested. Normalised
hidden layers pass on signals, and gradients, of one scale from the first step on, so that the
decoder can come to use a dimension before @eq:pull has emptied it.
{" ".join(told) or "This study has not trained the base model both with it and without."}
""")

# %%
if study.has(batch_norm="all"):
    on_heads = at_the_end(study, study.runs(batch_norm="all"))
    heads_nll = gap_text("nll", find_family(study, batch_norm="all"), vae,
                         "is higher than the base model's by", "is lower than the base model's by",
                         "nats", 2)  # fmt: skip
    present.prose(f"""
On hidden layers it leaves $A_u$ a measurement. On the encoder's two heads it does not: the batch
variance of a normalised $\\mu_u$ is $\\gamma_u^2$, a learned constant, so that @eq:activity
measures a parameter of the network, and a dimension counts as active if $\\lvert\\gamma_u\\rvert >
{threshold**0.5:g}$. With batch normalization on all layers
{final_units(study, batch_norm="all").text(1)} units of the VAE count as
active, with activities from {on_heads["activity"].min():.2g} to {on_heads["activity"].max():.2g};
its KL is {final_mean(study, "kl", {"batch_norm": "all"}).text()} nats, and its test NLL
{heads_nll}.
""")

# %% [markdown]
# ### Warm-up {#sec:effect-warmup}
#
# Two statements of the draft concern us here, the second as the reason for the first: that
# dimensions once pruned are never reactivated, and that warm-up (@eq:warmup) therefore helps, by
# giving them the time to become useful before the KL term is at full strength. We follow every
# dimension through training and call it *pruned* when it falls from above the threshold to below,
# and *returned* when it is later above again. A dimension that hovers about the threshold would
# do both by accident. It has *clearly* returned when it later exceeds the threshold by half a
# decade, and returned *to stay* when it ends a whole decade above it.

# %%
table = fate_table(study, families)
present.table(
    table,
    label="tbl:fates",
    runs=[run for family in families for run in family.runs["run_id"]],
    caption=f"What becomes of {base.n_z} latent dimensions, Bernoulli decoder: the fewest active "
    "after any epoch of training and the epoch when; dimensions pruned; and those of them that returned, "
    f"returned clearly (above {high:.2g}) and to stay (above {10 * threshold:.2g} at the end). "
    f"{means().capitalize()}; where seeds agree both are of no width, which with few seeds is no "
    "certainty.",
)
present.prose(read_returns(study, vae))

# %%
told = [
    read_warmup(study, warm, plain)
    for plain in plains
    if (warm := find_family(study, **{**plain.parameters, "warmup": ...}))
]
present.prose(
    "\n\n".join(told) or "This study has trained the base model with one warm-up, or none."
)
if len(study.levels("warmup")) > 1:
    present.figure(
        FIGURES["active-units-warmup"](study),
        label="fig:active-units-warmup",
        caption="Active units through training for every length of the warm-up that was tried; 0 "
        f"is none. Means over seeds, bands their range; $n_z = {base.n_z}$.{weight_note(study.runs(warmup=...))}",
        alt="Curves of the number of active units by epoch, darker for longer warm-ups.",
    )
    lengths = study.levels("warmup")
    ends = [f"{n} epochs: {final_units(study, warmup=n).text(1)}" for n in lengths]
    present.prose(
        "@fig:active-units-warmup varies the length. Active units of the VAE at the end by "
        f"length: {'; '.join(ends)}. @sec:warmup tells what the same lengths do to the likelihood."
    )

# %% [markdown]
# ### Initial latent dimension {#sec:effect-latent-dimension}

# %%
sizes = study.levels("n_z")
if len(sizes) > 1:
    present.prose("""
The draft supposes that dimensions beyond ten are superfluous, on the ground that the bounds look
alike from there on and that there are ten digits.
""")
    present.figure(
        FIGURES["active-units-n-z"](study),
        label="fig:active-units-n-z",
        caption="Active units (a) and KL from the prior (b) at the end of training against the "
        "number of latent dimensions a model starts with. Large markers are means with 95 % "
        "intervals over seeds, small ones the seeds; where an interval is wider than the axis it "
        "is cut. On the dotted line every dimension is active. Models at one $n_z$ are drawn side "
        "by side.",
        alt="Two panels over the number of latent dimensions: active units with the identity "
        "line, and the KL; one line a model.",
    )
    several = [plain for plain in plains if len(study.levels("n_z", **plain.parameters)) > 1]
    present.table(
        size_table(study, several, WORTH),
        label="tbl:active-n-z",
        runs=[run for plain in several for run in study.runs(
            **{**plain.parameters, "n_z": ...})["run_id"]],
        caption="Active units at the end of training by number of latent dimensions, and units "
        f"whose KL is over {WORTH:g} nats, a stricter count; "
        f"{means(seeds)}.",
    )  # fmt: skip
    present.prose(f"""
@tbl:active-n-z gives a more direct answer than bounds that look alike: a
dimension that the model keeps at a price in nats is not superfluous to it.
{" ".join(read_latent_dimension(study, family) for family in several)} What more dimensions do for
the likelihood is shown in @sec:latent-dimension. As for ten being what the digits ask for:
{read_ten(study)} @burda2016 report 19 to 25 active units, of 50, for models with one stochastic
layer on the full data set.
""")
else:
    present.prose("This study has trained the base model at one number of latent dimensions only.")

# %% [markdown]
# ### All combinations {#sec:combinations}

# %%
shown_table, numbers = combinations(study)
diverged = int((study.table("runs")["status"] != "finished").sum())
gauss_text = ""
if gaussian := find_family(study, likelihood="gaussian"):
    gap = gap_text("active_units", gaussian, vae, "is higher than with the Bernoulli by",
                   "is lower than with the Bernoulli by")  # fmt: skip
    gauss_text = f" With a Gaussian decoder the number of active units of the base VAE {gap}."
present.prose(
    f"@tbl:combinations lists every combination of the base model's data and hidden layers, {len(shown_table)} in "
    "all; models of other data or layers stand in their chapters."
    + gauss_text
    + (
        f" {diverged} runs diverged and are missing from the means."
        if diverged
        else " No run diverged."
    )
)
present.table(
    shown_table,
    label="tbl:combinations",
    data=numbers,
    runs=study.table("runs")["run_id"].tolist(),
    caption="Active units, test NLL and KL from the prior (nats) at the end "
    f"of training; {means()}. BN: layers with batch "
    "normalization; WU: epochs of warm-up. The NLL of a Gaussian decoder is a density's and does "
    "not compare with a Bernoulli's (@sec:likelihood). It is estimated with "
    f"{study.config.evaluation.n_samples:,} samples an image. Departures from the base model that "
    "have no column stand with the model's name, at the end of the table.",
)
