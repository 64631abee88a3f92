"""A document → one HTML file that needs nothing else."""

from __future__ import annotations

import html as escaping
import json
import re
from importlib import resources
from string import Template

from vaestudy.report import fonts, maths, pandoc
from vaestudy.report.document import Document, replace_math
from vaestudy.report.html_items import entry_blocks, payloads
from vaestudy.report.meta import ReportMeta
from vaestudy.report.notebook import MARK
from vaestudy.report.tree import SPACE, Node, attributes, raw, span, string, walk

_OPTIONS = ("--section-divs",)


def to_html(document: Document, meta: ReportMeta, extra_css: str = "") -> str:
    """Write a document as HTML.

    Parameters
    ----------
    document
        The document.
    meta
        Its front page.
    extra_css
        The author's own rules, after the house's.

    Returns
    -------
    str
        The whole page.
    """
    body = pandoc.write(_prepare(document.body, document), "html", _OPTIONS)
    abstract = pandoc.write(_prepare(document.abstract, document), "html", _OPTIONS)
    contents = _contents(document)
    page = _template("report.html").substitute(
        _front(meta),
        abstract=_abstract(abstract, meta),
        contents=contents,
        body=body,
        style=_style(abstract + contents + body, extra_css),
        script=_resource("report.js"),
    )
    # Pictures and data come last: Pandoc and the template have no business in megabytes of them.
    stored = payloads(document.entries)
    return re.sub(r"@@vaestudy:(\w+:\d+)@@", lambda match: stored[match[1]], page)


def _prepare(blocks: list[Node], document: Document) -> list[Node]:
    blocks = replace_math(blocks, "html", maths.katex)

    def visit(node: Node) -> Node | list[Node] | None:
        if node["t"] == "Header":
            return _header(node)
        if node["t"] != "Div":
            return None
        (label, classes, pairs), inner = node["c"]
        if MARK in classes:
            entry = document.entries[int(dict(pairs)["entry"])]
            return entry_blocks(entry, int(dict(pairs)["entry"]), dict(pairs)["number"], inner)
        if "equation" in classes:
            number = f'<a class="eqno" href="#{label}">({dict(pairs)["number"]})</a></div>'
            return [
                raw("html", f'<div class="equation" id="{label}">'),
                *inner,
                raw("html", number),
            ]
        return None

    prepared: list[Node] = walk(blocks, visit)
    return prepared


def _header(node: Node) -> Node:
    level, (identifier, classes, pairs), inlines = node["c"]
    number = dict(pairs)["number"] if dict(pairs).get("number") else ""
    shown = [span([string(number)], ["secno"]), SPACE, *inlines] if number else inlines
    # The page's only h1 is its title.
    return {"t": "Header", "c": [min(level + 1, 6), attributes(identifier, classes), shown]}


def _contents(document: Document) -> str:
    """Give the table of contents: sections of the first two levels."""
    items, depth = ["<ol>"], 1
    for node in replace_math(document.body, "html", maths.katex):
        if node["t"] != "Header" or node["c"][0] > 2:
            continue
        level, (identifier, _, pairs), inlines = node["c"]
        while depth < level:
            items.append("<ol>")
            depth += 1
        while depth > level:
            items.append("</ol></li>")
            depth -= 1
        number = dict(pairs).get("number", "")
        items.append(f'<li><a href="#{identifier}"><span class="secno">{number}</span>')
        items.append(f"<span>{_inline(inlines)}</span></a>")
    items += ["</ol></li>"] * (depth - 1) + ["</ol>"]
    return "".join(items)


def _inline(inlines: list[Node]) -> str:
    """Write a heading's text; most are plain words, which need no call to Pandoc."""
    if all(node["t"] in ("Str", "Space", "SoftBreak") for node in inlines):
        return escaping.escape("".join(node.get("c", " ") for node in inlines))
    return pandoc.write([{"t": "Plain", "c": inlines}], "html").strip()


def _front(meta: ReportMeta) -> dict[str, str]:
    text = escaping.escape
    authors = "".join(f"<li>{text(name)}</li>" for name in meta.authors)
    facts = [meta.study and f"Study {meta.study}", meta.version]
    return {
        "lang": text(meta.lang),
        "title": text(meta.title),
        "subtitle": f'<p class="subtitle">{text(meta.subtitle)}</p>' if meta.subtitle else "",
        "authors": f'<ul class="authors">{authors}</ul>',
        "date": text(meta.date),
        "facts": "".join(f"<span>{text(fact)}</span>" for fact in facts if fact),
        "keywords": text(", ".join(meta.keywords)),
        "catalogue": "\n".join(
            f'<meta name="citation_author" content="{text(name)}">' for name in meta.authors
        ),
        "name": json.dumps(meta.title),
    }


def _abstract(abstract: str, meta: ReportMeta) -> str:
    words = escaping.escape(" · ".join(meta.keywords))
    keywords = f'<p class="keywords"><strong>Keywords</strong> {words}</p>' if words else ""
    if not abstract.strip():
        return keywords
    return f'<section class="abstract" aria-label="Abstract">\n{abstract}{keywords}</section>'


def _style(page: str, extra: str) -> str:
    return "\n".join([fonts.text_css(), fonts.math_css(page), _resource("report.css"), extra])


def _template(name: str) -> Template:
    return Template(_resource(name))


def _resource(name: str) -> str:
    file = resources.files("vaestudy.report").joinpath("resources", name)
    return file.read_text(encoding="utf-8")
