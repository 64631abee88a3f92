"""Every file that decides a stage's numbers is an input of its rule, so that an edit repeats it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from vaestudy.engine import ENGINE_FILES

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "vaestudy"
RULES = ROOT / "workflow" / "rules"

#: What a configuration may say, which rules have as parameters.
SETTINGS = {
    *("config.py", "config_errors.py", "parameters.py", "run_config.py", "study_parts.py"),
    *("label_parameters.py", "objective_parameters.py", "dataset_names.py", "examination.py"),
    *("measurable.py", "own_data.py", "base_chapters.py", "source_chapters.py"),
}
#: Files that are read and written, and how it is told where they are.
FILES = {
    *("files.py", "tensorfile.py", "run_files.py", "checkpoint.py", "dataset.py", "engine.py"),
    *("libraries.py", "estimator/warning.py"),
}
#: What the dataset rule makes; the others have its output as an input.
DATA = {
    *("data.py", "subset.py", "toys.py", "idx.py", "own_dataset.py", "own_values.py"),
    *("estimator/support.py", "estimator/inputs.py", "estimator/rows.py", "estimator/tables.py"),
    *("fit/__init__.py", "fit/choices.py", "fit/columns.py", "fit/files.py", "fit/sizes.py"),
    "fit/texts.py",
}
#: Of the dataset rule: words of messages, and how the estimator, which it is not, reads arrays.
NOT_OF_STUDIES = {
    *("fit/__init__.py", "fit/choices.py", "fit/sizes.py"),
    *("estimator/inputs.py", "estimator/rows.py", "estimator/tables.py"),
}


def imported(file: Path) -> set[Path]:
    """Return the package's files that one imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "vaestudy":
            place = PACKAGE.joinpath(*(node.module or "").split(".")[1:])
            for path in (place, *(place / name.name for name in node.names)):
                found |= {path.with_suffix(".py"), path / "__init__.py"}
    # The package's own __init__ imports what is asked for only.
    return {path for path in found if path.is_file()} - {PACKAGE / "__init__.py"}


def closure(start: str) -> set[str]:
    """Return all files of the package that one needs, itself included."""
    seen: set[Path] = set()
    todo = {PACKAGE / start}
    while todo:
        seen |= todo
        todo = set().union(*(imported(file) for file in todo)) - seen
    return {path.relative_to(PACKAGE).as_posix() for path in seen}


@pytest.mark.parametrize(
    ("rule", "start", "others"),
    [
        ("evaluate", "measure.py", DATA),
        ("examine", "examine.py", DATA),
        ("data", "data.py", NOT_OF_STUDIES),
    ],
)
def test_a_rule_names_what_decides_its_numbers(rule: str, start: str, others: set[str]) -> None:
    text = (RULES / f"{rule}.smk").read_text(encoding="utf-8")
    named = set(re.findall(r'"([\w/]+\.py)"', text))
    assert named <= {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py")}
    known = named | set(ENGINE_FILES) | SETTINGS | FILES | others
    assert closure(start) - known == set()
