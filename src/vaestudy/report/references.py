"""References in the text → links; none is left dangling."""

from __future__ import annotations

from collections.abc import Sequence

from vaestudy.report.errors import ReportError
from vaestudy.report.numbering import NAMES, Numbering, Target
from vaestudy.report.tree import SPACE, Node, each, link, string, walk

Parts = Sequence[tuple[str, list[Node]]]


def check_all(parts: Parts, numbering: Numbering, keys: set[str]) -> None:
    """Raise one error with everything that does not resolve, each with its notebook."""
    problems = [f"duplicate label {text}" for text in numbering.duplicates]
    for name, blocks in parts:
        for label in _mentioned(blocks):
            problem = _problem(label, numbering.targets, keys)
            if problem:
                problems.append(f"{problem} in {name}")
    if problems:
        shown = "\n".join(f"- {problem}" for problem in dict.fromkeys(problems))
        labels = ", ".join(sorted(numbering.targets)) or "none"
        raise ReportError(f"the report has broken references:\n{shown}\nLabels known: {labels}")


def resolve(blocks: list[Node], targets: dict[str, Target]) -> list[Node]:
    """Replace ``@fig:x`` and its like by links that read “Figure 3”."""

    def visit(node: Node) -> list[Node] | None:
        if node["t"] != "Cite":
            return None
        citations = node["c"][0]
        if not all(_is_label(citation["citationId"]) for citation in citations):
            return None
        return _links(citations, targets)

    resolved: list[Node] = walk(blocks, visit)
    return resolved


def _is_label(key: str) -> bool:
    return key.partition(":")[0] in NAMES and ":" in key


def _mentioned(blocks: list[Node]) -> list[str]:
    labels: list[str] = []
    for node in each(blocks, "Cite"):
        keys = [citation["citationId"] for citation in node["c"][0]]
        labels += keys
        if len({_is_label(key) for key in keys}) > 1:
            raise ReportError(f"{keys} mix citations and references: give each its own brackets")
    for node in each(blocks, "Link"):
        target = node["c"][2][0]
        if target.startswith("#"):
            labels.append(target[1:])
    return labels


def _problem(label: str, targets: dict[str, Target], keys: set[str]) -> str:
    if label in targets:
        unnumbered = not targets[label].number
        return f"reference @{label} to an unnumbered section" if unnumbered else ""
    if _is_label(label):
        return f"unresolved reference @{label}"
    return "" if label in keys else f"citation @{label} without an entry in references.bib"


def _links(citations: list[Node], targets: dict[str, Target]) -> list[Node]:
    out: list[Node] = []
    for at, citation in enumerate(citations):
        if at:
            out += (
                [string(","), SPACE] if at < len(citations) - 1 else [SPACE, string("and"), SPACE]
            )
        target = targets[citation["citationId"]]
        alone = citation["citationMode"]["t"] == "SuppressAuthor"
        number = f"({target.number})" if target.name == "Equation" else target.number
        text = number if alone else f"{target.name}\u00a0{number}"
        prefix = citation["citationPrefix"]
        out += [*prefix, SPACE] if prefix else []
        out.append(link([string(text)], f"#{citation['citationId']}", ["xref"]))
        out += citation["citationSuffix"]
    return out
