"""Executed notebooks → one HTML file and one PDF."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources as packaged
from pathlib import Path

from vaestudy.files import atomic_path
from vaestudy.report.document import Document, make_document
from vaestudy.report.errors import ReportError
from vaestudy.report.html import to_html
from vaestudy.report.left_out import labels_of
from vaestudy.report.meta import ReportMeta
from vaestudy.report.notebook import read_chapter
from vaestudy.report.pdf import to_pdf


def build_report(
    notebooks: Sequence[Path],
    meta: ReportMeta,
    html: Path,
    pdf: Path,
    resources: Path | None = None,
    left_out: Sequence[Path] = (),
) -> None:
    """Put executed notebooks together to a report.

    Parameters
    ----------
    notebooks
        The chapters, in order.
    meta
        The front page.
    html, pdf
        Files to write; each appears whole or not at all.
    resources
        Folder of the author: ``references.bib``, and if they are there ``macros.tex`` and
        ``extra.css``. Without one, a report cannot cite.
    left_out
        Sources of chapters that the report does without; references to them become words, as do
        those to figures and tables that a notebook's code has and did not show.

    Raises
    ------
    ReportError
        If a notebook has failed, or a reference, a label or a formula is wrong.
    """
    document = read_document(notebooks, meta, resources, left_out)
    extra_css = _optional(resources, "extra.css")
    page = to_html(document, meta, extra_css)
    paper = to_pdf(document, meta)
    with atomic_path(html) as temporary:
        temporary.write_text(page, encoding="utf-8")
    with atomic_path(pdf) as temporary:
        temporary.write_bytes(paper)


def read_document(
    notebooks: Sequence[Path],
    meta: ReportMeta,
    resources: Path | None = None,
    left_out: Sequence[Path] = (),
) -> Document:
    """Read the notebooks and resolve everything in them, without writing a file."""
    if not notebooks:
        raise ReportError("there are no notebooks to report on: pass at least one")
    chapters = [read_chapter(path) for path in notebooks]
    abstracts = [chapter.abstract for chapter in chapters if chapter.abstract]
    if len(abstracts) > 1:
        raise ReportError(f"{len(abstracts)} notebooks give an abstract, but a report has one")
    abstract = abstracts[0] if abstracts else meta.abstract
    macros = _optional(resources, "macros.tex")
    absent = labels_of(left_out).union(*(chapter.not_shown for chapter in chapters))
    if resources is not None:
        bibliography = _bibliography(resources)
        return make_document(chapters, abstract, bibliography, macros, meta.lang, absent)
    nothing = packaged.files("vaestudy.report").joinpath("resources/empty.bib")
    with packaged.as_file(nothing) as bibliography:
        return make_document(chapters, abstract, bibliography, macros, meta.lang, absent)


def _bibliography(resources: Path) -> Path:
    path = resources / "references.bib"
    if not path.is_file():
        raise ReportError(f"{resources} has no references.bib: put the bibliography there")
    return path


def _optional(resources: Path | None, name: str) -> str:
    path = resources / name if resources is not None else None
    return path.read_text(encoding="utf-8") if path is not None and path.is_file() else ""
