"""The stages that make and measure models, a group of runs at a time: files in, files out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from vaestudy.cli.options import (
    CheckpointEvery,
    Compile,
    DataDirectory,
    Device,
    LogFile,
    OwnFile,
    Prepared,
    Runs,
    RunsDir,
    Threads,
    parse_by_run,
    parse_own,
    parse_runs,
    plain_errors,
    results_in,
    start_job,
)
from vaestudy.examination import Examination
from vaestudy.study_parts import Further


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

    with results_in(output.parent):
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
    further: Annotated[
        str, typer.Option(help="What is measured besides, by run: a JSON object of objects.")
    ] = "{}",
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
        further=parse_by_run(further, Further, "--further"),
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
    from vaestudy.dataset import DataError

    progress.log_to(log)
    start_job("cpu", threads)
    dataset = load_prepared(data)
    if not (dataset.is_grey and dataset.of_images):
        raise DataError(
            f"{data} holds {dataset.name}, a table of numbers; expected images with intensities "
            "0..255, as the classifier is one of images: a table needs none"
        )
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
        parse_by_run(examinations, Examination, "--examinations"),
        load_prepared(data),
        runs_dir,
        classifier=classifier,
        n_samples=n_samples,
        device=start_job(device, threads),
    )
    write_parquet(output, table)


COMMANDS = (data, classifier, train_group, evaluate_group, examine_group)
