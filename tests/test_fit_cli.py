"""``vaestudy fit``: files of every kind in; a model, tables and a page out; errors for people."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from vaestudy import VAE
from vaestudy.cli import app
from vaestudy.fit.choices import Choices
from vaestudy.fit.files import read
from vaestudy.fit.texts import FileError
from vaestudy.likelihoods import LIKELIHOODS

RNG = np.random.default_rng(0)
QUICK = ("--set", "hidden=[8]", "--epochs", "3", "--device", "cpu")


def fit(path: Path, out: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["fit", str(path), "-o", str(out), *QUICK, *arguments])


def frame(n: int = 40) -> pd.DataFrame:
    x = RNG.normal(size=n)
    return pd.DataFrame(
        {
            "length": 100 * x,
            "width": x + RNG.normal(size=n),
            "open": x > 0,
            "kind": np.where(x > 1, "big", "small"),
            "name": [f"row {i}" for i in range(n)],
        }
    )


def test_a_csv_becomes_a_model_an_embedding_and_a_page(tmp_path: Path) -> None:
    path, out = tmp_path / "things.csv", tmp_path / "out"
    frame().to_csv(path, index=False)
    result = fit(path, out, "--color", "kind", "--drop", "name")
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(out / "report.html")
    embedding = pd.read_parquet(out / "embedding.parquet")
    assert list(embedding.columns) == ["row", "z0", "z1", "kind"]
    pd.testing.assert_frame_equal(embedding, pd.read_csv(out / "embedding.csv"), check_dtype=False)
    model = VAE.load(out / "model.safetensors", device="cpu")
    assert list(model.feature_names_in_) == ["length", "width", "open"]
    again = pd.read_csv(path)[["length", "width", "open"]].astype(float)
    np.testing.assert_allclose(model.transform(again), embedding[["z0", "z1"]], rtol=1e-9)
    facts = json.loads((out / "model.json").read_text())
    assert (facts["likelihood"], facts["n_rows"], facts["epochs_trained"]) == ("normal", 40, 3)
    held_out = model.history_.query("split == 'held-out' and metric == 'bound' and epoch > 0")
    assert facts["held_out_bound"] == pytest.approx(held_out["value"].max())


def test_the_page_stands_alone_and_shows_everything(tmp_path: Path) -> None:
    path, out = tmp_path / "a<b.csv", tmp_path / "out"
    frame().drop(columns=["name", "length"]).to_csv(path, index=False)
    result = fit(path, out, "--set", "likelihood=gaussian")
    assert result.exit_code == 0, result.output
    page = (out / "report.html").read_text(encoding="utf-8")
    assert re.findall(r"<h2>(.*?)</h2>", page)[:4] == [
        "Training", "Embedding", "Reconstructions", "Samples",
    ]  # fmt: skip
    assert page.count("<svg ") == page.count('role="img"') == 4
    assert "a&lt;b.csv" in page
    assert "Warning: likelihood is &#x27;gaussian&#x27;" in page
    assert "one column of 0 and 1 for each of 2 values" in page
    assert "has the columns <code>model.feature_names_in_</code>" in page
    # Names of namespaces and licences are not loaded.
    assert not re.search(r'(src|href)\s*=\s*"(?!#|data:)', page)
    assert not re.search(r"url\((?!#|data:)", page)


def test_the_help_names_every_likelihood() -> None:
    told = CliRunner().invoke(app, ["fit", "--help"]).stdout
    assert all(name in told for name in LIKELIHOODS)


def test_an_objective_and_its_parameter_are_set(tmp_path: Path) -> None:
    path, out = tmp_path / "x.csv", tmp_path / "out"
    frame().drop(columns="name").to_csv(path, index=False)
    options = ("objective=geometric-js", "js_skew=0.5", "weight_decay=0.1")
    result = fit(path, out, *(word for option in options for word in ("--set", option)))
    assert result.exit_code == 0, result.output
    said = json.loads((out / "model.json").read_text())["parameters"]
    assert (said["objective"], said["js_skew"], said["weight_decay"]) == ("geometric-js", 0.5, 0.1)


@pytest.mark.parametrize("latent", [1, 3])
def test_other_numbers_of_latent_dimensions(tmp_path: Path, latent: int) -> None:
    path, out = tmp_path / "x.parquet", tmp_path / "out"
    frame().drop(columns="name").to_parquet(path)
    assert fit(path, out, "--latent", str(latent)).exit_code == 0
    assert pd.read_csv(out / "embedding.csv").shape == (40, 1 + latent)


@pytest.mark.parametrize("column", ["kind", "width", "row", "z0"])
def test_colours_may_be_missing_and_bear_any_name(tmp_path: Path, column: str) -> None:
    """Of text and of numbers; a name of our own columns changes none of ours."""
    table, out = frame().drop(columns="name"), tmp_path / "out"
    table = table.rename(columns={"kind" if column in ("row", "z0") else column: column})
    table.loc[[2, 5], column] = None
    table.to_csv(tmp_path / "x.csv", index=False)
    result = fit(tmp_path / "x.csv", out, "--color", column)
    assert result.exit_code == 0, result.output
    embedding = pd.read_csv(out / "embedding.csv")
    mine = f"color {column}" if column in ("row", "z0") else column
    assert list(embedding.columns) == ["row", "z0", "z1", mine]
    assert embedding["row"].tolist() == list(range(40))
    assert embedding[mine].isna().sum() == 2


def test_a_long_column_is_of_one_type(tmp_path: Path) -> None:
    """Where only its end holds words, too: 0 is then the same word throughout."""
    kinds = [*(str(i % 3) for i in range(300_000)), "A7"]
    pd.DataFrame({"x": np.arange(300_001) / 7, "kind": kinds}).to_csv(
        tmp_path / "x.csv", index=False
    )
    found = read(tmp_path / "x.csv", Choices(color="kind"))
    assert found.color is not None
    assert set(found.color) == {"0", "1", "2", "A7"}


def test_text_becomes_columns_and_missing_rows_can_go(tmp_path: Path) -> None:
    table = frame().drop(columns="name")
    table.loc[3, "width"], table.loc[5, "kind"] = np.nan, None
    table.to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(FileError, match="2 of 40 rows miss values \\(in 'width', 'kind'\\)"):
        read(tmp_path / "x.csv", Choices())
    found = read(tmp_path / "x.csv", Choices(drop_missing=True))
    assert found.names == ["length", "width", "open", "kind=big", "kind=small"]
    assert len(found.data) == len(found.rows) == 38
    assert 3 not in found.rows
    np.testing.assert_array_equal(found.data["kind=big"] + found.data["kind=small"], 1)
    assert "2 rows with missing values are left out" in found.remarks


@pytest.mark.parametrize("decimal", [",", "."])
def test_a_table_as_spreadsheets_write_it(tmp_path: Path, decimal: str) -> None:
    path, numbers = tmp_path / "x.csv", frame()[["length", "width"]]
    numbers.to_csv(path, index=False, sep=";", decimal=decimal, encoding="utf-8-sig")
    found = read(path, Choices())
    assert found.names == ["length", "width"]
    np.testing.assert_allclose(found.data, numbers)
    assert "semicolons" in found.remarks[0]


def test_pandas_numbers_of_rows_are_left_out(tmp_path: Path) -> None:
    path, numbers = tmp_path / "x.csv", frame()[["length", "width"]]
    numbers.to_csv(path)
    found = read(path, Choices())
    assert found.names == ["length", "width"]
    assert "numbers the rows: left out" in found.remarks[0]


def test_whole_numbers_may_be_names(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    pd.DataFrame(RNG.normal(size=(9, 3))).to_csv(path, index=False)
    assert read(path, Choices()).names == ["0", "1", "2"]


def test_decimals_are_numbers_and_so_are_numbers_beside_a_hole(tmp_path: Path) -> None:
    path, prices = tmp_path / "x.parquet", [Decimal(n).scaleb(-2) for n in range(40)]
    table = frame()[["width"]].assign(price=prices, open=[True, None] * 20)
    table.to_parquet(path)
    found = read(path, Choices(drop_missing=True))
    assert found.names == ["width", "price", "open"]
    np.testing.assert_allclose(found.data["price"], np.arange(0, 40, 2) / 100)
    assert (found.data["open"] == 1).all()


def test_names_with_a_j_are_names(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    frame()[["width"]].assign(a=["j", "J"] * 20, b=["1j", "k2"] * 20).to_csv(path, index=False)
    assert read(path, Choices()).names == ["width", "a=J", "a=j", "b=1j", "b=k2"]


def test_what_a_fit_warned_of_is_said_once_and_in_the_page(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    path, out = tmp_path / "x.csv", tmp_path / "out"
    x = np.random.default_rng(0).normal(0.5, 0.3, (200, 3))
    pd.DataFrame(x, columns=list("abc")).to_csv(path, index=False)
    options = ("likelihood=gaussian", "patience=3", "validation_fraction=0.5", "epochs=8")
    result = fit(path, out, *(word for option in options for word in ("--set", option)))
    assert result.exit_code == 0, result.output
    assert not [w for w in recwarn if issubclass(w.category, UserWarning)]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("Warning: likelihood is &#x27;gaussian&#x27;") == 1
    assert "Warning: epochs=8 ran out" in page
    told = [line for line in result.stderr.splitlines() if line.startswith("warning: ")]
    assert len(told) == page.count("Warning: ")
    assert any(line.startswith("warning: likelihood is 'gaussian'") for line in told)
    assert any(line.startswith("warning: epochs=8 ran out") for line in told)


def test_numbers_with_exponents_are_numbers(tmp_path: Path) -> None:
    path, out = tmp_path / "x.csv", tmp_path / "out"
    frame()[["length", "width"]].to_csv(path, index=False)
    options = ("epochs=2e0", "validation_fraction=2e-1", "hidden=[1e1]", "learning_rate=1.5e-3")
    result = fit(path, out, *(word for option in options for word in ("--set", option)))
    assert result.exit_code == 0, result.output
    said = json.loads((out / "model.json").read_text())["parameters"]
    assert (said["epochs"], said["validation_fraction"], said["hidden"]) == (2, 0.2, [10])
    assert said["learning_rate"] == 0.0015
