"""Verdicts of long studies, kept with the code: shorter ones show them beside their estimates."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from vaestudy.claims.claim import ClaimError
from vaestudy.claims.judge import SAMPLES_FOR_A_VERDICT
from vaestudy.claims.metrics import METRICS
from vaestudy.files import write_csv
from vaestudy.stats import SEEDS_FOR_A_VERDICT
from vaestudy.study import Study

#: Relative to the checkout, where commands and notebooks run.
KEPT = Path("docs/results/claims.csv")

# What decided a claim; the digest tells whether the ledger still decides it so.
_RULE = ("rule", "metric", "region_low", "region_high")
_OUTCOME = (
    "compared",
    "estimate",
    "low",
    "high",
    "bootstrap_low",
    "bootstrap_high",
    "n",
    "verdict",
    "notes",
)
_MADE = ("study", "epochs", "n_samples", "finished", "hardware", "version")
_COLUMNS = ["claim", *_RULE, *_OUTCOME, *_MADE]
# What a study says of its own runs besides, which have no part in a kept verdict.
_OWN = ("p_value", "sufficient", "contrasts", "runs")


def verdicts_of(claims: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Return the claims that a study has decided, with how that came about.

    Parameters
    ----------
    claims
        The table ``claims`` of the study.
    study
        The finished study.

    Returns
    -------
    pandas.DataFrame
        ``claim``; its rule (the digest ``rule``, ``metric, region_low, region_high``); what came
        out (``compared, estimate, low, high, bootstrap_low, bootstrap_high, n, verdict, notes``);
        ``study``, the ``epochs`` that its runs were trained for, its ``n_samples`` importance
        samples an image if estimates of log p(x) decide the claim, and of its runs the last that
        ``finished``, the ``hardware`` and the ``version`` of the code. Only claims of enough seeds
        and importance samples for a verdict.
    """
    decided = claims[claims["sufficient"]]
    timing = study.table("timing").set_index("run_id")
    evaluation = study.table("evaluation")
    epochs = study.table("runs").set_index("run_id")["epochs"]
    rows = []
    for _, claim in decided.iterrows():
        runs = str(claim["runs"]).split(",")
        made = timing.loc[timing.index.intersection(runs)]
        estimated = evaluation["metric"].isin(METRICS[claim["metric"]].estimates)
        versions = "vaestudy " + made["vaestudy"] + " " + made["revision"]
        rows.append(
            {
                **claim[["claim", *_RULE, *_OUTCOME]],
                "study": study.config.study,
                "epochs": " and ".join(map(str, sorted(epochs[runs].unique()))),
                "n_samples": evaluation[estimated & evaluation["run_id"].isin(runs)][
                    "n_samples"
                ].min(),
                "finished": made["finished"].max(),
                "hardware": " and ".join(sorted(made["hardware"].unique())),
                "version": " and ".join(sorted(versions.unique())),
            }
        )
    return pd.DataFrame(rows, columns=_COLUMNS)


def keep_verdicts(verdicts: pd.DataFrame, path: Path = KEPT) -> None:
    """Write verdicts into the table that is kept, in place of earlier ones of the same claims.

    Raises
    ------
    ClaimError
        If there are none.
    """
    if verdicts.empty:
        raise ClaimError(
            f"no claim is compared over {SEEDS_FOR_A_VERDICT} seeds or more, and on likelihoods by "
            f"{SAMPLES_FOR_A_VERDICT:,} importance samples or more, so there is no verdict to "
            "keep: train more seeds, or raise evaluation.n_samples"
        )
    earlier = read_kept(path)
    if earlier is not None:
        earlier = earlier[~earlier["claim"].isin(verdicts["claim"])]
        verdicts = pd.concat([earlier, verdicts], ignore_index=True)
    write_csv(path, verdicts.astype({"n_samples": "Int64"}).sort_values("claim"))


def read_kept(path: Path = KEPT) -> pd.DataFrame | None:
    """Return the verdicts that are kept, or None if there are none."""
    if not path.is_file():
        return None
    # A digest may look like a number, and so does a single length of training.
    text = {"claim": str, "rule": str, "epochs": str}
    kept = pd.read_csv(path, dtype=text).reindex(columns=_COLUMNS)
    return kept.astype({"notes": object, "epochs": object}).fillna({"notes": "", "epochs": ""})


def kept_of(claims: pd.DataFrame, path: Path = KEPT) -> pd.DataFrame:
    """Return the kept verdicts of claims that this study does not suffice for.

    A verdict counts as long as the ledger decides the claim by the same rule.

    Parameters
    ----------
    claims
        The table ``claims`` of the study that shows them.
    path
        The table that is kept.

    Returns
    -------
    pandas.DataFrame
        Rows of ``claims`` with the outcome replaced by the kept one, and how it came about; what
        the study found itself is left out but for its seeds, ``n_here``.
    """
    kept = read_kept(path)
    short = claims[~claims["sufficient"]]
    short = short.assign(n_here=short["n"]).drop(columns=[*_OUTCOME, *_OWN])
    if kept is None:
        return short.iloc[:0].assign(**dict.fromkeys((*_OUTCOME, *_MADE)))
    kept = kept[["claim", "rule", *_OUTCOME, *_MADE]]
    return short.merge(kept, on=["claim", "rule"], validate="one_to_one")
