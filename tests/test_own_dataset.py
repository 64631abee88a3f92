"""What becomes of the user's own tables, arrays and pictures, and which of them are refused."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from builders import CPU
from own_tables import frame, own, study, table_file
from vaestudy import splits
from vaestudy.cli import app
from vaestudy.config import expand_grid, parse_config
from vaestudy.data import load_dataset, load_prepared
from vaestudy.dataset import DataError, Dataset, save_prepared
from vaestudy.own_dataset import check_own_data, load_own
from vaestudy.splits import load_splits, train_pixels

RNG = np.random.default_rng(0)


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    return table_file(tmp_path)


def test_a_table_is_split_and_standardised_by_its_training_rows(csv: Path) -> None:
    data = load_own(own(csv, label="kind"))
    assert (len(data.train), len(data.test)) == (32, 8)
    assert data.feature_names == ("size", "width", "fixed")
    assert data.label_names == ("big", "small")
    torch.testing.assert_close(data.train[:, :2].mean(0), torch.zeros(2), atol=1e-6, rtol=0)
    torch.testing.assert_close(data.train[:, :2].std(0, correction=0), torch.ones(2))
    assert (torch.cat([data.train, data.test])[:, 2] == 0).all()
    whole = torch.cat([data.train, data.test])
    # The two columns are one, but for their unit.
    torch.testing.assert_close(whole[:, 0], whole[:, 1], atol=1e-5, rtol=0)
    assert not data.of_images


def test_a_category_becomes_columns(csv: Path) -> None:
    assert load_own(own(csv)).feature_names[-2:] == ("kind=big", "kind=small")


@pytest.mark.parametrize(
    ("array", "dtype", "images"),
    [
        (RNG.integers(0, 2, (30, 4)).astype(float), torch.uint8, False),
        (RNG.integers(0, 256, (30, 4, 5), dtype=np.uint8), torch.uint8, True),
        (RNG.random((30, 4)), torch.float32, False),
        (RNG.normal(size=(30, 4)), torch.float32, False),
    ],
)
def test_values_decide_how_they_are_kept(
    tmp_path: Path, array: np.ndarray, dtype: torch.dtype, images: bool
) -> None:
    path = tmp_path / "x.npy"
    np.save(path, array)
    data = load_own(own(path))
    assert (data.train.dtype, data.of_images) == (dtype, images)
    rows = torch.cat([data.test, data.train]).numpy().astype(float)
    flat = array.reshape(len(array), -1).astype(float)
    if dtype == torch.uint8:
        flat *= 1 if images else 255
    if flat.min() >= 0:  # Not standardised: the same rows in another order.
        np.testing.assert_allclose(sorted(map(tuple, rows)), sorted(map(tuple, flat)), atol=1e-6)


def test_pixels_in_a_table_get_their_shape_back(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    pixels = RNG.integers(0, 256, (20, 6))
    pd.DataFrame(pixels).to_csv(path, index=False)
    data = load_own(own(path, image_shape=[2, 3]))
    assert (data.image_shape, data.train.dtype) == ((2, 3), torch.uint8)
    with pytest.raises(DataError, match=r"image_shape is \(2, 2\) but 6 values"):
        load_own(own(path, image_shape=[2, 2]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.iloc[:1], "has 1 row; expected at least 2"),
        (lambda f: f.iloc[:0], "no row; expected rows"),
        (
            lambda f: f.assign(width=np.nan),
            r"drop_missing: true, or the columns with drop: \[NAME\]",
        ),
        (lambda f: f.assign(width=np.inf), "'width' holds infinity"),
        (lambda f: f.assign(name=[f"row {i}" for i in range(len(f))]), r"drop: \['name'\]"),
        (lambda f: f.assign(kind=[None, *f["kind"][1:]]), "1 of 40 rows miss values"),
        (lambda f: f[[]], "is empty|cannot be read as CSV"),
    ],
)
def test_bad_tables_are_named(csv: Path, change: Any, message: str) -> None:
    change(frame()).to_csv(csv, index=False)
    with pytest.raises(DataError, match=message):
        load_own(own(csv))


def test_other_bad_files_are_named(tmp_path: Path, csv: Path) -> None:
    empty, colours = (tmp_path / f"{n}.npy" for n in ("empty", "colours"))
    empty.write_bytes(b"")
    np.save(colours, RNG.integers(0, 256, (9, 4, 4, 3), dtype=np.uint8))
    for path, message in ((empty, "is empty"), (colours, "in colour; expected grey")):
        with pytest.raises(DataError, match=message):
            load_own(own(path))
    with pytest.raises(DataError, match="no column 'sort'"):
        load_own(own(csv, label="sort"))
    with pytest.raises(DataError, match="40 different values"):
        load_own(own(csv, label="size"))


@pytest.mark.parametrize("size", [1e-200, 1e-160, 1e60])
def test_columns_of_any_size_are_standardised(tmp_path: Path, size: float) -> None:
    path, table = tmp_path / "x.csv", pd.DataFrame({"a": RNG.normal(size=40)})
    (size * table).assign(b=1.5).to_csv(path, index=False)
    data = load_own(own(path))
    assert torch.isfinite(torch.cat([data.train, data.test])).all()
    assert 0.3 < data.train[:, 0].std() < 1.1


def test_small_positive_numbers_do_not_become_zeros(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    pd.DataFrame({"a": 1e-60 * RNG.random(40)}).to_csv(path, index=False)
    assert load_own(own(path)).train.std() > 0.3


def test_numbers_too_large_to_standardise_are_named(tmp_path: Path) -> None:
    path, table = tmp_path / "x.csv", pd.DataFrame({"a": RNG.normal(size=40), "b": -1.0})
    (1e200 * table).to_csv(path, index=False)
    with pytest.raises(DataError, match="feature 'a' is too large to standardise"):
        load_own(own(path))
    # Of forty rows, a test's that training knows nothing like.
    tested = min(range(40), key=lambda row: hashlib.sha256(str(row).encode()).digest())
    table.loc[tested, "b"] = 1e60
    table.to_csv(path, index=False)
    with pytest.raises(DataError, match=r"column 'b' holds 1e\+60 in a row of the test, but -1 "):
        load_own(own(path))


def test_images_with_channels_first_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", RNG.random((30, 1, 8, 8)))
    with pytest.raises(DataError, match=r"8 channels; .*np.moveaxis\(a, 1, -1\)"):
        load_own(own(tmp_path / "x.npy"))


def test_rows_without_a_label_are_refused_or_left_out(csv: Path) -> None:
    """Not a class of their own: unnoticed, they would be of class -1."""
    table = frame()
    table.assign(kind=[None, None, *table["kind"][2:]]).to_csv(csv, index=False)
    with pytest.raises(DataError, match=r"2 of 40 rows have no 'kind', the label; .*drop_missing"):
        load_own(own(csv, label="kind"))
    data = load_own(own(csv, label="kind", drop_missing=True))
    assert len(data.train) + len(data.test) == 38
    labels = torch.cat([data.train_labels, data.test_labels])
    assert set(labels.tolist()) == {0, 1}
    table.assign(kind=np.nan).to_csv(csv, index=False)
    with pytest.raises(DataError, match="40 of 40 rows have no 'kind'"):
        load_own(own(csv, label="kind", drop_missing=True))


def pictures(folder: Path, pixels: np.ndarray) -> Path:
    """A folder of images, one subfolder for odd ones and one for even ones."""
    for i, image in enumerate(pixels):
        path = folder / ("odd" if i % 2 else "even") / f"{i:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return folder


def prepared(dataset: dict[str, Any], folder: Path, **base: Any) -> tuple[list[Any], Dataset]:
    """A study's runs and its data, as the workflow's command writes them."""
    config = parse_config(study(dataset, **base))
    check_own_data(config)
    ((name, found),) = config.own_data.items()
    out = folder / "data.safetensors"
    arguments = ["data", name, "--output", str(out), "--own", found.model_dump_json()]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return expand_grid(config), load_prepared(out)


def test_a_folder_of_images_is_prepared_and_expanded(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 256, (20, 4, 6), dtype=np.uint8)
    folder = pictures(tmp_path / "My pictures", pixels)
    of_pixels = {"binarization": "dynamic", "likelihood": "bernoulli"}
    runs, data = prepared({"path": str(folder)}, tmp_path, **of_pixels)
    assert [run.config.n_z for run in runs] == [1, 2]
    assert {run.config.dataset for run in runs} == {data.name}
    assert data.name.startswith("own-my-pictures-")
    assert (data.image_shape, data.train.dtype, data.of_images) == ((4, 6), torch.uint8, True)
    assert (len(data.train), len(data.test)) == (16, 4)
    assert data.label_names == ("even", "odd")
    # Each image is there, under the folder it lies in.
    rows = torch.cat([data.train, data.test]).numpy()
    labels = torch.cat([data.train_labels, data.test_labels]).tolist()
    found = sorted(zip(map(bytes, rows), labels, strict=True))
    assert found == sorted((image.tobytes(), i % 2) for i, image in enumerate(pixels))
    # Another picture makes it another data set.
    Image.fromarray(pixels[0]).save(folder / "odd" / "99.png")
    assert own(folder).name != data.name


def test_a_parquet_file_is_prepared_and_expanded(tmp_path: Path) -> None:
    path, table = tmp_path / "things.parquet", frame().assign(count=np.arange(40))
    table.to_parquet(path)
    runs, data = prepared({"path": str(path), "label": "kind", "drop": ["fixed"]}, tmp_path)
    assert [run.config.dataset for run in runs] == [data.name, data.name]
    assert data.feature_names == ("size", "width", "count")
    assert (data.label_names, data.train.dtype) == (("big", "small"), torch.float32)
    # The counts say which row is which.
    rows = torch.cat([data.train, data.test])
    by_count = rows[rows[:, 2].argsort()]
    assert by_count[:, 0].argsort().tolist() == np.argsort(table["size"]).tolist()


def test_floats_are_shown_as_they_are() -> None:
    data = load_dataset("diabetes", Path())
    assert load_splits(data, "none", CPU).train is data.train
    assert splits.test_pixels(data, "none") is data.test
    assert torch.equal(train_pixels(data, "none", 7), data.train[:7])


@pytest.mark.parametrize("name", ["breast-cancer", "diabetes"])
def test_packaged_tables_are_the_published_ones(name: str, tmp_path: Path) -> None:
    data = load_dataset(name, Path())
    assert len(data.train) + len(data.test) == {"breast-cancer": 569, "diabetes": 442}[name]
    save_prepared(data, tmp_path / "data.safetensors")
    again = load_prepared(tmp_path / "data.safetensors")
    assert (again.sha256, again.feature_names) == (data.sha256, data.feature_names)
