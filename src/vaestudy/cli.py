"""The command line: one command a stage of the workflow, and a few for people."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec, TypeVar

import typer
import yaml

from vaestudy import __version__
from vaestudy.config import (
    Run,
    RunConfig,
    StudyConfig,
    expand_grid,
    group_runs,
    load_config,
    parse_config,
    parse_run,
)
from vaestudy.config_errors import ConfigError
from vaestudy.devices import claim_gpu

if TYPE_CHECKING:
    import torch

app = typer.Typer(
    help="Study variational autoencoders: train, measure, report.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

P = ParamSpec("P")
R = TypeVar("R")

ConfigFile = Annotated[Path, typer.Option("--config", help="The study's configuration.")]
LogFile = Annotated[Path | None, typer.Option("--log", help="Log file; the terminal if none.")]
Device = Annotated[
    str,
    typer.Option(envvar="VAESTUDY_DEVICE", help="auto (a GPU where there is one), cpu or cuda."),
]
CheckpointEvery = Annotated[
    int, typer.Option(min=1, envvar="VAESTUDY_CHECKPOINT_EVERY", help="Epochs between checkpoints.")
]
Prepared = Annotated[Path, typer.Option("--data", help="A file made by `vaestudy data`.")]
Runs = Annotated[str, typer.Option("--runs", help="The runs' parameters: a JSON list.")]
RunsDir = Annotated[Path, typer.Option("--runs-dir", help="Where runs keep their files.")]


def _expected_errors() -> tuple[type[Exception], ...]:
    from vaestudy.checkpoint import CheckpointError
    from vaestudy.data import DataError
    from vaestudy.jobs import BusyError, DeviceError, MissingResultError

    return ConfigError, DataError, CheckpointError, BusyError, DeviceError, MissingResultError


def _plain_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Print what a user can mend as one message, without a traceback."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except Exception as error:
            if not isinstance(error, _expected_errors()):
                raise
            typer.secho(f"error: {error}", err=True, fg="red")
            raise typer.Exit(1) from None

    return wrapped


def _start(device: str, threads: int) -> torch.device:
    """Settle what decides the last bit of a result, and return the device."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if device != "cpu":
        claim_gpu()
    import torch

    from vaestudy.jobs import select_device

    torch.set_num_threads(threads)
    chosen = select_device(device)
    if chosen.type == "cuda":  # the CPU's are all deterministic, and the switch costs a second
        torch.use_deterministic_algorithms(True)
    return chosen


def _parse_runs(text: str) -> list[RunConfig]:
    return [parse_run(values, "--runs") for values in json.loads(text)]


@app.callback(invoke_without_command=True)
def main(version: Annotated[bool, typer.Option("--version", help="Print it.")] = False) -> None:
    """Study variational autoencoders: train, measure, report."""
    if version:
        typer.echo(__version__)
        raise typer.Exit


@app.command()
@_plain_errors
def data(
    name: Annotated[str, typer.Argument(help="mnist-5k, mnist or fashion-mnist.")],
    output: Annotated[Path, typer.Option(help="File to write.")],
    root: Annotated[
        str | None, typer.Option(help="Data directory; VAESTUDY_DATA takes precedence.")
    ] = None,
) -> None:
    """Get a data set (downloading if need be), verify it, and write it as one file."""
    from vaestudy.data import data_root, load_dataset, save_prepared

    dataset = load_dataset(name, data_root(root))
    save_prepared(dataset, output)
    typer.echo(f"{name}: {len(dataset.train):,} train, {len(dataset.test):,} test -> {output}")


@app.command()
@_plain_errors
def train_group(
    runs: Runs,
    data: Prepared,
    runs_dir: RunsDir,
    output: Annotated[Path, typer.Option(help="Written when all runs are trained.")],
    device: Device = "auto",
    threads: Annotated[int, typer.Option(min=1)] = 1,
    checkpoint_every: CheckpointEvery = 10,
    log: LogFile = None,
) -> None:
    """Train runs that differ in seed and warm-up only, together; resume what was interrupted."""
    from vaestudy import jobs, progress
    from vaestudy.data import load_prepared
    from vaestudy.files import write_json

    progress.log_to(log)
    members = _parse_runs(runs)
    records = jobs.train_group(
        members,
        load_prepared(data),
        runs_dir,
        device=_start(device, threads),
        checkpoint_every=checkpoint_every,
        on_epoch=progress.line_reporter(output.parent.name),
    )
    write_json(output, {"runs": [_reproducible(record) for record in records]})


