"""Figures in a real browser: still, live, enlarged, dark and printed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from vaestudy.report import build_report

from .conftest import META, RESOURCES, Built, Maker, figure
from .pages import needs_browser, open_page

pytestmark = needs_browser


def test_figures_enlarge_and_close(browser: Any, built: Built) -> None:
    page = open_page(browser, built)
    page.locator("#fig\\:bound .zoom").focus()
    page.keyboard.press("Enter")
    assert page.locator("dialog[open] img").count() == 1
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    page.locator("#fig\\:bound .plate img").click()
    assert page.locator("dialog[open] img").count() == 1


@pytest.mark.parametrize("width", [390, 800, 1400])
def test_an_enlarged_figure_is_larger_than_on_the_page(
    browser: Any, built: Built, width: int
) -> None:
    page = open_page(browser, built, width)
    before = page.locator("#fig\\:bound .plate img").bounding_box()["width"]
    page.locator("#fig\\:bound .zoom").click()
    assert page.locator("dialog[open] img").bounding_box()["width"] > 1.5 * before
    # All of it can be scrolled to, its left edge and top too.
    frame = "document.querySelector('dialog .frame')"
    reached = f"[{frame}.scrollLeft, {frame}.scrollTop, {frame}.querySelector('img').offsetLeft]"
    left, top, offset = page.evaluate(reached)
    assert left == top == 0 <= offset
    assert page.evaluate(f"getComputedStyle({frame}).overflow") == "auto"


def test_pictures_are_read_out_and_so_is_what_enlarges_them(browser: Any, built: Built) -> None:
    figure = open_page(browser, built).locator("#fig\\:bound")
    alt = figure.locator("img").get_attribute("alt")
    tree = figure.aria_snapshot()
    assert f'- img "{alt}"' in tree
    assert re.search(r'- button "Enlarge Figure \d+"', tree)


def test_a_link_in_an_enlarged_figure_leads_back_to_the_page(
    browser: Any, make_notebook: Maker, tmp_path: Path
) -> None:
    filler = "\n\n".join(["Word."] * 60)
    cells = [figure(caption="As @sec:far has it."), f"{filler}\n\n## Far {{#sec:far}}\n\n{filler}"]
    html, pdf = tmp_path / "a.html", tmp_path / "a.pdf"
    build_report([make_notebook("# Chapter", *cells)], META, html, pdf, RESOURCES)
    page = open_page(browser, Built([], html, pdf))
    page.locator(".zoom").click()
    page.locator("dialog a").click()
    page.wait_for_function("location.hash === '#sec:far'")
    assert page.locator("dialog[open]").count() == 0
    assert 0 <= page.locator("[id='sec:far'] h3").bounding_box()["y"] < 100


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_dark_page_dims_a_figure_with_its_frame_and_paper_does_not(
    browser: Any, built: Built, theme: str
) -> None:
    page = open_page(browser, built, color_scheme=theme)
    filters = "e => [getComputedStyle(e.parentElement).filter, getComputedStyle(e).filter]"
    image = page.locator("#fig\\:bound .plate img")
    assert image.evaluate(filters) == ["brightness(0.92)" if theme == "dark" else "none", "none"]
    page.emulate_media(media="print", color_scheme=theme)
    assert image.evaluate(filters) == ["none", "none"]


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


def test_a_decoder_stands_beneath_its_figure_and_a_space_in_its_place(
    browser: Any, built: Built
) -> None:
    page = open_page(browser, built)
    caption, live = page.locator("#fig\\:plane figcaption"), page.locator("#fig\\:plane .live")
    assert page.locator("#fig\\:plane .plate img").is_visible()
    assert live.bounding_box()["y"] > caption.bounding_box()["y"]
    assert live.locator(".about").inner_text().startswith("Live.")
    assert page.locator("#fig\\:plane .zoom").is_visible()
    assert not page.locator("#fig\\:space .plate img").is_visible()
    assert not page.locator("#fig\\:space .zoom").is_visible()


def test_a_finger_can_scroll_past_the_live_pictures(browser: Any, built: Built) -> None:
    page = open_page(browser, built, 390, has_touch=True, is_mobile=True)
    turned = "document.querySelector('.space .plane').dataset.turned"
    put_at_half_height(page, ".space .plane")
    swipe(page, page.locator(".space .plane"), (100, 40), (110, 10))
    before = page.evaluate(turned)
    assert before
    swipe(page, page.locator(".space .plane"), (150, 150), (0, -120), scrolls=True)
    put_at_half_height(page, ".decoder .plane")
    # Beside the plane, on which a finger draws.
    swipe(page, page.locator(".decoder .plane"), (-15, 150), (0, -120), scrolls=True)
    swipe(page, page.locator(".decoder .plane"), (150, 150), (0, -120))
    assert page.locator(".space .by-touch").is_visible()
    assert not page.locator(".space .by-mouse").is_visible()


def put_at_half_height(page: Any, chosen: str) -> None:
    page.locator(chosen).evaluate("e => e.scrollIntoView({ block: 'center' })")
    page.wait_for_timeout(100)


def swipe(
    page: Any, place: Any, start: tuple[int, int], by: tuple[int, int], *, scrolls: bool = False
) -> None:
    """Draw a finger from a point of a place; the page scrolls by it or stays."""
    box, before = place.bounding_box(), page.evaluate("scrollY")
    device = page.context.new_cdp_session(page)

    def touch(kind: str, part: float) -> None:
        x, y = (a + b + part * c for a, b, c in zip((box["x"], box["y"]), start, by, strict=True))
        points = [] if kind == "touchEnd" else [{"x": x, "y": y}]
        device.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 0)
    for step in range(1, 11):
        touch("touchMove", step / 10)
        page.wait_for_timeout(16)
    touch("touchEnd", 1)
    page.wait_for_timeout(400)
    assert (page.evaluate("scrollY") > before) == scrolls


def test_print_and_no_script_show_the_pictures(browser: Any, built: Built) -> None:
    page = open_page(browser, built)
    page.emulate_media(media="print")
    assert page.locator("#fig\\:plane img").is_visible()
    assert not page.locator("#fig\\:plane .live").is_visible()
    page = open_page(browser, built, java_script_enabled=False)
    assert page.locator("#fig\\:plane img").is_visible()
    assert not page.locator("#fig\\:plane .live").is_visible()
