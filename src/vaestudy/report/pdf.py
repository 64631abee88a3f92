"""A document → PDF, through Typst."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from vaestudy.report import maths, pandoc
from vaestudy.report.document import Document, replace_math
from vaestudy.report.errors import ReportError
from vaestudy.report.item import Item
from vaestudy.report.meta import ReportMeta
from vaestudy.report.notebook import BENEATH, MARK
from vaestudy.report.tree import Node, each, plain, raw, raw_inline, walk

# Citations come as finished text, so Typst must not set them again; nor may it choose quotes, for
# it takes an apostrophe after a digit for a prime.
_FORM = "typst-citations-smart"
# Lines that are kept on one page; of texts fewer, for how they break is only guessed.
_LONG_TABLE = 40
_LONG_TEXTS = 25
# Rows of a long table that no page begins or ends alone.
_TOGETHER = 3
# Characters: beyond these a cell is a text, whose column takes what room the others leave.
_TEXT = 60
# Characters that a line of such a cell has, roughly.
_LINE = 32
# And one of a caption.
_CAPTION_LINE = 95


def to_pdf(document: Document, meta: ReportMeta) -> bytes:
    """Print a document.

    Parameters
    ----------
    document
        The document.
    meta
        Its front page.

    Returns
    -------
    bytes
        The file.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for index, entry in enumerate(document.entries):
            if entry.item.svg:
                (folder / f"{index}.svg").write_text(entry.item.svg, encoding="utf-8")
        template = resources.files("vaestudy.report").joinpath("resources/report.typ")
        (folder / "report.typ").write_text(template.read_text(encoding="utf-8"), encoding="utf-8")
        main = folder / "main.typ"
        main.write_text(to_typst(document, meta), encoding="utf-8")
        return _compile(main)


def to_typst(document: Document, meta: ReportMeta) -> str:
    """Give the Typst source of a document; its pictures are ``0.svg``, ``1.svg`` and so on."""
    blocks = [raw("typst", "#abstract-block["), *document.abstract, raw("typst", "]")]
    if not document.abstract:
        blocks = []
    blocks += [raw("typst", "#contents()"), *document.body]
    formulas = [node["c"][1] for node in each(blocks, "Math")]
    translated = maths.typst(formulas)

    def render(tex: str, display: bool) -> str:
        return maths.typst_equation(tex, translated[tex], display)

    source = pandoc.write(_prepare(replace_math(blocks, "typst", render), document), _FORM)
    return f'#import "report.typ": *\n{_front(meta)}\n{source}'


def _front(meta: ReportMeta) -> str:
    year, month, day = map(int, meta.date.split("-"))
    fields = {
        "title": _quote(meta.title),
        "subtitle": _quote(meta.subtitle),
        "authors": _array(meta.authors),
        "date": f"datetime(year: {year}, month: {month}, day: {day})",
        "keywords": _array(meta.keywords),
        "study": _quote(meta.study),
        "version": _quote(meta.version),
        "lang": _quote(meta.lang.partition("-")[0]),
        "region": _quote(meta.lang.partition("-")[2] or "GB"),
    }
    return f"#show: report.with({', '.join(f'{key}: {value}' for key, value in fields.items())})"


def _prepare(blocks: list[Node], document: Document) -> list[Node]:
    # Of an appendix, which is tables under headings, each stands beneath its own.
    floats = True

    def visit(node: Node) -> Node | list[Node] | None:
        nonlocal floats
        if node["t"] == "Header":
            # Its sections have letters.
            floats = floats and not dict(node["c"][1][2]).get("number", "")[:1].isalpha()
            return _header(node)
        if node["t"] in ("BulletList", "OrderedList"):
            # Typst cannot tell a screen reader of a list that a waiting figure comes to stand in.
            return [raw("typst", "#place.flush()"), node]
        if node["t"] != "Div":
            return None
        (label, classes, pairs), inner = node["c"]
        if MARK in classes:
            index = int(dict(pairs)["entry"])
            item, number = document.entries[index].item, dict(pairs)["number"]
            return _entry(item, index, number, inner, floats=floats)
        if "equation" in classes:
            opening = raw("typst", f"#numbered-equation({_quote(dict(pairs)['number'])})[")
            return [opening, *inner, raw("typst", f"] <{label}>")]
        if "csl-entry" in classes:
            return [raw("typst", "#reference["), *inner, raw("typst", f"] <{label}>")]
        if label == "refs":
            return _prepare(inner, document)
        return None

    prepared: list[Node] = walk(_lead_in(blocks), visit)
    return prepared


def _lead_in(blocks: list[Node]) -> list[Node]:
    """Keep a paragraph with the equation that goes on with its sentence."""
    out: list[Node] = []
    for block, after in zip(blocks, [*blocks[1:], None], strict=True):
        if (
            block["t"] == "Para"
            and after
            and after["t"] == "Div"
            and "equation" in after["c"][0][1]
        ):
            out += [raw("typst", "#lead-in["), block, raw("typst", "]")]
        else:
            out.append(block)
    return out


def _header(node: Node) -> Node:
    level, (identifier, _, pairs), inlines = node["c"]
    number = dict(pairs).get("number", "")
    numbering = f"(..) => {_quote(number)}" if number else "none"
    opening = f"#heading(level: {level}, numbering: {numbering})["
    return plain([raw_inline("typst", opening), *inlines, raw_inline("typst", f"] <{identifier}>")])


