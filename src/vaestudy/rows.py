"""Measurements of a run as rows of a table."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from vaestudy.run_config import RunConfig

#: metric, value, standard_error, n_samples, n_data
Row = tuple[str, float, float | None, int | None, int]
COLUMNS = ("run_id", "metric", "value", "standard_error", "n_samples", "n_data")


def rows_table(run: RunConfig, rows: Sequence[Row]) -> pd.DataFrame:
    """Return a run's measurements as a table with columns ``COLUMNS``."""
    table = pd.DataFrame([(run.run_id, *row) for row in rows], columns=list(COLUMNS))
    return table.astype({"standard_error": "Float64", "n_samples": "Int64"})
