"""Chapters → one numbered tree whose references all resolve, for HTML and PDF alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vaestudy.report import maths, pandoc
from vaestudy.report.backlinks import link_back
from vaestudy.report.errors import ReportError
from vaestudy.report.left_out import say_left_out
from vaestudy.report.notebook import MARK, Chapter, Entry
from vaestudy.report.numbering import Numbering
from vaestudy.report.references import check_all, resolve
from vaestudy.report.tree import Node, attributes, div, each, string, walk


@dataclass(frozen=True)
class Document:
    """A report's text, numbered and cited, before it takes a form.

    Parameters
    ----------
    abstract, body
        Pandoc blocks. An entry's block has class ``vaestudy-item``, its label, and as
        attributes ``entry``, its index, and ``number``; an equation's, class ``equation``.
    entries
        The figures and tables, in order.
    """

    abstract: list[Node]
    body: list[Node]
    entries: tuple[Entry, ...]


def make_document(
    chapters: Sequence[Chapter],
    abstract: str,
    bibliography: Path,
    extra_macros: str,
    lang: str,
    absent: frozenset[str] = frozenset(),
) -> Document:
    """Join the chapters: number, cross-reference and cite them.

    ``absent`` are labels of chapters that are left out; references to them become words.

    Raises
    ------
    ReportError
        With every unresolved reference and duplicate label, each with its notebook.
    """
    macros = maths.macros() + extra_macros
    entries = tuple(entry for chapter in chapters for entry in chapter.entries)
    numbering = Numbering(entries)
    start = say_left_out(_read(abstract, macros, "the abstract"), absent)
    parts, offset = [("the abstract", start)], 0
    for chapter in chapters:
        blocks = say_left_out(_read(chapter.markdown, macros, chapter.name), absent)
        _check_entries(blocks, chapter)
        parts.append((chapter.name, numbering.number(_shift(blocks, offset), chapter.name)))
        offset += len(chapter.entries)
    parts = link_back(parts)
    check_all(parts, numbering, pandoc.bibliography_keys(bibliography))
    start, *body = [resolve(blocks, numbering.targets) for _, blocks in parts]
    blocks = [div(attributes("abstract"), start), *(b for part in body for b in part)]
    if any(True for _ in each(blocks, "Cite")):
        blocks += [_references_heading(), div(attributes("refs"), [])]
        blocks = pandoc.cite(blocks, bibliography, lang)
    return Document(blocks[0]["c"][1], blocks[1:], entries)


def replace_math(blocks: list[Node], form: str, render: Callable[[str, bool], str]) -> list[Node]:
    """Replace every formula by its rendering in an output language."""

    def visit(node: Node) -> Node | None:
        if node["t"] != "Math":
            return None
        display = node["c"][0]["t"] == "DisplayMath"
        return {"t": "RawInline", "c": [form, render(node["c"][1], display)]}

    replaced: list[Node] = walk(blocks, visit)
    return replaced


def _read(markdown: str, macros: str, name: str) -> list[Node]:
    try:
        blocks = pandoc.read_markdown(f"{macros}\n\n{markdown}\n")
    except ReportError as error:
        raise ReportError(f"{name}: {error}") from None
    blocks = _keep_percents(blocks)
    for _ in each(blocks, "Image"):
        raise ReportError(
            f"{name} has an image in its Markdown: show it with present.figure, so that it gets a "
            "number, a caption and a text for who cannot see it"
        )

    def no_raw_tex(node: Node) -> list[Node] | None:
        return [] if node["t"] == "RawBlock" and node["c"][0] in ("tex", "latex") else None

    kept: list[Node] = walk(blocks, no_raw_tex)
    for math in each(kept, "Math"):
        _check_formula(math["c"][1], math["c"][0]["t"] == "DisplayMath", name)
    return kept


def _keep_percents(value: Any) -> Any:
    """Let no line break fall between a number and its % sign."""
    if isinstance(value, dict):
        return {key: _keep_percents(child) for key, child in value.items()}
    if not isinstance(value, list):
        return value
    out = [_keep_percents(child) for child in value]
    for i in range(1, len(out) - 1):
        before, space, after = (isinstance(node, dict) and node for node in out[i - 1 : i + 2])
        if not (before and space and after) or space.get("t") not in ("Space", "SoftBreak"):
            continue
        ends = before.get("t") == "Math" or str(before.get("c"))[-1:].isdigit()
        if ends and after.get("t") == "Str" and after["c"].startswith("%"):
            out[i] = string("\N{NO-BREAK SPACE}")
    return out


def _check_formula(tex: str, display: bool, name: str) -> None:
    try:
        maths.katex(tex, display)
    except ReportError as error:
        raise ReportError(f"{name}: {error}") from None


def _check_entries(blocks: list[Node], chapter: Chapter) -> None:
    found = sum(block["t"] == "Div" and MARK in block["c"][0][1] for block in blocks)
    if found != len(chapter.entries):
        raise ReportError(
            f"{chapter.name} shows {len(chapter.entries)} figures and tables, but only {found} of "
            "them stand in its text: a Markdown cell or a caption opens a comment or a block and "
            "never closes it"
        )


def _shift(blocks: list[Node], offset: int) -> list[Node]:
    """Count entries from the report's first, instead of the chapter's."""
    for block in blocks:
        if block["t"] == "Div" and MARK in block["c"][0][1]:
            pairs = dict(block["c"][0][2])
            block["c"][0][2] = [["entry", str(int(pairs["entry"]) + offset)]]
    return blocks


def _references_heading() -> Node:
    heading = attributes("sec:references", ["unnumbered"])
    return {"t": "Header", "c": [1, heading, [string("References")]]}
