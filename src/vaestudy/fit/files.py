"""A user's file or folder as a table of numbers.

Columns of text become one column of 0 and 1 a category (one-hot) if there are few categories, else
they are refused: no number stands for a name. ``.npy`` files are memory-mapped, not loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types

from vaestudy.estimator.inputs import STREAM_FROM
from vaestudy.fit.texts import FileError, read_text

#: A column of text with more different values than this is taken for names, not categories.
MOST_CATEGORIES: Final = 20
_NPY: Final = b"\x93NUMPY"
_IMAGES: Final = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class Remedies:
    """What to write where the user says how a file is read, for messages."""

    drop: str = "--drop NAME"
    drop_missing: str = "--drop-missing"
    color: str = "colour by it with --color"
    resize: str = "--size 28 makes them all 28×28"


@dataclass(frozen=True)
class Choices:
    """What the user says of a file.

    Parameters
    ----------
    color
        Column that is not fitted but colours the embedding.
    drop
        Columns that are left out.
    drop_missing
        Leave out rows with missing values.
    size
        Images are resized to so many pixels a side; None: they must all be of one size.
    remedies
        What messages advise: options of a command, unless the choices were made elsewhere.
    """

    color: str | None = None
    drop: tuple[str, ...] = ()
    drop_missing: bool = False
    size: int | None = None
    remedies: Remedies = Remedies()


@dataclass(frozen=True, eq=False)
class Table:
    """Numbers to fit, and what is known of them.

    Parameters
    ----------
    data
        [N, D]: a frame, an array or a memory-mapped one.
    rows
        What identifies each row: its number in the file, or an image's path.
    color
        What colours the embedding, one a row.
    image_shape
        (H, W) or (H, W, 3) if rows are images.
    remarks
        What was done to the data, a sentence each.
    """

    data: Any
    rows: pd.Index
    color: pd.Series | None = None
    image_shape: tuple[int, ...] | None = None
    remarks: tuple[str, ...] = field(default=())

    @property
    def names(self) -> list[str]:
        """Return the features' names."""
        if isinstance(self.data, pd.DataFrame):
            return [str(name) for name in self.data.columns]
        return [f"x{i}" for i in range(self.data.shape[1])]


def read(path: Path, choices: Choices) -> Table:
    """Read a table, an array or a folder of images.

    Raises
    ------
    FileError
        If it cannot be fitted.
    """
    if path.is_dir():
        return _read_images(path, choices)
    if not path.exists():
        raise FileError(f"{path} does not exist; expected a file or a folder of images")
    if path.suffix.lower() not in _READERS:
        known = ", ".join(_READERS)
        raise FileError(f"{path} ends in {path.suffix!r}; expected {known}, or a folder of images")
    if path.stat().st_size == 0:
        raise FileError(f"{path} is empty; expected a table of numbers")
    return _READERS[path.suffix.lower()](path, choices)


def _read_csv(path: Path, choices: Choices) -> Table:
    frame, remarks = read_text(path)
    table = read_frame(path, frame, choices)
    return replace(table, remarks=(*remarks, *table.remarks))


def _read_parquet(path: Path, choices: Choices) -> Table:
    try:
        frame = pd.read_parquet(path)
    except (ValueError, OSError) as error:
        raise FileError(f"{path} cannot be read as Parquet: {error}") from None
    return read_frame(path, frame, choices)


def _read_npy(path: Path, choices: Choices) -> Table:
    with path.open("rb") as file:
        if file.read(len(_NPY)) != _NPY:
            raise FileError(f"{path} is no .npy file; expected what numpy.save writes")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise FileError(f"{path} cannot be read as an array of numbers: {error}") from None
    if choices.color is not None or choices.drop:
        raise FileError(f"{path} is an array, whose columns have no names to colour by or to drop")
    if array.dtype.kind not in "biuf" or array.ndim not in (2, 3, 4) or array.size == 0:
        raise FileError(
            f"{path} holds {array.dtype} of shape {array.shape}; expected numbers of shape "
            "(rows, features), or images (rows, height, width) or (rows, height, width, 3)"
        )
    if array.ndim == 2:
        return Table(array, pd.RangeIndex(len(array)))
    shape = array.shape[1:3] if array.shape[3:] in ((), (1,)) else array.shape[1:]
    rows, flat = pd.RangeIndex(len(array)), array.reshape(len(array), -1)
    if array.dtype != np.uint8:
        return Table(flat, rows, image_shape=shape)
    if array.nbytes >= STREAM_FROM:
        said = (
            "intensities 0..255 are fitted as they are, for the file is too large to divide in "
            "memory: for a likelihood of [0, 1] save them as float16, divided by 255"
        )
        return Table(flat, rows, image_shape=shape, remarks=(said,))
    return Table(flat / 255, rows, image_shape=shape, remarks=("intensities divided by 255",))


_READERS: Final[dict[str, Callable[[Path, Choices], Table]]] = {
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".parquet": _read_parquet,
    ".npy": _read_npy,
}


