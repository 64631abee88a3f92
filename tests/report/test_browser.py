"""The report in a real browser: it draws, answers, and fits the screen."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vaestudy.report import build_report
from vaestudy.report.backlinks import anchor
from vaestudy.report.item import Item

from .conftest import META, RESOURCES, Built, Maker, figure

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


def open_page(browser: Any, built: Built, width: int = 1400, **options: Any) -> Any:
    """Open the report; what goes wrong in it is collected in ``page.problems``."""
    context = browser.new_context(viewport={"width": width, "height": 900}, **options)
    page = context.new_page()
    page.problems = []
    page.on("console", lambda message: page.problems.append(message.text))
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("request", lambda request: check_request(page, request.url))
    page.goto(built.html.as_uri())
    page.evaluate("document.fonts.ready")
    return page


def check_request(page: Any, url: str) -> None:
    if not url.startswith(("file:", "data:", "blob:")):
        page.problems.append(f"loads {url}")


@pytest.mark.parametrize("width", [390, 1400])
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


def test_the_decoder_answers_pointer_and_keys(browser: Any, built: Built) -> None:
    page = open_page(browser, built)
    plane = page.locator(".decoder .plane")
    plane.scroll_into_view_if_needed()
    image = "document.querySelector('.decoder .image').toDataURL()"
    seen = {page.evaluate(image)}
    box = plane.bounding_box()
    for part in (0.2, 0.8):
        page.mouse.move(box["x"] + part * box["width"], box["y"] + part * box["height"])
        seen.add(page.evaluate(image))
    assert len(seen) == 3
    before = page.locator(".decoder .where").inner_text()
    plane.focus()
    page.keyboard.press("ArrowLeft")
    assert page.locator(".decoder .where").inner_text() != before
    page.locator(".decoder [data-view=lattice]").click()
    assert page.locator(".decoder [data-view=lattice]").get_attribute("aria-pressed") == "true"
    assert page.problems == []


def test_the_decoder_answers_a_finger(browser: Any, built: Built) -> None:
    page = open_page(browser, built, 390, has_touch=True, is_mobile=True)
    plane = page.locator(".decoder .plane")
    plane.scroll_into_view_if_needed()
    before = page.locator(".decoder .where").inner_text()
    plane.tap(position={"x": 40, "y": 60})
    assert page.locator(".decoder .where").inner_text() != before


def test_the_space_turns(browser: Any, built: Built) -> None:
    page = open_page(browser, built)
    plane = page.locator(".space .plane")
    plane.scroll_into_view_if_needed()
    picture = "document.querySelector('.space .plane').toDataURL()"
    before = page.evaluate(picture)
    box = plane.bounding_box()
    page.mouse.move(box["x"] + 150, box["y"] + 150)
    page.mouse.down()
    page.mouse.move(box["x"] + 260, box["y"] + 190)
    page.mouse.up()
    page.wait_for_timeout(60)
    dragged = page.evaluate(picture)
    plane.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(60)
    assert len({before, dragged, page.evaluate(picture)}) == 3
    page.locator(".space .toggles button").first.click()
    assert page.locator(".space .toggles [aria-pressed=true]").count() == 1


def test_figures_enlarge_and_close(browser: Any, built: Built) -> None:
    page = open_page(browser, built)
    page.locator("#fig\\:bound .zoom").focus()
    page.keyboard.press("Enter")
    assert page.locator("dialog[open] img").count() == 1
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0


@pytest.mark.parametrize("width", [390, 800, 1400])
def test_an_enlarged_figure_is_larger_than_on_the_page(
    browser: Any, built: Built, width: int
) -> None:
    page = open_page(browser, built, width)
    before = page.locator("#fig\\:bound .zoom img").bounding_box()["width"]
    page.locator("#fig\\:bound .zoom").click()
    assert page.locator("dialog[open] img").bounding_box()["width"] > 1.5 * before
    # All of it can be scrolled to, its left edge and top too.
    frame = "document.querySelector('dialog .frame')"
    reached = f"[{frame}.scrollLeft, {frame}.scrollTop, {frame}.querySelector('img').offsetLeft]"
    left, top, offset = page.evaluate(reached)
    assert left == top == 0 <= offset
    assert page.evaluate(f"getComputedStyle({frame}).overflow") == "auto"


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


def test_downloads_and_theme(browser: Any, built: Built) -> None:
    page = open_page(browser, built)
    with page.expect_download() as download:
        page.locator("#fig\\:bound .save-svg").click()
    assert download.value.suggested_filename == "fig-bound.svg"
    page.locator("button.theme").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.problems == []


def test_print_and_no_script_show_the_pictures(browser: Any, built: Built) -> None:
    page = open_page(browser, built)
    page.emulate_media(media="print")
    assert page.locator("#fig\\:plane img").is_visible()
    assert not page.locator("#fig\\:plane .live").is_visible()
    page = open_page(browser, built, java_script_enabled=False)
    assert page.locator("#fig\\:plane img").is_visible()
    assert not page.locator("#fig\\:plane .live").is_visible()
