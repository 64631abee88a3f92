"""How much of the user's own data a study takes: counted in values, before anything is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.lib.format import open_memmap
from PIL import Image

from vaestudy import own_dataset
from vaestudy.dataset import DataError
from vaestudy.fit.sizes import count_values
from vaestudy.own_data import OwnData
from vaestudy.own_dataset import MOST_VALUES, load_own

RNG = np.random.default_rng(0)


def frame(n: int = 40) -> pd.DataFrame:
    return pd.DataFrame({"size": RNG.normal(size=n), "width": RNG.normal(size=n), "kind": "a"})


def pictures(folder: Path, mode: str = "L") -> Path:
    for i in range(5):
        place = folder / str(i % 2)
        place.mkdir(parents=True, exist_ok=True)
        Image.new(mode, (6, 4), i).save(place / f"{i}.png")
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_values_are_counted_in_every_kind_of_file(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "x.csv", index=False)
    frame().to_csv(tmp_path / "x.tsv", index=False, sep="\t")
    frame().to_csv(tmp_path / "europe.csv", index=False, sep=";", decimal=",")
    frame().to_parquet(tmp_path / "x.parquet")
    np.save(tmp_path / "x.npy", np.zeros((7, 4, 5), np.uint8))
    for name, count in (("x.csv", 120), ("x.tsv", 120), ("europe.csv", 120), ("x.parquet", 120),
                        ("x.npy", 140)):  # fmt: skip
        assert count_values(tmp_path / name) == count, name
    assert count_values(pictures(tmp_path / "grey")) == 5 * 24
    assert count_values(pictures(tmp_path / "colours", "RGB")) == 5 * 24 * 3


def test_what_cannot_be_read_is_left_to_reading(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("x.csv", "x.npy", "x.parquet", "x.txt"):
        (tmp_path / name).write_bytes(b"")
        assert count_values(tmp_path / name) == 0
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe")
    assert count_values(tmp_path / "x.csv") == 0
    assert count_values(tmp_path / "empty") == 0
    assert count_values(tmp_path / "nowhere.npy") == 0


def test_small_types_are_counted_by_what_they_become(tmp_path: Path) -> None:
    path = tmp_path / "bytes.npy"
    # Sparse: half a gigabyte of which no byte is written, and four of float64.
    open_memmap(path, mode="w+", dtype=np.uint8, shape=(MOST_VALUES // 1024 + 1, 1024))
    assert path.stat().st_size < 8 * MOST_VALUES
    with pytest.raises(
        DataError, match=r"536,871,936 values.* up to 536,870,912 v.*`vaestudy fit`"
    ):
        load_own(OwnData(path=str(path)))


@pytest.mark.parametrize("kind", ["csv", "parquet", "folder"])
def test_a_bound_holds_for_every_kind(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"x.{kind}"
    write: dict[str, Any] = {
        "csv": lambda: frame().drop(columns="kind").to_csv(path, index=False),
        "parquet": lambda: frame().drop(columns="kind").to_parquet(path),
        "folder": lambda: pictures(path),
    }
    write[kind]()
    count = count_values(path)
    monkeypatch.setattr(own_dataset, "MOST_VALUES", count)
    assert len(load_own(OwnData(path=str(path))).train)
    monkeypatch.setattr(own_dataset, "MOST_VALUES", count - 1)
    with pytest.raises(DataError, match=f"holds {count} values"):
        load_own(OwnData(path=str(path)))


def test_categories_are_counted_as_the_columns_they_become(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.csv"
    frame().assign(kind=[f"kind {i % 9}" for i in range(40)]).to_csv(path, index=False)
    monkeypatch.setattr(own_dataset, "MOST_VALUES", count_values(path))
    with pytest.raises(DataError, match=f"holds {40 * 11} values"):
        load_own(OwnData(path=str(path)))
