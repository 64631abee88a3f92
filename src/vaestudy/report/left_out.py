"""References to chapters and figures that a report lacks: words in place of numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from vaestudy.report.tree import SPACE, Node, string, walk

_LABELS = re.compile(r"""\{#((?:sec|eq):[\w-]+)|label=["']((?:fig|tbl):[\w-]+)["']""")
_WORDS = {"sec": "a section", "fig": "a figure", "tbl": "a table", "eq": "an equation"}


def labels_of(sources: Iterable[Path]) -> frozenset[str]:
    """Return every label that chapters' source files give."""
    return labels_in(path.read_text(encoding="utf-8") for path in sources)


def labels_in(texts: Iterable[str]) -> frozenset[str]:
    """Return every label that texts of notebooks' cells give."""
    return frozenset(first or second for text in texts for first, second in _LABELS.findall(text))


def say_left_out(blocks: list[Node], absent: frozenset[str]) -> list[Node]:
    """Replace references to ``absent`` labels by words; beside others of a group they vanish."""

    def visit(node: Node) -> Node | list[Node] | None:
        if node["t"] != "Cite":
            return None
        citations, inlines = node["c"]
        kept = [citation for citation in citations if citation["citationId"] not in absent]
        if len(kept) == len(citations):
            return None
        if kept:
            return {"t": "Cite", "c": [kept, inlines]}
        what = _WORDS[citations[0]["citationId"].partition(":")[0]]
        first, *words = f"{what} left out here".split()
        return [string(first), *(part for word in words for part in (SPACE, string(word)))]

    replaced: list[Node] = walk(blocks, visit)
    return replaced
