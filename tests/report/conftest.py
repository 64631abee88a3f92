"""Notebooks to report on: two real ones, executed once, and makers of small fake ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import pytest

matplotlib.use("agg")

nbformat = pytest.importorskip("nbformat", reason="the report needs the workflow's packages")
pytest.importorskip("pypandoc", reason="the report needs the workflow's packages")

from vaestudy.report import ReportMeta, build_report  # noqa: E402
from vaestudy.report.item import MIME, Item  # noqa: E402

HERE = Path(__file__).parent
RESOURCES = HERE.parents[1] / "report"
META = ReportMeta(
    title="A small report & its <title>",
    subtitle="For the tests",
    authors=("Ada B. Cee", "Dora E. Eff"),
    date="2025-11-21",
    abstract="Not this one: a notebook gives it.",
    keywords=("variational autoencoder", "test"),
    study="tiny",
    version="vaestudy 0.1.0 (abc1234)",
)
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="90pt" height="60pt">'
    '<rect width="9" height="9"/></svg>'
)


@dataclass(frozen=True)
class Built:
    """A built report, and what it was built from."""

    notebooks: list[Path]
    html: Path
    pdf: Path


def execute(source: Path, folder: Path) -> Path:
    """Execute a notebook kept as a script."""
    import jupytext
    import papermill

    blank, executed = folder / f"{source.stem}.in.ipynb", folder / f"{source.stem}.ipynb"
    jupytext.write(jupytext.read(source), blank)
    papermill.execute_notebook(blank, executed, progress_bar=False, kernel_name="python3")
    return executed


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Execute the fixture notebooks with papermill and build their report."""
    folder = tmp_path_factory.mktemp("report")
    sources = sorted((HERE / "notebooks").glob("*.py"))
    with ThreadPoolExecutor() as pool:
        notebooks = list(pool.map(lambda source: execute(source, folder), sources))
    built = Built(notebooks, folder / "report.html", folder / "report.pdf")
    build_report(built.notebooks, META, built.html, built.pdf, RESOURCES)
    return built


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Start Chromium; its event loop, which no notebook's may meet, ends with the module."""
    from .pages import CHROMIUM

    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


Maker = Callable[..., Path]


@pytest.fixture
def make_notebook(tmp_path: Path) -> Maker:
    """Write a notebook of Markdown cells and shown items, as if it had been executed."""

    def make(
        *cells: str | Item, name: str = "01_chapter.ipynb", tags: tuple[str, ...] = ()
    ) -> Path:
        notebook = nbformat.v4.new_notebook()
        for index, cell in enumerate(cells):
            if isinstance(cell, str):
                made = nbformat.v4.new_markdown_cell(cell)
            else:
                data = {MIME: cell.to_json(), "text/plain": "shown"}
                output = nbformat.v4.new_output("display_data", data)
                source = f"present.{cell.kind}(...)"
                made = nbformat.v4.new_code_cell(
                    source, outputs=[output], execution_count=index + 1
                )
            made.metadata["tags"] = list(tags)
            notebook.cells.append(made)
        path = tmp_path / name
        nbformat.write(notebook, path)
        return path

    return make


def figure(label: str = "fig:a", caption: str = "A figure.", **fields: object) -> Item:
    """Make a small figure."""
    return Item(
        kind="figure",
        label=label,
        markdown=caption,
        alt="A square.",
        svg=SVG,
        csv="a\n1\n",
        **fields,
    )  # type: ignore[arg-type]
