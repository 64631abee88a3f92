"""References to chapters and figures that a report lacks: words in place of numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from vaestudy.report.tree import SPACE, Node, plain_text, string

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
    said: list[Node] = _said(blocks, absent)
    return said


def _said(value: Any, absent: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {key: _said(child, absent) for key, child in value.items()}
    if not isinstance(value, list):
        return value
    out: list[Any] = []
    for i, child in enumerate(value):
        if isinstance(child, dict) and child.get("t") == "Cite":
            out += _words(child, absent, begins=_begins_sentence(value[:i]))
        else:
            out.append(_said(child, absent))
    return out


def _words(cite: Node, absent: frozenset[str], *, begins: bool) -> list[Node]:
    citations, inlines = cite["c"]
    kept = [citation for citation in citations if citation["citationId"] not in absent]
    if len(kept) == len(citations):
        return [cite]
    if kept:
        return [{"t": "Cite", "c": [kept, inlines]}]
    what = _WORDS[citations[0]["citationId"].partition(":")[0]]
    first, *words = f"{what} left out here".split()
    first = first.capitalize() if begins else first
    return [string(first), *(part for word in words for part in (SPACE, string(word)))]


def _begins_sentence(before: list[Any]) -> bool:
    """Whether what follows these inlines begins a sentence."""
    if not before:
        return True
    *_, last, space = [None, *before]
    parted = space["t"] in ("Space", "SoftBreak")
    return parted and last is not None and plain_text(last).endswith((".", "?", "!"))
