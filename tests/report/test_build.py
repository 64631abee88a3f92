"""The report of two real notebooks: whole, self-contained, and the same each time."""

from __future__ import annotations

import base64
import gzip
import re
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest

from vaestudy.report import build_report
from vaestudy.report.build import read_document
from vaestudy.report.html import to_html
from vaestudy.report.item import MIME, Item
from vaestudy.report.pdf import to_typst

from .conftest import META, RESOURCES, Built, Maker, figure


@pytest.fixture(scope="module")
def page(built: Built) -> str:
    return built.html.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def text(page: str) -> str:
    """Give the words of the page, without scripts, styles and tags."""
    bare = re.sub(r"<(script|style|annotation)\b.*?</\1>", "", page, flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", bare)).replace("&amp;", "&")


def test_nothing_is_loaded_from_elsewhere(page: str) -> None:
    loads = re.findall(r"""(?:src|srcset|data|poster|action)\s*=\s*["']([^"']+)""", page)
    loads += re.findall(r"url\(([^)]+)\)", page)
    loads += re.findall(r"<link\b[^>]*>|@import[^;]*", page)
    assert loads
    assert all(load.startswith("data:") for load in loads)
    outside = {link for link in re.findall(r'href="([^"]+)"', page) if "://" in link}
    assert all(re.match(r"https://(arxiv\.org|doi\.org)/", link) for link in outside)
    assert "default-src 'none'" in page


def test_computed_numbers_reach_the_text(text: str) -> None:
    assert "find a mean test NLL of 86.50 nats" in text
    assert "After 30 epochs the IWAE’s bound" in text
    assert "The best NLL is 86.004 nats, see Table 1." in text.replace("\u00a0", " ")
    assert "Not this one" not in text


def test_sections_figures_tables_and_equations_are_numbered(text: str, page: str) -> None:
    plain = text.replace("\u00a0", " ")
    for words in (
        "1 Method",
        "1.1 Active units",
        "2 Results",
        "2.1 The latent plane",
        "A Every run",
    ):
        assert words in plain
    assert "Equation (2) equals Equation (1) when" in plain
    assert "Section 2 compares them, and Figure 1 and Table 1 show" in plain
    assert "Figure 3. A latent space" in plain
    assert "Table 2. Every run" in plain
    assert 'id="eq:iwae"' in page
    assert ">(2)</a>" in page


def test_citations_and_references_are_written(text: str) -> None:
    assert "(Kingma and Welling 2014; Rezende et al. 2014)" in text
    assert "Burda, Yuri, Roger Grosse, and Ruslan Salakhutdinov. 2016." in text
    assert "Ioffe" not in text


def test_every_link_inside_the_page_leads_somewhere(page: str) -> None:
    identifiers = re.findall(r'\sid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(identifiers)


def test_formulas_are_rendered_with_only_their_fonts(page: str) -> None:
    assert page.count('<span class="katex">') > 12
    assert "katex-error" not in page
    assert r"\mid" in page
    assert r"\elbo" not in page
    faces = set(re.findall(r"font-family:KaTeX_(\w+)", page))
    assert {"Main", "Math", "AMS", "Caligraphic"} <= faces
    assert "Fraktur" not in re.findall(r"@font-face\{font-family:KaTeX_(\w+)", page)


def test_silent_cells_stay_out(page: str, built: Built) -> None:
    assert "SILENT" not in page
    assert "injected" not in page
    assert "rng = np.random.default_rng(0)" not in page
    assert str(built.html.parent) not in page


def test_code_runs_and_data_stand_with_each_figure(page: str) -> None:
    assert page.count("<summary>Code</summary>") == 5
    assert "<code>vae-seed0-a1b2c3</code>" in page
    assert "<summary>2 runs</summary>" in page
    assert page.count(">02_results.ipynb</span>") == 5
    data = re.search(r'download="fig-bound.csv" href="data:text/csv[^,]*,([^"]+)"', page)
    assert data is not None
    lines = base64.b64decode(data[1]).decode().splitlines()
    assert lines[0] == "epoch,variable,value"
    assert len(lines) == 61
    assert 'download="fig-bound.svg"' in page


def test_every_picture_has_alt_text(page: str) -> None:
    images = re.findall(r"<img\b[^>]*>", page)
    assert len(images) == 3
    assert all(re.search(r'alt="[^"]{20,}"', image) for image in images)


def test_the_page_is_small(page: str, built: Built) -> None:
    pictures = sum(
        len(output["data"][MIME]["svg"]) * 4 / 3
        for path in built.notebooks
        for cell in nbformat.read(path, as_version=4).cells
        for output in cell.get("outputs", [])
        if MIME in output.get("data", {})
    )
    assert len(page) - pictures < 800_000


def test_the_front_page_is_escaped(page: str) -> None:
    assert "<h1>A small report &amp; its &lt;title&gt;</h1>" in page
    assert "Ada B. Cee" in page
    assert "Study tiny" in page
    assert 'lang="en-GB"' in page


def test_a_rebuild_is_the_same_to_the_byte(built: Built, tmp_path: Path) -> None:
    html, pdf = tmp_path / "again.html", tmp_path / "again.pdf"
    build_report(built.notebooks, META, html, pdf, RESOURCES)
    assert html.read_bytes() == built.html.read_bytes()
    assert pdf.read_bytes() == built.pdf.read_bytes()


def test_the_pdf_says_what_the_page_says(built: Built) -> None:
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext (poppler-utils) is not installed")
    done = subprocess.run(["pdftotext", "-layout", built.pdf, "-"], capture_output=True, text=True)
    words = re.sub(r"\s+", " ", done.stdout)
    phrases = ["Abstract", "Contents", "Figure 3. A latent space", "A Every run", "References"]
    phrases += ["The best NLL is 86.004 nats", "see Table 1", "run-119", "21 November 2025"]
    for phrase in phrases:
        assert phrase in words, phrase
    # The head of a long table stands again on each of its pages.
    assert done.stdout.count("NLL\n") >= 3


def test_the_pdf_is_tagged_and_described(built: Built) -> None:
    data = built.pdf.read_bytes()
    assert b"pdfuaid" in data
    assert data.startswith(b"%PDF-")
    assert b"/StructTreeRoot" in data
    assert b"/Lang" in data
    source = to_typst(read_document(built.notebooks, META, RESOURCES), META)
    assert 'alt: "Two curves rise steeply' in source
    assert r'alt: "\\mathcal{L}(x)' in source
    assert 'title: "A small report & its <title>"' in source


def test_large_data_is_compressed(make_notebook: Maker) -> None:
    item = Item(**(figure().to_json() | {"csv": "a\n" + "1\n" * 40_000}))
    page = to_html(read_document([make_notebook(item)], META, RESOURCES), META)
    data = re.search(r'download="fig-a.csv.gz" href="data:application/gzip;base64,([^"]+)"', page)
    assert data is not None
    assert gzip.decompress(base64.b64decode(data[1])).startswith(b"a\n1\n")


def test_a_report_without_author_s_folder(make_notebook: Maker, tmp_path: Path) -> None:
    build_report([make_notebook("Text.")], META, tmp_path / "a.html", tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").stat().st_size > 1000
    assert "sec:references" not in (tmp_path / "a.html").read_text()


def test_texts_that_typst_or_html_could_misread(make_notebook: Maker, tmp_path: Path) -> None:
    path = make_notebook(
        "A # hash, a *star*, `code`, 5 < 6, $5 and @ sign, \\_under\\_, #let x, [bracket]{.x}.\n\n"
        "```python\nprint('hello')  # $x$\n```\n\n- one\n- two\n\n> quoted\n\n"
        "| a | b |\n|---|---|\n| 1 | 2 |",
        figure(caption='Caption with `#code`, $a_b$, "quotes" and [@kingma2014].'),
    )
    build_report([path], META, tmp_path / "a.html", tmp_path / "a.pdf", RESOURCES)
    assert "5 &lt; 6" in (tmp_path / "a.html").read_text()


def test_a_cells_second_line_stands_beneath_the_first(make_notebook: Maker) -> None:
    item = Item(
        kind="table",
        label="tbl:a",
        markdown="C.",
        header=("$n$", "Mean"),
        rows=(("5", "91.00 ± 2.48\n[90.00, 92.00]"),),
        align="rr",
        csv="a\n1\n",
    )
    assert item.column_lines() == [["$n$", "5"], ["Mean", "91.00 ± 2.48", "[90.00, 92.00]"]]
    document = read_document([make_notebook("# Chapter", item)], META, RESOURCES)
    assert '<span class="beneath">[90.00, 92.00]</span>' in to_html(document, META)
    assert "#beneath[\\[90.00, 92.00\\]" in to_typst(document, META)


def test_no_line_ends_between_a_number_and_its_percent_sign(make_notebook: Maker) -> None:
    document = read_document([make_notebook("# Chapter\n\nIn 7.9 % of $3$ %.")], META, RESOURCES)
    assert "In 7.9\u00a0% of" in to_html(document, META)
    assert "7.9~% of" in to_typst(document, META)