def _reproducible(record: dict[str, Any]) -> dict[str, Any]:
    return {key: record[key] for key in ("run_id", "status", "engine", "data_sha256")}


@app.command()
@_plain_errors
def evaluate_group(
    runs: Runs,
    data: Prepared,
    runs_dir: RunsDir,
    output: Annotated[Path, typer.Option(help="Table to write (Parquet).")],
    n_samples: Annotated[int, typer.Option(min=1, help="Importance samples an image.")] = 5000,
    threshold: Annotated[float, typer.Option(help="Activity of an active unit.")] = 0.01,
    device: Device = "auto",
    threads: Annotated[int, typer.Option(min=1)] = 1,
    log: LogFile = None,
) -> None:
    """Measure trained runs on the test set: log-likelihood, bounds, active units."""
    from vaestudy import measure, progress
    from vaestudy.data import load_prepared
    from vaestudy.files import write_parquet

    progress.log_to(log)
    table = measure.measure_group(
        _parse_runs(runs),
        load_prepared(data),
        runs_dir,
        device=_start(device, threads),
        n_samples=n_samples,
        threshold=threshold,
    )
    write_parquet(output, table)


@app.command()
@_plain_errors
def aggregate(
    config: ConfigFile = Path("config.yaml"),
    output: Annotated[
        Path | None, typer.Option(help="Directory of tables; the study's if none.")
    ] = None,
    log: LogFile = None,
) -> None:
    """Put the files of all runs together into the study's tables."""
    from vaestudy import progress
    from vaestudy.data import load_prepared
    from vaestudy.tables import build_tables, write_tables

    progress.log_to(log)
    study, runs = _grid(config)
    names = dict.fromkeys(run.config.dataset for run in runs)
    datasets = [load_prepared(study.directory / "data" / f"{n}.safetensors") for n in names]
    groups = group_runs([run.config for run in runs], study.max_members)
    write_tables(
        build_tables(runs, groups, datasets, study.directory), output or study.directory / "tables"
    )


def _grid(config: Path) -> tuple[StudyConfig, list[Run]]:
    study = load_config(config)
    return study, expand_grid(study, str(config))


@app.command()
@_plain_errors
def runs(config: ConfigFile = Path("config.yaml")) -> None:
    """List the runs of a study and the experiments that ask for them."""
    study, grid = _grid(config)
    for run in grid:
        typer.echo(f"{run.config.run_id}\t{','.join(run.experiments)}")
    groups = group_runs([run.config for run in grid], study.max_members)
    typer.echo(f"{len(grid)} runs in {len(groups)} training jobs, study {study.study!r}", err=True)


@app.command()
@_plain_errors
def train(
    output: Annotated[Path, typer.Option("--output", "-o", help="Directory for the run.")],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Parameter=value, as in config.yaml; may be repeated."),
    ] = None,
    root: Annotated[str | None, typer.Option(help="Data directory.")] = None,
    device: Device = "auto",
    threads: Annotated[int, typer.Option(min=1)] = 1,
) -> None:
    """Train one model by hand, with a live bar: --set n_z=10 --set objective=iwae --set k=5."""
    from vaestudy import jobs, progress
    from vaestudy.data import data_root, load_dataset

    run = parse_run({"dataset": "mnist-5k", **_assignments(set_ or [])}, "--set")
    chosen = _start(device, threads)
    dataset = load_dataset(run.dataset, data_root(root))
    progress.log_to(output / run.run_id / "train.log")
    with progress.bar_reporter(run.epochs) as on_epoch:
        jobs.train_group(
            [run], dataset, output, device=chosen, checkpoint_every=10, on_epoch=on_epoch
        )
    typer.echo(output / run.run_id)


