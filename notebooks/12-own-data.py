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
from vaestudy.figures.families import label_of
from vaestudy.figures.grid_data import find_grid, grid_runs
from vaestudy.figures.grid_prose import read_drawn, read_lowest
from vaestudy.figures.packaged_data import find_fitted, find_variants, looks_at_base
from vaestudy.figures.packaged_prose import (
    read_averaging,
    read_categories,
    read_errors,
    read_features,
    read_optimizers,
    read_package,
    read_samples,
    read_variances,
)
from vaestudy.figures.packaged_table import combinations_table, datasets_table, variants_table
from vaestudy.report import present
from vaestudy.source_chapters import own_experiments
from vaestudy.study import Study, tried

present.style()
study = Study.load(config)
own = study.config.of_own_data
experiments = () if own else own_experiments(study.config.chosen)
fitted = tried(find_fitted, study) or []
n_z = int(fitted[0].runs["n_z"].iloc[0]) if fitted else 0

# %% [markdown]
# # Any data {#sec:own-data}
#
# A variational autoencoder asks little of its data: rows of numbers, and a distribution that suits them. It then has three
# uses, which @poworoznek2019 make the parts of a small package: the encoder *reduces dimension*, the decoder
# *generates* rows that nobody has seen, and both together give each row its *nearest representation* among those that
# the model can make. In the notation of this report these are the mean of $q_\phi(z \mid x)$, a draw from
# $p_\theta(x \mid z)$ at a $z$ from the prior, and $\mathbb E_{p_\theta}[x \mid z]$ at that mean.

# %%
if own:
    present.prose("""
This is a study of other data than the pictures that the rest of the project is about: the same grid, training, measurements
and tables. Chapters that look at digits or decide the claims of papers about them are left out.
""")
else:
    variants = tried(find_variants, study)
    if variants is None and not experiments:
        present.prose("The packaged model is not run in this study; `config.yaml` has it.")
    if variants is not None:
        present.prose(f"""
## The packaged model {{#sec:packaged}}

{read_package(study)} (@fig:packaged, @tbl:packaged).
""")
        present.figure(
            FIGURES["packaged"](study),
            label="fig:packaged",
            caption="Test NLL of the packaged model, and of it with one choice changed: seeds, mean and 95 % interval. The grey "
            "line is the mean of the first row; an interval may leave the panel.",
            alt="Horizontal intervals, one row a variant, with a dot for each seed.",
        )
        table, data = variants_table(study)
        present.table(
            table,
            label="tbl:packaged",
            runs=[run_id for variant in variants for run_id in variant.runs["run_id"]],
            data=data,
            caption="The same in numbers: test NLL and what changes with it (paired difference to the first row), the squared "
            f"error of the nearest representation, and training time, each the {means()}; times are those of the machines "
            "named in @sec:provenance and whatever else they did.",
        )
        present.prose(f"""
*One sample or many.* The gradient needs samples of $z$, and the package's authors hold that one a datum is
enough. To compare at equal computation, passes through the decoder are made equal: with ten times the samples, a
tenth of the epochs. The encoder then has a tenth of the passes, and what that saves is time. {read_samples(study)}

*The optimiser.* AdaMax [@kingma2015adam] divides the mean of recent gradients by their decaying maximum where Adam
takes a mean square, and Adagrad [@duchi2011] by the root of the sum of all squares so far. Each runs at the learning rate
that is its default in the library that the package was built on, but for a factor that all share in a short
study. {read_optimizers(study)}

*A mean in place of a sum.* The package's loss averages the KL over latent dimensions, where the bound sums it: a KL
weight of $\\beta = 1 / n_z$, and with it no bound any more. {read_averaging(study)} Its noise, besides, is drawn in the one batch size that was
set, so that data whose number is no multiple of that do not fit; here noise has the size of the batch that comes, in training and after it.
""")

