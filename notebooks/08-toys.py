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
from vaestudy.figures.plane import N_POINTS
from vaestudy.figures.plane_data import plane_runs
from vaestudy.figures.plane_decay import decay_table, read_left, read_onset
from vaestudy.figures.plane_prose import (
    read_annealing,
    read_bands,
    read_decay,
    read_edges,
    read_error,
    read_shapes,
    read_snake,
    read_symmetry,
)
from vaestudy.figures.plane_table import shapes_table, square_table
from vaestudy.report import present
from vaestudy.study import Study, tried

present.style()
study = Study.load(config)


def told(read):
    """Return what ``read`` says, or nothing where the study lacks what it compares."""
    return tried(read, study) or ""


square = tried(plane_runs, study)
TOLD = means()

# %% [markdown]
# # Points in the plane {#sec:toys}
#
# Digits have hundreds of dimensions, of which a page can show two. @idler2022 takes data that have two to
# begin with, points drawn uniformly from the unit square, sends them through a VAE whose latent space has
# two dimensions, or one, and looks at all of it: what goes in, where it lies in latent space, what
# comes out. The task is harder than it seems. The square has edges and corners and the prior has
# neither, so that the decoder must bend a bell into a box.
#
# ## The model and its two weights {#sec:toys-model}
#
# Encoder and decoder have two hidden layers of 30 rectified linear units. The likelihood is a Gaussian of
# fixed variance, here $\tfrac12$, so that $\log p_\theta(x \mid z)$ is minus the squared error but for a constant,
# and both regularizers have a weight:
#
# $$ \mathcal L = \mathbb E_{q_\phi(z \mid x)}\bigl[-\lVert x - \hat x(z) \rVert^2\bigr]
#   - \beta\, D_{\mathrm{KL}}\bigl(q_\phi(z \mid x) \,\|\, p(z)\bigr)
#   - \frac{\lambda}{W} \sum_{i=1}^{W} w_i^2 . $$ {#eq:toy-objective}
#
# The source gives $\lambda$ no scale. With the *sum* of squares over the $W$ weights, its values of 0.05 to 1 would leave no weight
# standing: six layers that hand two coordinates on unchanged have squares that sum to at least 12, and $\lambda = 0.05$ would charge 0.6
# for what can lower the squared error by no more than the square's variance, $\tfrac16$. With the mean, taken here over all weights but no
# biases, the least charge for the same is 0.0003, and 0.006 at $\lambda = 1$. Whether that is the scale at which the source sees its effects is not
# known: which of them are to be seen at it is measured in @sec:toys-plane, and where they set in beyond it, in @sec:toys-decay.
#
# Two things can be said before anything is trained. Divided by $\beta$, @eq:toy-objective is the ELBO of a decoder with variance
# $\beta / 2$ (and weight decay $\lambda / \beta$): a small $\beta$ does not weaken a regularizer so much as it says how exact the data are.
# And where the decoder is nearly linear across the width of one posterior, with slope $s$ along a dimension whose posterior
# has standard deviation $\sigma$, the two terms that depend on $\sigma$ are $-s^2 \sigma^2 + \beta \ln \sigma$ up to the small $-\tfrac\beta2\sigma^2$, and the best
# $\sigma$ makes
#
# $$ s^2 \sigma^2 = \beta / 2 : $$ {#eq:toy-error}
#
# every dimension in use adds about half of $\beta$ to the squared error, two of them $\beta$. The square's own
# variance, the error of a model that says nothing, is $\tfrac16$.
#
# ### What is measured {#sec:toys-measures}
#
# The source writes the penalty as the divergence of "$q(z)$" from the prior and takes a small one to mean that the
# latent cloud is Gaussian. What it computes, and what @eq:toy-objective has, is the divergence of each *point's*
# posterior, which says how much a code tells; the cloud is their mixture $q(z) = \mathbb E_x[q_\phi(z \mid x)]$, whose own divergence is
# only a part of it (@eq:information). Whether the cloud looks like the prior is therefore measured on the cloud, by the energy
# distance $2\,\mathbb E\lVert z - y \rVert - \mathbb E\lVert z - z' \rVert - \mathbb E\lVert y - y' \rVert$ of $z, z' \sim q(z)$ and
# $y, y' \sim p(z)$, which is zero where both are the same distribution and nowhere else.
#
# All statistics are of held-out points, each encoded once ($z$ drawn from $q_\phi(z \mid x)$, not its mean, which
# would hide how little a code tells) and decoded. *Share near an edge*: of reconstructions within 0.05 of an edge; of the square's own points
# it is 0.19. *Share near zero*: with a coordinate within 0.05 of zero; 0.0975 of the square's own. *Quadrant purity*: the share of a code's ten nearest
# others that come from its quadrant; by chance a quarter. *Trustworthiness*: how far neighbours among codes
# are neighbours among points; 1 if all are. *Diamondness*: with $\zeta = z_1 + i z_2$ of the standardised cloud,
# $\operatorname{Re} \mathbb E[\zeta^4] / \mathbb E[\lvert\zeta\rvert^4]$; zero for a cloud without preferred directions,
# $\tfrac37$ for a square on its corner, $-\tfrac37$ for one on its side. *Squareness*: the modulus in place of the real part, the same
# for a square however it stands.

