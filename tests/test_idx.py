"""Sets of IDX files: read, damaged, missing, downloaded; each error says what to do."""

from __future__ import annotations

import gzip
import hashlib
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders import damage, suppress_naming
from vaestudy import data
from vaestudy.data import DataError
from vaestudy.idx import IdxFile, IdxSet, load_idx_set, read_idx

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
    damage(draw, archive)
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