# %%
drawn = None if own else tried(FIGURES["estimator-variance"], study)
if drawn is not None:
    present.prose("""
## Two estimators of one gradient {#sec:estimator-variance}

The ELBO can be estimated with its KL term in closed form (their Eq. 2), or with that sampled like the rest (their Eq. 1),

$$ \\log p_\\theta(x \\mid z) - D_{\\mathrm{KL}}\\bigl(q_\\phi(z \\mid x) \\,\\|\\, p(z)\\bigr)
   \\qquad\\text{or}\\qquad
   \\log p_\\theta(x \\mid z) + \\log p(z) - \\log q_\\phi(z \\mid x) . $$ {#eq:two-estimators}

Both have the same expectation. That the first must have the less variance, for having less that is random, sounds
plain and is not: where $q_\\phi$ comes near the posterior the two random parts of the second cancel. They are therefore measured, at the same
parameters, on the same images and with the same noise.
""")
    present.figure(
        drawn,
        label="fig:estimator-variance",
        caption="Variance of the gradient, summed over the parameters of the encoder, or of both: the estimator with a sampled KL over that "
        "with its closed form (@eq:two-estimators), at the trained models' parameters. To the decoder both are one. Above 1 (dashed) the closed form is the quieter.",
        alt="Horizontal intervals of variance ratios, two rows a model, about a dashed line at one.",
    )
    present.prose(f"{read_variances(study)} (@fig:estimator-variance.)")

# %%
drawn = tried(FIGURES["own-results"], study) if own or experiments else None
if drawn is not None:
    of_which = (
        f"{'These experiments are' if len(experiments) > 1 else 'This experiment is'} the study's own: "
        + "; ".join(f"*{study.config.chosen[name].title}* (`{name}`)" for name in experiments)
        + ".\n"
        if experiments
        else ""
    )
    scales = find_grid(study)
    apart = (
        " Models of other data, or another likelihood, or that are told rows' classes, have panels of their own, for their NLLs lie elsewhere."
        if len(scales) > 1
        else ""
    )
    behind = (
        f"; test curves of the others{' of these data and this likelihood' if apart else ''} behind it in grey"
        if max(s.n for s in scales) > 1
        else ""
    )
    present.prose(f"""
## The grid {{#sec:own-grid}}

{of_which}What a level of the grid does is to be read in three numbers of test rows, each with its interval over seeds (@fig:own-results,
@tbl:own-combinations): the NLL, $-\\log p_\\theta(x)$, of which lower is better; the latent dimensions in use, those whose
activity, the variance of $\\mathbb E_{{q_\\phi}}[z_u \\mid x]$ over rows, exceeds {study.config.evaluation.activity_threshold:g}; and the KL from the prior, what the code costs.
{read_lowest(study)} @fig:own-curves follows the training behind them, @fig:own-kl each latent dimension. {read_drawn(study)}
""")
    present.figure(
        drawn,
        label="fig:own-results",
        caption="Test NLL (lower is better), active units and KL of each combination: seeds, mean and 95 % interval, which may leave the panel."
        + apart,
        alt="Horizontal intervals in three panels, one row a combination, with a dot for each seed.",
    )
    table, data = combinations_table(study)
    present.table(
        table,
        label="tbl:own-combinations",
        data=data,
        runs=grid_runs(study)["run_id"].tolist(),
        caption="Every combination of this grid: test NLL (nats a row; of standardised columns, in their units), "
        f"squared error of the nearest representation, and latent dimensions in use; {means()}.",
    )
    training = FIGURES["own-curves"](study)
    course = "ELBO" if "elbo" in set(training.data["metric"]) else "bound of its own objective"
    present.figure(
        training,
        label="fig:own-curves",
        caption=f"Training: each combination's {course} after every epoch, mean over seeds and their range{behind}. The first epochs may lie "
        "below the panel. Where the test curve falls while the training curve rises, the model learns its rows by heart.",
        alt="Small panels of curves over epochs, one a combination, a solid line for training rows and a dashed one for test rows.",
    )
    present.figure(
        FIGURES["own-kl"](study),
        label="fig:own-kl",
        caption="KL of every latent dimension over test rows when training ends, each seed's largest first: what each dimension costs, and tells. "
        "An inactive dimension says nothing of the row.",
        alt="Small panels of dots, one a combination, of the KL of each latent dimension in falling order.",
    )

