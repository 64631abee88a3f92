"""What notebooks call: each call shows one item, or says why it cannot."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from vaestudy.figures.drawing import Drawing
from vaestudy.figures.style import CLASS_COLORS, figsize, style
from vaestudy.report import ReportError, present
from vaestudy.report.item import MIME, Item


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Collect what would be displayed."""
    outputs: list[dict[str, Any]] = []
    display = pytest.importorskip("IPython.display")
    monkeypatch.setattr(display, "display", lambda data, raw: outputs.append(data))
    return outputs


def drawing(width: float = 1.0) -> Drawing:
    with mpl.rc_context():
        style()
        figure = Figure(figsize=figsize(width))
        figure.subplots().plot([0, 1], [0, 1 / 3])
    return Drawing(figure, pd.DataFrame({"x": [0, 1]}), ("run-a", "run-b"))


def item(outputs: list[dict[str, Any]]) -> Item:
    return Item.from_json(outputs[-1][MIME])


def test_a_figure_carries_all_it_needs(shown: list[dict[str, Any]]) -> None:
    present.figure(
        drawing(0.5), label="fig:a", caption="It *is*.", alt="A\n line.", interactive="<b>"
    )
    made = item(shown)
    assert made.label == "fig:a"
    assert made.runs == ("run-a", "run-b")
    assert made.alt == "A line."
    assert made.natural_width == pytest.approx(0.5)
    assert made.interactive == "<b>"
    assert made.svg.startswith("<svg")
    assert "<text" not in made.svg
    assert made.csv == "x\n0\n1\n"
    assert shown[0]["image/png"].startswith("iVBOR")


def test_the_same_figure_gives_the_same_svg(shown: list[dict[str, Any]]) -> None:
    for _ in range(2):
        present.figure(drawing(), label="fig:a", caption="C.", alt="A line.")
    assert shown[0][MIME]["svg"] == shown[1][MIME]["svg"]


def test_a_preview_leaves_the_layout_as_it_was_printed(shown: list[dict[str, Any]]) -> None:
    with mpl.rc_context():
        style()
        figure = Figure(figsize=figsize(1.0))
        axes = figure.subplots()
        # Its layout and others' may not follow one another in a figure.
        figure.colorbar(axes.imshow(np.eye(3)), label="a bar")
    untouched = axes.get_position().bounds
    made = Drawing(figure, pd.DataFrame({"x": [0]}), ("run-a",))
    present.figure(made, label="fig:a", caption="C.", alt="A bar.")
    printed = axes.get_position().bounds
    assert printed != untouched
    figure.draw_without_rendering()
    assert axes.get_position().bounds == printed
    assert shown[0]["image/png"].startswith("iVBOR")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"alt": " "}, "no alt text: pass alt="),
        ({"caption": ""}, "no caption"),
        ({"label": "warmup"}, "must be 'fig', a colon"),
        ({"label": "tbl:a"}, "must be 'fig', a colon"),
        ({"label": "fig:a b"}, "letters"),
        ({"width": "5in"}, "expected one like '80%'"),
    ],
)
def test_a_figure_that_lacks_something_is_refused(fields: dict[str, str], message: str) -> None:
    good = {"label": "fig:a", "caption": "C.", "alt": "A line."}
    with pytest.raises(ReportError, match=message):
        present.figure(drawing(), **(good | fields))


def test_a_table_formats_and_aligns_its_columns(shown: list[dict[str, Any]]) -> None:
    frame = pd.DataFrame(
        {
            "model": ["VAE", "IWAE"],
            "nll": [86.351, -84.7],
            "gain": [np.nan, 1.5],
            "units": ["19 ± 1", r"$25 \pm 2$"],
            "K": [1, 5],
        }
    )
    formats = {"nll": ".1f", "gain": "{:+.2f}", "K": lambda k: f"**{k}**"}
    present.table(frame, label="tbl:a", caption="C.", runs=["r"], formats=formats)
    made = item(shown)
    assert made.rows[0] == ("VAE", "86.4", "–", "19 ± 1", "**1**")
    assert made.rows[1] == ("IWAE", "−84.7", "+1.50", r"$25 \pm 2$", "**5**")
    assert made.align == "lrrrr"
    assert made.csv.startswith("model,nll,gain,units,K\n")


def test_a_table_offers_other_data(shown: list[dict[str, Any]]) -> None:
    full = pd.DataFrame({"value": [1.25]})
    present.table(pd.DataFrame({"a": ["x"]}), label="tbl:a", caption="C.", data=full)
    assert item(shown).csv == "value\n1.25\n"


def test_a_table_that_lacks_something_is_refused() -> None:
    frame = pd.DataFrame({"a": [1]})
    with pytest.raises(ReportError, match=r"formats for \['b'\], but its columns are \['a'\]"):
        present.table(frame, label="tbl:a", caption="C.", formats={"b": ".1f"})
    with pytest.raises(ReportError, match="no caption"):
        present.table(frame, label="tbl:a", caption="")
    with pytest.raises(ReportError, match="must be 'tbl'"):
        present.table(frame, label="fig:a", caption="C.")


def test_prose_and_abstract_are_shown_as_text(shown: list[dict[str, Any]]) -> None:
    present.prose("Two **bold** words.")
    present.abstract("In short.")
    assert [output[MIME]["kind"] for output in shown] == ["prose", "abstract"]
    assert shown[0]["text/markdown"] == "Two **bold** words."


def test_the_style_is_legible_in_print() -> None:
    with mpl.rc_context():
        style()
        sizes = ("font.size", "axes.labelsize", "xtick.labelsize", "ytick.labelsize",
                 "legend.fontsize", "legend.title_fontsize", "axes.titlesize")  # fmt: skip
        assert min(mpl.rcParams[name] for name in sizes) >= 7.5
        assert mpl.rcParams["font.family"][0] == "Libertinus Serif"
        assert mpl.rcParams["svg.fonttype"] == "path"
        assert mpl.rcParams["svg.hashsalt"]
    assert len(set(CLASS_COLORS)) == 10
    with pytest.raises(ValueError, match="fraction of the column"):
        figsize(1.2)
