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
import pandas as pd

from vaestudy.figures.families import label_of, order_of
from vaestudy.figures.run_notes import note_of
from vaestudy.report import present
from vaestudy.report.phrases import scope, seconds_text
from vaestudy.stats import number
from vaestudy.study import Study

present.style()
study = Study.load(config)
runs, timing = study.table("runs"), study.table("timing")
everything = runs.merge(timing, on="run_id", suffixes=("", "_timing"))

# %% [markdown]
# # Appendix: every run {#sec:appendix .appendix}
#
# ## How it was made {#sec:provenance}

# %%
machines = ", ".join(
    f"{n} on {name} ({device})"
    for (name, device), n in timing.groupby(["hardware", "device"]).size().items()
)
versions = ", ".join(
    f"{title} {' and '.join(sorted(timing[column].astype(str).unique()))}"
    for column, title in (("vaestudy", "vaestudy"), ("python", "Python"), ("torch", "PyTorch"))
)
revisions = " and ".join(
    f"`{r.removesuffix('-dirty')}`{' with changes not committed' if r.endswith('-dirty') else ''}"
    for r in sorted(timing["revision"].unique())
)
total = (timing["train_seconds"] / timing["members"]).sum()
diverged = runs[runs["status"] != "finished"]
present.prose(f"""
The study `{study.config.study}` consists of {scope(study)}. Training took {seconds_text(total)} of computing time
in all ({machines}); where several models shared a job, its time is divided among them. No job held more than
{number(timing["peak_rss_mb"].max(), 0)} MB of memory, the libraries included. Versions: {versions}, at
revision {revisions}. {"Every run finished." if diverged.empty else f"{len(diverged)} runs diverged and are left out of every mean: " + "; ".join(diverged["message"])}

The same configuration and seed give the same weights and the same tables to the last bit on the same kind
of machine, whatever else a study holds (models of points in the plane, which train together, to rounding); the columns of times are the only ones that differ between repeats. On another processor or on a GPU sums are taken in
another order, so that single runs differ and statements over seeds should not.
""")

# %% [markdown]
# ## Data {#sec:data}

# %%
datasets = study.table("datasets")
present.table(
    datasets.assign(sha256="`" + datasets["sha256"].str[:16] + "…`")[["dataset", "n_train", "n_test", "source", "sha256"]]
    .rename(columns={"dataset": "Data set", "n_train": "Train", "n_test": "Test", "source": "Source", "sha256": "SHA-256"}),
    label="tbl:datasets",
    caption="Data sets, and the start of the checksum of their arrays; a file with any other is refused.",
    data=datasets,
    formats={"Train": ",", "Test": ","},
)  # fmt: skip

# %% [markdown]
# ## Experiments {#sec:experiments}

# %%
present.table(
    pd.DataFrame(
        [
            {
                "Experiment": f"`{name}`",
                "What it compares": experiment.title,
                "Runs": int(
                    runs["experiments"]
                    .str.split(",")
                    .apply(lambda names, name=name: name in names)
                    .sum()
                ),
            }
            for name, experiment in study.config.chosen.items()
        ]
    ),
    label="tbl:experiments",
    caption="The experiments of the configuration. A run that several share is trained once and counted in each.",
)

# %% [markdown]
# ## Parameters {#sec:parameters}

# %%
shared = {
    name: value for name, value in study.base.items() if len(set(runs[name].astype(str))) == 1
}
words = {
    "adam_eps": "Adam's $\\epsilon$", "adam_beta1": "Adam's $\\beta_1$", "adam_beta2": "Adam's $\\beta_2$",
    "n_z": "$n_z$", "beta": "$\\beta$", "k": "$K$", "lr_schedule": "learning rate schedule",
}  # fmt: skip
present.table(
    pd.DataFrame(
        [
            {
                "Parameter": words.get(name, name.replace("_", " ")),
                "Base model": str(value),
                "Levels in this study": "–"
                if name in shared
                else ", ".join(map(str, sorted(runs[name].unique()))),
            }
            for name, value in study.base.items()
        ]
    ),
    label="tbl:parameters",
    caption="Parameters of the base model, and the levels at which they were varied.",
)

# %% [markdown]
# ## Runs {#sec:runs}
#
# @tbl:runs names every run. Its parameters are those of @tbl:parameters but for what the model's name, the latent
# dimension and the note say; all of them, with every measurement, are in the table's download.

# %%
nll = study.table("evaluation").query("metric == 'nll'").set_index("run_id")["value"]
table = everything.assign(
    model=everything.apply(label_of, axis=1),
    order=everything.apply(order_of, axis=1),
    nll=everything["run_id"].map(nll),
    seconds=everything["train_seconds"] / everything["members"],
    note=[note_of(row, study.base) for _, row in everything.iterrows()],
).sort_values(["order", "seed"])
present.table(
    table[["model", "n_z", "note", "seed", "nll", "seconds", "run_id"]]
    .assign(run_id="`" + table["run_id"].str.split("-").str[-1] + "`")
    .rename(columns={"model": "Model", "n_z": "$n_z$", "note": "Note", "seed": "Seed", "nll": "Test NLL",
                     "seconds": "Time (s)", "run_id": "Id ends in"}),
    label="tbl:runs",
    caption="Every run: model, latent dimensions, seed, test NLL under its own likelihood (nats; a log density but for Bernoulli "
    "decoders), training time, and the end of its id. Note: hidden units, nonlinearity, epochs, size of batches, learning rate, "
    "Adam's $\\epsilon$ and whatever else differs from @tbl:parameters; WU: epochs of warm-up.",
    runs=table["run_id"].tolist(),
    data=everything.assign(nll=everything["run_id"].map(nll)),
    formats={"Test NLL": lambda v: number(v, 2), "Time (s)": lambda v: number(v, 1)},
)  # fmt: skip
