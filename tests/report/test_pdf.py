"""The pages of the printed report: what stands where, and what stays together."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from vaestudy.report import build_report
from vaestudy.report.item import Item

from .conftest import META, RESOURCES, SVG, Maker, figure

pytestmark = pytest.mark.skipif(
    shutil.which("pdftotext") is None, reason="pdftotext (poppler-utils) is not installed"
)


def printed(notebook: Path, folder: Path) -> str:
    """Return the words of a notebook's PDF; a form feed ends each page."""
    pdf = folder / "a.pdf"
    build_report([notebook], META, folder / "a.html", pdf, RESOURCES)
    done = subprocess.run(["pdftotext", "-layout", pdf, "-"], capture_output=True, text=True)
    return done.stdout


def long_table(n_rows: int) -> Item:
    rows = tuple((f"row-{i}", "x") for i in range(n_rows))
    return Item("table", "tbl:long", "Rows.", header=("Row", "X"), rows=rows, align="ll")


def test_no_figure_stands_between_the_pages_of_a_long_table(
    make_notebook: Maker, tmp_path: Path
) -> None:
    # Each as high as a page, so that it has to wait for the next one.
    tall = replace(figure(), svg=SVG.replace("60pt", "120pt"))
    figures = (replace(tall, label=f"fig:{name}") for name in "ab")
    text = printed(make_notebook("# Chapter", "Text.", *figures, long_table(60)), tmp_path)
    assert text.count("A figure.") == 2
    first, last = (text.index(f"row-{i}\N{SPACE}") for i in (0, 59))
    assert "A figure." not in text[first:last]


@pytest.mark.parametrize(("lines", "n_rows"), [(22, 42), (2, 86)])
def test_no_page_begins_or_ends_with_a_row_or_two_of_a_table(
    make_notebook: Maker, tmp_path: Path, lines: int, n_rows: int
) -> None:
    filler = "\n\n".join(["Word."] * lines)
    text = printed(make_notebook("# Chapter", filler, long_table(n_rows)), tmp_path)
    counts = [len(re.findall(r"row-\d+", page)) for page in text.split("\f")]
    assert sum(counts) == n_rows
    assert min(filter(None, counts)) >= 3


def test_a_chapter_s_figures_stand_before_the_next_chapter(
    make_notebook: Maker, tmp_path: Path
) -> None:
    filler = "\n\n".join(["Word."] * 14)
    small = figure(width="30%")
    text = printed(make_notebook("# First", filler, small, "# Second\n\nOther words."), tmp_path)
    assert text.index("A figure.") < text.index("Other words.")


def test_no_figure_comes_to_stand_within_a_list(make_notebook: Maker, tmp_path: Path) -> None:
    tall = replace(figure(), svg=SVG.replace("60pt", "90pt"))
    figures = (replace(tall, label=f"fig:{name}") for name in "abc")
    points = "\n".join(f"- Point {i}, and a few words." for i in range(120))
    text = printed(make_notebook("# Chapter", "Text.", *figures, points), tmp_path)
    assert text.count("A figure.") == 3
    assert "A figure." not in text[text.index("Point 0,") :]


@pytest.mark.parametrize("lines", [23, 24, 25])
def test_no_figure_comes_between_a_sentence_and_its_equation(
    make_notebook: Maker, tmp_path: Path, lines: int
) -> None:
    # As high as most of a page, so that it waits for the next one, where the equation goes too.
    tall = replace(figure(), svg=SVG.replace("60pt", "110pt"))
    filler = "\n\n".join(["Word."] * lines)
    sentence = "The sentence says that\n\n$$ 1111 = 2222 $$ {#eq:a}\n\nholds."
    text = printed(make_notebook("# Chapter", "Text.", tall, f"{filler}\n\n{sentence}"), tmp_path)
    assert "A figure." not in text[text.index("The sentence") : text.index("2222")]
    assert "A figure." in text


def test_an_apostrophe_after_a_digit_is_no_prime(make_notebook: Maker, tmp_path: Path) -> None:
    text = printed(make_notebook("# Chapter", "M2's \"own\", f\\'(x)."), tmp_path)
    assert "M2’s “own”, f'(x)." in text


def test_tables_of_an_appendix_stand_beneath_their_headings(
    make_notebook: Maker, tmp_path: Path
) -> None:
    tables = (replace(long_table(3), label=f"tbl:{name}", markdown=name) for name in ("one", "two"))
    cells = ["# First", "Words.", "# Appendix {.appendix}\n\n## Data", next(tables)]
    text = printed(make_notebook(*cells, "## Machines", next(tables)), tmp_path)
    text = text[text.rindex("A.1") :]
    places = [text.index(word) for word in ("Data", "one", "row-2", "Machines", "two")]
    assert places == sorted(places)
