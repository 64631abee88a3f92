"""Published figures beside ours as a table to read, in the report and in the repository."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from vaestudy.figures.published_prose import read_differences, read_making
from vaestudy.files import atomic_path, write_csv
from vaestudy.stats import number

NOT_RUN = "–"


def reading_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return a comparison for reading, as Markdown cells."""

    def cells(name: str, form: Callable[[float], str]) -> list[str]:
        return [NOT_RUN if pd.isna(value) else form(value) for value in table[name]]

    return pd.DataFrame(
        {
            "Layers": cells("layers", str),
            "Model": table["model"],
            "NLL, published": cells("published_nll", number),
            "NLL, rerun": cells("rerun_nll", number),
            "NLL, ours": _ours(table),
            "Difference": cells("difference", lambda v: number(v, signed=True)),
            "Units, published": table["published_units"],
            "Units, ours": cells("units", str),
            "Passes": cells("passes", lambda v: f"{int(v):,}"),
            "$n$": cells("n", lambda v: f"{int(v):,}"),
        }
    )


def _ours(table: pd.DataFrame) -> list[str]:
    """Return our NLLs with their Monte Carlo standard errors, which take a decimal more."""
    return [
        NOT_RUN if pd.isna(nll) else f"{number(nll)} ± {number(error, 3)}"
        for nll, error in zip(table["nll"], table["standard_error"], strict=True)
    ]


def write_comparison(table: pd.DataFrame, path: Path) -> None:
    """Write a comparison as CSV, and beside it as Markdown with how it came about."""
    write_csv(path, table)
    reading = reading_table(table).rename(columns={"$n$": "Seeds"})
    cells = [[str(cell) for cell in row] for row in reading.to_numpy().tolist()]
    lines = [list(reading.columns), ["---"] * len(reading.columns), *cells]
    rows = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    with atomic_path(path.with_suffix(".md")) as temporary:
        text = f"{rows}\n\n{read_differences(table)}\n\n{read_making(table)}\n"
        temporary.write_text(text, encoding="utf-8")
