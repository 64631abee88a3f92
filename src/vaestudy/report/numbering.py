"""Numbers for sections, figures, tables and equations, in the order of reading."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from vaestudy.report.backlinks import anchors
from vaestudy.report.errors import ReportError
from vaestudy.report.notebook import MARK, Entry
from vaestudy.report.tree import Node, attributes, div, paragraph, walk

NAMES = {"fig": "Figure", "tbl": "Table", "eq": "Equation", "sec": "Section", "claim": "Claim"}
_EQUATION_LABEL = re.compile(r"\{#(eq:[A-Za-z0-9_-]+)\}([.,;:]?)$")


@dataclass(frozen=True)
class Target:
    """What a reference can lead to."""

    name: str
    number: str
    notebook: str


class Numbering:
    """The numbers given so far; one chapter after the other.

    Parameters
    ----------
    entries
        Every figure and table of the report.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.targets: dict[str, Target] = {}
        self.duplicates: list[str] = []
        self._entries = entries
        self._counts = dict.fromkeys(("fig", "tbl", "eq"), 0)
        self._sections = [0] * 6
        self._appendix = False
        self._used: set[str] = set()
        self._notebook = ""

    def number(self, blocks: list[Node], notebook: str) -> list[Node]:
        """Give the blocks of a chapter their numbers."""
        self._notebook = notebook
        # A claim's number is its name: it stays, whatever comes to stand before it.
        for claim in anchors(blocks):
            self._add(claim.label, claim.text)
        numbered: list[Node] = walk(blocks, self._visit)
        return numbered

    def _visit(self, node: Node) -> Node | list[Node] | None:
        if node["t"] == "Header":
            return self._header(node)
        if node["t"] == "Div" and MARK in node["c"][0][1]:
            return self._entry(node)
        if node["t"] == "Para":
            return self._equations(node["c"])
        return None

    def _entry(self, node: Node) -> Node:
        (_, classes, pairs), blocks = node["c"]
        index = dict(pairs)["entry"]
        label = self._entries[int(index)].item.label
        number = self._count(label)
        return div(attributes(label, classes, {"entry": index, "number": number}), blocks)

    def _equations(self, inlines: list[Node]) -> list[Node] | None:
        """Lift labelled display formulas out of their paragraph; None if there are none."""
        out: list[Node] = []
        text: list[Node] = []
        at = 0
        while at < len(inlines):
            label, tail, after = _equation_label(inlines, at)
            if label:
                if text:
                    out.append(paragraph(text))
                out.append(self._equation(inlines[at], label))
                text, at = tail, after
                continue
            if text or inlines[at]["t"] not in ("Space", "SoftBreak"):
                text.append(inlines[at])
            at += 1
        if not out:
            return None
        return [*out, paragraph(text)] if text else out

    def _equation(self, math: Node, label: str) -> Node:
        number = self._count(label)
        return div(attributes(label, ["equation"], {"number": number}), [paragraph([math])])

    def _header(self, node: Node) -> Node:
        level, (identifier, classes, _), inlines = node["c"]
        number = ""
        if "unnumbered" not in classes:
            number = self._section(level, "appendix" in classes)
        if identifier.startswith("sec:"):
            self._add(identifier, number)
        else:
            identifier = self._unique(identifier)
        return {
            "t": "Header",
            "c": [level, attributes(identifier, [], {"number": number}), inlines],
        }

    def _section(self, level: int, appendix: bool) -> str:
        if level == 1 and appendix and not self._appendix:
            self._appendix, self._sections = True, [0] * 6
        self._sections[level - 1] += 1
        self._sections[level:] = [0] * (6 - level)
        first, *rest = self._sections[:level]
        head = chr(ord("A") + first - 1) if self._appendix else str(first)
        return ".".join([head, *map(str, rest)])

    def _unique(self, identifier: str) -> str:
        stem = re.sub(r"[^A-Za-z0-9]+", "-", self._notebook.rpartition(".")[0]).lower()
        name, count = f"{stem}-{identifier}", 2
        while name in self._used:
            name, count = f"{stem}-{identifier}-{count}", count + 1
        self._used.add(name)
        return name

    def _count(self, label: str) -> str:
        kind = label.partition(":")[0]
        self._counts[kind] += 1
        number = str(self._counts[kind])
        self._add(label, number)
        return number

    def _add(self, label: str, number: str) -> None:
        kind = label.partition(":")[0]
        if label in self.targets:
            first = self.targets[label].notebook
            self.duplicates.append(f"{label} in {first} and again in {self._notebook}")
            return
        name = NAMES[kind] if number[:1].isdigit() or not number else "Appendix"
        self.targets[label] = Target(name, number, self._notebook)


def _equation_label(inlines: list[Node], at: int) -> tuple[str, list[Node], int]:
    """Give the label of the formula at a place, what its word ends in, and where to go on."""
    node = inlines[at]
    if node["t"] != "Math" or node["c"][0]["t"] != "DisplayMath":
        return "", [], at
    after = at + 1
    while after < len(inlines) and inlines[after]["t"] in ("Space", "SoftBreak"):
        after += 1
    if after == len(inlines) or inlines[after]["t"] != "Str":
        return "", [], at
    word = inlines[after]["c"]
    match = _EQUATION_LABEL.match(word)
    if match is None:
        if word.startswith("{#"):
            raise ReportError(f"the label {word!r} of a formula should look like '{{#eq:elbo}}'")
        return "", [], at
    tail = [{"t": "Str", "c": match[2]}] if match[2] else []
    return match[1], tail, after + 1
