"""What a study cannot measure of its models, told when its configuration is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from vaestudy.config import ConfigError, StudyConfig, parse_config
from vaestudy.data import data_root, load_dataset
from vaestudy.dataset import DataError
from vaestudy.dataset_names import CLASSES
from vaestudy.own_dataset import check_own_data

RNG = np.random.default_rng(1)
POINTS = {"dataset": "ring", "binarization": "none", "likelihood": "normal"}
DEEPER = {"deeper": [{"n_z": 2, "hidden": [3]}]}


def study(parameters: dict[str, Any], **evaluation: Any) -> StudyConfig:
    values = {"study": "s", "seeds": [0], "evaluation": evaluation}
    return parse_config({**values, "experiments": {"e": {"title": "t", "set": parameters}}})


@pytest.mark.parametrize("measurement", ["ais", "information", "quality", "missing"])
@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        (DEEPER, "which has 2 stochastic layers, not one of prior N(0, I)"),
        ({"labels": "condition"}, "which is told classes"),
    ],
)
def test_measurements_of_one_latent_space_of_pixels(
    measurement: str, parameters: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ConfigError) as error:
        study(parameters, **{measurement: {"experiments": ["e"]}})
    message = str(error.value)
    assert f"evaluation.{measurement} is to be taken of mnist-" in message
    assert reason in message
    assert f"out of evaluation.{measurement}.experiments" in message


@pytest.mark.parametrize("measurement", ["quality", "missing"])
def test_points_are_no_pictures(measurement: str) -> None:
    with pytest.raises(ConfigError, match="whose data are no"):
        study(POINTS, **{measurement: {"experiments": ["e"]}})
    assert study(POINTS, information={"experiments": ["e"]}).evaluation.information is not None


TOLD = {**POINTS, "dataset": "breast-cancer", "labels": "condition"}


def test_samples_of_tables_are_not_judged_by_class(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"evaluation\.conditional is to be .* no labelled pict"):
        study(TOLD, conditional={})
    told = {**own_set(tmp_path, None, 3), "labels": "condition"}
    with pytest.raises(ConfigError, match=r"leave evaluation\.conditional out, or that model"):
        check_own_data(study(told, conditional={}))
    study({"labels": "condition"}, conditional={})


def test_a_base_model_that_is_told_classes_is_not_annealed() -> None:
    base = {"study": "s", "seeds": [0], "experiments": {"e": {"title": "t"}}}
    with pytest.raises(ConfigError, match="or choose other combinations"):
        parse_config({**base, "base": {"labels": "condition"}, "evaluation": {"ais": {}}})


def test_labels_are_summed_over_with_a_sample_of_each() -> None:
    with pytest.raises(ConfigError, match=r"n_samples is 9, .* at least 10"):
        study({"labels": "m2"}, n_samples=9)
    assert study({"labels": "m2"}, n_samples=10).evaluation.n_samples == 10
    assert study({"labels": "condition"}, n_samples=9).evaluation.n_samples == 9


@pytest.mark.parametrize(
    ("shape", "classes", "parameters", "message"),
    [
        ((4, 6), 0, {"network": "conv"}, "images of 4 x 6; expected square images"),
        ((6, 6), 0, {"network": "conv"}, "images of 6 x 6; expected square images"),
        (None, 0, {"network": "conv"}, "rows that are no images; expected square images"),
        (
            (4, 4),
            0,
            {"labels": "condition"},
            "are of one class; .* name their column as dataset.lab",
        ),
        (None, 12, {"labels": "m2"}, "n_samples is 11, but labels: m2 sums .* over 12 classes"),
    ],
)
def test_own_data_have_what_the_model_takes(
    tmp_path: Path,
    shape: tuple[int, int] | None,
    classes: int,
    parameters: dict[str, Any],
    message: str,
) -> None:
    config = study({**own_set(tmp_path, shape, classes), **parameters}, n_samples=11)
    with pytest.raises(ConfigError, match=message):
        check_own_data(config)


@pytest.mark.parametrize("classes", [2, 10, 11])
def test_own_classes_are_told_however_many(tmp_path: Path, classes: int) -> None:
    of_pictures = {**own_set(tmp_path, (4, 4), classes), "network": "conv", "labels": "m2"}
    check_own_data(study(of_pictures, n_samples=11))
    check_own_data(study({**own_set(tmp_path, None, classes), "labels": "condition"}))


@pytest.mark.parametrize("name", CLASSES)
def test_published_data_have_the_classes_that_they_are_said_to_have(name: str) -> None:
    try:
        dataset = load_dataset(name, data_root(), download=False)
    except DataError:
        pytest.skip(f"{name} is not in {data_root()}; VAESTUDY_DATA says where it is")
    assert dataset.n_classes == CLASSES[name]


def test_rows_that_are_no_images_have_no_halves(tmp_path: Path) -> None:
    missing = {"experiments": ["e"]}
    check_own_data(study(own_set(tmp_path, (4, 4), 0), missing=missing))
    with pytest.raises(ConfigError, match="say image_shape if they are"):
        check_own_data(study(own_set(tmp_path, None, 0), missing=missing))


def own_set(folder: Path, shape: tuple[int, int] | None, classes: int) -> dict[str, Any]:
    """A file of 8-bit images, or of standardised rows, with as many classes."""
    n_features = shape[0] * shape[1] if shape else 16
    drawn = RNG.integers(0, 256, (60, n_features)) if shape else RNG.normal(size=(60, n_features))
    table = pd.DataFrame(drawn)
    own: dict[str, Any] = {"path": str(folder / f"{shape}-{classes}.csv")}
    if classes:
        table["kind"] = [f"kind {row % classes}" for row in range(len(table))]
        own["label"] = "kind"
    if shape:
        own["image_shape"] = list(shape)
    table.to_csv(own["path"], index=False)
    return {"dataset": own, "binarization": "none", "likelihood": "normal"}
