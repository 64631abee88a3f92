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


def kept_table(kept: pd.DataFrame) -> pd.DataFrame:
    """Return the verdicts of longer studies, from :func:`vaestudy.claims.kept.kept_of`."""
    return pd.DataFrame(
        {
            "Claim": f"[{row['claim']}](#{PREFIX}{row['claim']})",
            "Decided by": _decided_by(row),
            "Estimate": _estimate(row),
            "$n$": str(row["n"]),
            "Verdict": f"**{row['verdict']}**",
        }
        for _, row in kept.iterrows()
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
        "Decided by": _decided_by(row),
        "Estimate": _estimate(row) if ran else "–",
        "$n$": str(row["n"]) if ran else "–",
        "Verdict": f"**{row['verdict']}**{notes}",
        "Shown in": f"@{figure}" if figure else "–",
    }


def _decided_by(row: pd.Series) -> str:
    return f"{compared_text(row)}, {claimed_text(row)}".replace("n_z", "$n_z$")


def _estimate(row: pd.Series) -> str:
    return f"{interval_text(row)}\n{bootstrap_text(row)}"


def _claim(row: pd.Series, figure: str) -> str:
    name = anchor(row["claim"], figure, row["verdict"])
    return f"**{name}** {' '.join(row['statement'].split())}"
