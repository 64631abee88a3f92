"""A figure or a table → HTML, with its code, runs and data folded beneath it."""

from __future__ import annotations

import base64
import gzip
import html as escaping
from collections.abc import Sequence
from urllib.parse import quote

from vaestudy.report.item import Item
from vaestudy.report.notebook import Entry
from vaestudy.report.tree import SPACE, Node, plain, raw, strong

_LARGE_CSV = 50_000
_LONG_TABLE = 30
_SHORT = 30
_WIDE = 6
# A live picture that shows something else than the figure says so in its first tag.
_BENEATH = 'data-stands="beneath"'


def entry_blocks(entry: Entry, index: int, number: str, inner: list[Node]) -> list[Node]:
    """Give the blocks of a figure or table.

    Parameters
    ----------
    entry
        What is to be shown.
    index
        Its place in the report.
    number
        Its number.
    inner
        Its caption and, for a table, its cells, parsed.
    """
    item = entry.item
    figure = item.kind == "figure"
    name = f"{'Figure' if figure else 'Table'} {number}"
    caption = [block for block in inner if block["t"] != "Table"]
    head = raw("html", f'<figure id="{item.label}" class="item {item.kind}">')
    text = [raw("html", "<figcaption>"), *_named(caption, f"{name}."), raw("html", "</figcaption>")]
    foot = raw("html", _provenance(entry, index, name) + "</figure>")
    if figure:
        beneath = item.interactive and _BENEATH in item.interactive.partition(">")[0]
        live = f'<div class="live">@@vaestudy:live:{index}@@</div>' if item.interactive else ""
        plate = _plate(item, index, "" if beneath else live)
        return [head, raw("html", plate), *text, raw("html", live if beneath else ""), foot]
    tables = [_aligned(block, item.align) for block in inner if block["t"] == "Table"]
    looks = ["scroll"]
    looks += ["tall"] if len(item.rows) > _LONG_TABLE else []
    # Short cells are never broken; a narrow screen scrolls the table instead.
    longest = max((len(line) for lines in item.column_lines() for line in lines[1:]), default=0)
    looks += ["short"] if longest < _SHORT else ["wide"] if len(item.header) >= _WIDE else []
    start = f'<div class="{" ".join(looks)}" tabindex="0" role="region" aria-label="{name}">'
    return [head, *text, raw("html", start), *tables, raw("html", "</div>"), foot]


def payloads(entries: Sequence[Entry]) -> dict[str, str]:
    """Give what is too large for Pandoc, by the name under which the page asks for it."""
    stored: dict[str, str] = {}
    for index, entry in enumerate(entries):
        stored[f"svg:{index}"] = _svg_uri(entry.item.svg)
        stored[f"csv:{index}"] = _csv_uri(entry.item.csv)
        stored[f"live:{index}"] = entry.item.interactive
    return stored


def _named(caption: list[Node], name: str) -> list[Node]:
    """Put a figure's name before the first words of its caption."""
    first, *rest = caption
    if first["t"] not in ("Para", "Plain"):
        return [plain([strong(name)]), *caption]
    start = plain([strong(name), SPACE, *first["c"]])
    return [start if not rest else {**start, "t": "Para"}, *rest]


def _plate(item: Item, index: int, live: str) -> str:
    """Give a figure's picture, and the live one that takes its place where scripts run."""
    width = min(item.natural_width * 100, float(item.width.rstrip("%")))
    image = f'<img src="@@vaestudy:svg:{index}@@" alt="{escaping.escape(item.alt)}">'
    kind = "plate has-live" if live else "plate"
    return f'<div class="{kind}" style="--width:{width:.4g}%">{image}{live}</div>'


def _aligned(table: Node, align: str) -> Node:
    """Set a table's columns to the sides that its values ask for, with no set widths."""
    sides = {"r": {"t": "AlignRight"}, "l": {"t": "AlignLeft"}}
    content = list(table["c"])
    content[2] = [[sides[side], {"t": "ColWidthDefault"}] for side in align]
    return {"t": "Table", "c": content}


def _provenance(entry: Entry, index: int, name: str) -> str:
    item, text = entry.item, escaping.escape
    stem = item.label.replace(":", "-")
    code = f"<pre><code>{_highlight(entry.code)}</code></pre>"
    folds = f"<details><summary>Code</summary>{code}</details>"
    if item.runs:
        runs = " ".join(f"<code>{text(run)}</code>" for run in item.runs)
        count = f"{len(item.runs):,} run{'s' if len(item.runs) > 1 else ''}"
        folds += f'<details><summary>{count}</summary><p class="runs">{runs}</p></details>'
    suffix = "csv.gz" if _is_large(item.csv) else "csv"
    links = f'<a download="{stem}.{suffix}" href="@@vaestudy:csv:{index}@@">CSV</a>'
    if item.kind == "figure":
        # The script gives it the picture's address: the file holds each picture once.
        links += f'<a class="save-svg" download="{stem}.svg" href="#{item.label}">SVG</a>'
        # Beside the picture, not around it: what stands in a button is not read out as a picture.
        enlarge = f'<button type="button" class="zoom" aria-label="Enlarge {name}">Enlarge</button>'
        links = enlarge + links
    label = f'<span class="source">{text(entry.notebook)}</span>'
    return (
        f'<div class="provenance" role="group" aria-label="Source of {name}">'
        f'{folds}<span class="links">{links}{label}</span></div>'
    )


def _highlight(code: str) -> str:
    from pygments import highlight  # type: ignore[import-untyped]
    from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
    from pygments.lexers import PythonLexer  # type: ignore[import-untyped]

    return str(highlight(code, PythonLexer(), HtmlFormatter(nowrap=True)))


def _is_large(csv: str) -> bool:
    return len(csv) > _LARGE_CSV


def _csv_uri(csv: str) -> str:
    data = csv.encode()
    if _is_large(csv):
        return _data_uri("application/gzip", gzip.compress(data, mtime=0))
    return _data_uri("text/csv;charset=utf-8", data)


def _svg_uri(svg: str) -> str:
    """Write a drawing into an address as text: in base64 it would be a third longer."""
    if "'" not in svg:
        svg = svg.replace('"', "'")  # the attribute that holds the address has the other quotes
    return "data:image/svg+xml," + quote(svg, safe=" '*+,-./:;=?@[]!$~")


def _data_uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
