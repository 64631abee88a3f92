"""Tables without pandas, against pandas'."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vaestudy.files import write_columns, write_parquet


@pytest.mark.parametrize("n", [0, 1, 6])
def test_columns_are_read_as_what_pandas_writes(tmp_path: Path, n: int) -> None:
    numbers = np.array([[0.5, np.nan], [-np.inf, 2.0], [1e-300, 3.0]])
    columns = {
        "text": np.array(["", "a", "β, „ß“", "日本", "a", "b\n"])[:n],
        "strided": np.tile(numbers, (2, 1))[:n, 1],
        "count": np.arange(6)[:n] - 3,
        "number": numbers.ravel()[:n],
    }
    write_columns(tmp_path / "columns.parquet", columns)
    write_parquet(tmp_path / "frame.parquet", pd.DataFrame(columns))
    read = [pd.read_parquet(tmp_path / f"{name}.parquet") for name in ("columns", "frame")]
    pd.testing.assert_frame_equal(*read)
    assert len(read[0]) == n
