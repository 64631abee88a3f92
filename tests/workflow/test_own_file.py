"""A study of a file of the user's own: what stops it at once, and its report."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from checkout import Checkout

RNG = np.random.default_rng(0)
BASE = {"binarization": "none", "likelihood": "normal", "hidden": [4], "n_z": 2, "epochs": 2}


def things(n: int = 40) -> pd.DataFrame:
    x = RNG.normal(size=n)
    return pd.DataFrame({"size": x, "width": x + RNG.normal(size=n), "kind": np.where(x > 0, 1, 2)})


def configure(checkout: Checkout, **changes: Any) -> None:
    base = {**BASE, "dataset": {"path": "things.csv", "label": "kind"}, **changes}
    sizes = {"title": "Sizes", "vary": {"n_z": [1, 2]}, "principal_components": True}
    levels = ["condition", {"labels": "m2", "label_share": 0.5}]
    told = {"title": "Told", "vary": {"labels": levels}}
    checkout.configure(base=base, experiments={"sizes": sizes, "told": told})


@pytest.mark.parametrize(
    ("table", "changes", "expected"),
    [
        (None, {}, "things.csv does not exist"),
        (things(1), {}, "1 row; expected at least 2"),
        (things().assign(size=np.nan), {}, "rows miss values"),
        (things().assign(size=[f"no {i}" for i in range(40)]), {}, "40 different values"),
        (things(), {"likelihood": "bernoulli"}, "set likelihood: normal"),
        (things(), {"binarization": "dynamic"}, "set binarization: none"),
        (things(), {"dataset": {"path": "things.csv", "lable": "x"}}, "did you mean label?"),
    ],
)
def test_what_cannot_be_modelled_stops_before_the_first_job(
    tmp_path: Path, table: pd.DataFrame | None, changes: dict[str, Any], expected: str
) -> None:
    checkout = Checkout.create(tmp_path / "checkout")
    if table is not None:
        table.to_csv(checkout.path / "things.csv", index=False)
    configure(checkout, **changes)
    result = checkout.snakemake("--cores", "1")
    assert result.code != 0
    assert expected in result.text
    assert "Traceback" not in result.text
    assert not (checkout.path / "results").exists()


def test_its_report_has_the_chapters_that_make_sense(tmp_path: Path) -> None:
    checkout = Checkout.create(tmp_path / "checkout")
    things().to_csv(checkout.path / "things.csv", index=False)
    configure(checkout)
    checkout.run()
    html = (checkout.path / "results/mini/report.html").read_text(encoding="utf-8")
    assert set(re.findall(r'<figure[^>]* id="fig:([\w-]+)"', html)) == {
        "own-results", "own-curves", "own-kl", "any-data", "embeddings", "tables",
    }  # fmt: skip
    for section in ("own-data", "own-grid", "any-data", "your-data", "appendix"):
        assert f'id="sec:{section}"' in html
    assert "things.csv" in html
    # The two kinds of thing, told to a model and inferred by another.
    assert "VAE, labels" in html
    assert "M2" in html
    assert "Nothing to be done" in checkout.dry_run().text
    # Another content is another data set, and other runs.
    things(44).to_csv(checkout.path / "things.csv", index=False)
    assert checkout.dry_run().jobs["train"] == 4


def test_a_grid_without_its_base_or_components_has_a_report(tmp_path: Path) -> None:
    checkout = Checkout.create(tmp_path / "checkout")
    things().assign(side=["left", "right"] * 20).to_csv(checkout.path / "things.csv", index=False)
    base = {**BASE, "dataset": {"path": "things.csv"}, "n_z": 3}
    checkout.configure(base=base, experiments={"one": {"title": "One", "vary": {"n_z": [2]}}})
    checkout.run()
    html = (checkout.path / "results/mini/report.html").read_text(encoding="utf-8")
    assert set(re.findall(r'<figure[^>]* id="fig:([\w-]+)"', html)) == {
        "own-results", "own-curves", "own-kl", "embeddings", "tables",
    }  # fmt: skip
    assert "The grid’s first model (VAE, normal" in html
