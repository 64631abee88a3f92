"""Sentences of the abstract and the introduction that depend on what came out."""

from __future__ import annotations

import pandas as pd

from vaestudy.figures.measuring_data import by_run
from vaestudy.report.phrases import LEDGER, by_seed
from vaestudy.stats import number
from vaestudy.study import EmptySelectionError, Study


def read_units(study: Study) -> str:
    """Say how many latent dimensions the base model uses: mean and range, over seeds.

    A range and not a t interval, which of few seeds reaches beyond what a count can be.
    """
    units = by_seed(study, "active_units", {})
    low, high = (number(end, 0) for end in (units.min(), units.max()))
    spread = "" if low == high else f" ({low} to {high}, by seed)"
    return f"{number(units.mean(), 1)}{spread} of {study.config.base.n_z} latent dimensions"


def read_bias(study: Study) -> str:
    """Say what the estimate of the NLL leaves, which its Monte Carlo error does not tell."""
    error_only = "That error is of the samples' noise alone, and not of how far the bound is from"
    try:
        left = by_run(study, {"left": ("", 2)}).groupby("label")["left"].mean()
    except EmptySelectionError:
        return f"{error_only} tight, which is larger where the encoder is a bad proposal."
    low, high = number(left.min(), 2), number(left.max(), 2)
    by = low if low == high else f"{low} to {high}"
    return (
        f"{error_only} tight: annealed importance sampling finds {by} nats more in the models "
        "that it was run on, by mean over seeds (@sec:annealing)."
    )


def read_outcome(study: Study) -> str:
    """Say how many of the sources' claims this study decides, and longer ones have decided."""
    # Claims read the data of figures, which stand beside this module.
    from vaestudy.claims import judge_all, load_ledger, tabulate
    from vaestudy.claims.kept import kept_of

    claims = tabulate(judge_all(load_ledger(LEDGER), study))
    return tell_outcome(claims, kept_of(claims[claims["pending"] == ""]))


def tell_outcome(claims: pd.DataFrame, kept: pd.DataFrame) -> str:
    """Tell the outcome of the table ``claims``, and of the verdicts kept of longer studies."""
    ran = claims[claims["n"] > 0]
    judged = ran[ran["sufficient"]]
    own = f"Of the sources' {len(claims)} claims this study has run "
    if ran.empty:
        own += "none"
    elif judged.empty:
        own += f"{len(ran)} and, for want of seeds or samples, decides none"
    else:
        own += f"{len(ran)} and tested {len(judged)} with enough seeds: {_verdicts(judged)}"
    if kept.empty:
        return f"{own} (@sec:claims)."
    return f"{own}; longer studies have tested {len(kept)}: {_verdicts(kept)} (@sec:claims)."


def _verdicts(claims: pd.DataFrame) -> str:
    counts = {
        verdict: int((claims["verdict"] == verdict).sum())
        for verdict in ("supported", "contradicted", "undecided")
    }
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
