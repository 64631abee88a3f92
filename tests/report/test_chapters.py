"""A chapter that fails says so in one line, and its log the rest."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from vaestudy.cli import app

BAD = """# %% tags=["parameters"]
config = "study.yaml"

# %%
{"a": 1}["b"]
"""


def test_a_cell_that_fails_is_one_message(tmp_path: Path) -> None:
    notebook, log = tmp_path / "03-bad.py", tmp_path / "bad.log"
    notebook.write_text(BAD, encoding="utf-8")
    output, executed = tmp_path / "out.ipynb", tmp_path / "log.ipynb"
    arguments = ["--output", output, "--log-notebook", executed, "--log", log]
    result = CliRunner().invoke(app, ["chapter", str(notebook), *map(str, arguments)])
    assert result.exit_code == 1
    told = f"error: chapter 03-bad, cell 3: KeyError: 'b'; whole traceback in {log}"
    assert told in result.output
    assert "Traceback" not in result.output
    assert "\n----> 1 {" in log.read_text(encoding="utf-8")
    assert executed.exists()
    assert not output.exists()


def test_a_chapter_without_parameters_is_told_what_it_needs(tmp_path: Path) -> None:
    notebook = tmp_path / "03-bare.py"
    notebook.write_text("# %%\nprint(1)\n", encoding="utf-8")
    arguments = ["--output", tmp_path / "out.ipynb", "--log-notebook", tmp_path / "log.ipynb"]
    result = CliRunner().invoke(app, ["chapter", str(notebook), *map(str, arguments)])
    assert result.exit_code == 1
    told = f"error: {notebook} declares no parameter config; it needs a cell '# %% tags="
    assert told in result.output
    assert "docs/chapters.md" in result.output
    assert "traceback" not in result.output