# %%
if square is None:
    present.prose("This study has trained no model on points of the plane; `config.yaml` has them.")

# %% [markdown]
# ## Two latent dimensions {#sec:toys-plane}

# %%
drawn = tried(FIGURES["square-plane"], study)
if drawn is not None:
    present.prose("@fig:square-plane is the source's second figure for all pairs of weights.")
    present.figure(
        drawn,
        label="fig:square-plane",
        caption=f"The square through two latent dimensions, for every KL weight $\\beta$ and weight decay $\\lambda$: the "
        f"codes of {N_POINTS:,} held-out points (all panels of codes from −3.4 to 3.4) and their reconstructions (from −0.1 to 1.1), one seed each. "
        "The colour is the quadrant that a point came from, as in the input above.",
        alt="Above, a square of points in four colours, one a quadrant. Below, a grid of pairs of panels, codes and outputs, KL "
        "weight across and weight decay down.",
    )
    present.prose(f"""
{told(read_error)} As long as both dimensions are in use,
@eq:toy-error expects $\\beta$.
""")

# %%
drawn = tried(FIGURES["square-plane-statistics"], study)
if drawn is not None:
    present.figure(
        drawn,
        label="fig:square-plane-statistics",
        caption="Statistics of two latent dimensions over KL weight and weight decay, means over seeds. Darker is "
        "more; for diamondness, blue is negative (sides along the axes) and red positive (standing on a corner).",
        alt="Eight heat maps, KL weight across and weight decay down, with the value written in every cell.",
    )
    shown, numbers, runs = square_table(study, 2)
    present.table(
        shown,
        label="tbl:square-plane",
        runs=runs,
        data=numbers,
        caption=f"The square through two latent dimensions: {TOLD}. Of the square and the prior themselves: share near an edge 0.19, "
        "near zero 0.0975, energy distance and diamondness 0.",
    )
    present.prose(f"""
*Weight decay.* {told(read_decay)} The source reports a diamond, and from $\\lambda = 0.25$ no values near zero.

*Ten times the KL weight.* {told(read_edges)} A loss is what a decoder of ten times the variance should show: of two points closer than its width it
cannot tell which was meant, and near an edge the mean of those that may have been meant lies inside.

*Both.* {told(read_bands)}

*Where things lie.* {told(read_symmetry)} A change of sign or of place of the latent dimensions changes nothing in
@eq:toy-objective, so that which of the eight comes out is left to the seed. (@fig:square-plane-statistics, @tbl:square-plane.)
""")

# %% [markdown]
# ### Stronger weight decay {#sec:toys-decay}
#
# On the scale of the sum, the source's least weight, 0.05, would be 105 on ours. Between its strongest on our scale and that one, whatever it saw
# must set in, if decay is what made it.

# %%
drawn = tried(FIGURES["square-decay"], study)
if drawn is None:
    present.not_run("Weight decay beyond the source's values was")
else:
    present.figure(
        drawn,
        label="fig:square-decay",
        caption="The square through two latent dimensions with the source's strongest weight decay on our scale, and beyond (one seed each; drawn as in "
        "@fig:square-plane).",
        alt="Pairs of panels, codes and outputs, with stronger weight decay further down.",
    )
    shown, numbers, runs = decay_table(study)
    present.table(
        shown,
        label="tbl:square-decay",
        runs=runs,
        data=numbers,
        caption=f"The same models: {TOLD}. A model that says nothing has a squared error of 0.1667, and a quadrant purity of 0.25.",
    )
    present.prose(f"""
{told(read_onset)} (@fig:square-decay, @tbl:square-decay.) When one of two dimensions has been given up, bands are left of a square:
colours lie in order along the other, across it nothing is told, and quadrant purity is about a half. {told(read_left)}
""")

