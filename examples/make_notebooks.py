"""Execute the examples and write them as notebooks beside them: ``make examples``.

With names as arguments, only these: ``python examples/make_notebooks.py wine``.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import papermill

HERE = Path(__file__).parent


def scripts() -> list[Path]:
    """Return the examples."""
    return sorted(path for path in HERE.glob("*.py") if path.name != Path(__file__).name)


def unexecuted(script: Path) -> Any:
    """Return an example's cells as a notebook without outputs."""
    notebook = jupytext.read(script)
    for position, cell in enumerate(notebook.cells):
        # Jupytext makes random ids: these keep a notebook the same where nothing has changed.
        cell["id"] = f"{script.stem}-{position}"
        cell["metadata"] = {}
    notebook.metadata.clear()
    notebook.metadata["kernelspec"] = {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    }
    return notebook


def execute(notebook: Any) -> Any:
    """Return the notebook with its outputs, and without times and places of the run."""
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder) / "source.ipynb", Path(folder) / "output.ipynb"
        nbformat.write(notebook, source)
        papermill.execute_notebook(
            source, output, kernel_name="python3", progress_bar=False, cwd=folder
        )
        executed = nbformat.read(output, as_version=4)
    executed.metadata.pop("papermill", None)
    for cell in executed.cells:
        cell["metadata"] = {}
        if cell.cell_type == "code":
            cell["outputs"] = _joined(cell.outputs)
    language = executed.metadata.get("language_info", {})
    executed.metadata["language_info"] = {"name": language.get("name", "python")}
    return executed


def _joined(outputs: list[Any]) -> list[Any]:
    """Join what was printed in several pieces: how many they are is chance."""
    joined: list[Any] = []
    for output in outputs:
        last = joined[-1] if joined else {}
        if output.get("name") is not None and output.get("name") == last.get("name"):
            last["text"] += output["text"]
        else:
            joined.append(output)
    return joined


def main() -> None:
    """Write the notebooks."""
    for script in scripts():
        if sys.argv[1:] and script.stem not in sys.argv[1:]:
            continue
        notebook = execute(unexecuted(script))
        nbformat.write(notebook, script.with_suffix(".ipynb"))
        print(f"{script.with_suffix('.ipynb')}: {len(nbformat.writes(notebook)) // 1000} kB")


if __name__ == "__main__":
    main()
