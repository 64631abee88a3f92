"""What a notebook hands to the report: a figure, a table, a text or the abstract."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from vaestudy.report.errors import ReportError

MIME = "application/vnd.vaestudy.item+json"
Kind = Literal["figure", "table", "prose", "abstract"]
PREFIXES = {"figure": "fig", "table": "tbl"}


@dataclass(frozen=True)
class Item:
    """One piece of a report, as it travels in a notebook's outputs.

    Parameters
    ----------
    kind
        What it is.
    label
        ``fig:…`` or ``tbl:…``; empty for text.
    markdown
        The caption, or the text itself.
    alt
        What the figure shows, for who cannot see it.
    runs
        Ids of the runs behind it.
    svg
        The figure as SVG.
    natural_width
        Width of the figure over the width of the text column.
    width
        Largest width that the figure may take, as a percentage of the column.
    interactive
        HTML that takes the picture's place on a screen, or stands beneath its caption.
    header, rows, align
        A table's cells, in Markdown, and the side to which each column is set (``l`` or ``r``). A
        cell's second line stands beneath its first in smaller type.
    csv
        The data to download.
    """

    kind: Kind
    label: str = ""
    markdown: str = ""
    alt: str = ""
    runs: tuple[str, ...] = ()
    svg: str = ""
    natural_width: float = 1.0
    width: str = "100%"
    interactive: str = ""
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    align: str = ""
    csv: str = ""

    def column_lines(self) -> list[list[str]]:
        """Return each column's lines, those of its title first: what its width is made of."""
        columns = zip(self.header, *self.rows, strict=True)
        return [[line for cell in column for line in cell.split("\n")] for column in columns]

    def to_json(self) -> dict[str, Any]:
        """Give the item as JSON, for a notebook's output."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Item:
        """Read an item from a notebook's output."""
        fields = dict(data)
        for name in ("runs", "header"):
            fields[name] = tuple(fields.get(name, ()))
        fields["rows"] = tuple(tuple(row) for row in fields.get("rows", ()))
        return cls(**fields)


def check_label(label: str, kind: Kind) -> None:
    """Raise unless the label is the kind's prefix and a plain name, as in ``fig:warmup``."""
    prefix = PREFIXES[kind]
    if not re.fullmatch(rf"{prefix}:[A-Za-z0-9][A-Za-z0-9_-]*", label):
        raise ReportError(
            f"the label of this {kind} is {label!r}, but must be {prefix!r}, a colon and letters, "
            f"digits, '-' or '_': for example label='{prefix}:warmup'"
        )


def check_figure(label: str, caption: str, alt: str, width: str) -> None:
    """Raise unless a figure has what every figure of a report needs."""
    check_label(label, "figure")
    if not caption.strip():
        raise ReportError(f"figure {label} has no caption: say in it what the figure shows")
    if not alt.strip():
        raise ReportError(
            f"figure {label} has no alt text: pass alt='…', one or two sentences that tell what is "
            "to be seen to a reader who cannot see it"
        )
    if not re.fullmatch(r"\d+(\.\d+)?%", width):
        raise ReportError(f"figure {label} has width={width!r}, but expected one like '80%'")


def check_table(
    label: str, caption: str, columns: tuple[str, ...], formatted: tuple[str, ...]
) -> None:
    """Raise unless a table has what every table of a report needs."""
    check_label(label, "table")
    if not caption.strip():
        raise ReportError(f"table {label} has no caption: say in it what the table shows")
    unknown = sorted(set(formatted) - set(columns))
    if unknown:
        raise ReportError(
            f"table {label} has formats for {unknown}, but its columns are {list(columns)}"
        )
