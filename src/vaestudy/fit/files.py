"""A user's file or folder as a table of numbers; ``.npy`` files are memory-mapped, not loaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vaestudy.estimator.inputs import STREAM_FROM
from vaestudy.estimator.rows import Intensities
from vaestudy.fit import columns
from vaestudy.fit.choices import Choices
from vaestudy.fit.texts import FileError, read_text

if TYPE_CHECKING:
    from PIL.Image import Image

DIVIDED: Final = "intensities 0..255 divided by 255"
_NPY: Final = b"\x93NUMPY"
#: What the last axis of an image may hold: grey, or red, green and blue.
_CHANNELS: Final = (1, 3)
_GREY: Final = ("1", "L", "LA")
_FILLED_IN: Final = "A model fitted to the rest fills them in: VAE.load(…).impute(X)"
_IMAGES: Final = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")


@dataclass(frozen=True, eq=False)
class Table:
    """Numbers to fit, and what is known of them.

    Parameters
    ----------
    data
        [N, D]: a frame, an array, or what is read from a file as it is asked for.
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
    if choices.size is not None:
        raise FileError(
            f"--size resizes the images of a folder, and {path} is a file; leave --size out, or "
            "resize before saving"
        )
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
    _refuse_channels(path, array.shape)
    flat, rows = array.reshape(len(array), -1), pd.RangeIndex(len(array))
    table = Table(flat, rows, image_shape=_image_shape(array))
    return _whole_rows(path, table, choices) if array.dtype.kind == "f" else _of_intensities(table)


def _refuse_channels(path: Path, shape: tuple[int, ...]) -> None:
    """Refuse images whose last axis is not that of grey, or of red, green and blue."""
    if len(shape) < 4 or shape[3] in _CHANNELS:
        return
    first = "they come first here: save np.moveaxis(a, 1, -1) of this array a"
    other = "keep 1 or 3 of them, or reshape to (rows, features), which are no images"
    remedy = first if shape[1] in _CHANNELS else other
    raise FileError(
        f"{path} holds images of shape {shape[1:]}, with {shape[3]} channels; expected (height, "
        f"width, 1) or (height, width, 3), channels last: {remedy}"
    )


def _image_shape(array: NDArray[Any]) -> tuple[int, ...] | None:
    if array.ndim == 2:
        return None
    return array.shape[1:3] if array.shape[3:] in ((), (1,)) else array.shape[1:]


def _whole_rows(path: Path, table: Table, choices: Choices) -> Table:
    """Leave out rows with missing values, or refuse them, of a file that memory has room for."""
    array = table.data
    if array.nbytes >= STREAM_FROM and not choices.drop_missing:
        return table  # Each row is looked at when it is read.
    if array.nbytes >= STREAM_FROM:
        raise FileError(
            f"{path} has {array.nbytes / 1e9:.1f} GB, and is streamed: rows with missing values "
            f"cannot be left out of it: say no {choices.remedies.drop_missing}, and leave them out "
            "before saving"
        )
    whole = ~np.isnan(array).any(axis=1)
    if whole.all():
        return table
    if not whole.any():
        raise FileError(f"{path}: every row misses values; expected some that do not")
    count = int((~whole).sum())
    if not choices.drop_missing:
        raise FileError(
            f"{path}: {count} of {len(whole)} rows miss values, NaN; expected none: leave these "
            f"rows out with {choices.remedies.drop_missing}. {_FILLED_IN}"
        )
    said = f"{count} rows with missing values are left out"
    return replace(table, data=array[whole], rows=table.rows[whole], remarks=(said,))


