"""What a report is called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vaestudy.config import parse_config
from vaestudy.report.front import title_of

POINTS = {"binarization": "none", "likelihood": "normal"}
TABLE = {**POINTS, "dataset": "breast-cancer"}
OURS = "Variational autoencoders: activity, pruning and what the bounds hide"


@pytest.mark.parametrize(
    ("base", "levels", "report", "title"),
    [
        ({}, ["mnist"], {}, OURS),
        ({}, ["mnist"], {"title": "Mine"}, "Mine"),
        (TABLE, ["diabetes"], {}, "Variational autoencoders of breast-cancer"),
        (
            {**POINTS, "dataset": "first.csv"},
            ["first.csv"],
            {},
            "Variational autoencoders of first.csv",
        ),
        (
            {**POINTS, "dataset": "first.csv"},
            ["first.csv", "other.csv"],
            {},
            "Variational autoencoders of first.csv and other.csv",
        ),
        ({**POINTS, "dataset": "first.csv"}, ["first.csv"], {"title": "Mine"}, "Mine"),
    ],
)
def test_a_report_is_called_by_its_data_unless_it_has_a_title(
    tmp_path: Path, base: dict[str, Any], levels: list[str], report: dict[str, str], title: str
) -> None:
    def named(name: str) -> Any:
        if not name.endswith(".csv"):
            return name
        (tmp_path / name).write_text(f"a,b\n1,{len(name)}\n")
        return {"path": str(tmp_path / name)}

    values = {"study": "s", "seeds": [0], "report": report}
    values["base"] = {**base, "dataset": named(base["dataset"])} if base else {}
    values["experiments"] = {"e": {"title": "t", "vary": {"dataset": list(map(named, levels))}}}
    assert title_of(parse_config(values)) == title
