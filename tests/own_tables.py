"""A table of the user's own that several tests read, and studies that name it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vaestudy.config import parse_config
from vaestudy.own_data import OwnData

RNG = np.random.default_rng(0)
TABLE = {"binarization": "none", "likelihood": "normal"}


def frame(n: int = 40) -> pd.DataFrame:
    x = RNG.normal(size=n)
    return pd.DataFrame(
        {"size": 100 * x + 7, "width": x, "fixed": 3.5, "kind": np.where(x > 0, "big", "small")}
    )


def table_file(folder: Path) -> Path:
    path = folder / "My table.csv"
    frame().to_csv(path, index=False)
    return path


def study(dataset: Any, **base: Any) -> dict[str, Any]:
    return {
        "study": "mine",
        "base": {"dataset": dataset, **TABLE, "hidden": [4], "n_z": 2, "epochs": 2, **base},
        "seeds": [0],
        "experiments": {"sizes": {"title": "Sizes", "vary": {"n_z": [1, 2]}}},
    }


def own(path: Path, **choices: Any) -> OwnData:
    (found,) = parse_config(study({"path": str(path), **choices})).own_data.values()
    return found
