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
from vaestudy.figures.filled import read_filled
from vaestudy.figures.plusplus import cloud_of
from vaestudy.figures.plusplus_data import CLOTHES, other_dataset, plus_runs
from vaestudy.figures.plusplus_prose import (
    read_clothes,
    read_divergences,
    read_grey,
    read_half_joint,
    read_halves,
    read_model,
    read_search,
    read_third_dimension,
    read_variance,
    read_weighted,
)
from vaestudy.figures.plusplus_table import (
    divergences_table,
    grey_table,
    halves_table,
    losses_table,
)
from vaestudy.report import present
from vaestudy.report.widgets import codes_by_class
from vaestudy.study import Study, tried

present.style()
study = Study.load(config)
explained = []


def filled(drawn, dataset=study.dataset):
    """Remark on pictures with too much ink, at length in the chapter's first such caption only."""
    text = read_filled(drawn, dataset, explained=bool(explained))
    explained.extend([text] if text else [])
    return text


# %% [markdown]
# # Variations on a small model {#sec:plusplus}
#
# A course report of @chen2021 takes one small autoencoder, a hidden layer of tanh units on either
# side of a two-dimensional code, and changes it in many ways: more dimensions, other data, other divergences, more
# samples, other likelihoods, and questions about images of which only a part is seen. It trains each model once,
# looks at its own training batches, and draws conclusions from pictures. The same
# variations are trained here from several seeds and measured on test images.

# %%
base = tried(plus_runs, study)
if base is None:
    present.not_run("The model of this section was")
else:
    present.prose(f"""
{read_model(study)} The source's numbers compare with those of a study of that model at that budget, and only roughly even then, for
they are losses of training batches.
""")

# %% [markdown]
# ## A third dimension {#sec:plus-latent}

# %%
drawn = tried(FIGURES["plus-latent"], study)
if drawn is None:
    present.not_run("Two and three latent dimensions were")
else:
    present.prose("@fig:plus-latent sets two latent dimensions beside three.")
    present.figure(
        drawn,
        label="fig:plus-latent",
        caption="Codes of test digits in two dimensions, each class named at its median (a), and loss by epoch with two and "
        "three dimensions (b), means over seeds: training (dotted), test (solid), and what the source prints (crosses).",
        alt="Left, a scatter plot of codes in ten colours. Right, loss curves of two models with the printed values.",
    )
    present.prose(
        f"{read_third_dimension(study)} (@fig:plus-latent, @fig:plus-cloud, @fig:plus-samples.)"
    )

# %%
drawn = tried(FIGURES["plus-cloud"], study)
if drawn is not None:
    shown, codes = cloud_of(study)
    present.figure(
        drawn,
        label="fig:plus-cloud",
        caption="Codes of test digits in three dimensions. On screen the cloud can be turned.",
        alt="A three-dimensional scatter plot of the test digits' codes, with a colour for each class.",
        width="80%",
        interactive=codes_by_class(codes, shown.classes),
    )

# %%
drawn = tried(FIGURES["plus-samples"], study)
if drawn is not None:
    present.figure(
        drawn,
        label="fig:plus-samples",
        caption="Decoder means at ten samples of the prior, by the number of latent dimensions (first seed). Right: the "
        "Fréchet distance of such pictures from training digits in a classifier's features, a mean over seeds, where it was measured."
        + filled(drawn),
        alt="Rows of ten decoded digits, one row a number of latent dimensions.",
    )

# %%
found = tried(losses_table, study)
if found is not None:
    losses, numbers, runs = found
    present.table(
        losses,
        label="tbl:plus-losses",
        runs=runs,
        data=numbers,
        caption="Losses after each of five epochs beside those that the source prints: the negative ELBO with two and three dimensions, and "
        f"the negative bound of $k$ samples in two. Ours are of the epoch's training batches and of all test images, each the {means(len(study.config.seeds))}.",
    )

# %% [markdown]
# ### How wide a posterior is {#sec:plus-variance}
#
# From plots of one batch the source reads that the variance of the posterior along each dimension grows with the number of
# dimensions. There is a reason why it might: what a dimension has to say is rationed by its KL term, and with more dimensions each can
# say less. There is one against it too, since a better decoder makes precision worth more.

# %%
drawn = tried(FIGURES["plus-variance"], study)
if drawn is None:
    present.not_run("Other numbers of latent dimensions were")
else:
    present.figure(
        drawn,
        label="fig:plus-variance",
        caption="Variance of $q(z_u \\mid x)$, a mean over test images, of every dimension of every seed, by the number of "
        "dimensions; the line joins the means. A dimension out of use has variance 1.",
        alt="Dots of posterior variance over the number of latent dimensions, with a line through their means.",
        width="80%",
    )
    present.prose(f"{read_variance(study)} (@fig:plus-variance.)")

# %% [markdown]
# ## Clothes {#sec:plus-fashion}
#
# Fashion-MNIST [@xiao2017] is of the same size and shape as MNIST, with ten kinds of garment in place of digits.