def _of_intensities(table: Table) -> Table:
    """Divide 8-bit intensities of images by 255; of a file that is streamed, as it is read."""
    array = table.data
    if table.image_shape is None or array.dtype != np.uint8:
        return table
    divided = Intensities(array) if array.nbytes >= STREAM_FROM else array / 255
    return replace(table, data=divided, remarks=(DIVIDED,))


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
            known = ", ".join(map(repr, frame.columns))
            raise FileError(f"{path} has no column {name!r}; it has {known}")
    features, remarks = frame.drop(columns=asked), []
    if not len(features):
        raise FileError(f"{path} has names of columns and no row; expected rows of numbers")
    if features.empty:
        raise FileError(f"{path} has no column left to fit: all are left out, or colour by")
    holes = features.isna()
    if holes.any(axis=None):
        features = _without_holes(path, features, holes, choices)
        remarks.append(f"{len(frame) - len(features)} rows with missing values are left out")
    numbers, encoded = columns.numbers(path, features, choices.remedies)
    color = None if choices.color is None else frame.loc[features.index, choices.color]
    return Table(numbers, features.index, color, remarks=(*remarks, *encoded))


def _without_holes(
    path: Path, features: pd.DataFrame, holes: pd.DataFrame, choices: Choices
) -> pd.DataFrame:
    names = ", ".join(repr(name) for name in features.columns[holes.any()])
    count = int(holes.any(axis=1).sum())
    said = f"{path}: {count} of {len(features)} rows miss values (in {names})"
    if not choices.drop_missing:
        raise FileError(
            f"{said}; expected none: leave these rows out with {choices.remedies.drop_missing}, or "
            f"the columns with {choices.remedies.drop}. {_FILLED_IN}"
        )
    if count == len(features):
        drop = choices.remedies.drop
        raise FileError(f"{said}: no row is left to fit; leave out columns with {drop}")
    return features[~holes.any(axis=1)]


def image_paths(folder: Path) -> list[Path]:
    """Return the images of a folder and of those within it, by name."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in _IMAGES)


def _read_images(folder: Path, choices: Choices) -> Table:
    paths = image_paths(folder)
    if not paths:
        raise FileError(f"{folder} holds no image; expected files ending in {', '.join(_IMAGES)}")
    if choices.color is not None or choices.drop:
        raise FileError(
            f"{folder} is a folder of images, which has no columns to colour by or drop"
        )
    images, n_turned = _open_all(paths, choices)
    rows = pd.Index([str(path.relative_to(folder)) for path in paths])
    parents = [path.parent.relative_to(folder).as_posix() for path in paths]
    color = pd.Series(parents, rows, name="folder") if len(set(parents)) > 1 else None
    turned = f", {n_turned} of them in colour turned grey, as the first is" if n_turned else ""
    remarks = (f"{len(paths)} images{turned}, {DIVIDED}",)
    return Table(images.reshape(len(paths), -1) / 255, rows, color, images.shape[1:], remarks)


def _open_all(paths: Sequence[Path], choices: Choices) -> tuple[NDArray[np.uint8], int]:
    """Return images of one shape, and how many in colour were turned grey."""
    images: list[NDArray[np.uint8]] = []
    mode, n_turned = "", 0
    for path in paths:
        image = _open(path)
        # The first image decides whether all are grey or all in colour.
        mode = mode or ("L" if image.mode in _GREY else "RGB")
        n_turned += mode == "L" and image.mode not in _GREY
        converted = image.convert(mode)
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
    return np.stack(images), n_turned


def _open(path: Path) -> Image:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            _require_8_bits(path, image.mode)
            image.load()
            return image
    except Image.DecompressionBombError:
        raise FileError(
            f"{path} has too many pixels; expected at most {2 * (Image.MAX_IMAGE_PIXELS or 0):,}: "
            "make it smaller before"
        ) from None
    except (UnidentifiedImageError, OSError) as error:
        raise FileError(f"{path} cannot be read as an image: {error}") from None


def _require_8_bits(path: Path, mode: str) -> None:
    # Pillow would cut their values off at 255.
    if mode.startswith(("I", "F")):
        raise FileError(
            f"{path} has more than 8 bits a pixel (mode {mode}); expected 8: convert them, or "
            "save their numbers, divided by the largest, as a .npy file"
        )
