"""Tables as data sets: the user's own, and two of scikit-learn's.

Binary columns and pixels become 8-bit intensities, which are binarized as digits are. All else
stays as floats that models are shown as they are: values in [0, 1] unchanged, others standardised,
column by column, by mean and standard deviation of the training rows.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from vaestudy import own_values
from vaestudy.config import StudyConfig, expand_grid
from vaestudy.config_errors import ConfigError
from vaestudy.dataset import DataError, Dataset
from vaestudy.dataset_names import ANY_VALUE
from vaestudy.fit.choices import Choices, Remedies
from vaestudy.fit.columns import MOST_CATEGORIES
from vaestudy.fit.files import Table, read, read_frame
from vaestudy.fit.sizes import count_values
from vaestudy.fit.texts import FileError
from vaestudy.measurable import check_samples, refuse_conditional
from vaestudy.own_data import OwnData, content_sha256
from vaestudy.parameters import ModelParameters

#: A study holds its data in memory, in every job; whatever a file's own type, as float64 at first.
MOST_VALUES: Final = 2**29
#: Of scikit-learn's tables, as of published sets elsewhere.
TEST_SHARE: Final = 0.2
_IN_A_STUDY: Final = Remedies(
    drop="drop: [NAME]",
    drop_missing="drop_missing: true",
    color="make it the label, which is not modelled, if it is a class",
    resize="resize them, or take those of one size",
)


def load_own(own: OwnData) -> Dataset:
    """Read the user's data as a data set.

    Raises
    ------
    DataError
        If they are too few, too many, or no numbers; the message says which and what to do.
    """
    path = Path(own.path).expanduser()
    _refuse_too_many(path, count_values(path))
    if own.sha256 and path.exists() and content_sha256(path) != own.sha256:
        raise DataError(
            f"{path} has changed since the study's configuration was read: run the study again"
        )
    try:
        table = read(path, Choices(own.label, own.drop, own.drop_missing, remedies=_IN_A_STUDY))
    except FileError as error:
        raise DataError(str(error)) from None
    table = _labelled(path, table, own.drop_missing)
    # Categories have become columns by now.
    _refuse_too_many(path, math.prod(table.data.shape))
    source = f"Own data, {path.name} (SHA-256 {own.sha256[:16]}…)."
    return build(own.name, table, own.test_share, source, own.image_shape)


def _labelled(path: Path, table: Table, drop_missing: bool) -> Table:
    """Leave out rows without a label, or refuse them."""
    if table.color is None or not table.color.isna().any():
        return table
    known = table.color.notna().to_numpy()
    said = f"{path}: {np.count_nonzero(~known)} of {len(known)} rows have no {table.color.name!r}"
    if not drop_missing or not known.any():
        raise DataError(
            f"{said}, the label; expected one in every row: leave these rows out with "
            "drop_missing: true, or call what they are, as unknown, which is a class then"
        )
    return replace(table, data=table.data[known], rows=table.rows[known], color=table.color[known])


def _refuse_too_many(path: Path, n_values: int) -> None:
    if n_values > MOST_VALUES:
        raise DataError(
            f"{path} holds {n_values:,} values; a study holds its data in memory, 8 bytes a value, "
            f"up to {MOST_VALUES:,} values: take a part of the rows, or smaller images; or stream "
            "all through one model, as a .npy file, with `vaestudy fit`"
        )


def load_sklearn(name: str) -> Dataset:
    """Return one of the tables that come with scikit-learn: ``breast-cancer`` or ``diabetes``."""
    from sklearn import datasets

    if name == "breast-cancer":
        loaded = datasets.load_breast_cancer(as_frame=True)
        kind = loaded.target.map(dict(enumerate(loaded.target_names)))
        table = read_frame(Path(name), loaded.data.assign(diagnosis=kind), Choices("diagnosis"))
        source = "569 tumours, 30 measurements (Street & others 1993), as packaged by scikit-learn."
    else:
        frame = datasets.load_diabetes(as_frame=True, scaled=False).frame
        # The source codes the sex as 1 and 2: a category, not a quantity.
        frame = frame.assign(sex=frame["sex"].map({1.0: "1", 2.0: "2"}))
        table = read_frame(Path(name), frame, Choices())
        source = (
            "442 patients: years, a category, measurements and a score (Efron & others 2004), as "
            "packaged by scikit-learn."
        )
    return build(name, table, TEST_SHARE, source)


def build(
    name: str,
    table: Table,
    test_share: float,
    source: str,
    image_shape: tuple[int, int] | None = None,
) -> Dataset:
    """Split a table's rows, and bring its values to the form that models are shown.

    Raises
    ------
    DataError
        If there are too few rows, or the shape is not that of the columns.
    """
    values = np.asarray(table.data, np.float64)
    shape = _shape(name, table, image_shape)
    if not np.isfinite(values).all():
        raise DataError(f"{name}: the data hold NaN or infinity; expected finite numbers")
    test, train = _split(name, len(values), test_share)
    labels, names = _labels(name, table)
    scaled = own_values.shown(name, values, train, table.names, images=shape[0] > 1)
    arrays = {
        "train": torch.from_numpy(scaled[train]),
        "test": torch.from_numpy(scaled[test]),
        "train_labels": torch.from_numpy(labels[train]),
        "test_labels": torch.from_numpy(labels[test]),
    }
    described = f"{source} {own_values.treatment(scaled)}"
    columns = () if shape[0] > 1 else tuple(table.names)
    return Dataset.build(name, arrays, shape, described, names, columns)


def check_fits(run: ModelParameters, dataset: Dataset) -> None:
    """Refuse a model of data that it is none of.

    Raises
    ------
    ConfigError
        If binarization or likelihood cannot be of these values, the network not of rows of this
        shape, or there are no classes that it could be told.
    """
    if run.network == "conv":
        check_image_shape(dataset)
    if run.labels != "none":
        check_classes(run.labels, dataset)
    if dataset.train.dtype == torch.uint8:
        return
    if run.binarization != "none":
        raise ConfigError(
            f"binarization is {run.binarization!r} but the data set {dataset.name} holds values "
            "between 0 and 1 or beyond, no pixels: set binarization: none"
        )
    values = torch.cat([dataset.train, dataset.test])
    low, high = float(values.min()), float(values.max())
    if run.likelihood not in ANY_VALUE and (low < 0 or high > 1):
        raise ConfigError(
            f"likelihood is {run.likelihood!r} but the data set {dataset.name} holds values "
            f"outside [0, 1] (they are standardised): set likelihood: {', or '.join(ANY_VALUE)}"
        )


def check_image_shape(dataset: Dataset) -> None:
    """Refuse rows that strided convolutions cannot halve twice.

    Raises
    ------
    ConfigError
        If they are no square images, or of a side that 4 does not divide.
    """
    height, width = dataset.image_shape
    if not dataset.of_images or height != width or height % 4:
        shape = f"images of {height} x {width}" if dataset.of_images else "rows that are no images"
        raise ConfigError(
            f"network is 'conv' but the data set {dataset.name} holds {shape}; expected square "
            "images with a side that 4 divides: set network to mlp"
        )


def check_classes(labels: str, dataset: Dataset) -> None:
    """Refuse data without classes that a model could be told.

    Raises
    ------
    ConfigError
        If all rows are of one.
    """
    if dataset.n_classes < 2:
        raise ConfigError(
            f"labels is {labels!r} but all rows of the data set {dataset.name} are of one class; "
            "expected two or more: name their column as dataset.label, or set labels to none"
        )


def check_own_data(study: StudyConfig) -> None:
    """Read all data of the user's, and hold every run of the study against its own.

    Raises
    ------
    DataError, ConfigError
        As :func:`load_own` and :func:`check_fits`, and if halves are to be inferred of rows that
        are no images, or more classes to be summed over than there are samples.
    """
    loaded = {name: load_own(own) for name, own in study.own_data.items()}
    for run in (declared.config for declared in expand_grid(study)):
        dataset = loaded.get(run.dataset)
        if dataset is None:
            continue
        check_fits(run, dataset)
        check_samples(run, dataset.n_classes, study.evaluation.n_samples, "configuration")
        wanted = study.examination_of(run)
        if wanted is not None and wanted.conditional is not None and not dataset.is_grey:
            refuse_conditional(run, "configuration")
        if wanted is not None and wanted.missing is not None and not dataset.of_images:
            raise ConfigError(
                f"evaluation.missing is to be taken of {run.run_id}, but rows of {dataset.name} "
                "are no images, with a top and a bottom half; leave its experiment out of "
                "evaluation.missing, or say image_shape if they are"
            )


def _shape(name: str, table: Table, asked: tuple[int, int] | None) -> tuple[int, int]:
    n_features = table.data.shape[1]
    found = asked or table.image_shape or (1, n_features)
    if len(found) != 2:
        raise DataError(
            f"{name}: images of shape {tuple(found)}, in colour; expected grey ones (height, "
            "width), of which studies are: turn them grey before"
        )
    if math.prod(found) != n_features:
        raise DataError(
            f"{name}: image_shape is {tuple(found)} but {n_features} values are in a row; expected "
            "height x width to be the number of columns: change image_shape, or drop columns"
        )
    return found[0], found[1]


def _split(name: str, n: int, test_share: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return test and training rows, in an order that no generator's version can change."""
    if n < 2:
        raise DataError(f"{name} has {n} row; expected at least 2: to train on, and to test on")
    keys = [hashlib.sha256(str(row).encode()).digest() for row in range(n)]
    order = np.array(sorted(range(n), key=keys.__getitem__), dtype=np.intp)
    n_test = min(max(round(test_share * n), 1), n - 1)
    return order[:n_test], order[n_test:]


def _labels(name: str, table: Table) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    if table.color is None:
        return np.zeros(len(table.rows), np.int64), ()
    codes, values = pd.factorize(table.color.astype(str), sort=True)
    if len(values) > MOST_CATEGORIES:
        raise DataError(
            f"{name}: label {table.color.name!r} has {len(values)} different values; expected at "
            f"most {MOST_CATEGORIES} classes: leave label out, or put the column under drop"
        )
    return codes.astype(np.int64), tuple(map(str, values))