# %%
drawn = tried(FIGURES["plus-fashion"], study)
if drawn is None:
    present.not_run("Models of clothes were")
else:
    present.figure(
        drawn,
        label="fig:plus-fashion",
        caption=f"The first test image of each class ({', '.join(CLOTHES)}), its reconstruction from the mean of its code, and ten "
        "samples (first seed), with fewest and most dimensions. Right: squared error over all test images, a mean over seeds."
        + filled(drawn, study.dataset_named(other_dataset(study))),
        alt="Rows of ten garments: originals, thresholded, and reconstructed and sampled by two models.",
    )
    present.prose(f"{tried(read_clothes, study) or ''} (@fig:plus-fashion.)")

# %% [markdown]
# ### A search over the latent dimension {#sec:plus-search}

# %%
drawn = tried(FIGURES["plus-search"], study)
if drawn is None:
    present.not_run("A search over the latent dimension was")
else:
    present.prose(
        "How many dimensions do digits ask for, and how many clothes? @fig:plus-search tries one number after another."
    )
    present.figure(
        drawn,
        label="fig:plus-search",
        caption="Test NLL (a), squared error of reconstructions over that of the smallest models (b) and active units (c) by the number of latent "
        "dimensions, on digits and on clothes; means over seeds with their range. The NLLs are of different images and compare within a curve only.",
        alt="Three panels over the number of latent dimensions, a curve each for digits and clothes.",
    )
    present.prose(
        f"{read_search(study)} (@fig:plus-search.) Longer training may find use for more."
    )

# %% [markdown]
# ## Other divergences {#sec:plus-divergences}
#
# The KL term of @eq:elbo may be replaced by another divergence. The *Jensen–Shannon divergence* [@lin1991] of $q = q_\phi(z \mid x)$ and
# $p = p(z)$ is their mean KL from the mixture $M = \tfrac12 (q + p)$,
#
# $$ \begin{aligned} \mathrm{JSD}(q, p) &= \tfrac12 D_{\mathrm{KL}}(q \,\|\, M) + \tfrac12 D_{\mathrm{KL}}(p \,\|\, M) \\
#   &= \ln 2 - \tfrac12 \mathbb E_q \ln\Bigl(1 + \frac{p(z)}{q(z)}\Bigr)
#   - \tfrac12 \mathbb E_p \ln\Bigl(1 + \frac{q(z)}{p(z)}\Bigr) , \end{aligned} $$ {#eq:jensen-shannon}
#
# with no closed form for normal distributions but with unbiased estimates from samples of both. @deasy2020 replace the mixture by the
# normalised geometric mean $G \propto q^\alpha p^{1 - \alpha}$, which is normal again,
#
# $$ \mathrm{GJS}_\alpha(q, p) = (1 - \alpha)\, D_{\mathrm{KL}}(q \,\|\, G) + \alpha\, D_{\mathrm{KL}}(p \,\|\, G) , $$ {#eq:geometric-js}
#
# and which has the KL of the ELBO at $\alpha = 0$ and the reverse one at $\alpha = 1$. Neither objective is a lower bound on
# $\log p_\theta(x)$. The first has another property that matters: @eq:jensen-shannon never exceeds $\ln 2$, so that all that
# a code can cost is less than a nat, and two distributions that hardly overlap can part further at no cost. The source's code,
# for this objective, maximised half of $\log p_\theta(x, z)$, in which neither divergence nor $q$ appears. Nothing in it keeps a posterior wide: it
# trains an autoencoder whose codes are kept small, from which nothing can be learned about divergences. It is trained here beside them, as stated.

# %%
drawn = tried(FIGURES["plus-divergences"], study)
if drawn is None:
    present.not_run("Jensen–Shannon objectives were")
else:
    present.figure(
        drawn,
        label="fig:plus-divergences",
        caption="Reconstructions of the first test digit of each class and ten samples of the prior, decoded, by the objective that training used "
        "(first seed). Right: test NLL, a mean over seeds." + filled(drawn),
        alt="Rows of reconstructed and of sampled digits, a pair of rows for each objective.",
    )
    divergences, runs = divergences_table(study)
    present.table(
        divergences,
        label="tbl:plus-divergences",
        runs=runs,
        caption="The same models by measures that do not depend on what they were trained with: test NLL, ELBO and its two terms "
        f"(nats), the mean variance of $q(z \\mid x)$, squared error of reconstructions. {means().capitalize()}.",
    )
    present.prose(f"""
{read_divergences(study)} (@tbl:plus-divergences.) Where a divergence lets the KL grow, codes may lie far from the prior, and its samples
(@fig:plus-divergences) ask the decoder about places at which it has seldom been trained. {read_half_joint(study)}
""")

