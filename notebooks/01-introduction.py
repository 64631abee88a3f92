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
from vaestudy.figures.introduction_prose import read_bias, read_outcome, read_units
from vaestudy.report import present
from vaestudy.report.phrases import difference, final_mean, pixels_text, scope
from vaestudy.study import Study, tried

present.style()
study = Study.load(config)
iwae_label = f"IWAE with $K = {study.iwae['k']}$"

# %%
weighting = difference(study, "nll", study.iwae, {})
norm = difference(study, "nll", {"batch_norm": "hidden"}, {})
warm = tried(lambda: difference(study, "nll", study.warmup, {}))
changes = [f"batch normalization by {norm.text(signed=True)}"]
changes += [] if warm is None else [f"warm-up by {warm.text(signed=True)}"]
present.abstract(f"""
A variational autoencoder is a small machine with many switches: the distribution its decoder
names, the bound it climbs, batch normalization, the schedule of its regularizer, the width of
its code. An unfinished draft of 2016 [@bettencourt2016] set out to turn them one by one and to
watch which latent dimensions stay alive, and stopped at its headings. We run the whole of
it: {scope(study)}. The base model ends at a test negative log-likelihood of
{final_mean(study, "nll").text()} nats with {read_units(study)} active. Against it, importance weighting changes the
NLL by {weighting.text(signed=True)} nats, {" and ".join(changes)}; brackets are 95 % intervals over paired seeds. Training
bounds of different objectives, which the draft compares, are tight to
different degrees and cannot rank models by themselves: models are compared here by one estimator on one
set of held-out pixels. {read_outcome(study)}
""")

# %% [markdown]
# # Introduction to variational autoencoders {#sec:introduction}
#
# A variational autoencoder [VAE, @kingma2014; @rezende2014] is a latent-variable model and the
# means to fit it. The model says how data come about: draw a code $z$ from a fixed prior $p(z)$,
# here $\mathcal N(0, I)$ in $n_z$ dimensions, and then the datum $x$ from
# $p_\theta(x \mid z)$, a distribution whose parameters a neural network, the *decoder*, computes
# from $z$. What one would like to maximise is the likelihood of the data under this story,
#
# $$ \log p_\theta(x) = \log \int p_\theta(x \mid z)\, p(z)\, \mathrm dz , $$ {#eq:marginal}
#
# and what one would like to know, given a datum, is the posterior $p_\theta(z \mid x)$ over its
# codes. With a network inside the integral neither has a closed form. A second network, the
# *encoder*, therefore learns an approximation to the posterior,
# $q_\phi(z \mid x) = \mathcal N\bigl(z; \mu_\phi(x), \operatorname{diag} \sigma_\phi^2(x)\bigr)$,
# with one pass per datum where classical variational inference would run an optimisation.
#
# ## The bound {#sec:bound}
#
# Jensen's inequality turns any such $q_\phi$ into a lower bound on @eq:marginal, the evidence
# lower bound (ELBO):
#
# $$ \log p_\theta(x) \;\ge\; \mathcal L(x)
#   = \mathbb E_{q_\phi(z \mid x)}\bigl[\log p_\theta(x \mid z)\bigr]
#   - D_{\mathrm{KL}}\bigl(q_\phi(z \mid x) \,\|\, p(z)\bigr) . $$ {#eq:elbo}
#
# The first term rewards codes from which the datum can be rebuilt. The second is what a code
# costs: how far, in nats, the encoder's answer for this datum departs from the answer it would
# give knowing nothing. The gap between the two sides of @eq:elbo is
# $D_{\mathrm{KL}}\bigl(q_\phi(z \mid x) \,\|\, p_\theta(z \mid x)\bigr)$, so raising the bound both
# improves the model and pulls the encoder towards the true posterior. For the Gaussian encoder
# and prior the cost has a closed form and falls apart into one term a dimension,
#
# $$ D_{\mathrm{KL}}\bigl(q_\phi(z \mid x) \,\|\, p(z)\bigr) = \tfrac12 \sum_{u=1}^{n_z}
#   \bigl( \mu_u^2 + \sigma_u^2 - 1 - \log \sigma_u^2 \bigr) , $$ {#eq:kl}
#
# which is why it makes sense to ask of each dimension separately what it costs and what it carries.
# That question is the subject of @sec:activity.
#
# A word on signs. Sources differ in whether $\mathcal L$ is to be raised or lowered; the draft
# whose sections we follow [@bettencourt2016] writes the *negative* of the bound as $\mathcal L$.
# Throughout this report bounds and log-likelihoods are in nats per image, summed over pixels, and
# higher is better; the negative log-likelihood (NLL) is $-\log p_\theta(x)$, and lower is better.
#
# ## Gradients through a sample {#sec:reparametrization}
#
# The expectation in @eq:elbo is estimated by sampling, and a sample from $q_\phi$ has no
# derivative with respect to $\phi$. Written as
#
# $$ z = \mu_\phi(x) + \sigma_\phi(x) \odot \epsilon, \qquad \epsilon \sim \mathcal N(0, I), $$ {#eq:reparametrization}
#
# it has: the randomness is now an input, and $z$ a smooth function of the encoder's outputs. One
# such sample per datum and step is enough in practice, because a batch averages over many.
#
# ## What is measured, and how {#sec:measures}
#
# Bounds are what models are trained on, but not what they should be compared by: two bounds differ
# in how tight they are as well as in how good their models are. Every comparison of
# likelihoods in this report is made by an estimate of @eq:marginal itself, on test images, by
# importance sampling with the encoder as the proposal [@rezende2014; @burda2016]:
#
# $$ \log \hat p(x) = \log \frac1S \sum_{s=1}^{S} \frac{p_\theta(x \mid z_s)\, p(z_s)}{q_\phi(z_s \mid x)},
#   \qquad z_s \sim q_\phi(z \mid x) . $$ {#eq:nll}
#
# In expectation it, too, is a lower bound, and one that tightens as $S$ grows, so it is the same
# estimator with the same $S$ for every model. An encoder may miss codes that could have made a test image, and the
# samples' own error does not tell. Half of them are therefore drawn from the prior, and the denominator is the density of that
# mixture, of models that are trained for no bound (@sec:plus-divergences) or with a KL weight below 1, whose effect on the
# encoder's variance is undone first, and of all models with up to three latent dimensions, where the prior's samples
# find any code.

