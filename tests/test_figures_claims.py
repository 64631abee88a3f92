"""The forest plot: every claim turned so that to the right is as claimed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from vaestudy.config import parse_config
from vaestudy.figures.claims import draw_forest, orient
from vaestudy.study import EmptySelectionError, Study

mpl.use("Agg")


def row(claim: str, start: float, end: float, estimate: float, **fields: Any) -> dict[str, Any]:
    """A claim whose region is (start, end), with an interval of ±1 about its estimate."""
    return {
        "claim": f"000.{claim}",
        "kind": "difference",
        "unit": "nats",
        "n": 5,
        "verdict": "supported",
        "reference": 0.0,
        "region_low": start,
        "region_high": end,
        "estimate": estimate,
        "low": estimate - 1,
        "high": estimate + 1,
        "bootstrap_low": estimate - 0.5,
        "bootstrap_high": estimate + 0.5,
        "runs": f"run-{claim},shared",
        **fields,
    }


INF = np.inf
ROWS = [
    row("higher", 0.1, INF, 3.0),
    row("lower", -INF, -0.1, -3.0),
    row("alike", -0.5, 0.5, 2.0, kind="equivalence", verdict="contradicted"),
    row("below-number", -INF, 0.5, 2.0, reference=0.5, verdict="contradicted", unit="units"),
    row("at-number", 9.0, 11.0, 12.0, reference=10.0, verdict="undecided", unit="units"),
    row("alone", 0.0, INF, 1.0, low=np.nan, high=np.nan, verdict="undecided", unit="epochs"),
    row("not-run", 0.0, INF, np.nan, n=0, verdict="not run", runs=""),
]


#: Numbers with a least effect on top: 14.55 lies above 0 by 14.55, of which 1 is asked.
BEYOND = [
    row("above-number", 1.0, INF, 14.55, kind="level"),
    row("under-number", -INF, 0.99, 0.79, kind="level", reference=1.0),
    row("no-worse", -INF, 0.5, -2.0, kind="no-worse"),
]


def shown(claim: str) -> dict[str, float]:
    found = orient(pd.DataFrame([*ROWS, *BEYOND])).set_index("claim").loc[f"000.{claim}"]
    names = ("estimate_shown", "low_shown", "high_shown", "from_shown", "to_shown")
    return {name.removesuffix("_shown"): found[name] for name in names}


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        ("higher", {"estimate": 3, "low": 2, "high": 4, "from": 0.1, "to": INF}),
        ("lower", {"estimate": 3, "low": 2, "high": 4, "from": 0.1, "to": INF}),
        ("alike", {"estimate": 2, "low": 1, "high": 3, "from": -0.5, "to": 0.5}),
        ("below-number", {"estimate": -1.5, "low": -2.5, "high": -0.5, "from": 0, "to": INF}),
        ("at-number", {"estimate": 2, "low": 1, "high": 3, "from": -1, "to": 1}),
        ("above-number", {"estimate": 14.55, "low": 13.55, "high": 15.55, "from": 1, "to": INF}),
        ("under-number", {"estimate": 0.21, "low": -0.79, "high": 1.21, "from": 0.01, "to": INF}),
        ("no-worse", {"estimate": 2, "low": 1, "high": 3, "from": -0.5, "to": INF}),
    ],
)
def test_to_the_right_is_as_claimed(claim: str, expected: dict[str, float]) -> None:
    assert shown(claim) == pytest.approx(expected)


def test_intervals_are_drawn_as_far_as_their_statistic_goes() -> None:
    rows = [row("share", 0.5, INF, 0.5, lowest=0.0, highest=1.0, reference=0.5)]
    (drawn,) = orient(pd.DataFrame(rows)).to_dict("records")
    assert (drawn["low_shown"], drawn["high_shown"]) == (-0.5, 0.5)
    assert (drawn["low"], drawn["high"]) == (-0.5, 1.5)


def study_of(rows: list[dict[str, Any]], folder: Path) -> Study:
    values = {
        "study": "made-up",
        "results_dir": str(folder),
        "seeds": [0],
        "experiments": {"only": {"title": "Only"}},
    }
    config = parse_config(values)
    (config.directory / "tables").mkdir(parents=True)
    pd.DataFrame(rows).to_parquet(config.directory / "tables" / "claims.parquet")
    return Study(config)


def test_a_panel_a_unit_and_a_line_a_claim(tmp_path: Path) -> None:
    drawing = draw_forest(study_of(ROWS, tmp_path))
    drawing.figure.savefig(tmp_path / "figure.png", dpi=40)
    panels = drawing.figure.axes
    assert [axes.get_xlabel() for axes in panels] == ["nats", "units", "epochs"]
    names = [label.get_text() for axes in panels for label in axes.get_yticklabels()]
    assert names == [f"{row['claim']}  (n = 5)" for row in ROWS if row["n"]]
    assert drawing.runs == (
        "run-higher", "shared", "run-lower", "run-alike", "run-below-number", "run-at-number",
        "run-alone",
    )  # fmt: skip
    assert len(drawing.data) == 6
    for axes in panels:
        low, high = axes.get_xlim()
        assert low == -high < 0


def test_every_estimate_is_within_its_panel(tmp_path: Path) -> None:
    wide = [row("a", 0, INF, 0.01), row("b", 0, INF, 900.0, low=-1e6, high=1e6)]
    drawing = draw_forest(study_of(wide, tmp_path))
    (axes,) = drawing.figure.axes
    assert axes.get_xlim()[1] > 900
    assert axes.get_xlim()[1] < 1e4  # an interval of a million does not squeeze the rest


def test_a_study_that_ran_none_has_no_plot(tmp_path: Path) -> None:
    with pytest.raises(EmptySelectionError, match="no claim's experiment"):
        draw_forest(study_of([ROWS[-1]], tmp_path))
