"""Commands for people: look at a study, train one model by hand, draw one figure."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml
from pydantic import BaseModel

from vaestudy.cli.options import (
    Checkout,
    Compile,
    ConfigFile,
    DataDirectory,
    Device,
    Threads,
    assignments,
    open_study,
    plain_errors,
    read_grid,
    results_in,
    start_job,
)
from vaestudy.config import RunConfig, StudyConfig, load_config, parse_run
from vaestudy.config_errors import ConfigError
from vaestudy.groups import study_groups
from vaestudy.own_data import OwnData, check_own, name_own_data

if TYPE_CHECKING:
    from vaestudy.dataset import Dataset

_PARAMETERS = ", ".join(RunConfig.model_fields)


@plain_errors
def train(
    output: Annotated[Path, typer.Option("--output", "-o", help="Directory for the run.")],
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PARAMETER=VALUE",
            help=f"As under `base` in config.yaml; may be repeated. Parameters: {_PARAMETERS}.",
        ),
    ] = None,
    root: DataDirectory = None,
    device: Device = "auto",
    threads: Threads = 1,
    compile_: Compile = "auto",
) -> None:
    """Train one model by hand, with a live bar.

    vaestudy train -o my-models --set n_z=10 --set objective=iwae --set k=5 --set epochs=50
    """
    from vaestudy import jobs, progress

    values = name_own_data({"dataset": "mnist-5k", **assignments(set_ or [])}, "--set")
    own = values.pop("own_data", {})
    run = parse_run(values, "--set")
    check_own(run.dataset, own, "--set")
    chosen = start_job(device, threads)
    with results_in(output):
        dataset = _dataset_of(run, own, root)
        progress.log_to(output / run.run_id / "train.log", of_job=False)
        with progress.bar_reporter(run.epochs) as on_epoch:
            jobs.train_group(
                [run],
                dataset,
                output,
                device=chosen,
                checkpoint_every=10,
                compile_policy=compile_,
                on_epoch=on_epoch,
            )
    typer.echo(output / run.run_id)


def _dataset_of(run: RunConfig, own: Mapping[str, Any], root: str | None) -> Dataset:
    from vaestudy.data import data_root, load_dataset
    from vaestudy.own_dataset import check_fits, load_own

    if not own:
        return load_dataset(run.dataset, data_root(root))
    dataset = load_own(OwnData.model_validate(own[run.dataset]))
    check_fits(run, dataset)
    return dataset


@plain_errors
def runs(config: ConfigFile = Path("config.yaml")) -> None:
    """List a study's runs: name, experiments, settings.

    Settings are those that set a run apart from the base model, as `train --set` takes them.
    """
    study, grid = read_grid(config)
    base = study.base.model_dump(mode="json")
    for run in grid:
        values = run.config.model_dump(mode="json")
        apart = {name: value for name, value in values.items() if base.get(name) != value}
        levels = " ".join(f"{name}={_as_set(value)}" for name, value in apart.items())
        typer.echo(f"{run.config.run_id}\t{','.join(run.experiments)}\t{levels}")
    groups = study_groups(study, grid)
    typer.echo(f"{len(grid)} runs in {len(groups)} training jobs, study {study.study!r}", err=True)


def _as_set(value: Any) -> str:
    """Return a parameter as ``vaestudy train --set`` takes it."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


@plain_errors
def figure(
    name: Annotated[str, typer.Argument(help="A figure's name; --list prints them.")] = "",
    config: ConfigFile = Path("config.yaml"),
    output: Annotated[
        Path | None, typer.Option(help="File: .pdf, .png, .svg, or .csv for its data.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Print every figure's name.")] = False,
    checkout: Checkout = Path(),
) -> None:
    """Draw one figure of a finished study."""
    from vaestudy.figures import FIGURES, save_figure

    if list_:
        typer.echo("\n".join(FIGURES))
        return
    if name not in FIGURES or output is None:
        raise ConfigError(
            f"figure {name!r} with --output {output}: expected one of the figures "
            f"{', '.join(FIGURES)}, and a file to write"
        )
    from vaestudy.figures.style import style
    from vaestudy.study import Study

    style()
    study = Study.load(config)
    with chdir(checkout):  # published figures are told from there
        drawing = FIGURES[name](study)
    save_figure(drawing, output)


@plain_errors
def schema(
    output: Annotated[Path | None, typer.Option(help="File; the terminal if none.")] = None,
    claims: Annotated[bool, typer.Option("--claims", help="That of report/claims.yaml.")] = False,
) -> None:
    """Print the JSON schema of config.yaml, or of the claims."""
    model: type[BaseModel] = StudyConfig
    if claims:
        from vaestudy.claims import Ledger

        model = Ledger
    text = yaml.safe_dump(model.model_json_schema(), sort_keys=False, width=100)
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")


@plain_errors
def where(config: ConfigFile = Path("config.yaml")) -> None:
    """Print where a study's report is."""
    directory = load_config(config).directory.resolve()
    for name in ("report.html", "report.pdf"):
        path = directory / name
        typer.echo(path if path.exists() else f"{path} (not made yet)")


@plain_errors
def published(
    config: Annotated[
        Path, typer.Option(help="The study's configuration, or its directory of results.")
    ] = Path("configs/burda.yaml"),
    output: Annotated[
        Path, typer.Option(help="CSV to write; a Markdown table is written beside it.")
    ] = Path("docs/results/burda.csv"),
) -> None:
    """Put published figures beside a study's runs.

    The study is finished, and has runs of the published protocol. Runs of others that the file
    holds already stay in it, but for those of the same model, length and schedule. Reports show the
    table that this writes where their own study has no such runs.
    """
    from vaestudy.figures.published_data import (
        compare,
        keep_earlier,
        read_published,
        read_results,
    )
    from vaestudy.figures.published_table import write_comparison

    study = open_study(config)
    table = compare(study, read_published())
    if table["nll"].isna().all():
        raise ConfigError(
            f"{study.config.study!r} has no finished run of the published protocol; expected some "
            "of configs/burda.yaml: train those first"
        )
    trained = table["nll"].notna().sum()
    earlier = read_results(output)
    write_comparison(table if earlier is None else keep_earlier(table, earlier), output)
    typer.echo(f"{trained} of {len(table)} models -> {output}")


COMMANDS = (train, runs, figure, schema, where, published)
