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
from vaestudy.claims import load_ledger
from vaestudy.claims.judge import SAMPLES_FOR_A_VERDICT
from vaestudy.claims.kept import kept_of
from vaestudy.claims.words import sources_text
from vaestudy.figures import FIGURES
from vaestudy.figures.claims import DOCUMENTS
from vaestudy.figures.introduction_prose import read_bias
from vaestudy.report import present
from vaestudy.report.ledger import (
    KEPT,
    corrections,
    decided_table,
    kept_table,
    outcome,
    waiting_table,
)
from vaestudy.report.phrases import LEDGER
from vaestudy.stats import SEEDS_FOR_A_VERDICT
from vaestudy.study import Study

present.style()
study = Study.load(config)
claims = study.table("claims")
ours, waiting = claims[claims["pending"] == ""], claims[claims["pending"] != ""]
ran = ours[ours["n"] > 0]
kept = kept_of(ours)
documents = load_ledger(LEDGER).documents


def of_documents(figure):
    sources = claims[claims["document"].isin(DOCUMENTS[figure])].drop_duplicates("document")
    cited = {number: f" [@{document.cite}]" for number, document in documents.items()}
    return " and ".join(
        f"source {number}{cited.get(number, '')}" for number in sorted(sources["document"])
    )


# %% [markdown]
# # The claims, decided {#sec:claims}

# %%
present.prose(f"""
The draft that this study repeats [@bettencourt2016] and four documents in its vicinity
[@idler2022; @chen2021; @vaesummary; @poworoznek2019] make {len(claims)} statements that an experiment
can decide. The ledger (@tbl:claims) lists those that have an experiment, {len(ours)} in number, of which this study has
run {len(ran)}, with what decides them and what came out{"; @tbl:claims-waiting lists the others" if len(waiting) else ""}.
{outcome(claims, kept, study.config.evaluation.n_samples)} Every claim{" that has been run" if len(ran) < len(ours) else ""} names the figure to look at, and beneath that figure stands the way back.
""")

# %% [markdown]
# ## The rule {#sec:claims-rule}

# %%
multiple = int((ran["contrasts"].str.count("; ") > 0).sum())
own = ran.loc[ran["split"] == "training", "claim"]
in_training = (
    f"All statistics but those of {len(own)} claims about training itself, which say so, are"
    if len(own)
    else "All statistics are"
)
samples = study.config.evaluation.n_samples
present.prose(f"""
A claim stands in the ledger with a statistic, the runs that it compares and the least effect
$m$ that counts. It says that the mean $\\Delta$ of a difference, taken seed by seed, lies in a region,

$$ \\Delta > m , \\qquad \\Delta < -m , \\qquad\\text{{or}}\\qquad \\lvert\\Delta\\rvert < m , $$ {{#eq:claim}}

the last for claims that two models are alike; for claims that one is as good as another, or better, $\\Delta$ may
be up to $m$ on the wrong side. It is *supported* if the 95 % interval of $\\Delta$ lies within
the region, *contradicted* if it lies outside, and *undecided* if it holds points of both. For
$\\lvert\\Delta\\rvert < m$ that amounts to two one-sided tests [@schuirmann1987; @lakens2017]. A claim about several
differences ({multiple} of those here) is supported if it is so for each, and contradicted if one of $k$ lies outside by
its interval at level $1 - 0.05/k$. Two intervals have to agree, Student's $t$ and a bootstrap whose
percentiles are widened for small $n$ [@hesterberg2015]; the $t$ interval is the one shown. Of a share of models, or a number of
events a model, a third has to agree, the exact one of Clopper and Pearson or of Garwood: where all seeds agree the others have no
width, and five models without an event do not show that there are none. With
fewer than {SEEDS_FOR_A_VERDICT} paired seeds there is no verdict, nor is there one on estimates of a likelihood with fewer than
{SAMPLES_FOR_A_VERDICT:,} importance samples an image, which each model falls short of by an amount of its own. Where every run has
reached the most that there can be, as all $n_z$ units active, no difference could show, and none is denied.

{in_training} measured on held-out images, which are the same pixels for all models that a claim compares;
likelihoods are estimated with {samples:,} samples (@eq:nll), with a Monte Carlo error. {read_bias(study)} Where that differs between two models, so
much of their difference is the estimator's. Intervals are over seeds, on one split of the data: what another draw of test rows would
change, which is most where these are few, they do not hold. A verdict by itself errs in about
one of twenty cases at most; among {len(ran)} claims one or another may.
""")

