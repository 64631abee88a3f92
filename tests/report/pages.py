"""Opens reports in a real browser."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from .conftest import Built

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")


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