# %%
table = study.table("datasets").iloc[0]
evaluation = study.table("evaluation")
n_seeds = len(study.config.seeds)
images = study.table("runs").query(f"dataset == {study.base['dataset']!r}")["run_id"]
ours = evaluation["run_id"].isin(images) & (evaluation["metric"] == "nll")
error = evaluation.loc[ours, "standard_error"].max()
present.prose(f"""
In this study $S = {study.config.evaluation.n_samples:,}$; the Monte Carlo error that this leaves
in any model's mean NLL is at most {error:.2f} nats. {read_bias(study)} The data are
{table["n_train"]:,} training and {table["n_test"]:,} test images ({table["source"].rstrip(".")}).
{pixels_text(study)}, and all models are tested on the same pixels. Each
combination is trained from {n_seeds} seeds, which fix the initial weights, the order
of the images, {"their binarization " if study.config.base.binarization == "dynamic" else ""}and the noise; differences between combinations are taken seed
by seed, and every mean over seeds stands with its $n$ and its 95 % interval by Student's $t$; in tables, beneath that, with its
bootstrap interval, which does not lean on the normal distribution [@hesterberg2015]. An interval that would reach beyond
what its quantity can be, a share above 1 or more active units than there are dimensions, is cut there; a table then has
its two ends in place of ±. What is said of a picture is of the
one model that is drawn.
{"With so few seeds the intervals are wide, often wider than the effect, and this study gives estimates, not verdicts." if n_seeds < 5 else ""}
""")

# %% [markdown]
# ## Plan {#sec:plan}
#
# @sec:implementing introduces the base model and changes one thing at a time: the decoder's
# distribution, the bound, batch normalization, warm-up and the number of latent dimensions.
# @sec:activity asks which dimensions a trained model uses, since when, and what decides it.
# @sec:visualization looks at what the models have learned: reconstructions, codes, and the
# images that lie between them. @sec:measuring measures as the field does, @sec:beyond tries
# objectives that came after the draft, and @sec:published puts numbers of ours beside published
# ones. Four documents in the draft's vicinity follow: points in the plane (@sec:toys), latent
# dimensions, divergences and likelihoods (@sec:plusplus) with labels and convolutions
# (@sec:labels), the first of all VAEs and a summary of it (@sec:kingma-welling), and a small
# packaged model on other data, tables among them (@sec:own-data).
# @sec:claims decides what the sources claim, by one rule, and
# @sec:appendix lists every run behind the figures. The sections are
# those of an unfinished draft by @bettencourt2016, several of which consist of a heading alone; its
# statements are treated as hypotheses, and where this run speaks for or against one, the text says so.