# %% [markdown]
# ## The ledger {#sec:ledger}

# %%
present.prose(f"""
A claim's name begins with the number of its source: {sources_text(documents, claims["document"])}.
""")

# %%
drawn = [name for name, documents in DOCUMENTS.items() if ran["document"].isin(documents).any()]
shown = (
    f"[{'; '.join(f'@fig:{name}' for name in drawn)}] draw{'s' if len(drawn) == 1 else ''} the estimates."
    if drawn
    else "This study has run none of them."
)
beside = (
    f" *Verdict*: this study's own, and in bold that of a longer study, from @{KEPT}, where there is one."
    if len(kept)
    else ""
)
present.table(
    decided_table(ours, kept),
    label="tbl:claims",
    runs=list(dict.fromkeys(run for runs in ran["runs"] for run in runs.split(","))),
    data=ours,
    caption="The ledger of claims. *Decided by*: the statistic, on test data unless it says otherwise, the difference of models, and "
    "where the claim says that its mean lies. *Estimate*: mean over $n$ paired seeds with its 95 % $t$ interval, and beneath it the bootstrap "
    "interval, both cut off where the statistic ends, as a share does at 0 and 1; the verdict and the download go by the uncut ones."
    f"{beside} {shown} The download has the $p$ values and all differences of a claim.",
)

# %%
if len(kept):
    untold = " (–: not kept)" if (kept["epochs"] == "").any() else ""
    by = kept.groupby("study").agg({"claim": "size", "n_samples": "max", "finished": "max"})
    studies = "; ".join(
        f"{row['claim']} by *{name}* ("
        + (f"{row['n_samples']:,.0f} importance samples an image, " if row["n_samples"] > 0 else "")
        + f"finished {row['finished'][:10]})"
        for name, row in by.iterrows()
    )
    present.prose(f"""
## Verdicts of longer studies {{#sec:claims-kept}}

Where this study has too little for a verdict, and one of more seeds and longer training has decided by the same rule, what came out is
kept with the code: {studies}.
""")
    present.table(
        kept_table(kept),
        label="tbl:claims-kept",
        data=kept,
        caption="Verdicts kept with the code, of claims in @tbl:claims; read as there. No run of this study has a part in them. *Epochs*: how long "
        f"the runs compared were trained{untold}. *Shown in*: the figure of what this study's own, shorter runs make of the claim.",
    )

# %%
if drawn:
    present.prose(f"""
## The estimates drawn {{#sec:claims-drawn}}

{shown.removesuffix(".")} of this study, a line a claim.{" What longer studies have found is not drawn." if len(kept) else ""}
""")
for name in drawn:
    present.figure(
        FIGURES[name](study),
        label=f"fig:{name}",
        caption=f"The claims of {of_documents(name)} that this study has run"
        + (
            " (@tbl:claims). To the right is as claimed: where a "
            "claim says *lower*, the axis is mirrored. The green band is @eq:claim, the region where the "
            "claim says that the mean lies; it begins at the least effect that counts, and lies about zero "
            "for claims that models are alike, or that a number has a given value, which is then subtracted. "
            "Thin lines are 95 % intervals by Student's $t$, thick ones by bootstrap; both are cut off where the statistic ends; an arrow head "
            "marks where the panel cuts one. Axes are logarithmic beyond the innermost ticks. Of claims about several "
            "differences the decisive one is drawn."
            if name == drawn[0]
            else f", drawn as those of @fig:{drawn[0]}."
        ),
        alt="A forest plot in panels by unit: one line a claim, with its estimate, interval and "
        "verdict, and a band where the claim says that the estimate should lie.",
    )

# %% [markdown]
# ## What the sources compared instead {#sec:claims-corrections}
#
# Several statements rest on a comparison that could not carry them, whatever came out. They are kept
# as claims, and decided by one that can.

# %%
present.prose(corrections(ours))

# %%
if len(waiting):
    present.prose("## Claims that wait {#sec:claims-waiting}")
    present.table(
        waiting_table(waiting),
        label="tbl:claims-waiting",
        data=waiting,
        caption="Claims whose experiments this study does not have yet, with the statistic that will "
        "decide each.",
    )