def _assignments(items: list[str]) -> dict[str, Any]:
    malformed = [item for item in items if "=" not in item]
    if malformed:
        raise ConfigError(f"--set got {malformed[0]!r}; expected parameter=value")
    pairs = (item.split("=", 1) for item in items)
    return {name: yaml.safe_load(value) for name, value in pairs}


@app.command()
@_plain_errors
def schema(
    output: Annotated[Path | None, typer.Option(help="File; the terminal if none.")] = None,
) -> None:
    """Print the JSON schema of config.yaml."""
    text = yaml.safe_dump(StudyConfig.model_json_schema(), sort_keys=False, width=100)
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")


@app.command()
@_plain_errors
def resolve(
    values: Annotated[str, typer.Argument(help="The configuration as JSON.")],
    output: Annotated[Path, typer.Option(help="File to write.")],
) -> None:
    """Write a configuration that other commands read, after overrides."""
    from vaestudy.files import atomic_path

    parse_config(parsed := json.loads(values))
    with atomic_path(output) as temporary:
        temporary.write_text(yaml.safe_dump(parsed, sort_keys=False), encoding="utf-8")


@app.command()
@_plain_errors
def extract(
    evaluations: Annotated[list[Path], typer.Argument(help="Tables that evaluate-group wrote.")],
    output: Annotated[Path, typer.Option(help="CSV to write.")],
    run: Annotated[str | None, typer.Option(help="Only this run's rows.")] = None,
) -> None:
    """Put the measurements of some runs into one CSV."""
    import pandas as pd

    from vaestudy.files import write_csv

    table = pd.concat([pd.read_parquet(path) for path in evaluations], ignore_index=True)
    write_csv(output, table if run is None else table[table["run_id"] == run])


@app.command()
@_plain_errors
def chapter(
    notebook: Annotated[Path, typer.Argument(help="A chapter: notebooks/<chapter>.py.")],
    output: Annotated[Path, typer.Option(help="Executed notebook to write.")],
    log_notebook: Annotated[Path, typer.Option(help="Where a failed run can be read.")],
    config: ConfigFile = Path("config.yaml"),
) -> None:
    """Execute a chapter's notebook on a finished study."""
    from vaestudy.report.chapters import execute

    execute(notebook, output, log_notebook, {"config": str(config.resolve())})


@app.command()
@_plain_errors
def figure(
    name: Annotated[str, typer.Argument(help="A figure's name; --list prints them.")] = "",
    config: ConfigFile = Path("config.yaml"),
    output: Annotated[
        Path | None, typer.Option(help="File: .pdf, .png, .svg, or .csv for its data.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Print every figure's name.")] = False,
) -> None:
    """Draw one figure of the report from a finished study."""
    from vaestudy.figures import FIGURES, save_figure

    if list_:
        typer.echo("\n".join(FIGURES))
        return
    if name not in FIGURES or output is None:
        raise ConfigError(
            f"figure {name!r} with --output {output}: expected one of the figures "
            f"{', '.join(FIGURES)}, and a file to write"
        )
    from vaestudy.study import Study

    save_figure(FIGURES[name](Study.load(config)), output)


@app.command()
@_plain_errors
def report(
    notebooks: Annotated[list[Path], typer.Argument(help="Executed chapters, in order.")],
    html: Annotated[Path, typer.Option(help="HTML to write.")],
    pdf: Annotated[Path, typer.Option(help="PDF to write.")],
    config: ConfigFile = Path("config.yaml"),
    resources: Annotated[
        Path, typer.Option(help="Folder with references.bib and meta.yaml.")
    ] = Path("report"),
) -> None:
    """Put the executed chapters together to one HTML file and one PDF."""
    from vaestudy.report.build import build_report
    from vaestudy.report.front import front_page
    from vaestudy.study import Study

    build_report(notebooks, front_page(Study.load(config), resources), html, pdf, resources)


@app.command()
@_plain_errors
def where(config: ConfigFile = Path("config.yaml")) -> None:
    """Print where a study's report is."""
    directory = load_config(config).directory.resolve()
    for name in ("report.html", "report.pdf"):
        path = directory / name
        typer.echo(path if path.exists() else f"{path} (not made yet)")


if __name__ == "__main__":
    app()
