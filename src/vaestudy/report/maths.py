r"""TeX formulas → HTML through KaTeX, and → Typst through Pandoc.

The macros (``\E``, ``\KL``, …) are Pandoc's to expand while it reads, so both outputs get them.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib import resources
from typing import Any

from vaestudy.report import pandoc
from vaestudy.report.errors import ReportError
from vaestudy.report.tree import Node, paragraph, raw

_SEPARATOR = "//vaestudy//"
_MENDS = (
    # TeX's negative space mends the gap before a \left bracket, which Typst does not make.
    (r" ?#h\(-1em\) ?", " "),
    # Pandoc 3.9 rounds em widths down, and uses symbols' names that Typst 0.15 no longer knows.
    (r"#h\(0em\)", "#h(0.222em)"),
    (r"\bdot\.circle\b", "dot.o"),
    (r"\btimes\.circle\b", "times.o"),
    (r"\bplus\.circle\b", "plus.o"),
    # It scales \bigl( as a picture of a bracket, which then sits off the axis.
    (r"#scale\(x: (\d+)%, y: \d+%\)\[\\?(.)\]", r"lr(size: #\1%, \\\2)"),
)


def katex(tex: str, display: bool) -> str:
    """Render a formula to HTML with MathML beside it.

    Raises
    ------
    ReportError
        If KaTeX does not understand the formula.
    """
    try:
        return str(_katex()(tex, display))
    except Exception as error:  # quickjs raises its own class, which is not to be imported here
        if type(error).__module__.partition(".")[0] not in ("quickjs", "_quickjs"):
            raise
        reason = str(error).splitlines()[0]
        raise ReportError(f"KaTeX cannot read the formula {tex!r}: {reason}") from None


@cache
def _katex() -> Any:
    import quickjs

    script = resources.files("vaestudy.report").joinpath("resources/katex/katex.min.js")
    context = quickjs.Context()
    context.set_max_stack_size(8 * 1024 * 1024)
    context.eval(script.read_text(encoding="utf-8"))
    return context.eval(
        "(tex, display) => katex.renderToString(tex, {displayMode: display,"
        "output: 'htmlAndMathml', throwOnError: true, strict: 'ignore'})"
    )


def typst(formulas: list[str]) -> dict[str, str]:
    """Translate formulas to Typst, all in one call.

    Parameters
    ----------
    formulas
        TeX, without dollars.

    Returns
    -------
    dict
        From TeX to Typst, with dollars.
    """
    distinct = list(dict.fromkeys(formulas))
    blocks: list[Node] = []
    for tex in distinct:
        blocks += [paragraph([_math(tex)]), raw("typst", _SEPARATOR)]
    if not blocks:
        return {}
    texts = pandoc.write(blocks, "typst").split(_SEPARATOR)
    return {tex: _mend(text.strip()) for tex, text in zip(distinct, texts, strict=False)}


def typst_equation(tex: str, translated: str, display: bool) -> str:
    """Give a formula as a Typst expression, with its TeX to be read aloud."""
    alt = json.dumps(" ".join(tex.split()), ensure_ascii=False)
    block = "true" if display else "false"
    return f"#math.equation(block: {block}, alt: {alt}, {translated})"


def _math(tex: str) -> Node:
    return {"t": "Math", "c": [{"t": "InlineMath"}, tex]}


def _mend(text: str) -> str:
    for pattern, mended in _MENDS:
        text = re.sub(pattern, mended, text)
    return re.sub(r'(upright\()?"([A-Za-z\s]+)"', _operator, text)


def _operator(match: re.Match[str]) -> str:
    """Name an operator as one: Typst sets mere words apart from their argument."""
    if match[1]:
        return match[0]
    name = " ".join(match[2].split())
    limits = ", limits: #true" if name in ("arg max", "arg min") else ""
    return f'op("{name}"{limits})'


def macros() -> str:
    r"""Give the house macros, as ``\newcommand`` lines."""
    file = resources.files("vaestudy.report").joinpath("resources/macros.tex")
    return file.read_text(encoding="utf-8")