# %% [markdown]
# ## One latent dimension {#sec:toys-line}
#
# A curve cannot fill a square, but it can come near to every point of it. How near is a bargain: a curve of
# length $\ell$ leaves about $1 / \ell$ between its strands, and what is paid for is $\ln \ell$ nats.

# %%
drawn = tried(FIGURES["square-line"], study)
if drawn is not None:
    present.figure(
        drawn,
        label="fig:square-line",
        caption="As @fig:square-plane, with one latent dimension. Codes lie along the horizontal; their vertical position is jitter.",
        alt="A grid of pairs of panels: codes as coloured bands, outputs as a curve in four colours.",
    )
drawn = tried(FIGURES["square-snake"], study)
if drawn is not None:
    present.figure(
        drawn,
        label="fig:square-snake",
        caption="The decoder's curve through the square, $\\lambda = 0$, one seed each: $\\hat x(z)$ over the middle 99 % of "
        "the held-out points' codes, coloured by $z$; the points in grey.",
        alt="Four squares of grey points, one a KL weight, each with a curve coloured from one end to the other.",
    )
    present.prose(f"""
@fig:square-snake shows the curve that @fig:square-line shows only where codes fall. {told(read_snake)}
""")
drawn = tried(FIGURES["square-line-statistics"], study)
if drawn is not None:
    present.figure(
        drawn,
        label="fig:square-line-statistics",
        caption="Statistics of one latent dimension over KL weight and weight decay, means over seeds. Darker is more. The length is "
        "that of the decoder's curve over the middle 99 % of the codes, in sides of the square.",
        alt="Six heat maps, KL weight across and weight decay down, with the value written in every cell.",
    )
    shown, numbers, runs = square_table(study, 1)
    present.table(
        shown,
        label="tbl:square-line",
        runs=runs,
        data=numbers,
        caption=f"The square through one latent dimension: {TOLD}.",
    )

# %% [markdown]
# ## A KL weight that rises {#sec:toys-annealing}

# %%
drawn = tried(FIGURES["square-annealing"], study)
if drawn is None:
    present.prose("This study has trained no model of the square with an annealed KL weight.")
else:
    present.prose("""
The source tried to let $\\beta$ rise from 0 to 1 in training [@bowman2016; @sonderby2016], found it unsatisfactory and shows
nothing of it.
""")
    present.figure(
        drawn,
        label="fig:square-annealing",
        caption="KL weights that rise from 0 (dashed) beside fixed ones (solid), $n_z = 2$, $\\lambda = 0$: the weight (logarithmic above the lowest), the squared error "
        "of reconstructions from drawn codes, and the KL of held-out points, by epoch; means over seeds, bands their range.",
        alt="Three panels by epoch: KL weights and squared error on logarithmic axes, and KL.",
    )
    present.prose(f"""
{told(read_annealing)} (@fig:square-annealing.) A schedule changes the way; what training ends with is the objective at its last weight,
and at $\\beta = 1$ the decoder's variance, a half, is six times that of a coordinate of the square, so that neither is worth a code.
""")

# %% [markdown]
# ## Other shapes {#sec:toys-shapes}
#
# The square is one shape, and a kind one: it has no hole and is in one piece. A ring, the image of a Gaussian under
# $z / 10 + z / \lVert z \rVert$ [@doersch2016], has a hole; two moons and a mixture of eight Gaussians fall apart. A decoder is continuous, and so is its
# image of the prior: between the pieces it must lay something.

# %%
drawn = tried(FIGURES["shapes"], study)
found = tried(shapes_table, study)
if drawn is None or found is None:
    present.prose("This study has trained no model of another shape.")
else:
    present.figure(
        drawn,
        label="fig:shapes",
        caption="Shapes through two latent dimensions at two KL weights, $\\lambda = 0$, one seed each: held-out points; their codes "
        "(from −3.4 to 3.4), their reconstructions, and the decoder's means at draws of the prior (samples). Colours are "
        "quadrants, moons and components.",
        alt="Rows of panels, one row a shape: coloured input; at each of two KL weights coloured code and output, and samples "
        "in black.",
    )
    shown, numbers, runs = found
    present.table(
        shown,
        label="tbl:shapes",
        runs=runs,
        data=numbers,
        caption=f"Shapes through two latent dimensions, $\\lambda = 0$: {TOLD}. The variances of the shapes differ (the square's is a "
        "sixth, the others' about one), so that squared errors and distances of samples compare within a shape.",
    )
    present.prose(told(read_shapes))
