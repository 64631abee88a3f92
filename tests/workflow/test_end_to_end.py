"""The tiny study from its configuration to the report in a browser: every part, once."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from checkout import Checkout

from vaestudy.figures import FIGURES

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
RESULTS = "results/tiny"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    checkout = Checkout.create(tmp_path_factory.mktemp("tiny") / "checkout")
    result = checkout.snakemake("--cores", "2", config="configs/tiny.yaml")
    assert result.code == 0, result.text + checkout.logs()
    return checkout


@pytest.fixture(scope="module")
def html(study: Checkout) -> str:
    return (study.path / RESULTS / "report.html").read_text(encoding="utf-8")


def test_report_has_every_section_figure_and_table(html: str) -> None:
    for section in (
        *("introduction", "implementing", "architecture", "xavier", "likelihood"),
        *("importance-weighting", "batch-norm", "warmup", "latent-dimension", "activity"),
        *("activity-metric", "effect-importance-weighting", "effect-batch-norm"),
        *("effect-warmup", "effect-latent-dimension", "visualization", "measuring"),
        *("annealing", "gaps", "information", "quality", "beyond", "gradient-signal", "published"),
        *(
            "kingma-welling",
            "gaussian-to-ring",
            "summary-log",
            "first-steps",
            "summary-plane",
            "aevb",
        ),
        *("plusplus", "plus-divergences", "plus-grey", "plus-halves", "plus-search"),
        *("labels", "labels-models", "labels-samples", "labels-small", "networks"),
        *("toys", "toys-plane", "toys-decay", "toys-line", "toys-annealing", "toys-shapes"),
        *("own-data", "packaged", "estimator-variance", "any-data", "your-data"),
        *("claims", "ledger", "appendix", "runs"),
    ):
        assert f'id="sec:{section}"' in html, section
    figures = set(re.findall(r'<figure[^>]* id="fig:([\w-]+)"', html))
    # Those of one's own data stand in reports of such: test_own_file.py.
    own = {name for name in FIGURES if name.startswith("own-")}
    assert figures >= set(FIGURES) - own - {"latent-cloud", "published"}
    assert len(re.findall(r'id="tbl:[\w-]+"', html)) >= 10
    hidden = r"<(script|style).*?</\1>|<pre.*?</pre>|<[^>]+>"
    text = re.sub(hidden, "", html, flags=re.DOTALL)
    assert re.findall(r".{40}\bnan\b.{40}", text, flags=re.DOTALL | re.IGNORECASE) == []


def test_claims_and_figures_lead_to_one_another(html: str) -> None:
    ledger = set(re.findall(r'id="claim:([\w.-]+)"', html))
    back = set(re.findall(r'href="#claim:([\w.-]+)"', html))
    assert "000.warmup-stops-pruning" in back <= ledger
    assert "quick: not a verdict" in html


def test_pdf_is_whole(study: Checkout) -> None:
    pdf = (study.path / RESULTS / "report.pdf").read_bytes()
    assert pdf.startswith(b"%PDF-")
    assert pdf.rstrip().endswith(b"%%EOF")
    assert len(pdf) > 300_000


def test_tables_stand_in_both_formats(study: Checkout) -> None:
    for name in ("runs", "history", "evaluation", "summary", "timing", "datasets", "claims"):
        folder = study.path / RESULTS / "tables"
        parquet, csv = (
            pd.read_parquet(folder / f"{name}.parquet"),
            pd.read_csv(folder / f"{name}.csv"),
        )
        assert list(parquet.columns) == list(csv.columns)
        assert len(parquet) == len(csv) > 0
    assert (pd.read_parquet(folder / "runs.parquet")["status"] == "finished").all()


def test_nothing_is_left_to_do(study: Checkout) -> None:
    result = study.dry_run(config="configs/tiny.yaml")
    assert "Nothing to be done" in result.text


def test_a_figure_alone(study: Checkout) -> None:
    target = f"{RESULTS}/figures/warmup.pdf"
    result = study.snakemake(target, "--cores", "1", config="configs/tiny.yaml")
    assert result.code == 0, result.text
    assert (study.path / target).read_bytes().startswith(b"%PDF-")
    assert "rule train:" not in result.text


def test_snakemakes_own_report(study: Checkout, tmp_path: Path) -> None:
    out = tmp_path / "workflow.html"
    result = study.snakemake("--report", str(out), config="configs/tiny.yaml")
    assert result.code == 0, result.text
    assert "report.pdf" in out.read_text(encoding="utf-8")


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")
@pytest.mark.parametrize("width", [390, 1400])
def test_report_opens_in_a_browser(study: Checkout, width: int) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    problems: list[str] = []

    def check(url: str) -> None:
        if not url.startswith(("file:", "data:", "blob:")):
            problems.append(f"loads {url}")

    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page: Any = browser.new_page(viewport={"width": width, "height": 900})
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: check(request.url))
        page.goto((study.path / RESULTS / "report.html").as_uri())
        page.evaluate("document.fonts.ready")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        loaded = "[...document.images].every(i => i.complete && i.naturalWidth > 0)"
        assert page.evaluate(loaded)
        browser.close()
    assert problems == []
