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
from vaestudy.figures.beyond_data import runs_of
from vaestudy.figures.cells import means
from vaestudy.figures.labels_data import compared, find_pairs, find_told
from vaestudy.figures.labels_table import (
    labels_table,
    read_asked,
    read_cut,
    read_inferred,
    read_likelihood,
    read_networks,
)
from vaestudy.figures.networks import networks_table, widths
from vaestudy.figures.told import read_codes, read_rebuilt, told_codes
from vaestudy.report import present
from vaestudy.report.widgets import codes_by_class
from vaestudy.study import Study, tried

present.style()
study = Study.load(config)
base = study.config.base
told = tried(find_told, study)
pairs = tried(find_pairs, study)

# %% [markdown]
# # Labels and convolutions {#sec:labels}
#
# Two things were left out of the models so far: what class an image is of, and that its pixels have
# neighbours. The report *Variational AutoEncoder++* [@chen2021] tries the first, and names the second as what its
# own results lack. Its code gave every image the label 0. An input that never changes is a bias: the networks that it trained are
# plain VAEs, which have biases already, and repeating that would show the plain VAE once more. Here the labels are the images' own.
#
# ## Told, not told, inferred {#sec:labels-models}
#
# In a *conditional* VAE encoder and decoder are both told the class $y$, as a one-hot vector beside their input, and
# training maximises a bound on
#
# $$ \log p_\theta(x \mid y) = \log \int p_\theta(x \mid z, y)\, p(z)\, \mathrm dz . $$ {#eq:conditional}
#
# The code need not say what the label says already. Samples of a class are had by asking for it: $z$ from the
# prior, $x$ from $p_\theta(x \mid z, y)$.
#
# Often only a share of the images is labelled. The source's answer is to *blank* the vector of the others: all zeros,
# an eleventh class that means "not known". To the model it is a class like any, and what the unlabelled
# images teach it about the ten others is only what the networks happen to share. @kingma2014m2 treat the label for what it is, a variable that is not
# observed. With a classifier $q_\phi(y \mid x)$ and a uniform $p(y)$, their model *M2* maximises
#
# $$ \mathcal J(x) = \sum_y w_y\, \mathcal L(x, y)
#   - D_{\mathrm{KL}}\bigl(w \,\|\, p(y)\bigr) , $$ {#eq:m2}
#
# where $\mathcal L(x, y)$ is the ELBO of @eq:conditional. Where the label is known, $w_y$ is 1 for it and 0 for all others; where it
# is not, $w_y = q_\phi(y \mid x)$. That is a bound on $\log p_\theta(x, y)$ or on
# $\log p_\theta(x)$. The sum over the labels is taken, not
# sampled, which is why a step costs many times that of the others. Known labels also train the classifier directly, by $\alpha \log
# q_\phi(y \mid x)$ with the authors' $\alpha$: a tenth of all images over the number of labelled ones.

# %%
if told is None:
    present.prose("This study has trained no model that is told labels; `config.yaml` has them.")
else:
    table, data = labels_table(study)
    present.table(
        table,
        label="tbl:labels",
        runs=runs_of(compared(study)),
        data=data,
        caption="What models make of labels. *Labels*: the share of the training set's that is told, the same images for every "
        "seed; test images have theirs. Test NLL in nats with the label given and without it (M2: summed over labels; blanks: given a "
        "blank). *Drawn* and *means*: samples that a classifier finds to be of the class that was asked for, as drawn pixels and as "
        f"decoder means. $q(y \\mid x)$: test images whose label M2 infers. {means().capitalize()}.",
    )
    present.prose(f"""
{read_likelihood(study)} {read_cut(study)} (@tbl:labels.)
""")

# %% [markdown]
# ## Asking for a digit {#sec:labels-samples}

# %%
drawn = tried(FIGURES["labels-samples"], study)
if drawn is not None:
    present.prose("In @fig:labels-samples a column keeps its code while the class changes.")
    present.figure(
        drawn,
        label="fig:labels-samples",
        caption="Decoder means of the class at the left of each row, by models that were told all labels, or a share of "
        "them. A column has one code $z$ from the prior, the same for every class and every model; the first seed of each.",
        alt="Grids of digits, one a model, with ten rows from 0 to 9 and six columns of handwriting.",
    )
    present.prose("""
Where the digit changes with the class asked for (@fig:labels-samples), the code has been left
to say the handwriting; where a column stays what it is, the code says the class itself, and the label is not listened to. Blanks
invite that: what the encoder must tell the decoder of an image without a label, it may tell it of every image.
""")

