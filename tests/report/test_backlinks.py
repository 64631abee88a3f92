"""Claims and their figures lead to one another, in both forms of the report."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from vaestudy.report import ReportError, build_report
from vaestudy.report.backlinks import anchor
from vaestudy.report.build import read_document
from vaestudy.report.html import to_html
from vaestudy.report.item import Item
from vaestudy.report.ledger import corrections, decided_table, kept_table, waiting_table
from vaestudy.report.pdf import to_typst
from vaestudy.report.tree import plain_text

from .conftest import META, RESOURCES, Maker, figure


def ledger(*rows: tuple[str, str], label: str = "tbl:claims") -> Item:
    return Item(
        kind="table",
        label=label,
        markdown="The ledger.",
        header=("Claim", "Shown in"),
        rows=rows,
        align="ll",
    )


def notebooks(make_notebook: Maker) -> list[Path]:
    first = make_notebook(figure(), figure("fig:b"), name="01_figures.ipynb")
    table = ledger(
        (f"**{anchor('000.one', 'fig:a', 'supported')}** It is so.", "@fig:a"),
        (f"**{anchor('000.two', 'fig:a', 'not run')}** It is not.", "@fig:a"),
        (f"**{anchor('001.three')}** Nobody knows.", "–"),
    )
    second = make_notebook(table, "See [the second](#claim:000.two).", name="02_claims.ipynb")
    return [first, second]


def test_a_figure_tells_which_claims_it_shows(make_notebook: Maker) -> None:
    text = plain_text(read_document(notebooks(make_notebook), META, RESOURCES).body)
    told = "Claims examined here: 000.one (supported), 000.two (not\u00a0run)."
    assert text.count("examined here") == 1
    assert told in text
    assert text.index("A figure.") < text.index(told)


def test_a_figure_tells_what_a_longer_study_found(make_notebook: Maker) -> None:
    table = ledger(
        (anchor("000.one", "fig:a", "undecided", kept="supported"), "@fig:a"),
        (anchor("000.two", "fig:a", "undecided", kept="undecided"), "@fig:a"),
        (anchor("000.three", "fig:a", "undecided"), "@fig:a"),
    )
    made = make_notebook(figure(), table)
    told = (
        "Claims examined here: 000.one (undecided here; supported by a longer study), "
        "000.two (undecided here and by a longer study), 000.three (undecided)."
    )
    assert told in plain_text(read_document([made], META, RESOURCES).body)


def test_links_lead_both_ways_in_html(make_notebook: Maker) -> None:
    document = read_document(notebooks(make_notebook), META, RESOURCES)
    page = to_html(document, META)
    for name in ("000.one", "000.two"):
        assert page.count(f'id="claim:{name}"') == 1
        assert f'href="#claim:{name}"' in page
    before, after = page.split('id="claim:000.one"')
    assert 'href="#claim:000.one"' in before
    assert 'href="#fig:a"' in after


def test_links_lead_both_ways_in_pdf(make_notebook: Maker, tmp_path: Path) -> None:
    made = notebooks(make_notebook)
    source = to_typst(read_document(made, META, RESOURCES), META)
    for name in ("000.one", "000.two", "001.three"):
        assert source.count(f"{name}<claim:{name}>") == 1
    before, after = source.split("000.one<claim:000.one>")
    assert "#link(<claim:000.one>)[000.one]" in before
    assert "#link(<fig:a>)" in after
    # Typst refuses a link to a label that is not there.
    build_report(made, META, tmp_path / "r.html", tmp_path / "r.pdf", RESOURCES)
    assert (tmp_path / "r.pdf").read_bytes().startswith(b"%PDF-")


def test_a_claim_of_a_figure_that_is_missing_is_told(make_notebook: Maker) -> None:
    table = ledger((anchor("000.one", "fig:lost", "supported"), "@fig:lost"))
    with pytest.raises(ReportError, match="unresolved reference @fig:lost"):
        read_document([make_notebook(table)], META, RESOURCES)


def test_a_claim_stands_once_and_links_to_none_are_told(make_notebook: Maker) -> None:
    twice = make_notebook(
        ledger((anchor("000.one"), "–")), ledger((anchor("000.one"), "–"), label="tbl:again")
    )
    with pytest.raises(ReportError, match=r"duplicate label claim:000\.one"):
        read_document([twice], META, RESOURCES)
    lost = make_notebook("See [that](#claim:000.none).")
    with pytest.raises(ReportError, match=r"unresolved reference @claim:000\.none"):
        read_document([lost], META, RESOURCES)


CLAIMS = pd.DataFrame(
    {
        "claim": ["000.a", "000.b"],
        "item": "Section 1",
        "statement": "It\n is so.",
        "correction": ["The source did otherwise.", ""],
        "kind": "difference",
        "title": "test NLL",
        "split": ["test", "training"],
        "unit": "nats",
        "digits": 2,
        "compared": ["IWAE (K=5) − VAE", ""],
        "region_low": -float("inf"),
        "region_high": -0.1,
        "estimate": [-2.0, float("nan")],
        "low": [-2.5, float("nan")],
        "high": [-1.5, float("nan")],
        "bootstrap_low": [-2.25, float("nan")],
        "bootstrap_high": [-1.75, float("nan")],
        "n": [5, 0],
        "verdict": ["supported", "not run"],
        "notes": ["", "no run has it"],
        "figure": ["warmup", "warmup"],
        "pending": ["", "an experiment"],
    }
)


def test_the_table_of_claims() -> None:
    first, second = decided_table(CLAIMS).to_dict("records")
    assert first["Claim"].startswith("**[000.a]{#claim:000.a figure=")
    assert first["Claim"].endswith("It is so.")
    assert first["Decided by"] == "test NLL: IWAE (K=5) − VAE, below −0.1 nats"
    assert first["Estimate"] == "−2.00 [−2.50, −1.50]\n[−2.25, −1.75]"
    assert (first["Verdict"], first["Shown in"]) == ("**supported**", "@fig:warmup")
    assert second["Decided by"].startswith("test NLL (training data), below")
    # Its figure may not be in a report of a study that lacks its runs.
    assert (second["Estimate"], second["Shown in"]) == ("–", "–")
    assert "fig:" not in second["Claim"]
    assert second["Verdict"] == "**not run** (no run has it)"
    assert list(waiting_table(CLAIMS)["Waits for"]) == ["", "an experiment"]
    assert corrections(CLAIMS) == "- [000.a](#claim:000.a): The source did otherwise."


QUICK_CLAIM = CLAIMS.iloc[:1].assign(n=2, verdict="undecided", notes="quick: not a verdict")


def kept_verdict(verdict: str = "supported", n_here: int = 2) -> pd.DataFrame:
    return CLAIMS.iloc[:1].assign(verdict=verdict, n_here=n_here, epochs="300")


@pytest.mark.parametrize(
    ("kept", "notes", "cell"),
    [
        (
            kept_verdict(),
            "quick: not a verdict",
            "undecided here; **supported** in @tbl:claims-kept ($n$ = 5)",
        ),
        (
            kept_verdict("undecided"),
            "quick: not a verdict; all seeds agree",
            "undecided here (all seeds agree) and **undecided** in @tbl:claims-kept ($n$ = 5)",
        ),
        (kept_verdict()[:0], "quick: not a verdict", "**undecided** (quick: not a verdict)"),
    ],
)
def test_a_longer_studys_verdict_stands_beside_this_ones(
    kept: pd.DataFrame, notes: str, cell: str
) -> None:
    (row,) = decided_table(QUICK_CLAIM.assign(notes=notes), kept).to_dict("records")
    assert row["Verdict"] == cell
    assert ('kept="' in row["Claim"]) == (len(kept) > 0)
    # Estimate and seeds stay this study's.
    assert (row["$n$"], row["Shown in"]) == ("2", "@fig:warmup")


def test_kept_verdicts_lead_to_the_figures_that_there_are() -> None:
    (row,) = kept_table(kept_verdict()).to_dict("records")
    assert (row["$n$"], row["Epochs"], row["Shown in"]) == ("5", "300", "@fig:warmup")
    (row,) = kept_table(kept_verdict(n_here=0)).to_dict("records")
    assert row["Shown in"] == "–"


def test_a_table_of_texts_shares_the_page_by_their_length(make_notebook: Maker) -> None:
    long, short = "word " * 40, "word " * 9
    rows = tuple((long, short, "1") for _ in range(12))
    item = Item(
        kind="table",
        label="tbl:a",
        markdown="T.",
        header=("A", "B", "n"),
        rows=rows,
        align="llr",
    )
    source = to_typst(read_document([make_notebook(item)], META, RESOURCES), META)
    assert "columns: (14.1fr, 6.7fr, auto,)" in source
    # Twelve rows, but of seven lines each: more than a page keeps together.
    assert "long: true, texts: true" in source
    narrow = to_typst(
        read_document([make_notebook(ledger(("x", "y"), label="tbl:n"))], META, RESOURCES), META
    )
    assert "columns: (auto, auto,)" in narrow
    assert "long: false, texts: false" in narrow
