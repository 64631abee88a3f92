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


def show(table: pd.DataFrame, study: str, console: Console | None = None) -> None:
    """Print the table ``claims``: those decided here with their numbers, then those that wait."""
    console = console or Console()
    ours, waiting = table[table["pending"] == ""], table[table["pending"] != ""]
    if len(ours):
        console.print(_decided(ours, study))
    if len(waiting):
        console.print(_waiting(waiting))
    counts = table["verdict"].value_counts()
    told = ", ".join(f"{counts.get(verdict, 0)} {verdict}" for verdict in _STYLES)
    console.print(f"{len(table)} claims: {told}.")


def _decided(table: pd.DataFrame, study: str) -> Table:
    title = f"Claims decided by study {study!r}"
    out = Table(title=title, title_justify="left", box=None, pad_edge=False)
    longest = int(table["claim"].str.len().max())
    out.add_column("claim, and what decides it", overflow="fold", min_width=longest)
    out.add_column(f"estimate \\[{LEVEL:.0%}, t]\n[dim]bootstrap[/]", justify="right")
    out.add_column("verdict\n[dim]seeds[/]", min_width=12, no_wrap=True)
    for _, row in table.iterrows():
        told = row["n"] > 0
        small = [f"{compared_text(row)}, {claimed_text(row)}", row["notes"]]
        out.add_row(
            "\n".join([row["claim"], *(f"[dim]{escape(text)}[/]" for text in small if text)]),
            f"{escape(interval_text(row))}\n[dim]{escape(bootstrap_text(row))}[/]" if told else "–",
            f"[{_STYLES[row['verdict']]}]{row['verdict']}[/]\n[dim]n = {row['n']}[/]",
        )
    return out


def _waiting(table: pd.DataFrame) -> Table:
    title = "Claims that wait for an experiment"
    out = Table(title=title, title_justify="left", box=box.SIMPLE)
    for name in ("claim", "waits for"):
        out.add_column(name, overflow="fold")
    for _, row in table.iterrows():
        out.add_row(row["claim"], escape(row["pending"]))
    return out
