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
from vaestudy.figures.beyond import noise_ratio
from vaestudy.figures.beyond_data import QUANTITIES, find_members, n_draws, of_one_k
from vaestudy.figures.beyond_prose import (
    read_absent,
    read_annealing,
    read_best,
    read_differences,
    read_draws,
    read_free_bits,
    read_heights,
    read_references,
    read_sweep,
)
from vaestudy.figures.beyond_table import differences_table, grey_table, objectives_table
from vaestudy.figures.cells import means
from vaestudy.figures.plusplus_pictures import likelihoods_of
from vaestudy.figures.run_notes import weight_note
from vaestudy.report import present
from vaestudy.study import Study, tried

present.style()
study = Study.load(config)
base = study.config.base
members = find_members(study)


# %% [markdown]
# # Beyond the paper {#sec:beyond}
#
# The draft stops at two objectives. Others have been proposed for the same ends, a better model or
# more of its code in use, and they differ from those two in one line each: what a nat of KL
# costs, how samples are averaged, or which estimate of a gradient is followed. They are tried here on
# the base model at the same budget of images and steps.

# %%
drawn_samples = read_draws(study)
if drawn_samples:
    present.prose(drawn_samples)

# %% [markdown]
# ## What is maximised {#sec:beyond-objectives}
#
# In what follows $z_k$ are samples from $q_\phi(z \mid x)$, and the weight $\beta$ of the KL term
# stands in the importance weights too, as in @sec:warmup:
# $\log w_k = \log p_\theta(x \mid z_k) + \beta \bigl(\log p(z_k) - \log q_\phi(z_k \mid x)\bigr)$.
#
# ### The price of a nat {#sec:beyond-price}
#
# The *$\beta$-VAE* [@higgins2017] keeps $\beta$ at a constant other than 1,
#
# $$ \mathcal L_\beta(x) = \mathbb E_{q_\phi(z \mid x)}\bigl[\log p_\theta(x \mid z)\bigr]
#   - \beta\, D_{\mathrm{KL}}\bigl(q_\phi(z \mid x) \,\|\, p(z)\bigr) . $$ {#eq:beta-vae}
#
# Above 1 it is still a bound on @eq:marginal, a looser one; below 1 it is none. *Cyclical annealing*
# [@fu2019] lets $\beta$ rise not once, as warm-up does, but in $C$ cycles over $N_T$ epochs, in
# the first part $R$ of each:
#
# $$ \beta_t = \min\Bigl(1, \frac{\tau}{R}\Bigr), \qquad
#   \tau = \frac{C\,(t - 1)}{N_T} \bmod 1 . $$ {#eq:cyclical}
#
# *Free bits* [@kingma2016] exempt the first $\lambda$ nats of every dimension, so that there is
# nothing to be won by emptying it further. With the mean over the minibatch's $B$ images,
#
# $$ \mathcal L_\lambda = \frac1B \sum_b \mathbb E_q\bigl[\log p_\theta(x_b \mid z)\bigr]
#   - \sum_{u=1}^{n_z} \max\Bigl(\lambda, \frac1B \sum_b
#   D_{\mathrm{KL}}\bigl(q_\phi(z_u \mid x_b) \,\|\, p(z_u)\bigr)\Bigr) . $$ {#eq:free-bits}
#
# ### Between one sample and many {#sec:beyond-averages}
#
# The ELBO averages $\log w_k$, the importance-weighted bound (@eq:iwae) takes the logarithm of the
# average of $w_k$. @rainforth2018 mix the two. With the $K$ samples in $G$ groups of equal size,
#
# $$ \mathcal L_{\mathrm{MIWAE}} = \frac1G \sum_{g=1}^{G} \log \frac GK \sum_{k \in g} w_k ,
#   \qquad
#   \mathcal L_{\mathrm{CIWAE}} = \frac cK \sum_k \log w_k + (1 - c) \log \frac1K \sum_k w_k ,
# $$ {#eq:miwae}
#
# and PIWAE follows a gradient of each kind: the decoder that of the importance-weighted bound of all
# $K$ samples, the encoder that of $\mathcal L_{\mathrm{MIWAE}}$.
#
# ### The same bound, another gradient {#sec:beyond-estimators}
#
# Through @eq:reparametrization the encoder enters $\log w_k$ twice: by the path, since $z_k$
# depends on $\phi$, and directly, since $\log q_\phi(z_k \mid x)$ does even at a fixed $z_k$. In
# the ELBO the second part, the score, has expectation zero, and *sticking the landing* [STL, @roeder2017]
# leaves it out:
#
# $$ \Delta_\phi = \frac1K \sum_k
#   \frac{\partial \log w_k}{\partial z_k}\, \nabla_\phi z_k . $$ {#eq:stl}
#
# It has no variance left once $q_\phi$ is the posterior. In the importance-weighted bound the score
# does not vanish on average, so that leaving it out there (IWAE, STL) biases the encoder; @tucker2019 write its expectation as
# a path derivative in turn, and obtain the *doubly reparameterised* gradient (DReG), which is unbiased. With
# $\tilde w_k = w_k / \sum_j w_j$ and $\beta = 1$ it is
#
# $$ \Delta_\phi = \sum_k \tilde w_k^2\,
#   \frac{\partial \log w_k}{\partial z_k}\, \nabla_\phi z_k . $$ {#eq:dreg}
#
# Last, the KL term of the ELBO need not be taken in closed form (@eq:kl): sampled with the rest (*VAE, sampled KL*), it
# leaves the mean of $\log w_k$ over the samples, the same bound by another estimate.

