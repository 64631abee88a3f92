"""The command line: what it says, and how it says no."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner, Result

import vaestudy
from vaestudy.cli import app
from vaestudy.cli.options import assignments
from vaestudy.config import expand_grid, load_config, parse_run
from vaestudy.config_errors import ConfigError
from vaestudy.figures.published_data import read_published

ROOT = Path(__file__).resolve().parents[1]
TINY = str(ROOT / "configs" / "tiny.yaml")


def vae(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_help_names_every_command_in_one_whole_line() -> None:
    text = vae("--help").output
    commands = text.split("Commands:")[1].strip().splitlines()
    assert len(commands) == len(app.registered_commands)
    assert all(line.endswith(".") and not line.endswith("..") for line in commands)


def test_train_says_what_can_be_set() -> None:
    text = vae("train", "--help").output
    for phrase in ("n_z", "learning_rate", "seed", "VAESTUDY_DEVICE", "--set objective=iwae"):
        assert phrase in text


def test_version() -> None:
    assert vae("--version").output.strip() == vaestudy.__version__


def test_runs_lists_every_run_and_counts_jobs() -> None:
    result = vae("runs", "--config", TINY)
    grid = expand_grid(load_config(TINY))
    listed = [line.split("\t")[0] for line in result.stdout.splitlines()]
    assert listed == [run.config.run_id for run in grid]
    assert f"{len(grid)} runs in" in result.stderr


def test_runs_tells_what_sets_a_run_apart_as_train_takes_it() -> None:
    study = load_config(TINY)
    base = study.base.model_dump(mode="json")
    lines = vae("runs", "--config", TINY).stdout.splitlines()
    for line, run in zip(lines, expand_grid(study), strict=True):
        *_, levels = line.split("\t")
        values = {**base, **assignments(levels.split(" "))}
        assert parse_run(values, "--set") == run.config


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("n_z=-1", "n_z: got -1; expected a number greater than 0"),
        ("k=0", "k: got 0"),
        ("n_zz=1", "n_zz: unknown key; did you mean n_z?"),
        (
            "likelihood=cauchy",
            "expected one of 'bernoulli', 'gaussian', 'continuous-bernoulli', 'normal', "
            "'squared-error' or 'beta'",
        ),
        ("epochs=many", "epochs: got 'many'; expected a whole number"),
        ("objective", "expected parameter=value"),
        ("hidden=[200", "expected parameter=value"),
    ],
)
def test_wrong_values_give_one_error(tmp_path: Path, setting: str, expected: str) -> None:
    result = vae("train", "-o", str(tmp_path / "out"), "--set", setting)
    assert result.exit_code == 1
    assert result.output.count("error:") == 1
    assert expected in result.output
    assert not (tmp_path / "out").exists()


def test_wrong_device(tmp_path: Path) -> None:
    result = vae("train", "-o", str(tmp_path / "out"), "--device", "gpu")
    assert result.exit_code == 1
    assert "device is 'gpu'; expected auto, cpu or cuda" in result.output


def test_missing_configuration() -> None:
    result = vae("runs", "--config", "nowhere.yaml")
    assert result.exit_code == 1
    assert "cannot read the configuration nowhere.yaml" in result.output


def test_train_by_hand(tmp_path: Path) -> None:
    sets = ("epochs=2", "hidden=[8]", "n_z=2", "batch_size=1000")
    options = [part for value in sets for part in ("--set", value)]
    result = vae("train", "-o", str(tmp_path), "--device", "cpu", *options)
    assert result.exit_code == 0, result.output
    directory = Path(result.stdout.strip().splitlines()[-1])
    assert directory.parent == tmp_path
    assert (directory / "model.safetensors").exists()
    log = (directory / "train.log").read_text(encoding="utf-8")
    assert [line.split()[3] for line in log.splitlines() if " epoch " in line] == ["1/2", "2/2"]


def test_schema_file_is_what_the_command_prints() -> None:
    written = ROOT / "workflow" / "schemas" / "config.schema.yaml"
    assert vae("schema").output == written.read_text(encoding="utf-8")


def test_conda_environment_has_the_pins_of_the_lock_file() -> None:
    namespace: dict[str, object] = {"__file__": str(ROOT / "envs" / "from_lock.py")}
    exec((ROOT / "envs" / "from_lock.py").read_text(encoding="utf-8"), namespace)
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    written = (ROOT / "envs" / "vaestudy.yaml").read_text(encoding="utf-8")
    assert namespace["environment"](lock) == written  # type: ignore[operator]
    assert yaml.safe_load(written)["dependencies"][-1]["pip"]


def test_resolve_checks_what_it_writes(tmp_path: Path) -> None:
    output = tmp_path / "config.yaml"
    assert vae("resolve", '{"study": "x"}', "--output", str(output)).exit_code == 1
    assert not os.path.exists(output)


def test_a_wrong_examination_gives_one_error(tmp_path: Path) -> None:
    paths = ("--data", str(tmp_path / "data"), "--runs-dir", str(tmp_path))
    output = ("--output", str(tmp_path / "table"))
    wrong = '{"some-run": {"gaps": {}}}'
    result = vae("examine-group", "--runs", "[]", "--examinations", wrong, *paths, *output)
    assert result.exit_code == 1
    assert "1 problem in --examinations" in result.output
    assert "gaps is set but ais is not" in result.output
    assert not (tmp_path / "table").exists()


def test_a_log_tells_how_a_command_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "logs" / "job.log"
    absent = str(tmp_path / "absent")
    command = ("train-group", "--runs", "[]", "--runs-dir", absent, "--output", absent)
    arguments = (*command, "--data", absent, "--log", str(log))
    told = vae(*arguments)
    assert told.exit_code == 1
    assert told.output.count("error:") == 1
    log.unlink()  # as Snakemake does before a retry

    def broken(path: Path) -> None:
        raise ZeroDivisionError("a fault of the program")

    monkeypatch.setattr("vaestudy.data.load_prepared", broken)
    assert isinstance(vae(*arguments).exception, ZeroDivisionError)
    first, second = log.read_text(encoding="utf-8").split(" ==== attempt by process ")[1:]
    assert told.output.strip() in first
    assert "Traceback" not in first
    assert "Traceback" in second
    assert "ZeroDivisionError: a fault of the program" in second


GROUP = ("--data", "data", "--runs-dir", "runs", "--output", "out/table")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("train -o taken/run", "no results can be written to taken/run: Not a directory"),
        ("train -o taken", "no results can be written to taken: it is a file"),
        ("schema --output absent/x.yaml", "absent/x.yaml: No such file or directory; expected"),
        ("data mnist-5k --output taken/x.st", "no results can be written to taken: it is a file"),
        ("extract nope.parquet --output x.csv", "nope.parquet does not exist; expected a table"),
        ("extract taken --output x.csv", "taken cannot be read"),
        ("extract foreign.parquet --output x.csv", "has no column run_id, metric, value; expected"),
        ("chapter nope.py --output x.ipynb --log-notebook y.ipynb", "nope.py: No such file"),
        ("resolve notjson --output x.yaml", "the configuration got 'notjson', which is no JSON"),
        ("resolve [] --output x.yaml", "expected an object, {...}, as JSON"),
        ("train-group --runs notjson", "--runs got 'notjson', which is no JSON"),
        ("train-group --runs {}", "--runs got '{}'; expected a list, [...], as JSON"),
        ("examine-group --runs [] --examinations 3", "--examinations got '3'; expected an object"),
    ],
)
def test_what_a_user_can_mend_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("taken").write_text("a,b\n1,2\n")
    pd.DataFrame({"a": [1]}).to_parquet("foreign.parquet")
    words = arguments.split()
    result = vae(*words, *(GROUP if words[0].endswith("-group") else ()))
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert result.output.count("error:") == 1
    assert told in result.output


def test_published_figures_are_missed_outside_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"published\.yaml does not exist .*in its root"):
        read_published()
