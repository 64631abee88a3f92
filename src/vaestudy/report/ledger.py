"""The table ``claims`` as the report shows it: each row an anchor that its figure leads back to."""

from __future__ import annotations

import pandas as pd

from vaestudy.claims.words import bootstrap_text, claimed_text, compared_text, interval_text
from vaestudy.report.backlinks import PREFIX, anchor


def decided_table(claims: pd.DataFrame) -> pd.DataFrame:
    """Return the claims that the study has the experiments for, with estimate and verdict.

    Parameters
    ----------
    claims
        Rows of the table ``claims`` that are not pending.

    Returns
    -------
    pandas.DataFrame
        Markdown cells for :func:`vaestudy.report.present.table`.
    """
    return pd.DataFrame([_decided(row) for _, row in claims.iterrows()])


def waiting_table(claims: pd.DataFrame) -> pd.DataFrame:
    """Return the pending claims, with the experiment that each waits for."""
    return pd.DataFrame(
        {
            "Claim": _claim(row, ""),
            "Where": row["item"],
            "Decided by": f"{row['title']}, {claimed_text(row)}",
            "Waits for": row["pending"],
        }
        for _, row in claims.iterrows()
    )


def corrections(claims: pd.DataFrame) -> str:
    """Return as a list what the sources did, and why that cannot carry their claims."""
    told = claims[claims["correction"] != ""]
    return "\n".join(
        f"- [{row['claim']}](#{PREFIX}{row['claim']}): {' '.join(row['correction'].split())}"
        for _, row in told.iterrows()
    )


def _decided(row: pd.Series) -> dict[str, str]:
    ran = row["n"] > 0
    # What the study has not run, its report may have no figure of.
    figure = f"fig:{row['figure']}" if ran and row["figure"] else ""
    notes = f" ({row['notes']})" if row["notes"] else ""
    return {
        "Claim": _claim(row, figure),
        "Decided by": f"{compared_text(row)}, {claimed_text(row)}".replace("n_z", "$n_z$"),
        "Estimate": f"{interval_text(row)}\n{bootstrap_text(row)}" if ran else "–",
        "$n$": str(row["n"]) if ran else "–",
        "Verdict": f"**{row['verdict']}**{notes}",
        "Shown in": f"@{figure}" if figure else "–",
    }


def _claim(row: pd.Series, figure: str) -> str:
    name = anchor(row["claim"], figure, row["verdict"])
    return f"**{name}** {' '.join(row['statement'].split())}"
