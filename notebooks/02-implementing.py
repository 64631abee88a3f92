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
from vaestudy.figures.cells import means
from vaestudy.figures.implementing_prose import (
    read_dimensions,
    read_gaussian,
    read_speed,
    read_variants,
    settling_note,
)
from vaestudy.figures.implementing_table import (
    common_ground,
    dimension_table,
    roughness_gap,
    variants_table,
    warmup_table,
)
from vaestudy.figures.run_notes import weight_note
from vaestudy.report import present
from vaestudy.report.phrases import by_seed, change, difference, verdict
from vaestudy.stats import mean_interval, paired_difference
from vaestudy.study import Study, tried

present.style()
study = Study.load(config)
base = study.config.base
iwae = study.iwae
k = iwae["k"]
seeds = len(study.config.seeds)

# %% [markdown]
# # Implementing variational autoencoders {#sec:implementing}
#
# ## Network architecture {#sec:architecture}

# %%
nonlinearity = base.activation + (r", $\ln(1 + e^a)$," if base.activation == "softplus" else "")
present.prose(f"""
The base model (@fig:architecture) is the multilayer perceptron of the worked example in
@kingma2014. Encoder and decoder mirror each other, with {len(base.hidden)} hidden
layer{"s" if len(base.hidden) > 1 else ""} of {" and ".join(map(str, base.hidden))} units and
{nonlinearity} as the nonlinearity in each. Its code has $n_z = {base.n_z}$ dimensions; the draft leaves that number open, and the work it
builds on uses 50 [@burda2016]. Two linear heads on the encoder give $\\mu$ and
$\\log\\sigma^2$. Read literally, the draft's remark that the encoder has the decoder's Gaussian
structure would send them through a sigmoid and a $\\tanh$; no code could then leave
$(0, 1)$ in the mean or have a standard deviation below $e^{{-1/2}} \\approx 0.61$. That reading is
tried in @sec:variants.

Training is by Adam [@kingma2015adam] with step size {base.learning_rate:g},
$\\beta_1 = {base.adam_beta1:g}$, $\\beta_2 = {base.adam_beta2:g}$ and $\\epsilon = {base.adam_eps:g}$, in
batches of {base.batch_size}, for {base.epochs} epochs. The draft prints $\\beta_2 = 0.9$, most
likely a slip; that, too, is in @sec:variants.
""")

# %%
present.figure(
    FIGURES["architecture"](study),
    label="fig:architecture",
    caption="The base model. Boxes are layers with their widths; the code $z$ is a sample drawn "
    "from the encoder's Gaussian by @eq:reparametrization, and is all that the decoder sees of $x$.",
    alt="A row of boxes from left to right: the image, the encoder's hidden layers, the mean and log-variance "
    "of the code, the sampled code, the decoder's hidden layers, and the distribution over images.",
)

# %% [markdown]
# ## Xavier initialization {#sec:xavier}
#
# Weights start as Gaussian noise, and its scale decides whether a deep network has a signal to
# learn from. @glorot2010 choose the variance that keeps the spread of activations and gradients
# about constant from layer to layer,
#
# $$ \operatorname{Var}(w) = \frac{2}{n_\text{in} + n_\text{out}} , $$ {#eq:glorot}
#
# a compromise between what the forward pass asks for, $1/n_\text{in}$, and what the backward pass
# asks for, $1/n_\text{out}$. Biases start at zero. @fig:initialization shows what happens otherwise. The two
# heads of the encoder share one matrix in our implementation, and count as two layers for $n_\text{out}$.

# %%
drawn = FIGURES["initialization"](study)
last = drawn.data[drawn.data["layer"] == drawn.data["layer"].max()].set_index("gain")
first = drawn.data[drawn.data["layer"] == 1].set_index("gain")
present.figure(
    drawn,
    label="fig:initialization",
    caption="A random signal through ten untrained $\\tanh$ layers, for weights at, at half and at "
    "twice the scale of @eq:glorot. Left: the spread of each layer's activations. Right: the spread "
    "of the gradient that comes back to it from the last layer.",
    alt="Two line plots over ten layers. At half the scale activations and gradients fall by "
    "orders of magnitude; at Glorot's scale they change little; at twice the scale gradients grow.",
)
small, large = 0.5, 2.0
present.prose(f"""
At half of Glorot's scale the activations of the tenth layer have a spread of
{last.loc[small, "activation_std"]:.1g}, {first.loc[small, "activation_std"] / last.loc[small, "activation_std"]:,.0f}
times less than the first layer's; at Glorot's it is {last.loc[1.0, "activation_std"]:.2f}. At twice the
scale units saturate (spread {last.loc[large, "activation_std"]:.2f}, with 1 the most that
$\\tanh$ allows) and the gradient that reaches the first layer is
{first.loc[large, "gradient_std"] / last.loc[large, "gradient_std"]:,.0f} times the one that entered.
The networks of this study are only {len(base.hidden)} hidden layers deep on either side, so the scale matters
less here than in the deep networks it was devised for.
""")

