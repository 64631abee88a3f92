"""What is wrong in a notebook stops the report, with the place and the remedy."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from vaestudy.report import ReportError, build_report, read_meta
from vaestudy.report.build import read_document
from vaestudy.report.item import Item
from vaestudy.report.tree import plain_text

from .conftest import META, RESOURCES, Maker, figure


def read(*notebooks: Path) -> str:
    return plain_text(read_document(notebooks, META, RESOURCES).body)


def test_every_kind_of_reference_resolves(make_notebook: Maker) -> None:
    table = Item(
        kind="table", label="tbl:a", markdown="T.", header=("x",), rows=(("1",),), align="r"
    )
    text = read(
        make_notebook(
            "# One {#sec:one}\n\n## Two {#sec:two}\n\n$$x$$ {#eq:a}\n\n$$y$$ {#eq:b}",
            figure(),
            table,
            figure("fig:b"),
            "See @sec:two, @eq:b, @tbl:a, [@fig:a; @fig:b], -@fig:b and @sec:extra.",
            "# Extra {#sec:extra .appendix}",
        )
    )
    assert "See Section\u00a01.1, Equation\u00a0(2), Table\u00a01, " in text
    assert "Figure\u00a01 and Figure\u00a02, " in text
    assert "and Appendix\u00a0A." in text


def test_numbers_run_on_from_chapter_to_chapter(make_notebook: Maker) -> None:
    first = make_notebook("# One {#sec:one}", figure(), "See @fig:later.", name="01_a.ipynb")
    second = make_notebook("# Two {#sec:two}", figure("fig:later"), "@sec:two", name="02_b.ipynb")
    text = read(first, second)
    assert "See Figure\u00a02." in text
    assert "Section\u00a02" in text


@pytest.mark.parametrize("label", ["fig:missing", "tbl:missing", "eq:missing", "sec:missing"])
def test_an_unresolved_reference_names_itself_and_its_notebook(
    make_notebook: Maker, label: str
) -> None:
    path = make_notebook(f"As @{label} shows.", name="07_lost.ipynb")
    with pytest.raises(ReportError, match=rf"unresolved reference @{label} in 07_lost\.ipynb"):
        read(path)


def test_a_reference_in_a_caption_is_checked_too(make_notebook: Maker) -> None:
    with pytest.raises(ReportError, match="unresolved reference @fig:nowhere"):
        read(make_notebook(figure(caption="Unlike @fig:nowhere.")))


def test_all_problems_are_told_at_once(make_notebook: Maker) -> None:
    path = make_notebook("@fig:x and @eq:y and [@nobody1999] and [a link](#sec:z)")
    with pytest.raises(ReportError) as caught:
        read(path)
    for name in ("@fig:x", "@eq:y", "@nobody1999", "@sec:z"):
        assert name in str(caught.value)


def test_a_duplicate_label_names_both_notebooks(make_notebook: Maker) -> None:
    first = make_notebook(figure(), name="01_a.ipynb")
    second = make_notebook(figure(), name="02_b.ipynb")
    with pytest.raises(ReportError, match=r"duplicate label fig:a in 01_a\.ipynb .* 02_b\.ipynb"):
        read(first, second)


def test_citations_and_references_do_not_mix(make_notebook: Maker) -> None:
    with pytest.raises(ReportError, match="mix citations and references"):
        read(make_notebook(figure(), "[@fig:a; @kingma2014]"))


def test_a_bad_formula_names_its_notebook(make_notebook: Maker) -> None:
    with pytest.raises(ReportError, match=r"03_maths\.ipynb: KaTeX cannot read .*undefinedthing"):
        read(make_notebook(r"$\undefinedthing{x}$", name="03_maths.ipynb"))


def test_an_unclosed_fence_is_told(make_notebook: Maker) -> None:
    with pytest.raises(ReportError, match=r"05_open\.ipynb: .*unclosed"):
        read(make_notebook("::: note\nNever closed.", figure(), name="05_open.ipynb"))
    with pytest.raises(ReportError, match=r"05_open\.ipynb shows 1 .* never closes"):
        read(make_notebook("<!-- a comment", figure(), "-->", name="05_open.ipynb"))


def test_a_picture_in_markdown_is_refused(make_notebook: Maker) -> None:
    with pytest.raises(ReportError, match=r"present\.figure"):
        read(make_notebook("![words](picture.png)"))


@pytest.mark.parametrize("tag", ["parameters", "injected-parameters", "setup"])
def test_silent_cells_stay_out(make_notebook: Maker, tag: str) -> None:
    shown = make_notebook("Spoken.", name="01_a.ipynb")
    silent = make_notebook("Unspoken.", figure(), name="02_b.ipynb", tags=(tag,))
    assert read(shown, silent) == "Spoken."


def test_an_unexecuted_or_failed_notebook_is_refused(tmp_path: Path) -> None:
    import nbformat

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")])
    path = tmp_path / "04_raw.ipynb"
    nbformat.write(notebook, path)
    with pytest.raises(ReportError, match=r"04_raw\.ipynb was never executed"):
        read(path)
    notebook.cells[0].execution_count = 1
    error = nbformat.v4.new_output("error", ename="ZeroDivisionError", evalue="division by zero")
    notebook.cells[0].outputs = [error]
    nbformat.write(notebook, path)
    with pytest.raises(ReportError, match="failed with ZeroDivisionError"):
        read(path)


def test_headings_of_one_name_do_not_collide(make_notebook: Maker) -> None:
    first = make_notebook("# Result\n\n# Result", name="01_a.ipynb")
    second = make_notebook("# Result", name="02_a.ipynb")
    body = read_document([first, second], META, RESOURCES).body
    identifiers = [node["c"][1][0] for node in body if node["t"] == "Header"]
    assert len(set(identifiers)) == 3


def test_a_failure_leaves_the_old_report_alone(make_notebook: Maker, tmp_path: Path) -> None:
    html, pdf = tmp_path / "report.html", tmp_path / "report.pdf"
    html.write_text("old")
    with pytest.raises(ReportError):
        build_report([make_notebook("@fig:x")], META, html, pdf, RESOURCES)
    assert html.read_text() == "old"
    assert not pdf.exists()
    assert not list(tmp_path.glob(".*report*"))


def test_the_front_page_is_read_and_checked(tmp_path: Path) -> None:
    meta = read_meta(RESOURCES / "meta.yaml", title="T", authors=["A"], date="2025-11-21")
    assert meta.title == "T"
    assert meta.authors == ("A",)
    assert len(meta.keywords) > 2
    path = tmp_path / "meta.yaml"
    path.write_text("titel: wrong")
    with pytest.raises(ReportError, match=r"unknown fields \['titel'\]"):
        read_meta(path, date="2025-11-21")
    path.write_text("title: a")
    with pytest.raises(ReportError, match=r"no authors, date: say it in meta\.yaml"):
        read_meta(path)
    path.write_text("title: a\nauthors: [b]\ndate: tomorrow")
    with pytest.raises(ReportError, match="YYYY-MM-DD"):
        read_meta(path)


def test_every_entry_of_the_bibliography_can_be_cited(make_notebook: Maker) -> None:
    from vaestudy.report.pandoc import bibliography_keys

    keys = sorted(bibliography_keys(RESOURCES / "references.bib"))
    assert len(keys) >= 27
    text = read(make_notebook(" ".join(f"[@{key}]." for key in keys)))
    assert "Unpublished and unfinished draft" in text
    assert "[n.d.]" not in text
    assert "n.d." not in text


def test_references_to_chapters_left_out_become_words(make_notebook: Maker, tmp_path: Path) -> None:
    absent = tmp_path / "02-absent.py"
    absent.write_text('# # Absent {#sec:absent}\npresent.figure(drawn, label="fig:absent")\n')
    path = make_notebook(
        "# One {#sec:one}", figure(), "See @sec:absent, @fig:absent, [@fig:absent; @fig:a]."
    )
    text = plain_text(read_document([path], META, RESOURCES, [absent]).body)
    assert "See a section left out here, a figure left out here, Figure\u00a01." in text
    path = make_notebook("# One {#sec:one}", "@sec:absent has it. @fig:absent (@fig:absent) too.")
    text = plain_text(read_document([path], META, RESOURCES, [absent]).body)
    assert "A section left out here has it. A figure left out here (a figure left out" in text
    with pytest.raises(ReportError, match="unresolved reference @sec:absent"):
        read(path)


def test_references_to_figures_that_a_chapter_did_not_show_become_words(
    make_notebook: Maker,
) -> None:
    path = make_notebook("# One {#sec:one}", figure(), "See @fig:lacking and @fig:a.")
    notebook = nbformat.read(path, as_version=4)
    code = 'if runs:\n    present.figure(drawn, label="fig:lacking")'
    notebook.cells.append(nbformat.v4.new_code_cell(code, execution_count=9))
    nbformat.write(notebook, path)
    assert "See a figure left out here and Figure\u00a01." in read(path)


def test_an_equation_that_code_shows_is_not_left_out(make_notebook: Maker) -> None:
    shown = Item("prose", "", "# One {#sec:one}\n\n$$a$$ {#eq:of-code}\n\nSee @eq:of-code.")
    path = make_notebook(shown)
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].source = f"present.prose({shown.markdown!r})"
    nbformat.write(notebook, path)
    assert "See Equation\u00a0(1)." in read(path)
