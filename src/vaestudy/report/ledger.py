"""The table ``claims`` as the report shows it: each row an anchor that its figure leads back to."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from vaestudy.claims.judge import QUICK, SAMPLES_FOR_A_VERDICT
from vaestudy.claims.words import bootstrap_text, claimed_text, compared_text, interval_text
from vaestudy.report.backlinks import PREFIX, anchor
from vaestudy.stats import SEEDS_FOR_A_VERDICT

#: The label of the table of verdicts that longer studies have reached.
KEPT = "tbl:claims-kept"
_VERDICTS = ("supported", "contradicted", "undecided")
# Claims that a sentence names; of more it says how many, for the table names them again.
_FEW = 5


def decided_table(claims: pd.DataFrame, kept: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the claims that the study has the experiments for, with estimate and verdict.

    Parameters
    ----------
    claims
        Rows of the table ``claims`` that are not pending.
    kept
        Verdicts of longer studies, from :func:`vaestudy.claims.kept.kept_of`; each is shown beside
        the study's own.

    Returns
    -------
    pandas.DataFrame
        Markdown cells for :func:`vaestudy.report.present.table`.
    """
    longer = {} if kept is None else {row["claim"]: row for _, row in kept.iterrows()}
    return pd.DataFrame([_decided(row, longer) for _, row in claims.iterrows()])


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
            "Claim": _linked(row["claim"]),
            "Decided by": _decided_by(row),
            "Estimate": _estimate(row),
            "$n$": str(row["n"]),
            "Epochs": row["epochs"] or "–",
            "Verdict": _decision(row),
            "Shown in": f"@{_figure(row, row['n_here'])}" if _figure(row, row["n_here"]) else "–",
        }
        for _, row in kept.iterrows()
    )


def outcome(claims: pd.DataFrame, kept: pd.DataFrame, n_samples: int) -> str:
    """Say what a study decides, and what longer ones have decided in its place.

    Parameters
    ----------
    claims
        The table ``claims``.
    kept
        Verdicts of longer studies.
    n_samples
        The study's importance samples an image.

    Returns
    -------
    str
        Markdown; a few claims of one verdict are named, more are counted.
    """
    ran = claims[claims["n"] > 0]
    if len(ran) and not ran["sufficient"].any():
        own = _too_small(int(ran["n"].max()), n_samples)
    else:
        own = " ".join(
            f"{verdict.capitalize()}: {_names(ran, verdict) or f'{count} claims'}."
            for verdict, count in _counts(ran).items()
        )
    return " ".join(text for text in (own, _of_longer(kept)) if text)


def corrections(claims: pd.DataFrame) -> str:
    """Return as a list what the sources did, and why that cannot carry their claims."""
    told = claims[claims["correction"] != ""]
    return "\n".join(
        f"- {_linked(row['claim'])}: {' '.join(row['correction'].split())}"
        for _, row in told.iterrows()
    )


def _too_small(n: int, n_samples: int) -> str:
    return (
        f"A verdict takes {SEEDS_FOR_A_VERDICT} seeds a combination, and on likelihoods "
        f"{SAMPLES_FOR_A_VERDICT:,} importance samples an image. This study has up to {n} seeds "
        f"and {n_samples:,} samples: what follows are its estimates, and of itself it decides no "
        "claim."
    )


def _of_longer(kept: pd.DataFrame) -> str:
    if kept.empty:
        return ""
    found = "; ".join(
        f"{count} {verdict}" + (f" ({names})" if (names := _names(kept, verdict)) else "")
        for verdict, count in _counts(kept).items()
    )
    return (
        f"Of the claims that this study is too small for, longer studies have tested {len(kept)} "
        f"(@{KEPT}): {found}."
    )


def _counts(claims: pd.DataFrame) -> dict[str, int]:
    """Return the number of claims by verdict, of those verdicts that there are."""
    counts = {verdict: int((claims["verdict"] == verdict).sum()) for verdict in _VERDICTS}
    return {verdict: count for verdict, count in counts.items() if count}


def _names(claims: pd.DataFrame, verdict: str) -> str:
    names = claims.loc[claims["verdict"] == verdict, "claim"]
    return ", ".join(map(_linked, names)) if len(names) <= _FEW else ""


def _linked(claim: str) -> str:
    return f"[{claim}](#{PREFIX}{claim})"


def _decided(row: pd.Series, longer: Mapping[str, pd.Series]) -> dict[str, str]:
    ran, kept = row["n"] > 0, longer.get(row["claim"])
    figure = _figure(row, row["n"])
    return {
        "Claim": _claim(row, figure, "" if kept is None else kept["verdict"]),
        "Decided by": _decided_by(row),
        "Estimate": _estimate(row) if ran else "–",
        "$n$": str(row["n"]) if ran else "–",
        "Verdict": _verdict(row, kept),
        "Shown in": f"@{figure}" if figure else "–",
    }


def _figure(row: pd.Series, n_here: int) -> str:
    # What the study has not run, its report may have no figure of.
    return f"fig:{row['figure']}" if n_here > 0 and row["figure"] else ""


def _verdict(row: pd.Series, kept: pd.Series | None) -> str:
    if kept is None:
        return _decision(row)
    own = f"{row['verdict']} here" + _in_brackets([n for n in _notes(row) if n != QUICK])
    joined = f"{own} and" if kept["verdict"] == row["verdict"] else f"{own};"
    return f"{joined} **{kept['verdict']}** in @{KEPT} ($n$ = {kept['n']})"


def _decision(row: pd.Series) -> str:
    return f"**{row['verdict']}**" + _in_brackets(_notes(row))


def _notes(row: pd.Series) -> list[str]:
    return [note for note in row["notes"].split("; ") if note]


def _in_brackets(notes: list[str]) -> str:
    return f" ({'; '.join(notes)})" if notes else ""


def _decided_by(row: pd.Series) -> str:
    return f"{compared_text(row)}, {claimed_text(row)}".replace("n_z", "$n_z$")


def _estimate(row: pd.Series) -> str:
    return f"{interval_text(row)}\n{bootstrap_text(row)}"


def _claim(row: pd.Series, figure: str, kept: str = "") -> str:
    name = anchor(row["claim"], figure, row["verdict"], kept)
    return f"**{name}** {' '.join(row['statement'].split())}"