# %%
if fitted:
    several = len(fitted) > 1
    standardised = (
        ""
        if all(one.data.of_images for one in fitted)
        else "Columns of a table are standardised by the training rows unless all values lie in [0, 1], and a category becomes one "
        "column of 0 and 1 for each of its values. "
    )
    of_grid = (
        "the base model"
        if looks_at_base(study)
        else f"the grid's first model ({label_of(fitted[0].runs.iloc[0])}, $n_z = {n_z}$)"
    )
    what = of_grid if own else "the packaged model"
    present.prose(f"""
## {"Fitted to several data sets" if several else "What the model makes of them"} {{#sec:any-data}}

{"The same model, with a likelihood that suits the values, is fitted to" if several else f"{what[0].upper()}{what[1:]} is fitted to"}
{"; ".join(f"*{one.title}* ({len(one.data.train):,} rows to train on, {len(one.data.test):,} to test, {one.rows.shape[1]} columns)" for one in fitted)}.
{standardised}Everything below is of test rows.
""")
    present.figure(
        FIGURES["embeddings"](study),
        label="fig:embeddings",
        caption=f"Reducing dimension: the mean of $q_\\phi(z \\mid x)$ of test rows under {what} (one seed)"
        + (", in the two dimensions of most spread" if n_z > 2 else "")
        + "; coloured by class where the data have classes, which these models were not told.",
        alt="Scatter plots of codes, one panel a data set, coloured by class.",
    )
    table, data = datasets_table(study, fitted)
    present.table(
        table,
        label="tbl:any-data",
        runs=[run_id for one in fitted for run_id in one.runs["run_id"]],
        data=data,
        caption="Squared error of test rows' nearest representation, summed over columns (in squared standard deviations for "
        "standardised ones), beside that of as many principal components and of the training mean; "
        f"{means()}. –: not measured.",
    )
compared = tried(FIGURES["any-data"], study)
if compared is not None:
    present.figure(
        compared,
        label="fig:any-data",
        caption=f"Error of the nearest representation over that of {n_z} principal components, on test rows: seeds, mean and 95 % "
        "interval. Below 1 (dashed) the model keeps more.",
        alt="Horizontal intervals of error ratios, one row a data set, about a dashed line at one.",
    )
    present.prose(f"""
Principal components are the best that a linear code can do on the training rows, and they minimise the very error that is
compared, which the model does not: it maximises a likelihood. {read_errors(study)} (@fig:any-data, @tbl:any-data.)
""")

# %%
drawn = tried(FIGURES["nearest-representations"], study)
if drawn is not None:
    present.figure(
        drawn,
        label="fig:nearest-representations",
        caption="Test pictures, their nearest representations, and pictures generated from draws of the prior (decoder means); one seed.",
        alt="Rows of small pictures: originals, reconstructions beneath them, and generated ones.",
    )
    present.prose(f"""
How much of a picture {n_z} numbers can hold is seen best in the pictures (@fig:nearest-representations): what the nearest
representation leaves out, the code has no room for.
""")
drawn = tried(FIGURES["tables"], study)
if drawn is not None:
    glossed = (
        " Of the diabetes data [@efron2004], bp is the mean blood pressure, and s1 to s6 are serum values: total, LDL and HDL cholesterol, "
        "total over HDL, supposedly the logarithm of triglycerides, and glucose; sex=1 and sex=2 are codes that the data do not explain."
        if any(one.data.name == "diabetes" for one in fitted)
        else ""
    )
    present.figure(
        drawn,
        label="fig:tables",
        caption="Tables, one seed. Left: the share of each column's variance, over test rows, that the nearest representation explains, "
        f"beside that of {n_z} principal components. Right: correlations of all pairs of columns in the training rows, and in as many "
        f"rows drawn from the model as make them certain to a few hundredths; on the dashed line both agree.{glossed}",
        alt="For each table, a dot plot of explained variance by column, and a scatter plot of correlations near a diagonal.",
    )
    present.prose(f"""
@fig:tables looks into the tables. {read_features(study)} Rows that a model draws should hang together as the data do; points off
its diagonals are pairs of columns whose dependence the model has not learned.
""")
    categories = tried(read_categories, study)
    if categories:
        errors = (
            "; the errors of such a table in @fig:any-data are those of a model that was drawn to it"
            if compared
            else ""
        )
        present.prose(f"""
*Columns of two values.* {categories} Where every value is one of two, a density can be raised by narrowing it, as far as the
likelihood lets it, here to a hundredth of the column's spread. So many nats are won there that the code may say the category first, whatever that
leaves of the other columns{errors}. With `likelihood: squared-error`, whose variance is fixed, a category weighs as any other column.
""")

# %% [markdown]
# ## With data of your own {#sec:your-data}
#
# `vaestudy fit data.csv --latent 2` fits one model to a table, an array or a folder of images and writes its embedding, a file that
# `vaestudy.VAE.load` reads, and a page of pictures; a `.npy` file larger than memory is streamed. The class
# `vaestudy.VAE` does the same in Python, with the interface of scikit-learn: `transform`, `sample`, `inverse_transform`.
# For a grid, write `dataset: {path: data.csv}` into a configuration, with `binarization: none` and `likelihood: normal` for columns that are no
# pixels: all else, from seeds to this report, stays as it is. What cannot be modelled (text in many different values, missing or infinite
# numbers, a single row) is refused with a sentence that says what to do, before anything is trained.
