"""Chapters: notebooks kept as py:percent text, executed with papermill."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import papermill


class ParameterError(ValueError):
    """A notebook was given a parameter that it does not declare."""


def execute(notebook: Path, output: Path, log: Path, parameters: dict[str, Any]) -> None:
    """Execute a chapter; ``output`` appears only if every cell ran.

    Parameters
    ----------
    notebook
        A py:percent notebook with a cell tagged ``parameters``.
    output
        The executed notebook.
    log
        The notebook as far as it ran: after a failure it shows the cell and its error.
    parameters
        Replace the values in the parameters cell.

    Raises
    ------
    ParameterError
        For a parameter that the notebook does not declare; papermill would take it in silence.
    papermill.PapermillExecutionError
        If a cell fails.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    source = log.with_suffix(".source.ipynb")
    nbformat.write(_read(notebook), source)
    unknown = set(parameters) - set(papermill.inspect_notebook(source))
    if unknown:
        raise ParameterError(f"{notebook} declares no parameter {', '.join(sorted(unknown))}")
    papermill.execute_notebook(
        source, log, parameters, kernel_name="python3", progress_bar=False, cwd=Path.cwd()
    )
    source.unlink()
    shutil.copyfile(log, temporary := output.with_name(f".{output.name}"))
    temporary.replace(output)


def _read(notebook: Path) -> nbformat.NotebookNode:
    content: nbformat.NotebookNode = jupytext.read(notebook)
    for position, cell in enumerate(content.cells):
        # Jupytext makes random ids; these keep the executed notebook the same between repeats.
        cell["id"] = f"{notebook.stem}-{position}"
    return content