# %%
absent = read_absent(study)
if absent:
    present.prose(absent)

# %% [markdown]
# ## What came out {#sec:beyond-results}

# %%
table, data = objectives_table(study)
draws = n_draws(study)
measured = (
    "signal-to-noise ratio (SNR, @eq:snr) of the gradient and the variance of the encoder's, summed over its parameters "
    + (f"({draws:,} draws)" if draws else "(not measured in this study)")
)
runs = [run_id for member in members for run_id in member.runs["run_id"]]
present.prose(
    "@tbl:beyond holds what every objective makes of the base model, by the same measures."
)
present.table(
    table,
    label="tbl:beyond",
    runs=runs,
    data=data,
    caption=f"Objectives on the base model: test NLL (nats), active units of {base.n_z}, {measured}, and "
    f"training time; {means()}. K: samples; G: groups; c: the ELBO's share; "
    "λ: free nats a dimension; β: KL weight; cyclical WU: cyclical annealing. Times are of the machines named in "
    "@sec:provenance, whatever else they did.",
)
differences = differences_table(study)
if len(differences):
    present.table(
        differences,
        label="tbl:beyond-differences",
        runs=runs,
        data=data,
        caption="The same as paired differences: of each objective to the IWAE of its $K$ if it weighs samples and there is one, else to "
        f"the VAE; the IWAE itself to the VAE. {means('$n$ paired').capitalize()}.",
    )
    present.prose(f"""
{read_references(study)} {read_differences(study, "nll", "the test NLL")} {read_best(study)} (@tbl:beyond, @tbl:beyond-differences.) Each interval errs in
one of twenty cases, and there are {len(differences)} comparisons for each of {len(QUANTITIES)} quantities: one or another
that excludes zero may do so by chance.
""")
else:
    present.prose(
        "This study has trained the base model with its own objective only."
        if len(members) == 1
        else "This study has no VAE of KL weight 1 for the objectives to be compared with."
    )

# %%
drawn = tried(FIGURES["beyond-units"], study)
if drawn is not None and len(differences):
    present.figure(
        drawn,
        label="fig:beyond-units",
        caption="Active units and test NLL of every objective of KL weight $\\beta = 1$. Large markers are means over "
        "seeds, joined with the seeds, which are the small dots.",
        alt="Scatter plot of test NLL against active units, one marker an objective.",
    )
    present.prose(f"""
Whether an objective that keeps more units in use learns a better model can be seen in @fig:beyond-units. {read_differences(study, "active_units", "the number of active units", 1)}
{read_free_bits(study)}
""")

# %%
drawn = tried(FIGURES["beyond-curves"], study)
if drawn is not None:
    k, of_k = of_one_k(members)
    heights = read_heights(of_k)
    present.figure(
        drawn,
        label="fig:beyond-curves",
        caption="Training (solid) and test (dashed) curves; means over seeds, bands their range. Left: objectives of one "
        f"sample, by the ELBO, whatever they maximise. Right: objectives of $K = {k}$ samples, each by its own bound "
        f"at $\\beta = 1${f'; {heights}' if heights else ''}. The dips of cyclical annealing, where $\\beta$ starts anew, may leave the panel.",
        alt="Two panels of curves by epoch, one colour an objective, training solid and test dashed.",
    )
    present.prose(f"""
@fig:beyond-curves follows the objectives through training. Its left panel compares heights, since the ELBO is the same
quantity for all{"; its right panel does so less" if heights else ""}. What decides on either side is the NLL of @tbl:beyond.
""")

# %% [markdown]
# ## Signal and noise of a gradient {#sec:gradient-signal}
#
# Training sees a bound only through estimates of its gradient. For one parameter whose estimates $\Delta$
# vary with the noise of the samples, @rainforth2018 take
#
# $$ \mathrm{SNR} = \frac{\lvert \mathbb E\, \Delta \rvert}{\operatorname{sd} \Delta} $$ {#eq:snr}
#
# and show that more samples in @eq:iwae raise it for the decoder, as $\sqrt K$, and lower it for the
# encoder, as $1/\sqrt K$: the tighter the bound, the less it has to say about $q_\phi$. The
# doubly reparameterised gradient does not suffer from that [@tucker2019].

# %%
drawn = tried(FIGURES["gradient-signal"], study)
if drawn is None:
    present.prose("This study has not measured gradients.")
