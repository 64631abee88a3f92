# Where the checkout lies, and what of it rules read. No rules here.
import sys
from pathlib import Path

# The package of this checkout serves the workflow and its jobs, installed or not.
ROOT = Path(workflow.current_basedir.get_path_or_uri(False)).resolve().parents[1]
SOURCE = ROOT / "src"
sys.path.insert(0, SOURCE.as_posix())


def here(path):
    """A path of the checkout's, from wherever snakemake runs: relative to there if it lies beneath.

    In the checkout itself it is as short as in the records of finished jobs, which stay valid.
    """
    whole = ROOT / path
    beneath = whole.is_relative_to(Path.cwd())
    return (whole.relative_to(Path.cwd()) if beneath else whole).as_posix()


PACKAGE = "src/vaestudy"


def sources(*names):
    """Files of the package as inputs: an edit reruns what depends on them, a touch does not."""
    return [here(f"{PACKAGE}/{name}") for name in names]


def files_in(folder, names="*"):
    """All files beneath a folder of the checkout, or those by a pattern of names."""
    found = sorted((ROOT / folder).rglob(names))
    return [here(path) for path in found if path.is_file()]


def package(folder, names="*.py"):
    """All source files of a subpackage, or its other files by a pattern of names."""
    return files_in(f"{PACKAGE}/{folder}", names)