# %%
drawn = tried(FIGURES["labels-accuracy"], study)
if drawn is not None:
    present.figure(
        drawn,
        label="fig:labels-accuracy",
        caption="Over the share of training labels that was told: decoder means in which a classifier finds the class that was asked for "
        "(left); test images whose label the classifier of M2 infers (middle); NLL of test images given their label, "
        "dashed that of the VAE without labels (right). Large markers are means over seeds, "
        "small dots the seeds; vertical lines are 95 % intervals, which may leave the panel.",
        alt="Three panels against the share of labels known, with one marker for each way of treating missing labels.",
    )
    present.prose(f"""
The source judges by eye that digits of the model with all labels are clearer than those of the model that lacks half of them.
Whether they are recognised as what they should be can be counted (@fig:labels-accuracy). {read_asked(study)} {read_inferred(study)}
""")

# %% [markdown]
# ## The source's own model {#sec:labels-small}

# %%
drawn, rebuilt = (tried(FIGURES[name], study) for name in ("labels-cloud", "labels-rebuilt"))
if drawn is None or rebuilt is None:
    present.not_run("The source's model with labels was")
else:
    present.prose(f"""
All other models of this chapter are the study's base model with labels. The source's own is the small one of @sec:plusplus with three latent
dimensions, of which it shows the codes once labels are given, and reconstructions with all labels beside some with half of
them blanked. @fig:labels-cloud and @fig:labels-rebuilt repeat both with labels that are the images' own. {read_codes(study)} By chance it would be
a tenth. What is told need not be encoded: @fig:labels-cloud is to be seen beside @fig:plus-cloud, of the same model without labels.
""")
    shown, codes = told_codes(study)
    present.figure(
        drawn,
        label="fig:labels-cloud",
        caption="Codes of test digits in three dimensions, by the model that is told all labels (first seed). On screen the cloud can be turned.",
        alt="A three-dimensional scatter plot of codes, with a colour for each class.",
        width="80%",
        interactive=codes_by_class(codes, shown.classes),
    )
    present.figure(
        rebuilt,
        label="fig:labels-rebuilt",
        caption="The first test digit of each class as models of three latent dimensions rebuild it from its code's mean: without labels, with all, and "
        "with half of them, there with the digit's label given, with a blank in its place, and with the label that M2 infers (first seed). Right: squared error over all test "
        "images, a mean over seeds.",
        alt="Rows of ten digits: as tested, and rebuilt without labels, with all labels, with half of them given a label, a blank, or inferred.",
    )
    present.prose(f"{read_rebuilt(study)} (@fig:labels-rebuilt.)")

# %% [markdown]
# ## Neighbouring pixels {#sec:networks}
#
# A dense layer would not notice if all images had their pixels shuffled alike. A convolution looks at a few neighbours, and with the
# same weights everywhere. The source holds another author's convolutional reconstructions of FashionMNIST against its own dense
# ones; what it cannot tell is whether the other network is better or only larger. Here both have the same number of
# parameters, within 2 %: the encoder is two convolutions of stride 2, with $c$ and $2c$ channels, and a dense layer of $h$ units, the
# decoder its mirror image. $h$ follows from the number that is to be met; $c$ is the largest power of two that leaves $h \ge 4c$.

# %%
if pairs is None:
    present.prose("This study has trained no convolutional networks; `config.yaml` has them.")
else:
    table, data = networks_table(study)
    present.table(
        table,
        label="tbl:networks",
        runs=[run for pair in pairs for run in pair.runs],
        data=data,
        caption="Dense and convolutional networks of as many parameters, otherwise the base model but for what the text says. NLL and ELBO in nats on "
        f"test images, squared error of the mean's reconstruction. {means().capitalize()}; "
        "last the paired difference, convolutional − dense.",
    )
    present.figure(
        FIGURES["networks"](study),
        label="fig:networks",
        caption=f"The first test image of each class of {pairs[0].dataset} as both networks rebuild it from its code's mean, and decoder means "
        "of ten codes from the prior, the same for both. Numbers: squared error of the images shown.",
        alt="Rows of ten pictures: the tested images, two rows of reconstructions and two of samples, dense and convolutional.",
    )
    channels, dense = widths(study, pairs[0])
    nonlinearity = pairs[0].mlp.first["activation"]
    activation = (
        ""
        if nonlinearity == base.activation
        else (
            f"The nonlinearity of both is {nonlinearity.upper()}, not {base.activation}: through as many layers as the convolutional "
            "networks have, one whose slope is small at zero lets little of a gradient pass."
        )
    )
    note = (
        ""
        if pairs[0].dataset.startswith("fashion")
        else (
            f" This study has {pairs[0].dataset} in the place of FashionMNIST, about which it says nothing."
        )
    )
    present.prose(f"""
Here $c = {channels}$ and $h = {dense}$, and both networks were trained for {pairs[0].epochs} epochs (@tbl:networks, @fig:networks). {activation}
{read_networks(study, pairs[0])} Equal parameters are not equal work: a convolution uses each of its weights at every place of the image.{note}
""")