else:
    present.figure(
        drawn,
        label="fig:gradient-signal",
        caption=f"Signal-to-noise ratio (@eq:snr) of the gradient of each objective at the end of its training, from {draws:,} "
        f"draws on one batch of {base.batch_size} training images, the same pixels for all; a mean over the parameters of encoder and "
        "decoder. Dots are seeds, lines 95 % intervals (cut where they leave the panel). The dashed line is what gradients of noise alone would seem to have.",
        alt="Two panels of horizontal bars, encoder and decoder, one bar an objective.",
    )
    present.prose(f"""
@fig:gradient-signal measures it where each model's own training has ended, so that differences are of the objective and of
the place it has led to. Ratios near {noise_ratio(draws):.3f}, which {draws:,} draws of noise alone would give, are none.
{read_differences(study, "gradient_snr_encoder", "the encoder's ratio")}
{read_differences(study, "gradient_snr_decoder", "the decoder's ratio")}
A ratio may rise because the signal does or because the noise falls; the noise alone is the variance of the encoder's gradient (@tbl:beyond).
{read_differences(study, "gradient_variance_encoder", "the variance of the encoder's gradient", 0)}
""")

# %% [markdown]
# ## Annealing, once and again {#sec:annealing-beta}

# %%
drawn = tried(FIGURES["annealing"], study)
if drawn is None:
    present.prose("This study has trained the VAE with one schedule of the KL weight, or none.")
else:
    trained = study.table("runs")
    annealed = trained[trained["run_id"].isin(drawn.runs)]
    present.prose("""
While $\\beta$ is low a code costs little; each return of $\\beta$ to zero is another chance for a
dimension that was given up, which is what @fu2019 propose it for.
""")
    present.figure(
        drawn,
        label="fig:annealing",
        caption="Schedules of the KL weight (left), and through training the test KL (middle) and the active units (right); "
        f"means over seeds, bands their range.{weight_note(annealed)}",
        alt="Three panels by epoch: the KL weight of each schedule, the KL, and the number of active units.",
    )
    present.prose(f"{read_annealing(study)} (@fig:annealing.)")

# %% [markdown]
# ## Rate and distortion {#sec:rate-distortion}
#
# The two terms of the ELBO are a trade. @alemi2018 call the KL a *rate*, what the code costs, and the
# negative reconstruction term a *distortion*, what it fails to say. Models of equal ELBO lie on lines of
# slope $-1$ in their plane, and @eq:beta-vae asks for the point where a line of slope $-\beta$ touches
# what the network can reach.

# %%
drawn = tried(FIGURES["rate-distortion"], study)
if drawn is None:
    present.prose("This study has trained the VAE with one KL weight only.")
else:
    present.figure(
        drawn,
        label="fig:rate-distortion",
        caption="Left: rate and distortion on test images; means over seeds. The dotted line joins VAEs of different $\\beta$, grey "
        "lines are of equal ELBO, better towards the lower left; the inset enlarges where $\\beta = 1$. Right: the same VAEs' negative ELBO and test "
        "NLL, means over seeds with their range; between the two lies what the encoder's approximation costs.",
        alt="Left, a plane of KL against negative reconstruction with a dotted path from one KL weight to the next. Right, two "
        "curves over the KL weight.",
    )
    present.prose(f"{read_sweep(study)} (@fig:rate-distortion.)")

# %% [markdown]
# ## Grey pixels {#sec:grey}
#
# Pixels that are neither black nor white call for a density on $[0, 1]$. The Bernoulli's formula
# (@eq:bernoulli) accepts them, but is none; the *continuous Bernoulli* [@loaizaganem2019] is the same formula,
# normalised,
#
# $$ \log p_\theta(x \mid z) = \sum_d \Bigl[ x_d\, l_d - \ln \frac{e^{l_d} - 1}{l_d} \Bigr] , $$ {#eq:continuous-bernoulli}
#
# whose mean is no longer $\operatorname{sigmoid}(l_d)$.

# %%
found = tried(grey_table, study)
if found is None:
    small = tried(likelihoods_of, study)
    present.prose(
        "This study has not run likelihoods of grey pixels on the base model"
        + ("; on a smaller one they are compared in @sec:plus-grey." if small else ".")
    )
else:
    grey, grey_runs = found
    present.table(
        grey,
        label="tbl:grey",
        runs=grey_runs,
        caption="VAEs of grey pixels. *NLL as a density*: with the model's own likelihood; for the Bernoulli with its logits in "
        "@eq:continuous-bernoulli, which makes a density of what it learned. *Clipped*: the same at pixels kept half a grey level away from 0 and 1, as the Beta "
        "(@eq:beta-likelihood) always takes them. *Squared error*: of the mean's reconstruction, summed over "
        f"pixels. {means().capitalize()}.",
    )
    present.prose("""
The densities of @tbl:grey compare, unlike the mass and the density of @sec:likelihood: all are of the same grey pixels. What
they reward is another matter. The Gaussian is that of @eq:gaussian, whose variance is bounded, and has mass outside $[0, 1]$ that it
pays for. The continuous Bernoulli's density at $x = 0$ grows with $-l$ without bound, and many pixels of these images are
exactly 0: nothing limits what it can win there without showing the digits any better, and the squared error is the more telling column.
""")