def _entry(item: Item, index: int, number: str, inner: list[Node], *, floats: bool) -> list[Node]:
    caption = [block for block in inner if block["t"] != "Table"]
    common = f"number: {_quote(number)}, floats: {json.dumps(floats)}"
    if item.kind == "figure":
        width = min(item.natural_width * 100, float(item.width.rstrip("%")))
        common += f", width: {width:.4g}%, alt: {_quote(item.alt)}"
        opening = f'#picture("{index}.svg", {common}, caption: ['
        return [raw("typst", opening), *caption, raw("typst", f"]) <{item.label}>")]
    texts = any(length > _TEXT for length in _widest(item))
    long = _printed_lines(item.rows) > (_LONG_TEXTS if texts else _LONG_TABLE)
    common += f", long: {json.dumps(long)}, texts: {json.dumps(texts)}"
    opening = f"#tabular({common}, size: {_table_size(item):.3g}pt, caption: ["
    tables = [_table(block, item, long) for block in inner if block["t"] == "Table"]
    closing = raw("typst", f"] <{item.label}>")
    # Figures that wait for room would else come to stand between the pages of a long table.
    before = [raw("typst", f"#place.flush()\n#needed({_first_lines(item)})")] if long else []
    return [*before, raw("typst", opening), *caption, raw("typst", "])["), *tables, closing]


def _table(table: Node, item: Item, long: bool) -> Node:
    """Write a table's cells as Typst, for Pandoc's own writing cannot be told its looks."""
    _, _, _, head, bodies, _ = table["c"]
    sides = ", ".join("right" if side == "r" else "left" for side in item.align)
    opening = f"#table(columns: ({_columns(item)},), align: ({sides},), table.header("
    out = [raw_inline("typst", opening)]
    for row in head[1]:
        out += _cells(row)
    out.append(raw_inline("typst", "), table.hline(stroke: 0.5pt),"))
    rows = [row for body in bodies for row in body[3]]
    # Typst breaks a table between any two rows, but never within its foot.
    foot = len(rows) - _TOGETHER if long else len(rows)
    for row in rows[:foot]:
        out += _cells(row)
    if long:
        last = (cell for row in rows[foot:] for cell in _cells(row))
        opening = "table.footer(repeat: false, "
        out += [raw_inline("typst", opening), *last, raw_inline("typst", ")")]
    return plain([*out, raw_inline("typst", ")")])


def _cells(row: list[Any]) -> list[Node]:
    out: list[Node] = []
    for cell in row[1]:
        out.append(raw_inline("typst", "["))
        for block in cell[4]:
            out += walk(block["c"], _second_line)
        out.append(raw_inline("typst", "],"))
    return out


def _second_line(node: Node) -> list[Node] | None:
    if node["t"] != "Span" or BENEATH not in node["c"][0][1]:
        return None
    return [raw_inline("typst", f"#{BENEATH}["), *node["c"][1], raw_inline("typst", "]")]


def _table_size(item: Item) -> float:
    """Choose a type size, in points, at which a table's columns should fit the page."""
    widest = _widest(item)
    characters = sum(min(width, _LINE) for width in widest) + 3 * len(widest)
    return max(7.5, min(9.0, 9.0 * 92 / characters))


def _columns(item: Item) -> str:
    """Give each column its own width, or, if it holds texts, a share by how long they are."""
    widths = []
    for widest, (_, *lines) in zip(_widest(item), item.column_lines(), strict=True):
        typical = sum(map(len, lines)) / max(len(lines), 1)
        # A word that the column cannot hold would run into the next one.
        word = max((len(word) for line in lines for word in re.split(r"[\s-]", line)), default=0)
        share = max(typical, 1.5 * word) ** 0.5
        widths.append(f"{share:.1f}fr" if widest > _LINE else "auto")
    texts = any(widest > _TEXT for widest in _widest(item))
    return ", ".join(widths if texts else ["auto"] * len(widths))


def _widest(item: Item) -> list[int]:
    return [max(map(len, lines)) for lines in item.column_lines()]


def _first_lines(item: Item) -> int:
    """Estimate how many lines a table's caption, head and first rows take."""
    caption = 1 + len(item.markdown) // _CAPTION_LINE
    return caption + _printed_lines([item.header, *item.rows[:_TOGETHER]])


def _printed_lines(rows: Sequence[Sequence[str]]) -> int:
    """Estimate how many lines rows take: too many for what is kept on one page?"""
    return sum(
        max(sum(1 + len(line) // _LINE for line in cell.split("\n")) for cell in row)
        for row in rows
    )


def _compile(main: Path) -> bytes:
    import typst

    try:
        made = typst.compile(
            str(main),
            root=str(main.parent),
            ignore_system_fonts=True,
            timestamp=0,
            # A screen reader can follow it: Typst refuses what has no alternative text.
            pdf_standards=["ua-1"],
        )
    except typst.TypstError as error:
        hints = "; ".join(error.hints)
        raise ReportError(f"Typst cannot print the report: {error.message}. {hints}") from None
    if not isinstance(made, bytes):
        raise ReportError("Typst gave several files for one report")
    return made


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _array(texts: tuple[str, ...]) -> str:
    return "(" + "".join(f"{_quote(text)}, " for text in texts) + ")"
