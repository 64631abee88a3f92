"""The report in a real browser: it draws, answers, and fits the screen."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vaestudy.report import build_report
from vaestudy.report.backlinks import anchor
from vaestudy.report.item import Item

from .conftest import META, RESOURCES, Built, Maker, figure
from .pages import needs_browser, open_page

pytestmark = needs_browser


@pytest.mark.parametrize("width", [320, 390, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_the_screen_without_complaint(
    browser: Any, built: Built, width: int, scheme: str
) -> None:
    page = open_page(browser, built, width, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.problems == []
    loaded = "[...document.images].every(i => i.complete && i.naturalWidth > 0)"
    assert page.evaluate(loaded)
    dark = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (dark == "rgb(255, 255, 255)") == (scheme == "light")


def test_every_formula_has_its_font(browser: Any, built: Built) -> None:
    page = open_page(browser, built)
    missing = page.evaluate(
        """() => {
          const bare = family => family.split(',')[0].replace(/"/g, '');
          const has = [...document.fonts].map(f => [bare(f.family), f.weight, f.style].join());
          const asked = [...document.querySelectorAll('.katex-html *')]
            .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
            .map(e => getComputedStyle(e))
            .map(s => [bare(s.fontFamily), s.fontWeight, s.fontStyle].join());
          const name = f => f.replace(',normal,', ',400,').replace(',bold,', ',700,');
          const known = new Set(has.map(name));
          return [...new Set(asked)].filter(f => !known.has(name(f)));
        }"""
    )
    assert missing == []


def test_a_reference_shows_what_it_leads_to(browser: Any, built: Built) -> None:
    page = open_page(browser, built)
    page.locator("a.xref[href='#fig:bound']").first.hover()
    page.wait_for_selector(".preview img")
    page.mouse.move(0, 0)
    page.wait_for_selector(".preview", state="detached")


def test_a_claim_is_in_sight_where_its_figure_leads_to(
    browser: Any, make_notebook: Maker, tmp_path: Path
) -> None:
    """In a long table, which scrolls beneath its head."""
    names = [f"000.claim-{i}" for i in range(40)]
    cells = (anchor(name, "fig:a", "undecided", kept="supported") for name in names)
    rows = tuple((f"**{cell}** It is so.", "@fig:a") for cell in cells)
    table = Item("table", "tbl:a", "Claims.", header=("Claim", "Shown in"), rows=rows, align="ll")
    html, pdf = tmp_path / "a.html", tmp_path / "a.pdf"
    build_report([make_notebook(figure(), table)], META, html, pdf, RESOURCES)
    page = open_page(browser, Built([], html, pdf), reduced_motion="reduce")
    link = page.locator(f'.claims-here a[href="#claim:{names[20]}"]')
    link.hover()
    page.wait_for_selector(".preview")
    assert page.locator(".preview").inner_text().strip() == f"{names[20]} It is so."
    link.click()
    row, head, box = (
        page.locator(chosen).first.bounding_box()
        for chosen in (f'[id="claim:{names[20]}"]', ".tall th", ".tall")
    )
    assert head["y"] + head["height"] <= row["y"] < box["y"] + box["height"]


def wide_table() -> Item:
    header = tuple(f"Column {i}" for i in range(12))
    return Item("table", "tbl:wide", "Wide.", header=header, rows=(("1",) * 12,), align="r" * 12)


def test_what_reaches_beyond_a_narrow_screen_shows_it(
    browser: Any, make_notebook: Maker, tmp_path: Path
) -> None:
    """An edge is shaded as long as there is more beyond it; a number goes beneath its formula."""
    long = "$$ x = " + " + ".join(f"a_{{{i}}}" for i in range(9)) + " $$ {#eq:long}"
    short = "$$ x = a $$ {#eq:short}"
    html, pdf = tmp_path / "a.html", tmp_path / "a.pdf"
    notebook = make_notebook("# Chapter", f"{long}\n\n{short}", wide_table())
    build_report([notebook], META, html, pdf, RESOURCES)
    page = open_page(browser, Built([], html, pdf), 390)
    table = page.locator(".scroll")
    start = edges(table)
    assert start[0] > 0.99 > start[1]
    table.evaluate("table => { table.scrollLeft = 9999; }")
    end = edges(table)
    assert end[0] < 0.99 < end[1]
    boxes = {
        name: [page.locator(f"[id='eq:{name}'] > {part}").bounding_box() for part in ("p", "a")]
        for name in ("long", "short")
    }
    for formula, number in boxes.values():
        assert number["x"] + number["width"] <= 390
        assert formula["x"] + formula["width"] <= 390
    formula, number = boxes["long"]
    assert number["y"] >= formula["y"] + formula["height"]
    formula, number = boxes["short"]
    assert formula["y"] < number["y"] < formula["y"] + formula["height"]


def edges(box: Any) -> list[float]:
    """Return how light the left and the right edge of a box are, seen as a picture."""
    picture = np.asarray(Image.open(io.BytesIO(box.screenshot())).convert("L")) / 255
    return [float(np.median(picture[:, column])) for column in (1, -2)]


def test_downloads_and_theme(browser: Any, built: Built) -> None:
    page = open_page(browser, built)
    with page.expect_download() as download:
        page.locator("#fig\\:bound .save-svg").click()
    assert download.value.suggested_filename == "fig-bound.svg"
    page.locator("button.theme").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.problems == []
