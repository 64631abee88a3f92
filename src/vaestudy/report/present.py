"""What a chapter's notebook calls to put a figure, a table or a text into the report.

Whatever is not shown through these functions, or written in a Markdown cell, stays out of it.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from vaestudy.figures.drawing import Drawing
from vaestudy.figures.style import TEXT_WIDTH, style
from vaestudy.report.item import MIME, Item, check_figure, check_table
from vaestudy.report.svg import slim

__all__ = ["abstract", "figure", "not_run", "prose", "style", "table"]

Format = str | Callable[[Any], str]


def figure(
    drawing: Drawing,
    *,
    label: str,
    caption: str,
    alt: str,
    width: str = "100%",
    interactive: str | None = None,
) -> None:
    """Show a figure, in the notebook and in the report.

    Parameters
    ----------
    drawing
        The figure, its data and its runs.
    label
        ``fig:name``; the text refers to it as ``@fig:name``.
    caption
        Markdown, with maths, references and computed numbers.
    alt
        What is to be seen, for a reader who cannot see it. Needed.
    width
        Largest width, as a percentage of the text column. A figure is printed at its own size.
    interactive
        HTML that stands in the picture's place where scripts run, or beneath the caption
        (:mod:`vaestudy.report.widgets`).
    """
    check_figure(label, caption, alt, width)
    svg = _svg(drawing.figure)
    item = Item(
        kind="figure",
        label=label,
        markdown=caption,
        alt=" ".join(alt.split()),
        runs=tuple(drawing.runs),
        svg=svg,
        natural_width=min(float(drawing.figure.get_figwidth()) / TEXT_WIDTH, 1.0),
        width=width,
        interactive=interactive or "",
        csv=drawing.data.to_csv(index=False),
    )
    _emit(item, {"image/png": _preview(drawing.figure), "text/plain": f"Figure {label}"})
    _close(drawing.figure)


def table(
    frame: pd.DataFrame,
    *,
    label: str,
    caption: str,
    runs: Sequence[str] = (),
    data: pd.DataFrame | None = None,
    formats: Mapping[str, Format] | None = None,
) -> None:
    """Show a table, in the notebook and in the report.

    Parameters
    ----------
    frame
        The cells. Texts are Markdown, maths included; what stands after a line break goes beneath
        in smaller type. The index is not shown.
    label
        ``tbl:name``; the text refers to it as ``@tbl:name``.
    caption
        Markdown, with maths, references and computed numbers.
    runs
        Ids of the runs behind the table.
    data
        What the reader downloads; by default, the frame itself.
    formats
        By column, a format such as ``".2f"`` or a function from a value to a text.
    """
    names = tuple(str(name) for name in frame.columns)
    check_table(label, caption, names, tuple(formats or {}))
    columns = [_column(frame[name], (formats or {}).get(str(name))) for name in frame.columns]
    item = Item(
        kind="table",
        label=label,
        markdown=caption,
        runs=tuple(runs),
        header=names,
        rows=tuple(zip(*(texts for texts, _ in columns), strict=True)),
        align="".join(side for _, side in columns),
        csv=(frame if data is None else data).to_csv(index=False),
    )
    shown = pd.DataFrame(item.rows, columns=list(item.header))
    _emit(item, {"text/html": shown.to_html(index=False), "text/plain": f"Table {label}"})


def prose(markdown: str) -> None:
    """Show Markdown whose numbers the notebook has computed.

    Parameters
    ----------
    markdown
        Any Markdown that a cell may hold: headings, maths, citations, references.
    """
    _emit(Item(kind="prose", markdown=markdown), {"text/markdown": markdown})


def not_run(what: str) -> None:
    """Say in a figure's place that the study lacks it: ``what`` ends in *was* or *were*."""
    prose(f"{what} not run in this study; `config.yaml` has the experiment.")


def abstract(markdown: str) -> None:
    """Set the report's abstract, with numbers that the notebook has computed.

    Parameters
    ----------
    markdown
        The abstract. It takes the place of the one in :class:`~vaestudy.report.ReportMeta`.
    """
    _emit(Item(kind="abstract", markdown=markdown), {"text/markdown": markdown})


def _emit(item: Item, shown: dict[str, str]) -> None:
    from IPython.display import display  # only a notebook has it, and only there is it needed

    display({MIME: item.to_json(), **shown}, raw=True)


def _svg(drawn: Figure) -> str:
    stream = io.StringIO()
    for axes in drawn.axes:
        for image in axes.images:
            # The viewer resamples: enlarged for print, small pictures have five times the bytes.
            if image.get_interpolation() == "auto":
                image.set_interpolation("none")
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "vaestudy"}):
        drawn.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return slim(stream.getvalue())


def _preview(drawn: Figure) -> str:
    # It is laid out by now, which takes as long as drawing it.
    drawn.set_layout_engine("none")
    stream = io.BytesIO()
    drawn.savefig(stream, format="png", dpi=110, metadata={"Software": None})
    return base64.b64encode(stream.getvalue()).decode()


def _close(drawn: Figure) -> None:
    import matplotlib.pyplot as plt  # its import may choose a window system: not before need

    plt.close(drawn)


def _column(values: pd.Series, form: Format | None) -> tuple[list[str], str]:
    """Give a column's cells as texts, and ``r`` where they are numbers, else ``l``."""
    texts = [_cell(value, form) for value in values]
    plain = [re.sub(r"[\s*_$\\{}~≈<>≤≥±()\[\],;:%×^–—·/-]|nan|pm|times", "", t) for t in texts]
    # A column of dashes is one of numbers that nobody has measured yet.
    numeric = len(plain) > 0 and all(re.fullmatch(r"[\d.−e+]*", text) for text in plain)
    return texts, "r" if numeric else "l"


def _cell(value: Any, form: Format | None) -> str:
    if callable(form):
        return form(value)
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return "–"
    if form is not None:
        text = form.format(value) if "{" in form else format(value, form)
    else:
        text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text.replace("-", "−") if re.match(r"-[\d.]", text) else text