def read_frame(path: Path, frame: pd.DataFrame, choices: Choices) -> Table:
    """Return a frame's numbers; ``path`` is its name in messages.

    Raises
    ------
    FileError
        If it cannot be fitted.
    """
    frame = frame.copy(deep=False)
    frame.columns = frame.columns.map(str)
    asked = [*choices.drop, *([] if choices.color is None else [choices.color])]
    for name in asked:
        if name not in frame.columns:
            raise FileError(
                f"{path} has no column {name!r}; it has {', '.join(map(repr, frame.columns))}"
            )
    features, remarks = frame.drop(columns=asked), []
    if not len(features):
        raise FileError(f"{path} has names of columns and no row; expected rows of numbers")
    if features.empty:
        raise FileError(f"{path} has no column left to fit: all are left out, or colour by")
    holes = features.isna()
    if holes.any(axis=None):
        features = _without_holes(path, features, holes, choices)
        remarks.append(f"{len(frame) - len(features)} rows with missing values are left out")
    numbers, encoded = _numbers(path, features, choices.remedies)
    color = None if choices.color is None else frame.loc[features.index, choices.color]
    return Table(numbers, features.index, color, remarks=(*remarks, *encoded))


def _without_holes(
    path: Path, features: pd.DataFrame, holes: pd.DataFrame, choices: Choices
) -> pd.DataFrame:
    columns = ", ".join(repr(name) for name in features.columns[holes.any()])
    count = int(holes.any(axis=1).sum())
    said = f"{path}: {count} of {len(features)} rows miss values (in {columns})"
    if not choices.drop_missing:
        raise FileError(
            f"{said}; expected none: leave these rows out with {choices.remedies.drop_missing}, or "
            f"the columns with {choices.remedies.drop}. A model fitted to the rest fills them in: "
            "VAE.load(…).impute(X)"
        )
    if count == len(features):
        raise FileError(
            f"{said}: no row is left to fit; leave out columns with {choices.remedies.drop}"
        )
    return features[~holes.any(axis=1)]


def _numbers(
    path: Path, features: pd.DataFrame, remedies: Remedies
) -> tuple[pd.DataFrame, list[str]]:
    parts: list[pd.DataFrame | pd.Series] = []
    remarks = []
    for name in features.columns:
        column = features[name]
        if types.is_bool_dtype(column) or types.is_numeric_dtype(column):
            parts.append(column.astype(float))
            continue
        n = column.nunique()
        if types.is_datetime64_any_dtype(column) or n > MOST_CATEGORIES:
            raise FileError(
                f"{path}: column {name!r} holds {column.dtype} with {n} different values, such as "
                f"{str(column.iloc[0])!r}; expected numbers, or at most {MOST_CATEGORIES} "
                f"categories: leave it out with {remedies.drop.replace('NAME', repr(name))}, or "
                f"{remedies.color}"
            )
        parts.append(pd.get_dummies(column, prefix=name, prefix_sep="=", dtype=float))
        remarks.append(f"column {name!r} is text: one column of 0 and 1 for each of {n} values")
    numbers = pd.concat(parts, axis=1)
    infinite = [name for name in numbers.columns if not np.isfinite(numbers[name]).all()]
    if infinite:
        raise FileError(f"{path}: column {infinite[0]!r} holds infinity; expected finite numbers")
    return numbers, remarks


def _read_images(folder: Path, choices: Choices) -> Table:
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in _IMAGES)
    if not paths:
        raise FileError(f"{folder} holds no image; expected files ending in {', '.join(_IMAGES)}")
    if choices.color is not None or choices.drop:
        raise FileError(
            f"{folder} is a folder of images, which has no columns to colour by or drop"
        )
    images = _open_all(paths, choices)
    names = [str(path.relative_to(folder)) for path in paths]
    parents = [path.parent.relative_to(folder).as_posix() for path in paths]
    rows = pd.Index(names)
    color = pd.Series(parents, rows, name="folder") if len(set(parents)) > 1 else None
    shape = images.shape[1:]
    remarks = (f"{len(paths)} images, intensities 0..255 divided by 255",)
    return Table(images.reshape(len(paths), -1) / 255, rows, color, shape, remarks)


def _open_all(paths: Sequence[Path], choices: Choices) -> NDArray[np.uint8]:
    from PIL import Image, UnidentifiedImageError

    images: list[NDArray[np.uint8]] = []
    mode = ""
    for path in paths:
        try:
            with Image.open(path) as image:
                # The first image decides whether all are grey or all in colour.
                _require_8_bits(path, image.mode)
                mode = mode or ("L" if image.mode in ("1", "L", "LA") else "RGB")
                converted = image.convert(mode)
        except (UnidentifiedImageError, OSError) as error:
            raise FileError(f"{path} cannot be read as an image: {error}") from None
        if choices.size is not None:
            converted = converted.resize((choices.size, choices.size))
        pixels = np.asarray(converted)
        if images and pixels.shape != images[0].shape:
            raise FileError(
                f"{path} is {pixels.shape[1]}×{pixels.shape[0]} pixels but {paths[0].name} is "
                f"{images[0].shape[1]}×{images[0].shape[0]}; expected images of one size: "
                f"{choices.remedies.resize}"
            )
        images.append(pixels)
    return np.stack(images)


def _require_8_bits(path: Path, mode: str) -> None:
    # Pillow would cut their values off at 255.
    if mode.startswith(("I", "F")):
        raise FileError(
            f"{path} has more than 8 bits a pixel (mode {mode}); expected 8: convert them, or "
            "save their numbers, divided by the largest, as a .npy file"
        )