# %% [markdown]
# ## Decoder distribution {#sec:likelihood}
#
# The decoder's outputs are parameters of a distribution over images, and which distribution is a
# modelling choice. For binary pixels the natural one is a Bernoulli per pixel, with logits $l_d$:
#
# $$ \log p_\theta(x \mid z) = \sum_d \Bigl[ x_d\, l_d - \ln\bigl(1 + e^{l_d}\bigr) \Bigr] . $$ {#eq:bernoulli}
#
# The alternative that the draft tries is a Gaussian, whose mean passes through a sigmoid and whose
# log-variance through a $\tanh$:
#
# $$ \log p_\theta(x \mid z) = -\tfrac12 \sum_d \Bigl[ \log 2\pi + \log\sigma_d^2 + \frac{(x_d - \mu_d)^2}{\sigma_d^2} \Bigr],
#   \quad \mu = \operatorname{sigmoid}(a),\; \log\sigma^2 = \tanh(b) . $$ {#eq:gaussian}

# %%
floor = 784 * 0.5 * (1.8378770664093453 - 1)
present.figure(
    FIGURES["likelihood"](study),
    label="fig:likelihood",
    caption="Training (solid) and test (dashed) bounds with a Bernoulli and with a Gaussian decoder, each "
    "on its own scale; lines are means over seeds, bands their range (cut where they leave the panel). The left axis is the log of a "
    "probability, the right one the log of a density: no height on the left compares with "
    "one on the right.",
    alt="Two panels of curves by epoch, Bernoulli on the left and Gaussian on the right, for the VAE and "
    "the importance-weighted autoencoder.",
)
gaussian_bound = mean_interval(study.final(study.runs(likelihood="gaussian"), "bound")["value"])
present.prose(
    f"""
The draft reports that the Bernoulli decoder reaches the better bound, and sees in it that Bernoulli suits binary
data better. @fig:likelihood repeats the comparison, and it cannot carry that conclusion: one curve is the log of a
probability mass, the other of a density. Moreover, with $\\log\\sigma^2 \\ge -1$ the density of a pixel never
exceeds $e^{{1/2}}/\\sqrt{{2\\pi}}$, so that on 784 pixels no Gaussian model of this form can have an NLL under
{floor:.1f} nats, however perfect its means. The VAE with the Gaussian decoder ends at a test bound of
{gaussian_bound.text()} nats, {-gaussian_bound.mean - floor:.0f} nats above that floor.
"""
)

# %% [markdown]
# Common ground needs a probability of the same binary pixels from both. Two readings of a
# Gaussian decoder give one. *Restricted*: take its density at 0 and at 1 and normalise over the two; the
# log-odds of a pixel are $(\mu - \tfrac12)/\sigma^2$. *Mean*: read $\mu$ as the
# probability of a 1. For a Bernoulli decoder both are the model itself.

# %%
shown, data = common_ground(study)
present.table(
    shown,
    label="tbl:common-ground",
    caption=f"Bernoulli and Gaussian decoders on common ground: test NLL of the same binary pixels in "
    f"nats under either reading of the decoder, squared reconstruction error an image, and active "
    f"units; {means(seeds)}.",
    data=data,
)
gap = paired_difference(
    by_seed(study, "nll_mean", {"likelihood": "gaussian"}), by_seed(study, "nll", {})
)
error_gap = difference(study, "squared_error", {"likelihood": "gaussian"}, {})
present.prose(f"""
On common ground (@tbl:common-ground) the Gaussian decoder, read by its mean and so in the light most favourable
to it, {change(gap, "has an NLL that is higher by", "has an NLL that is lower by")} than the
Bernoulli decoder's; its squared error {change(error_gap, "is higher by", "is lower by", unit="squared pixels")}.
This {verdict(study, "000.bernoulli-beats-gaussian")} that Bernoulli models binary data better. {read_gaussian(study)}
""")

# %% [markdown]
# ## Importance weighting {#sec:importance-weighting}
#
# With one sample the ELBO punishes an encoder for every sample that explains its datum badly. Burda
# et al. [-@burda2016] average $K$ importance weights inside the logarithm instead,
#
# $$ \mathcal L_K(x) = \mathbb E_{z_1, \dots, z_K \sim q_\phi(z \mid x)} \Bigl[ \log \frac1K \sum_{k=1}^K
#   w_k \Bigr], \qquad w_k = \frac{p_\theta(x \mid z_k)\,p(z_k)}{q_\phi(z_k \mid x)} , $$ {#eq:iwae}
#
# so that one good sample among $K$ suffices. $\mathcal L_1$ is the ELBO, and
# $\log p_\theta(x) \ge \mathcal L_{K+1} \ge \mathcal L_K$ for the *same* model. Two details of the
# draft need care here: the inequality is not strict in general, and the weights $w_k$
# are not normalised.

