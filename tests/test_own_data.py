"""Data of the user's own in a study: their name, what is refused, the way to a measured model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from builders import CPU, run_config
from own_tables import frame, own, study, table_file
from vaestudy.cli import app
from vaestudy.config import expand_grid, parse_config
from vaestudy.config_errors import ConfigError
from vaestudy.data import load_dataset, load_prepared
from vaestudy.dataset import DataError, Dataset
from vaestudy.dataset_names import ANY_VALUE
from vaestudy.estimator.support import DOMAINS
from vaestudy.jobs import train_group
from vaestudy.measure import measure_group
from vaestudy.own_dataset import check_fits, check_own_data, load_own
from vaestudy.study_parts import Further


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    return table_file(tmp_path)


def test_the_name_follows_content_and_choices_and_not_the_place(csv: Path, tmp_path: Path) -> None:
    first = own(csv)
    assert first.name.startswith("own-my-table-")
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    assert own(csv.rename(moved / csv.name)).name == first.name
    assert own(moved / csv.name, test_share=0.3).name != first.name
    frame(41).to_csv(moved / csv.name, index=False)
    assert own(moved / csv.name).name != first.name


def test_runs_bear_the_name_and_a_read_configuration_reads_the_same(csv: Path) -> None:
    config = parse_config(study({"path": str(csv)}))
    runs = expand_grid(config)
    assert {run.config.dataset for run in runs} == set(config.own_data)
    assert config.of_own_data
    csv.unlink()  # What is resolved once needs the file no more.
    assert parse_config(config.model_dump(mode="json")) == config


def test_own_data_are_a_level_as_any_other(csv: Path) -> None:
    values = study("mnist")
    values["experiments"]["sizes"]["vary"] = {
        "dataset": [{"path": str(csv)}, "diabetes"],
        "n_z": [{"n_z": 3, "dataset": {"path": str(csv)}}],
    }
    with pytest.raises(ConfigError, match="set by two factors"):
        parse_config(values)
    del values["experiments"]["sizes"]["vary"]["n_z"]
    runs = expand_grid(parse_config(values))
    assert [run.config.dataset[:12] for run in runs] == ["own-my-table", "diabetes"]


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ({"path": "nowhere.csv"}, "nowhere.csv does not exist"),
        ({"path": "a{b}.csv"}, "expected a path without { and }"),
        ({"path": "x.csv", "lable": "kind"}, "did you mean label?"),
        ({"path": "x.csv", "test_share": 1}, "test_share: got 1"),
        ("mnits", "expected one of mnist-5k, fashion-2k, mnist"),
        ("own-x-0123", "'own-x-0123', for which nothing stands under own_data"),
    ],
)
def test_bad_declarations_are_named(dataset: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_config(study(dataset))


def test_a_table_is_no_pixels() -> None:
    with pytest.raises(ConfigError, match="set binarization: none and likelihood: normal"):
        parse_config(study("diabetes", binarization="dynamic", likelihood="bernoulli"))


def test_a_file_that_changes_under_a_study_is_told(csv: Path) -> None:
    said = own(csv)
    frame(5).to_csv(csv, index=False)
    with pytest.raises(DataError, match="has changed since"):
        load_own(said)


def test_labelled_digits_alone_are_judged(csv: Path) -> None:
    values = {**study({"path": str(csv)}), "evaluation": {"quality": {"n_samples": 10}}}
    with pytest.raises(ConfigError, match="leave quality out"):
        parse_config(values)


def test_models_are_held_against_their_data(csv: Path) -> None:
    for changes, message in (
        ({"binarization": "dynamic", "likelihood": "bernoulli"}, "set binarization: none"),
        ({"likelihood": "bernoulli"}, "set likelihood: normal"),
    ):
        config = parse_config(study({"path": str(csv)}, **changes))
        with pytest.raises(ConfigError, match=message):
            check_own_data(config)
    for likelihood in ANY_VALUE:
        check_own_data(parse_config(study({"path": str(csv)}, likelihood=likelihood)))
        parse_config(study("diabetes", likelihood=likelihood))
    assert set(ANY_VALUE) == {name for name in DOMAINS if DOMAINS[name].standardise}
    check_fits(run_config(), load_dataset("mnist-5k", Path()))


def test_one_model_of_a_file_is_trained_by_hand(csv: Path, tmp_path: Path) -> None:
    out = ["train", "-o", str(tmp_path), "--set", "epochs=1", "--set", "hidden=[4]"]
    own_file = ["--set", f"dataset={{path: {csv}, drop: [kind]}}"]
    of_floats = ["--set", "binarization=none", "--set", "likelihood=normal"]
    result = CliRunner().invoke(app, [*out, *own_file, *of_floats])
    assert result.exit_code == 0, result.output
    assert len(list(tmp_path.glob("own-my-table-*/model.safetensors"))) == 1
    for wrong, message in (
        (own_file, "set binarization: none"),
        (["--set", "dataset=own-x"], "expected {path: your-file.csv}"),
    ):
        result = CliRunner().invoke(app, [*out, *wrong])
        assert (result.exit_code, message in result.output) == (1, True), result.output
    result = CliRunner().invoke(app, ["data", "mnits", "--output", str(tmp_path / "x")])
    assert "data set 'mnits' is unknown; expected one of mnist-5k" in result.output


@pytest.mark.parametrize("likelihood", ANY_VALUE)
def test_a_table_goes_through_the_whole_engine(csv: Path, tmp_path: Path, likelihood: str) -> None:
    config = parse_config(study({"path": str(csv)}, likelihood=likelihood))
    (name,) = config.own_data
    out = tmp_path / "data.safetensors"
    said = config.own_data[name].model_dump_json()
    result = CliRunner().invoke(app, ["data", name, "--output", str(out), "--own", said])
    assert result.exit_code == 0, result.output
    data: Dataset = load_prepared(out)
    runs = [run.config for run in expand_grid(config)]
    records = train_group(runs[:1], data, tmp_path, device=CPU, checkpoint_every=1)
    assert records[0]["status"] == "finished"
    further = {runs[0].run_id: Further(principal_components=True)}
    table = measure_group(
        runs[:1], data, tmp_path, device=CPU, n_samples=5, threshold=0.01, further=further
    )
    values = table.set_index("metric")["value"]
    assert np.isfinite(values[["nll", "squared_error"]]).all()
    assert values["pca_squared_error"] < values["mean_squared_error"]
