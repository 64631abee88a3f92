"""What the documentation shows runs as it stands, and the examples' notebooks are their scripts."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
MAKER = EXAMPLES / "make_notebooks.py"
SCRIPTS = sorted(path for path in EXAMPLES.glob("*.py") if path != MAKER)
each_script = pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.stem)


def test_the_readme_fits_wines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    found: dict[str, object] = {}
    exec(block, found)
    assert np.shape(found["codes"]) == (178, 2)
    assert np.isfinite(found["filled"]).all()
    assert (tmp_path / "wine.safetensors").exists()


@pytest.mark.slow
@each_script
@pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")
def test_examples_run(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with mpl.rc_context({"backend": "agg"}):
        runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out


@each_script
def test_a_notebook_is_its_script(path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    maker = runpy.run_path(str(MAKER), run_name="maker")
    script = maker["unexecuted"](path)
    notebook = nbformat.read(path.with_suffix(".ipynb"), as_version=4)
    nbformat.validate(notebook)
    cells = [[(c.cell_type, c.source) for c in book.cells] for book in (script, notebook)]
    assert cells[0] == cells[1], "the script has changed: make examples"


@each_script
def test_a_notebook_shows_what_it_printed_and_drew(path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    file = path.with_suffix(".ipynb")
    code = [c for c in nbformat.read(file, as_version=4).cells if c.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert {output.output_type for output in outputs} == {"stream", "display_data"}
    assert {output.get("name", "stdout") for output in outputs} == {"stdout"}
    assert any("image/png" in output.get("data", {}) for output in outputs)
    text = file.read_text(encoding="utf-8")
    assert len(text) < 300_000
    assert not re.search(r"site-packages|ipykernel_|[\"' (]/(home|root|tmp|work|usr|Users)/", text)


def test_every_notebook_has_a_script_and_is_linked() -> None:
    notebooks = {path.stem for path in EXAMPLES.glob("*.ipynb")}
    assert notebooks == {path.stem for path in SCRIPTS}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert notebooks == set(re.findall(r"\(examples/(\w+)\.ipynb\)", readme))
