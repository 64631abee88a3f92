"""An executed notebook → one chapter: its Markdown, and the items its cells have shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vaestudy.report.errors import ReportError
from vaestudy.report.item import MIME, Item
from vaestudy.report.left_out import labels_in

SILENT_TAGS = frozenset({"parameters", "injected-parameters", "setup"})
MARK = "vaestudy-item"
#: Class of a cell's second line.
BENEATH = "beneath"


@dataclass(frozen=True)
class Entry:
    """A figure or a table, with the code that made it."""

    item: Item
    code: str
    notebook: str


@dataclass(frozen=True)
class Chapter:
    """What one notebook brings to the report.

    Parameters
    ----------
    name
        The notebook's file name, for messages and for the reader.
    markdown
        Its text; where an entry belongs stands a block of class ``vaestudy-item``.
    entries
        Its figures and tables, in order.
    abstract
        The report's abstract, if this notebook gives it.
    not_shown
        Labels that its code has and that it did not come to show: a study may lack the runs.
    """

    name: str
    markdown: str
    entries: tuple[Entry, ...]
    abstract: str
    not_shown: frozenset[str] = frozenset()


def read_chapter(path: Path) -> Chapter:
    """Read an executed notebook.

    Raises
    ------
    ReportError
        If the notebook has failed, or was never executed.
    """
    import nbformat  # comes with the workflow, which the engine does without

    cells = nbformat.read(path, as_version=4).cells
    _check_executed(path.name, cells)
    parts: list[str] = []
    entries: list[Entry] = []
    abstract = ""
    for cell in cells:
        if SILENT_TAGS & set(cell.metadata.get("tags", [])):
            continue
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        for item in _items(cell):
            if item.kind == "abstract":
                abstract = item.markdown
            elif item.kind == "prose":
                parts.append(item.markdown)
            else:
                parts.append(_placeholder(len(entries), item))
                entries.append(Entry(item, cell.source, path.name))
    known = labels_in(cell.source for cell in cells if cell.cell_type == "code")
    # Code labels sections and equations too, in the Markdown that it shows.
    shown = labels_in(parts).union(entry.item.label for entry in entries)
    return Chapter(path.name, "\n\n".join(parts), tuple(entries), abstract, known - shown)


def _items(cell: Any) -> Iterator[Item]:
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        if MIME in data:
            yield Item.from_json(data[MIME])


def _check_executed(name: str, cells: list[Any]) -> None:
    code = [cell for cell in cells if cell.cell_type == "code" and cell.source.strip()]
    if code and all(cell.execution_count is None for cell in code):
        raise ReportError(f"{name} was never executed: run it with papermill and pass the result")
    for cell in code:
        for output in cell.outputs:
            if output.output_type == "error":
                raise ReportError(
                    f"{name} failed with {output.ename}: {output.evalue}. Mend and execute it"
                )


def _placeholder(index: int, item: Item) -> str:
    """Give the Markdown that holds an item's place, with what of it Pandoc must parse."""
    lines = [f'::::::: {{.{MARK} entry="{index}"}}', "", item.markdown.strip(), ""]
    if item.kind == "table":
        rule = ["--:" if side == "r" else ":--" for side in item.align]
        lines += [_row(item.header), _row(rule), *(_row(row) for row in item.rows), ""]
    return "\n".join([*lines, ":::::::"])


def _row(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    """Write a cell on one line; its second line, if it has one, becomes a span of its own."""
    first, *more = (line.strip() for line in text.replace("|", "\\|").splitlines() or [""])
    return f"{first} [{' '.join(more)}]{{.{BENEATH}}}" if more else first
