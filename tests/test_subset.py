"""The packaged images of Fashion-MNIST: what they are, and where they come from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from vaestudy.data import DATA_VARIABLE, DataError, load_dataset
from vaestudy.subset import packaged_path, read_fashion, write_fashion


def test_it_is_stratified_disjoint_and_verified(tmp_path: Path) -> None:
    clothes = load_dataset("fashion-2k", tmp_path / "not used", download=False)
    assert (clothes.train.shape, clothes.test.shape) == ((2000, 784), (500, 784))
    assert clothes.train_labels.bincount().tolist() == [200] * 10
    assert clothes.test_labels.bincount().tolist() == [50] * 10
    rows = {row.numpy().tobytes() for row in torch.cat([clothes.train, clothes.test])}
    assert len(rows) == 2500
    assert "MIT" in clothes.source
    assert "Zalando" in packaged_path().with_name("fashion-mnist-LICENSE.txt").read_text("utf-8")


@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b"", lambda b: b"table"])
def test_a_damaged_file_is_an_error(damage: object, tmp_path: Path) -> None:
    path = tmp_path / "fashion-2k.xz"
    path.write_bytes(damage(packaged_path().read_bytes()))
    with pytest.raises(DataError, match=r"fashion-2k\.xz .*reinstall vaestudy"):
        read_fashion(path)


def test_a_table_of_another_size_is_an_error(tmp_path: Path) -> None:
    import lzma

    path = tmp_path / "fashion-2k.xz"
    path.write_bytes(lzma.compress(bytes(785)))
    with pytest.raises(DataError, match="holds 785 bytes, expected 2500 rows of 785"):
        read_fashion(path)


def test_it_is_made_from_the_published_set(tmp_path: Path) -> None:
    if not os.environ.get(DATA_VARIABLE):
        pytest.skip(f"{DATA_VARIABLE} names no folder with the full data sets")
    published = load_dataset("fashion-mnist", Path(os.environ[DATA_VARIABLE]), download=False)
    write_fashion(published, tmp_path / "again.xz")
    again = read_fashion(tmp_path / "again.xz")
    assert again.sha256 == read_fashion(packaged_path()).sha256
