"""The stages of a whole study, from the runs' files to its report: files in, files out.

Snakemake calls these and those of :mod:`vaestudy.cli.models`; they work by hand too.
"""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path
from typing import Annotated

import typer
import yaml

from vaestudy.cli.options import (
    Checkout,
    ConfigFile,
    LeftOut,
    LogFile,
    open_study,
    parse_json,
    plain_errors,
    read_grid,
    seen_from,
)
from vaestudy.config import parse_config
from vaestudy.groups import study_groups


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
    keep: Annotated[
        Path | None,
        typer.Option(help="CSV to put the verdicts into, in place of earlier ones."),
    ] = None,
    checkout: Checkout = Path(),
) -> None:
    """Decide the sources' claims from a finished study's tables.

    Prints them, and writes tables/claims.parquet and .csv. Verdicts put into
    docs/results/claims.csv are shown by the reports of studies with too few seeds for one.
    """
    from vaestudy.claims import judge_all, load_ledger, tabulate
    from vaestudy.claims.kept import keep_verdicts, kept_of, verdicts_of
    from vaestudy.claims.show import show
    from vaestudy.files import write_csv, write_parquet

    opened = open_study(study)
    table = tabulate(judge_all(load_ledger(ledger), opened))
    path = output or opened.config.directory / "tables" / "claims.parquet"
    write_parquet(path, table)
    write_csv(path.with_suffix(".csv"), table)
    with chdir(checkout):
        kept = kept_of(table)
    show(table, opened.config.study, kept)
    if keep is not None:
        verdicts = verdicts_of(table, opened)
        keep_verdicts(verdicts, keep)
        typer.echo(f"verdicts kept: {len(verdicts)} -> {keep}")


@plain_errors
def resolve(
    values: Annotated[str, typer.Argument(help="The configuration as JSON.")],
    output: Annotated[Path, typer.Option(help="File to write.")],
) -> None:
    """Write a configuration after overrides."""
    from vaestudy.files import atomic_path

    parse_config(parsed := parse_json(values, dict, "the configuration"))
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
    from vaestudy.tables import read_measurements

    table = pd.concat([read_measurements(path) for path in evaluations], ignore_index=True)
    write_csv(output, table if run is None else table[table["run_id"] == run])


@plain_errors
def chapter(
    notebook: Annotated[Path, typer.Argument(help="A chapter: notebooks/<chapter>.py.")],
    output: Annotated[Path, typer.Option(help="Executed notebook to write.")],
    log_notebook: Annotated[Path, typer.Option(help="Where a failed run can be read.")],
    config: ConfigFile = Path("config.yaml"),
    log: LogFile = None,
    checkout: Checkout = Path(),
) -> None:
    """Execute a chapter's notebook on a finished study."""
    from vaestudy import progress
    from vaestudy.report.chapters import ParameterError, execute
    from vaestudy.report.errors import ReportError

    progress.log_to(log)
    source, made, failed = (seen_from(checkout, p) for p in (notebook, output, log_notebook))
    parameters = {"config": str(config.resolve())}
    try:
        with chdir(checkout):  # what chapters read beside the study is told from there
            execute(source, made, failed, parameters)
    except ParameterError:
        raise  # before any cell ran: there is no traceback to point to
    except ReportError as error:
        raise ReportError(f"{error}; whole traceback in {log or log_notebook}") from None


@plain_errors
def report(
    notebooks: Annotated[list[Path], typer.Argument(help="Executed chapters, in order.")],
    html: Annotated[Path, typer.Option(help="HTML to write.")],
    pdf: Annotated[Path, typer.Option(help="PDF to write.")],
    config: ConfigFile = Path("config.yaml"),
    resources: Annotated[
        Path | None, typer.Option(help="Folder of meta.yaml; the checkout's report/ if none.")
    ] = None,
    left_out: LeftOut = None,
    checkout: Checkout = Path(),
) -> None:
    """Make one HTML and one PDF of the chapters."""
    from vaestudy.report.build import build_report
    from vaestudy.report.front import front_page
    from vaestudy.study import Study

    folder = checkout / "report" if resources is None else resources
    front = front_page(Study.load(config), folder)
    build_report(notebooks, front, html, pdf, folder, left_out or ())


COMMANDS = (aggregate, claims, resolve, extract, chapter, report)
