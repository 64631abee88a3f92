"""``vaestudy fit``: one clear error for what cannot be fitted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from vaestudy.cli import app

RNG = np.random.default_rng(0)
QUICK = ("--set", "hidden=[8]", "--epochs", "3", "--device", "cpu")
X = RNG.normal(size=40)
TABLE = pd.DataFrame({"length": 100 * X, "width": X, "kind": np.where(X > 1, "big", "small")})
#: Tables, and texts and bytes of a file, by what is wrong with them.
TABLES = {
    "text": TABLE.assign(name=[f"row {i}" for i in range(len(X))]),
    "infinite": TABLE.assign(width=np.inf),
    "one": TABLE[:1],
    "grey": TABLE[["length"]],
    "complex": TABLE.assign(z=["1+2j", "3"] * 20),
}
CONTENT = {
    "empty.csv": b"",
    "latin.csv": "na\u00efve\n1\n".encode("latin-1"),
    "short.csv": b"a,b\n1,2,3\n4,5,6\n",
    "header.csv": b"a,b\n",
    "ragged.csv": b"a,b\n1,2\n1,2,3\n",
    "suffix.xlsx": b"?",
    "no-array.npy": b"length\n1\n",
    "broken/a.png": b"no image",
}


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of files and folders that cannot be fitted."""
    folder = tmp_path_factory.mktemp("bad")
    for name in ("folder", "broken", "deep"):
        (folder / name).mkdir()
    for name, table in TABLES.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)
    TABLE[["length", "width"]].to_csv(folder / "nameless.csv", index=False, header=False)
    TABLE.assign(parts=[[1.0, 2.0]] * len(X)).to_parquet(folder / "lists.parquet")
    np.save(folder / "objects.npy", np.array([{}, {}], dtype=object), allow_pickle=True)
    np.save(folder / "vector.npy", np.arange(9.0))
    np.save(folder / "cut.npy", RNG.normal(size=(50, 4)))
    (folder / "cut.npy").write_bytes((folder / "cut.npy").read_bytes()[:-900])
    Image.fromarray(np.full((4, 4), 40_000, np.uint16)).save(folder / "deep" / "a.png")
    return folder


@pytest.mark.parametrize(
    ("name", "message", "arguments"),
    [
        ("text.csv", "column 'name' holds str with 40 different values", ()),
        ("infinite.csv", "column 'width' holds infinity", ()),
        ("one.csv", "1 sample", ()),
        ("empty.csv", "is empty", ()),
        ("header.csv", "names of columns and no row", ()),
        ("latin.csv", "save it in UTF-8", ()),
        ("nameless.csv", "put a line of names above it", ()),
        ("short.csv", "rows have more values than the first line has names", ()),
        ("no-array.npy", "expected what numpy.save writes", ()),
        ("ragged.csv", "cannot be read as CSV", ()),
        ("grey.csv", "expected values in [0, 1]", ("--likelihood", "bernoulli")),
        ("grey.csv", "no column 'species'; it has 'length'", ("--color", "species")),
        ("grey.csv", "no column left to fit", ("--drop", "length")),
        ("grey.csv", "likelihood is 'cauchy'; expected one of auto", ("--likelihood", "cauchy")),
        ("grey.csv", "--set n_zz: unknown parameter; did you mean n_z?", ("--set", "n_zz=1")),
        ("grey.csv", "learning_rate: got -1", ("--set", "learning_rate=-1")),
        ("objects.npy", "cannot be read as an array of numbers", ()),
        ("cut.npy", "cannot be read as an array of numbers", ()),
        ("vector.npy", "of shape (9,); expected numbers of shape (rows, features)", ()),
        ("folder", "holds no image", ()),
        ("broken", "cannot be read as an image", ()),
        ("deep", "more than 8 bits a pixel", ()),
        ("lists.parquet", "column 'parts' holds several values a row, such as '[1. 2.]'", ()),
        ("complex.csv", "column 'z' holds complex numbers, such as '1+2j'; expected real", ()),
        ("grey.csv", "--size resizes the images of a folder, and", ("--size", "8")),
        ("suffix.xlsx", "ends in '.xlsx'; expected .csv, .tsv, .parquet, .npy", ()),
        ("absent.csv", "does not exist", ()),
    ],
)
def test_what_cannot_be_fitted_is_one_clear_error(
    bad: Path, tmp_path: Path, name: str, message: str, arguments: tuple[str, ...]
) -> None:
    said = ["fit", str(bad / name), "-o", str(tmp_path / "out"), *QUICK, *arguments]
    result = CliRunner().invoke(app, said)
    assert result.exit_code == 1
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "out" / "report.html").exists()
