"""The stages of the workflow: files in, files out. Snakemake calls these; they work by hand too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from vaestudy.cli.options import (
    CheckpointEvery,
    Compile,
    Components,
    ConfigFile,
    DataDirectory,
    Device,
    LeftOut,
    LogFile,
    OwnFile,
    Prepared,
    Runs,
    RunsDir,
    Threads,
    open_study,
    parse_examinations,
    parse_own,
    parse_runs,
    plain_errors,
    read_grid,
    start_job,
)
from vaestudy.config import parse_config
from vaestudy.groups import study_groups


@plain_errors
def data(
    name: Annotated[str, typer.Argument(help="What `dataset` may be, e.g. mnist.")],
    output: Annotated[Path, typer.Option(help="File to write.")],
    root: DataDirectory = None,
    own: OwnFile = None,
) -> None:
    """Get and verify a data set.

    It is downloaded if need be, and written as one file.
    """
    from vaestudy.data import data_root, load_dataset, save_prepared
    from vaestudy.own_dataset import load_own

    dataset = load_dataset(name, data_root(root)) if own is None else load_own(parse_own(own))
    save_prepared(dataset, output)
    typer.echo(f"{name}: {len(dataset.train):,} train, {len(dataset.test):,} test -> {output}")


@plain_errors
def train_group(
    runs: Runs,
    data: Prepared,
    runs_dir: RunsDir,
    output: Annotated[Path, typer.Option(help="Written when all runs are trained.")],
    device: Device = "auto",
    threads: Threads = 1,
    checkpoint_every: CheckpointEvery = 10,
    compile_: Compile = "auto",
    log: LogFile = None,
    log_steps: Annotated[int, typer.Option(min=0, help="Log each of so many first steps.")] = 0,
) -> None:
    """Train a group of runs; what was interrupted resumes."""
    from vaestudy import jobs, progress
    from vaestudy.data import load_prepared
    from vaestudy.files import write_json

    progress.log_to(log)
    members = parse_runs(runs)
    records = jobs.train_group(
        members,
        load_prepared(data),
        runs_dir,
        device=start_job(device, threads),
        checkpoint_every=checkpoint_every,
        compile_policy=compile_,
        on_epoch=progress.line_reporter(output.parent.name),
        log_steps=log_steps,
    )
    write_json(output, {"runs": [_reproducible(record) for record in records]})


def _reproducible(record: dict[str, Any]) -> dict[str, Any]:
    return {key: record[key] for key in ("run_id", "status", "engine", "data_sha256")}


@plain_errors
def evaluate_group(
    runs: Runs,
    data: Prepared,
    runs_dir: RunsDir,
    output: Annotated[Path, typer.Option(help="Table to write (Parquet).")],
    n_samples: Annotated[int, typer.Option(min=1, help="Importance samples an image.")] = 5000,
    threshold: Annotated[float, typer.Option(help="Activity of an active unit.")] = 0.01,
    gradient_draws: Annotated[
        int, typer.Option(min=0, help="Gradients in their signal-to-noise ratio; 0: not measured.")
    ] = 0,
    principal_components: Components = False,
    device: Device = "auto",
    threads: Threads = 1,
    compile_: Compile = "auto",
    log: LogFile = None,
) -> None:
    """Measure trained runs on the test set.

    Log-likelihood, bounds, active units and more, as one table.
    """
    from vaestudy import measure, progress
    from vaestudy.data import load_prepared
    from vaestudy.files import write_parquet

    progress.log_to(log)
    table = measure.measure_group(
        parse_runs(runs),
        load_prepared(data),
        runs_dir,
        device=start_job(device, threads),
        n_samples=n_samples,
        threshold=threshold,
        gradient_draws=gradient_draws,
        components=principal_components,
        compile_policy=compile_,
    )
    write_parquet(output, table)


@plain_errors
def classifier(
    data: Prepared,
    output: Annotated[Path, typer.Option(help="File to write.")],
    threads: Threads = 1,
    log: LogFile = None,
) -> None:
    """Train the classifier that judges a data set's samples.

    Always on the CPU, whatever device the models are on. Prints its accuracy on test images.
    """
    from vaestudy import progress
    from vaestudy.classifier import save_classifier, train_classifier
    from vaestudy.data import load_prepared

    progress.log_to(log)
    start_job("cpu", threads)
    dataset = load_prepared(data)
    trained, accuracy = train_classifier(dataset)
    save_classifier(trained, accuracy, dataset, output)
    typer.echo(f"{dataset.name}: accuracy {accuracy.grey:.4f} grey, {accuracy.binary:.4f} binary")


@plain_errors
def examine_group(
    runs: Runs,
    examinations: Annotated[
        str, typer.Option(help="What each run is examined for: a JSON object by run id.")
    ],
    data: Prepared,
    runs_dir: RunsDir,
    output: Annotated[Path, typer.Option(help="Table to write (Parquet).")],
    classifier: Annotated[
        Path | None, typer.Option(help="A file made by `vaestudy classifier`, for quality.")
    ] = None,
    n_samples: Annotated[int, typer.Option(min=1, help="Importance samples an image.")] = 5000,
    device: Device = "auto",
    threads: Threads = 1,
    log: LogFile = None,
) -> None:
    """Examine trained runs by the slower estimators.

    Annealed log-likelihood, gaps, information, quality of samples, as one table.
    """
    from vaestudy import examine, progress
    from vaestudy.data import load_prepared
    from vaestudy.files import write_parquet

    progress.log_to(log)
    table = examine.examine_group(
        parse_runs(runs),
        parse_examinations(examinations),
        load_prepared(data),
        runs_dir,
        classifier=classifier,
        n_samples=n_samples,
        device=start_job(device, threads),
    )
    write_parquet(output, table)


@plain_errors
def aggregate(
    config: ConfigFile = Path("config.yaml"),
    output: Annotated[
        Path | None, typer.Option(help="Directory of tables; the study's if none.")
    ] = None,
    log: LogFile = None,
) -> None:
    """Put all runs' files into the study's tables."""
    from vaestudy import progress
    from vaestudy.data import load_prepared
    from vaestudy.tables import build_tables, write_tables

    progress.log_to(log)
    study, runs = read_grid(config)
    names = dict.fromkeys(run.config.dataset for run in runs)
    datasets = [load_prepared(study.directory / "data" / f"{n}.safetensors") for n in names]
    groups = study_groups(study, runs)
    examined = {g.group_id for g in groups if any(map(study.examination_of, g.runs))}
    logged = {run.config.run_id: study.log_steps_of(run.experiments) for run in runs}
    tables = build_tables(runs, groups, datasets, study.directory, examined, logged)
    write_tables(tables, output or study.directory / "tables")


@plain_errors
def claims(
    study: Annotated[
        Path, typer.Argument(help="A study's configuration, or its directory of results.")
    ] = Path("config.yaml"),
    ledger: Annotated[Path, typer.Option(help="The claims.")] = Path("report/claims.yaml"),
    output: Annotated[
        Path | None,
        typer.Option(help="Table to write (Parquet); the study's if none."),
    ] = None,
) -> None:
    """Decide the sources' claims from a finished study's tables.

    Prints them, and writes tables/claims.parquet and .csv.
    """
    from vaestudy.claims import judge_all, load_ledger, tabulate
    from vaestudy.claims.show import show
    from vaestudy.files import write_csv, write_parquet

    opened = open_study(study)
    table = tabulate(judge_all(load_ledger(ledger), opened))
    path = output or opened.config.directory / "tables" / "claims.parquet"
    write_parquet(path, table)
    write_csv(path.with_suffix(".csv"), table)
    show(table, opened.config.study)


@plain_errors
def resolve(
    values: Annotated[str, typer.Argument(help="The configuration as JSON.")],
    output: Annotated[Path, typer.Option(help="File to write.")],
) -> None:
    """Write a configuration after overrides."""
    from vaestudy.files import atomic_path

    parse_config(parsed := json.loads(values))
    with atomic_path(output) as temporary:
        temporary.write_text(yaml.safe_dump(parsed, sort_keys=False), encoding="utf-8")


@plain_errors
def extract(
    evaluations: Annotated[list[Path], typer.Argument(help="Tables that evaluate-group wrote.")],
    output: Annotated[Path, typer.Option(help="CSV to write.")],
    run: Annotated[str | None, typer.Option(help="Only this run's rows.")] = None,
) -> None:
    """Put some runs' measurements into one CSV."""
    import pandas as pd

    from vaestudy.files import write_csv

    table = pd.concat([pd.read_parquet(path) for path in evaluations], ignore_index=True)
    write_csv(output, table if run is None else table[table["run_id"] == run])