# %% [markdown]
# ## Five samples or ten {#sec:plus-weighted}
#
# The source compares importance-weighted bounds (@eq:iwae) of 5 and of 10 samples, by their own values, and trains the second model from the
# weights of the first. Bounds of different $k$ do not compare, nor do models of different head starts: repeated so, the second model would have been trained twice as
# long, and what its $k$ does could not be told from that. Here every model starts afresh, and NLL and squared error decide.

# %%
drawn = tried(FIGURES["plus-weighted"], study)
if drawn is None:
    present.not_run("Importance weighting was")
else:
    present.figure(
        drawn,
        label="fig:plus-weighted",
        caption="Reconstructions and samples of models trained with the importance-weighted bound of $k$ samples (first seed). Right: squared error, "
        "a mean over seeds." + filled(drawn),
        alt="Rows of reconstructed and of sampled digits for each number of samples.",
    )
    present.prose(f"{read_weighted(study)} (@fig:plus-weighted, @tbl:plus-losses.)")

# %% [markdown]
# ## Likelihoods of grey {#sec:plus-grey}
#
# On grey pixels the source replaces the Bernoulli by a Beta distribution whose two parameters it fixes at 2. Fixed, they do not depend on the code: every
# decoder has the same likelihood and none gets a gradient, so that as stated the source's model would show what its initial weights draw. Here both come from the decoder,
#
# $$ \log p_\theta(x \mid z) = \sum_d \bigl[ (\alpha_d - 1) \ln x_d + (\beta_d - 1) \ln (1 - x_d)
#   - \ln \mathrm B(\alpha_d, \beta_d) \bigr] , $$ {#eq:beta-likelihood}
#
# start near 2, and $x$ is kept half a grey level away from 0 and 1, where the density may be infinite. Beside it stand the Bernoulli's formula (no density on
# grey values), the Gaussian of @eq:gaussian and the continuous Bernoulli of @eq:continuous-bernoulli.

# %%
drawn = tried(FIGURES["plus-grey"], study)
if drawn is None:
    present.not_run("Likelihoods of grey pixels were")
else:
    present.figure(
        drawn,
        label="fig:plus-grey",
        caption="Grey digits, the means of their reconstructions and decoder means at ten samples of the prior, by likelihood (first seed). "
        "Right: squared error over all test images, a mean over seeds." + filled(drawn),
        alt="Rows of grey digits, reconstructed and sampled, a pair of rows for each likelihood.",
    )
    grey, runs = grey_table(study)
    present.table(
        grey,
        label="tbl:plus-grey",
        runs=runs,
        caption="The same models by common measures. *NLL as a density*: at pixels kept half a grey level away from 0 and 1, the same for all; "
        f"for the Bernoulli with its logits as a continuous Bernoulli's. {means().capitalize()}.",
    )
    present.prose(f"""
{read_grey(study)} (@tbl:plus-grey.) Most pixels of these images are exactly 0, and a family that can
pile its mass up there, as the Beta can and the Gaussian with its bounded variance cannot, wins nats by that alone, whatever its pictures are like.
""")

# %% [markdown]
# ## A whole from its half {#sec:plus-halves}
#
# Given the top half $x_o$ of a digit, what is the bottom $x_m$? Pixels are independent given $z$, so that
#
# $$ p(x_m \mid x_o) = \int p_\theta(x_m \mid z)\, p(z \mid x_o)\, \mathrm dz , \qquad
#   p(z \mid x_o) \propto p(z) \prod_{d \in o} p_\theta(x_d \mid z) , $$ {#eq:missing}
#
# and no encoder is needed. *Stochastic variational inference* [@hoffman2013] fits a factorised normal to $p(z \mid x_o)$ by maximising the ELBO of the observed
# pixels; it starts at random, here from four places, of which the best bound is kept. In few dimensions samples of the prior, weighted by $p_\theta(x_o \mid z)$,
# come the nearer to the exact posterior the more there are. Any set of pixels may be missing: `vaestudy.inference.infer_missing` takes a mask.

# %%
drawn = tried(FIGURES["plus-halves"], study)
if drawn is None:
    present.not_run("Inference of halves was")
else:
    present.figure(
        drawn,
        label="fig:plus-halves",
        caption="Digits of which some pixels are hidden (grey) and what the two-dimensional model infers: the mean of what is missing, by each method, and its decoder mean "
        "at one $z$ of the variational posterior (first seed). The prior's mean knows nothing of the digit.",
        alt="Rows of ten digits with hidden parts, and the same digits completed by several methods.",
    )

# %%
found = tried(halves_table, study)
if found is not None and len(found[0]):
    table, runs = found
    present.table(
        table,
        label="tbl:plus-halves",
        runs=runs,
        caption="NLL of the bottom half given the top half (nats), by method and number of latent dimensions; lower is better. The importance-weighted one is "
        f"only as good as its effective samples are many. {means().capitalize()}.",
    )
    present.prose(f"{tried(read_halves, study) or ''} (@tbl:plus-halves, @fig:plus-halves.)")
