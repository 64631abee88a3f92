"""From a figure back to the claims that it shows.

A claim stands in the ledger as ``[000.name]{#claim:000.name figure="fig:warmup" verdict="…"}``: an
anchor, with the figure to look at. Each such figure gets a line below its caption that leads there.
``kept="…"`` is the verdict of a longer study, where one is kept beside this one's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from vaestudy.report.notebook import MARK
from vaestudy.report.tree import SPACE, Node, each, link, paragraph, plain_text, span, string, walk

PREFIX = "claim:"
CLASS = "claims-here"


@dataclass(frozen=True)
class Anchor:
    """A claim's place in the ledger."""

    label: str
    text: str
    figure: str
    verdict: str
    kept: str


def anchor(name: str, figure: str = "", verdict: str = "", kept: str = "") -> str:
    """Return the Markdown of a claim's anchor, with the label of the figure that shows it."""
    pairs = {"figure": figure, "verdict": verdict, "kept": kept}
    told = "".join(f' {key}="{value}"' for key, value in pairs.items() if value)
    return f"[{name}]{{#{PREFIX}{name}{told}}}"


def anchors(blocks: Sequence[Node]) -> list[Anchor]:
    """Find every claim that stands in some blocks."""
    found = []
    for node in each(list(blocks), "Span"):
        (label, _, pairs), inlines = node["c"]
        if label.startswith(PREFIX):
            told = dict(pairs)
            values = (told.get(key, "") for key in ("figure", "verdict", "kept"))
            found.append(Anchor(label, plain_text(inlines), *values))
    return found


def link_back(parts: Sequence[tuple[str, list[Node]]]) -> list[tuple[str, list[Node]]]:
    """Give each figure or table the line that leads to its claims."""
    found = [claim for _, blocks in parts for claim in anchors(blocks) if claim.figure]
    found.sort(key=lambda claim: claim.figure)
    by_figure = {figure: list(some) for figure, some in groupby(found, lambda c: c.figure)}

    def visit(node: Node) -> Node | None:
        if node["t"] != "Div" or MARK not in node["c"][0][1]:
            return None
        attrs, blocks = node["c"]
        here = by_figure.get(attrs[0])
        return {"t": "Div", "c": [attrs, [*blocks, _line(here)]]} if here else None

    return [(name, walk(blocks, visit)) for name, blocks in parts]


def _line(claims: Sequence[Anchor]) -> Node:
    """Write ``Claims examined here: 000.a (supported), 000.b (undecided).``"""
    words: list[Node] = []
    for word in ("Claims" if len(claims) > 1 else "Claim", "examined", "here:"):
        words += [string(word), SPACE]
    for position, claim in enumerate(claims):
        end = "." if position == len(claims) - 1 else ","
        words.append(link([string(claim.text)], f"#{claim.label}"))
        for word in f"({_verdict(claim)}){end}".split(" "):
            words += [SPACE, string(word)]
        words += [SPACE] if end == "," else []
    return paragraph([span(words, [CLASS])])


def _verdict(claim: Anchor) -> str:
    verdict = claim.verdict.replace(" ", "\N{NO-BREAK SPACE}")
    if not claim.kept:
        return verdict
    if claim.kept == claim.verdict:
        return f"{verdict} here and by a longer study"
    return f"{verdict} here; {claim.kept} by a longer study"
