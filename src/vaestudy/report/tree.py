"""Pandoc's document tree, as the JSON it comes in: builders and one walk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Node = dict[str, Any]
Visit = Callable[[Node], "Node | list[Node] | None"]


def walk(value: Any, visit: Visit) -> Any:
    """Rebuild a tree, top down, replacing what ``visit`` answers for.

    ``visit`` gets every element and returns None to keep it and go on inside it, or its
    replacement: an element or a list of them. A replacement is not visited again.
    """
    if isinstance(value, list):
        out: list[Any] = []
        for child in value:
            if not (isinstance(child, dict) and "t" in child):
                out.append(walk(child, visit))
                continue
            new = visit(child)
            if new is None:
                out.append(walk(child, visit))
            else:
                out.extend(new if isinstance(new, list) else [new])
        return out
    if isinstance(value, dict):
        return {key: walk(child, visit) for key, child in value.items()}
    return value


def each(value: Any, kind: str) -> Iterable[Node]:
    """Yield every element of one kind, in the order of reading."""
    if isinstance(value, list):
        for child in value:
            yield from each(child, kind)
    elif isinstance(value, dict):
        if value.get("t") == kind:
            yield value
        for child in value.values():
            yield from each(child, kind)


def plain_text(value: Any) -> str:
    """Give the words of a tree, without their marks."""
    if isinstance(value, list):
        return "".join(plain_text(child) for child in value)
    if not isinstance(value, dict):
        return ""
    kind, content = value.get("t"), value.get("c")
    if kind == "Str":
        return str(content)
    if kind in ("Space", "SoftBreak", "LineBreak"):
        return " "
    if kind in ("Math", "Code"):
        return str(content[1]) if content else ""
    return plain_text(content)


def attributes(
    identifier: str = "", classes: Iterable[str] = (), pairs: dict[str, str] | None = None
) -> list[Any]:
    """Build the attributes of an element."""
    return [identifier, list(classes), [[key, value] for key, value in (pairs or {}).items()]]


def string(text: str) -> Node:
    """Build a word."""
    return {"t": "Str", "c": text}


SPACE: Node = {"t": "Space"}


def strong(text: str) -> Node:
    """Build bold text."""
    return {"t": "Strong", "c": [string(text)]}


def span(inlines: list[Node], classes: Iterable[str]) -> Node:
    """Build an inline element with classes."""
    return {"t": "Span", "c": [attributes("", classes), inlines]}


def link(inlines: list[Node], target: str, classes: Iterable[str] = ()) -> Node:
    """Build a link."""
    return {"t": "Link", "c": [attributes("", classes), inlines, [target, ""]]}


def paragraph(inlines: list[Node]) -> Node:
    """Build a paragraph."""
    return {"t": "Para", "c": inlines}


def plain(inlines: list[Node]) -> Node:
    """Build a line of text that is not a paragraph."""
    return {"t": "Plain", "c": inlines}


def raw(form: str, text: str) -> Node:
    """Build a block in the output's own language."""
    return {"t": "RawBlock", "c": [form, text]}


def raw_inline(form: str, text: str) -> Node:
    """Build inline text in the output's own language."""
    return {"t": "RawInline", "c": [form, text]}


def div(attrs: list[Any], blocks: list[Node]) -> Node:
    """Build a block with attributes."""
    return {"t": "Div", "c": [attrs, blocks]}
