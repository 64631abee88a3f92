"""The command line: one command a stage of the workflow, and a few for people."""

from __future__ import annotations

from typing import Annotated

import typer

from vaestudy import __version__
from vaestudy.cli import fit, models, people, stages

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)


@app.callback(invoke_without_command=True)
def main(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Study variational autoencoders: train, measure, report.

    `snakemake` runs a whole study and calls these commands, one a stage; `fit`,
    `train`, `runs`, `figure`, `schema`, `where` and `published` are for people.
    """
    if version:
        typer.echo(__version__)
        raise typer.Exit


for command in (fit.fit, *people.COMMANDS, *models.COMMANDS, *stages.COMMANDS):
    app.command()(command)
