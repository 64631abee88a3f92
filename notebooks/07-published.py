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
from vaestudy.figures.published_data import COMMAND, find_comparison, read_published, runs_of
from vaestudy.figures.published_prose import read_differences, read_making, read_rerun
from vaestudy.figures.published_table import reading_table
from vaestudy.report import present
from vaestudy.study import Study

present.style()
study = Study.load(config)
published = read_published()
table, source = find_comparison(study)

# %% [markdown]
# # Published numbers beside ours {#sec:published}
#
# An engine that reports numbers of its own should be able to return numbers that others have published.
# The importance-weighted autoencoder's first table [@burda2016] is a good test: its protocol is spelled out, and it has
# models of one stochastic layer and of two.
#
# ## The protocol {#sec:published-protocol}
#
# Images of MNIST are binarized afresh at each presentation and come in batches of 20. Encoder and decoder have
# two hidden layers of 200 units with $\tanh$, $z$ has 50 dimensions, and the bias of the decoder's output starts at the
# logits of the pixels' means. Adam takes steps of $10^{-3} \cdot 10^{-i/7}$ for $3^i$ passes through the
# training set, $i = 0, \dots, 7$. Of $K$ samples with weights $w_k = p(x, z_k) / q(z_k \mid x)$ the *VAE* takes the mean of
# $\log w_k$, the *IWAE* the logarithm of the mean of $w_k$; with one sample they are the same model. Of one stochastic layer our
# VAE takes the KL term in closed form, which is the same bound with less noise in its gradient. A dimension of
# the code counts as active if the variance of its mean over test images is more than 0.01.
#
# ## Two stochastic layers {#sec:published-layers}
#
# In the deeper model $z_1$, of 100 dimensions, has a prior that is learned: $p(z_1 \mid z_2)$ is a Gaussian whose mean and
# variance a network of two layers of 100 units computes from $z_2$, of 50 dimensions, and $z_2$ alone is standard normal.
# The encoder climbs the other way, by $q(z_1 \mid x)$ and then $q(z_2 \mid z_1)$, and every bound is made of
#
# $$ \log w_k = \log p(x \mid z_{1,k}) + \log \frac{p(z_{1,k} \mid z_{2,k})}{q(z_{1,k} \mid x)}
#   + \log \frac{p(z_{2,k})}{q(z_{2,k} \mid z_{1,k})} . $$ {#eq:two-layers}
#
# The KL term of the VAE has a closed form in the upper layer only, given $z_1$; that of the lower layer is estimated from the
# same samples. Whether a dimension of $z_2$ is active is judged by its mean given $x$, an average over $z_1$.
#
# ## Theirs and ours {#sec:published-results}

# %%
whose = {
    "study": "Ours are runs of this study.",
    "kept": "This study has not trained these models; ours are of the table that is kept with the code.",
    "none": "This study has not trained these models, and none are kept with the code yet: ours are missing.",
}[source]
present.prose(
    "@tbl:published has the numbers of the paper, those of an independent rerun of it, and ours where there are any."
)
present.table(
    reading_table(table),
    label="tbl:published",
    runs=runs_of(table),
    data=table,
    caption=f"Test NLL (nats) and active units as published [@{published.citation}, {published.item}, MNIST], of an independent rerun of "
    f"the table [@{published.rerun.citation}], and ours, ± the Monte Carlo standard error, which says nothing of other seeds; units of two layers as lower + upper. {whose} *Passes*: through the training set, {published.passes:,} in the paper; $n$: seeds.",
)

# %%
if source == "none":
    present.prose(f"""
`snakemake --cores 2 --configfile configs/burda.yaml` trains all of @tbl:published, and `configs/burda-short.yaml` the same
in a tenth of the time. Of a finished study, `{COMMAND}` writes the table that reports like this one show.
""")
else:
    present.figure(
        FIGURES["published"](study),
        label="fig:published",
        caption="Test NLL as published (rings) and ours (dots), as in @tbl:published; lower is better. Models that we have not trained "
        "have a ring only.",
        alt="Dot plot in one panel for each number of stochastic layers: for each model the published negative log-likelihood and ours.",
    )
    provenance = (
        "This study has not trained these models: ours are of earlier studies' runs, whose table is kept with the code. "
        if source == "kept"
        else ""
    )
    present.prose(f"""
{provenance}{read_differences(table)} (@tbl:published, @fig:published.) {read_rerun(table, published)}

{read_making(table)}
""")