@plain_errors
def chapter(
    notebook: Annotated[Path, typer.Argument(help="A chapter: notebooks/<chapter>.py.")],
    output: Annotated[Path, typer.Option(help="Executed notebook to write.")],
    log_notebook: Annotated[Path, typer.Option(help="Where a failed run can be read.")],
    config: ConfigFile = Path("config.yaml"),
) -> None:
    """Execute a chapter's notebook on a finished study."""
    from vaestudy.report.chapters import execute

    execute(notebook, output, log_notebook, {"config": str(config.resolve())})


@plain_errors
def report(
    notebooks: Annotated[list[Path], typer.Argument(help="Executed chapters, in order.")],
    html: Annotated[Path, typer.Option(help="HTML to write.")],
    pdf: Annotated[Path, typer.Option(help="PDF to write.")],
    config: ConfigFile = Path("config.yaml"),
    resources: Annotated[Path, typer.Option(help="Folder of meta.yaml.")] = Path("report"),
    left_out: LeftOut = None,
) -> None:
    """Make one HTML and one PDF of the chapters."""
    from vaestudy.report.build import build_report
    from vaestudy.report.front import front_page
    from vaestudy.study import Study

    front = front_page(Study.load(config), resources)
    build_report(notebooks, front, html, pdf, resources, left_out or ())


COMMANDS = (
    data, classifier, train_group, evaluate_group, examine_group, aggregate, claims, resolve,
    extract, chapter, report
)  # fmt: skip
