"""``vaestudy fit`` of images and of arrays, small and too large for memory."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from test_fit_cli import fit
from vaestudy import VAE
from vaestudy.estimator.rows import Intensities
from vaestudy.fit.choices import Choices
from vaestudy.fit.files import read
from vaestudy.fit.pictures import feature_samples, svg
from vaestudy.fit.sizes import count_values
from vaestudy.fit.texts import FileError

RNG = np.random.default_rng(0)


def test_images_and_arrays_of_images(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 256, (14, 6, 5), dtype=np.uint8)
    np.save(tmp_path / "x.npy", pixels)
    for i, image in enumerate(pixels):
        folder = tmp_path / "pictures" / ("odd" if i % 2 else "even")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{i:02d}.png")
    (tmp_path / "pictures" / "notes.txt").write_text("no image")
    assert fit(tmp_path / "x.npy", tmp_path / "a").exit_code == 0
    assert fit(tmp_path / "pictures", tmp_path / "b").exit_code == 0
    embedding = pd.read_csv(tmp_path / "b" / "embedding.csv")
    assert embedding["row"].tolist()[:2] == ["even/00.png", "even/02.png"]
    assert set(embedding["folder"]) == {"even", "odd"}
    array = read(tmp_path / "x.npy", Choices())
    folder = read(tmp_path / "pictures", Choices())
    assert array.image_shape == folder.image_shape == (6, 5)
    np.testing.assert_array_equal(folder.data[:7], array.data[::2])


def test_images_in_colour_and_resized(tmp_path: Path) -> None:
    for i, size in enumerate([(8, 9), (12, 7)] * 8):
        image = RNG.integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    with pytest.raises(FileError, match=r"10\.png is 9×8 pixels|1\.png is 7×12 pixels.*--size 28"):
        read(tmp_path, Choices())
    assert read(tmp_path, Choices(size=6)).image_shape == (6, 6, 3)
    assert fit(tmp_path, tmp_path / "out", "--size", "6").exit_code == 0


@pytest.mark.parametrize(
    ("shape", "remedy"),
    [
        ((9, 1, 8, 8), r"np.moveaxis\(a, 1, -1\)"),
        ((9, 3, 16, 16), r"np.moveaxis\(a, 1, -1\)"),
        ((9, 8, 8, 2), "keep 1 or 3 of them"),
        ((9, 8, 8, 4), "keep 1 or 3 of them"),
    ],
)
def test_channels_that_are_no_colours_are_refused_before_training(
    tmp_path: Path, shape: tuple[int, ...], remedy: str
) -> None:
    np.save(tmp_path / "x.npy", RNG.random(shape))
    with pytest.raises(FileError, match=f"with {shape[3]} channels; expected .*{remedy}"):
        read(tmp_path / "x.npy", Choices())


def test_colours_that_turn_grey_are_counted(tmp_path: Path) -> None:
    for i, shape in enumerate([(6, 5), (6, 5, 3), (6, 5), (6, 5, 3)]):
        Image.fromarray(RNG.integers(0, 256, shape, dtype=np.uint8)).save(tmp_path / f"{i}.png")
    (told,) = read(tmp_path, Choices()).remarks
    assert told.startswith("4 images, 2 of them in colour turned grey, as the first is,")
    (tmp_path / "0.png").unlink()
    (told,) = read(tmp_path, Choices()).remarks
    assert "grey" not in told


def test_an_image_of_too_many_pixels_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(np.zeros((6, 5), np.uint8)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert count_values(tmp_path) == 0
    with pytest.raises(FileError, match=r"a\.png has too many pixels; expected at most 20"):
        read(tmp_path, Choices())


@pytest.mark.parametrize("constant", [0.0, 5.0, 1e17, -3e300])
def test_a_large_constant_is_drawn_without_a_warning(constant: float) -> None:
    data = np.full((50, 1), constant)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        assert "<svg" in svg(feature_samples(data, data.copy(), ["a"]))


@pytest.mark.parametrize("shape", [(40, 6, 5), (40, 6, 5, 1), (40, 4, 4, 3)])
def test_8_bit_images_that_are_streamed_are_fitted_as_small_ones(
    tmp_path: Path, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = tmp_path / "x.npy", tmp_path / "out"
    np.save(path, RNG.integers(0, 256, shape, dtype=np.uint8))
    small = read(path, Choices())
    monkeypatch.setattr("vaestudy.fit.files.STREAM_FROM", 0)
    large = read(path, Choices())
    assert isinstance(large.data, Intensities)
    assert (large.remarks, large.image_shape) == (small.remarks, small.image_shape)
    np.testing.assert_array_equal(large.data, small.data)
    result = fit(path, out)
    assert result.exit_code == 0, result.output
    assert json.loads((out / "model.json").read_text())["likelihood"] == "continuous-bernoulli"
    codes = VAE.load(out / "model.safetensors").transform(small.data)
    embedding = pd.read_parquet(out / "embedding.parquet")
    np.testing.assert_allclose(embedding[["z0", "z1"]], codes, rtol=1e-9)


def test_rows_of_an_array_with_missing_values_can_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, array = tmp_path / "x.npy", RNG.normal(size=(20, 3))
    array[[4, 7], 1] = np.nan
    np.save(path, array)
    told = fit(path, tmp_path / "out").stderr
    assert "2 of 20 rows miss values, NaN; expected none" in told
    assert "--drop-missing" in told
    assert "VAE.load(…).impute(X)" in told
    found = read(path, Choices(drop_missing=True))
    np.testing.assert_array_equal(found.data, np.delete(array, [4, 7], axis=0))
    assert found.rows.tolist() == [i for i in range(20) if i not in (4, 7)]
    assert found.remarks == ("2 rows with missing values are left out",)
    result = fit(path, tmp_path / "out", "--drop-missing")
    assert result.exit_code == 0, result.output
    assert pd.read_csv(tmp_path / "out" / "embedding.csv")["row"].tolist() == list(found.rows)
    monkeypatch.setattr("vaestudy.fit.files.STREAM_FROM", 0)
    with pytest.raises(FileError, match="say no --drop-missing, and leave them out before saving"):
        read(path, Choices(drop_missing=True))
    np.save(path, np.full((3, 2), np.nan))
    monkeypatch.undo()
    with pytest.raises(FileError, match="every row misses values"):
        read(path, Choices(drop_missing=True))
