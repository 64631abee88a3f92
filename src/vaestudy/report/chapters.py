"""Chapters: notebooks kept as py:percent text, executed with papermill."""

from __future__ import annotations

import logging
import re
import shutil
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import papermill

from vaestudy.report.errors import ReportError

logger = logging.getLogger(__name__)

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


_PYTHON = {"display_name": "Python 3", "language": "python", "name": "python3"}


class ParameterError(ReportError):
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
    ReportError
        If a cell fails; its traceback goes to the log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    source = log.with_suffix(".source.ipynb")
    nbformat.write(_read(notebook), source)
    unknown = set(parameters) - set(papermill.inspect_notebook(source))
    if unknown:
        names = ", ".join(sorted(unknown))
        raise ParameterError(
            f"{notebook} declares no parameter {names}; it needs a cell "
            f"'# %% tags=[\"parameters\"]' that gives {names} a value, as docs/chapters.md shows"
        )
    try:
        papermill.execute_notebook(
            source,
            log,
            parameters,
            kernel_name="python3",
            progress_bar=False,
            cwd=Path.cwd(),
            # What the kernel says of its own ports is no matter of the report.
            extra_arguments=["--log-level=ERROR"],
        )
    except papermill.PapermillExecutionError as error:
        logger.info("%s", _COLOUR.sub("", str(error)))
        raise ReportError(
            f"chapter {notebook.stem}, cell {error.exec_count}: {error.ename}: {error.evalue}"
        ) from None
    source.unlink()
    shutil.copyfile(log, temporary := output.with_name(f".{output.name}"))
    temporary.replace(output)


def _read(notebook: Path) -> nbformat.NotebookNode:
    content: nbformat.NotebookNode = jupytext.read(notebook)
    # A script that names no kernel, and so no language, is Python's.
    content.metadata.setdefault("kernelspec", _PYTHON)
    for position, cell in enumerate(content.cells):
        # Jupytext makes random ids; these keep the executed notebook the same between repeats.
        cell["id"] = f"{notebook.stem}-{position}"
    return content
