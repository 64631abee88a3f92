"""The ledger for a terminal."""

from __future__ import annotations

import pandas as pd
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vaestudy.claims.judge import LEVEL
from vaestudy.claims.words import bootstrap_text, claimed_text, compared_text, interval_text

_STYLES = {
    "supported": "green",
    "contradicted": "red",
    "undecided": "yellow",
    "not run": "dim",
}


def show(
    table: pd.DataFrame, study: str, kept: pd.DataFrame, console: Console | None = None
) -> None:
    """Print the table ``claims``: those decided here with their numbers, then those that wait.

    ``kept`` are verdicts of longer studies, from :func:`.kept.kept_of`; each stands beside the
    study's own.
    """
    console = console or Console()
    ours, waiting = table[table["pending"] == ""], table[table["pending"] != ""]
    if len(ours):
        console.print(_decided(ours, study, kept.set_index("claim")))
    if len(waiting):
        console.print(_waiting(waiting))
    console.print(f"{len(table)} claims: {_counted(table, *_STYLES)}.")
    if len(kept):
        told = _counted(kept, "supported", "contradicted", "undecided")
        console.print(f"Verdicts of longer studies, kept: {told}.")


def _counted(table: pd.DataFrame, *verdicts: str) -> str:
    counts = table["verdict"].value_counts()
    return ", ".join(f"{counts.get(verdict, 0)} {verdict}" for verdict in verdicts)


def _decided(table: pd.DataFrame, study: str, kept: pd.DataFrame) -> Table:
    title = f"Claims decided by study {study!r}"
    out = Table(title=title, title_justify="left", box=None, pad_edge=False)
    longest = int(table["claim"].str.len().max())
    out.add_column("claim, and what decides it", overflow="fold", min_width=longest)
    out.add_column(
        f"estimate\n\\[{LEVEL:.0%}, t]\n[dim]bootstrap[/]", justify="right", no_wrap=True
    )
    out.add_column("verdict\n[dim]seeds[/]", min_width=12, no_wrap=True)
    for _, row in table.iterrows():
        statement = escape(" ".join(row["statement"].split()))
        small = [f"{compared_text(row)}, {claimed_text(row)}", row["notes"]]
        verdicts = [_styled(row["verdict"]), f"[dim]n = {row['n']}[/]"]
        if row["claim"] in kept.index:
            longer = kept.loc[row["claim"]]
            verdicts += [f"[dim]kept, n = {longer['n']}:[/]", _styled(longer["verdict"])]
        out.add_row(
            "\n".join(
                [f"[bold]{row['claim']}[/] {statement}"]
                + [f"[dim]{escape(text)}[/]" for text in small if text]
            ),
            _estimate(row) if row["n"] else "–",
            "\n".join(verdicts),
        )
    return out


def _styled(verdict: str) -> str:
    return f"[{_STYLES[verdict]}]{verdict}[/]"


def _estimate(row: pd.Series) -> str:
    # Each on a line of its own: a terminal of 80 columns has room for names and verdicts too.
    mean, _, interval = interval_text(row).partition(" ")
    if not interval:  # One seed has none.
        return mean
    return f"{mean}\n{escape(interval)}\n[dim]{escape(bootstrap_text(row))}[/]"


def _waiting(table: pd.DataFrame) -> Table:
    title = "Claims that wait for an experiment"
    out = Table(title=title, title_justify="left", box=box.SIMPLE)
    for name in ("claim", "waits for"):
        out.add_column(name, overflow="fold")
    for _, row in table.iterrows():
        out.add_row(row["claim"], escape(row["pending"]))
    return out