# %%
bound_gap = difference(study, "bound", iwae, {})
elbo_gap = difference(study, "elbo", iwae, {})
nll_gap = difference(study, "nll", iwae, {})
present.figure(
    FIGURES["importance-weighting"](study),
    label="fig:importance-weighting",
    caption=f"VAE and IWAE with $K = {k}$. Left: the bound that each is trained on, training (solid) and test "
    "(dashed), mean and range over seeds (cut where they leave the panel); the two are different bounds. Right: test NLL by @eq:nll, the "
    "same estimator for both; points are seeds, ticks means, lines 95 % intervals (cut where they leave the panel).",
    alt="Left, two pairs of curves, one of the VAE and one of the IWAE. Right, final test NLL of each seed.",
)
present.prose(f"""
In @fig:importance-weighting the IWAE's curve {change(bound_gap, "lies higher by", "lies lower by")} at the
end. That alone says little: $\\mathcal L_{{{k}}}$ of a model is above its $\\mathcal L_1$ whatever was
trained. Judged by the test NLL, training with $K = {k}$
{change(nll_gap, "raises the NLL by", "lowers the NLL by")}, which {verdict(study, "000.iwae-improves-likelihood")} that
importance weighting learns the better model. Its ELBO meanwhile
{change(elbo_gap, "is higher by", "is lower by")} than the VAE's: an encoder trained for many
samples need not be a good one for one.
""")

# %% [markdown]
# ## Batch normalization {#sec:batch-norm}
#
# Batch normalization [@ioffe2015] standardises each unit's input over the batch before the nonlinearity,
# and gives the network a scale and a shift to undo it where that helps:
#
# $$ \operatorname{BN}(a) = \gamma\, \frac{a - \mu_B}{\sqrt{\sigma_B^2 + \epsilon}} + \beta . $$ {#eq:bn}
#
# The shift $\beta$ replaces the layer's bias. For ladder-like models with many stochastic layers
# @sonderby2016 found it essential; here there is one. We normalise the hidden layers of both
# networks and, following the draft's "except the output layers", neither the decoder's output nor the encoder's
# heads. The heads matter: normalising $\mu$ would fix the variance of each dimension's mean over a batch
# at $\gamma^2$, which is very nearly the activity that @sec:activity measures. @sec:variants
# tries it. At test time the running averages of training take the place of the batch's moments.

# %%
hidden = {"batch_norm": "hidden"}
present.figure(
    FIGURES["batch-norm"](study),
    label="fig:batch-norm",
    caption="The effect of batch normalization (BN) on the hidden layers. Left: training (solid) and test (dashed) "
    "bound; VAE and IWAE bounds are of different kinds. Right: test NLL; points are seeds, ticks means, lines 95 % intervals. Both are cut where they leave the panel.",
    alt="Left, bound curves of four models. Right, their final test NLL.",
)


nll_vae = difference(study, "nll", hidden, {})
nll_iwae = difference(study, "nll", {**iwae, **hidden}, iwae)
rough_gap = roughness_gap(study, hidden, {})
present.prose(f"""
Batch normalization {change(nll_vae, "raises the VAE's test NLL by", "lowers the VAE's test NLL by")}; for the
IWAE it {change(nll_iwae, "raises it by", "lowers it by")}. The claim made for it is that it stabilises and
speeds up training. As a measure of speed take the first epoch whose test bound is within 1 nat of the last:
{read_speed(study, hidden, {}, "BN", "000.bn-speeds")} As a measure of stability take the scatter of the test bound about its own course in the second half of training,
the root mean square of its third differences over $\\sqrt{{20}}$: as large as the standard deviation of noise from
epoch to epoch, and zero for a bound that rises along a parabola, so that a curve still on its way up does not count
as unsteady. With BN it
{change(rough_gap, "is larger by", "is smaller by", digits=3)}, which {verdict(study, "000.bn-stabilises")} that it
is steadier.
""")

# %% [markdown]
# ## Warm-up {#sec:warmup}
#
# Early in training the decoder ignores most of the code, a dimension's information is worth little, and the
# cheapest thing to do with it is to set its posterior to the prior: the dimension is
# *pruned* [@mackay2001; @bowman2016]. Warm-up [@sonderby2016] withholds the reason to, by weighing
# the KL term with a factor that rises linearly from 0 to 1 over the first $N_T$ epochs,
#
# $$ \mathcal L^{(\beta)}(x) = \mathbb E_{q_\phi}\bigl[\log p_\theta(x \mid z)\bigr]
#   - \beta\, D_{\mathrm{KL}}\bigl(q_\phi(z \mid x) \,\|\, p(z)\bigr), \qquad
#   \beta = \min\Bigl(1, \frac{t - 1}{N_T}\Bigr) , $$ {#eq:warmup}
#
# where $t$ counts epochs from 1.
#
# For the importance-weighted bound the factor multiplies $\log p(z) - \log q_\phi(z \mid x)$ within each
# weight. With $\beta = 0$ the objective is sometimes said to be a deterministic autoencoder's.
# It is not: the code is still sampled, and only the penalty for making $\sigma$ small is gone.

# %%
warm = tried(lambda: study.warmup)
if warm is None:
    present.prose("This study has trained no warm-up with both objectives.")
else:
    length = warm["warmup"]
    nll_vae = difference(study, "nll", warm, {})
    nll_iwae = difference(study, "nll", {**iwae, **warm}, iwae)
    units_gap = difference(study, "active_units", warm, {})
    below_one = weight_note(study.runs(warmup=...))
    present.figure(
        FIGURES["warmup"](study),
        label="fig:warmup",
        caption=f"The effect of a warm-up (WU) over the first {length} epochs. Left: training (solid) and test (dashed) "
        "bound, drawn at $\\beta = 1$ even while less is trained on; VAE and IWAE bounds are of "
        "different kinds. Right: test NLL; points are seeds, ticks means, lines 95 % intervals. Both are cut where they "
        "leave the panel.",
        alt="Left, bound curves with and without warm-up. Right, final test NLL of each.",
    )
    present.figure(
        FIGURES["warmup-sweep"](study),
        label="fig:warmup-sweep",
        caption="Lengths of the warm-up for the VAE: the schedule of the KL weight, the test bound at $\\beta = 1$, "
        f"cut where it leaves the panel, and the test NLL at the end, as in @fig:warmup. Grey is none; darker green is longer.{below_one}",
        alt="Three panels: linear ramps of beta, test bound curves, and final NLL by length of warm-up.",
    )
    present.prose(f"""
While $\\beta < 1$ something else is being optimised than the full bound, which @fig:warmup draws.
At the end a warm-up of {length} epochs
{change(nll_vae, "has raised the VAE's test NLL by", "has lowered the VAE's test NLL by")}
and {change(nll_iwae, "has raised the IWAE's by", "has lowered the IWAE's by")}. The number of active
units {change(units_gap, "is higher by", "is lower by", unit="units", digits=1)} with it; @sec:effect-warmup
follows them through training.
""")

# %%
if warm is not None:
    present.table(
        warmup_table(study),
        label="tbl:warmup-sweep",
        caption=f"Length of the warm-up, VAE, $n_z = {base.n_z}$: test NLL (nats), its paired difference from no "
        f"warm-up, and active units; {means(seeds)}.{below_one}",
    )

# %% [markdown]
# ## Latent dimensionality {#sec:latent-dimension}

# %%
present.prose("""
How many dimensions a code is given is the last choice that the draft varies. @fig:latent-dimension and @tbl:latent-dimension
vary it with all else as in the base model.
""")
present.figure(
    FIGURES["latent-dimension"](study),
    label="fig:latent-dimension",
    caption=f"The number of latent dimensions. Left: test bound of the IWAE with $K = {k}$ through training, mean and "
    "range over seeds. Right: latent dimension against test NLL, means with 95 % intervals. Both are cut where they "
    "leave the panel.",
    alt="Left, test bound curves for each latent dimension. Right, test NLL for each latent dimension, of the VAE and of the "
    "IWAE.",
)
present.table(
    dimension_table(study),
    label="tbl:latent-dimension",
    caption="Latent dimensions: test NLL (nats), active units, and the first epoch whose test bound is within 1 "
    f"nat of the last{settling_note(study)}; {means(seeds)}.",
)

# %%
present.prose(read_dimensions(study))

# %% [markdown]
# ## Readings of the source {#sec:variants}
#
# Three of the draft's settings can be read, or are printed, in a way that differs from the choices above. Each
# is run as it stands.

# %%
present.figure(
    FIGURES["literal-variants"](study),
    label="fig:literal-variants",
    caption="The base VAE and variants that take the draft by its letter: Adam with $\\beta_2 = 0.9$; encoder heads "
    "through a sigmoid and a $\\tanh$; batch normalization on the heads as well as on the hidden layers, "
    "beside that on the hidden layers alone. Left: training (solid) and test (dashed) bound. Right: test NLL, as before. Both are cut where they leave the panel.",
    alt="Bound curves and final test NLL of the base model and of the variants.",
)
present.table(
    variants_table(study),
    label="tbl:variants",
    caption="Literal readings of the draft against this study's choices: paired change in test NLL (nats) and active "
    f"units; {means(seeds)}.",
)

# %%
present.prose(read_variants(study))
