"""Columns of few values among continuous ones: found, and warned of where variances are learned."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from vaestudy import VAE
from vaestudy.cli import app
from vaestudy.estimator.mixed import MOST_VALUES, few_valued
from vaestudy.estimator.support import LikelihoodWarning

RNG = np.random.default_rng(0)


def table(n: int = 100) -> pd.DataFrame:
    x = RNG.normal(size=(n, 2))
    rank = np.arange(n) % 3
    return pd.DataFrame({"a": x[:, 0], "sex": 1.0 + (x[:, 1] > 0), "b": x[:, 1], "rank": rank})


def fit(X: pd.DataFrame | np.ndarray, likelihood: str = "auto") -> VAE:
    return VAE(1, likelihood=likelihood, hidden=(3,), epochs=1, random_state=0).fit(X)


def test_columns_of_few_values_are_counted() -> None:
    n = 6000
    rare = np.where(np.arange(n) == 4321, 1.0, 0.0)
    # Mostly zero, and else no value twice.
    mostly = np.where(np.arange(n) % 100 == 7, RNG.normal(size=n), 0.0)
    columns = [RNG.normal(size=n), np.arange(n) % 2, rare, mostly, np.ones(n)]
    columns += [np.arange(n) % MOST_VALUES, np.arange(n) % (MOST_VALUES + 1)]
    assert few_valued(np.stack(columns, axis=1)) == {1: 2, 2: 2, 5: MOST_VALUES}
    # Ten rows cannot tell: of a continuous column, five may be equal by rounding.
    assert few_valued(RNG.integers(0, 5, (10, 3)).astype(float)) == {}
    assert few_valued(np.zeros((1, 2))) == {}


def test_a_fit_of_mixed_columns_is_warned_of_and_goes_on() -> None:
    said = r"columns 'sex', 'rank' of X take few values .* likelihood='squared-error'"
    with pytest.warns(LikelihoodWarning, match=said) as caught:
        model = fit(table())
    assert Path(caught[0].filename).name == Path(__file__).name
    assert model.likelihood_ == "normal"
    with pytest.warns(LikelihoodWarning, match="column 1 of X takes few values"):
        fit(table().to_numpy()[:, :3], "normal")
    many = pd.get_dummies(table().assign(town=list("abcde") * 20), dtype=float)
    with pytest.warns(LikelihoodWarning, match="'sex', 'rank', 'town_a' and 4 more of X"):
        fit(many)


@pytest.mark.parametrize(
    ("X", "likelihood"),
    [
        (table()[["a", "b"]], "normal"),
        (table()[["a", "b"]].assign(c=3.5), "auto"),
        (table()[["sex", "rank"]].assign(c=3.5), "normal"),
        (table(), "squared-error"),
        (table()[["sex", "rank"]].assign(ten=np.arange(100) % 10), "normal"),
        (table(16)[["sex"]].assign(four=np.arange(16) % 4), "normal"),
        (table(20)[["a", "b"]].assign(five=[0, 1, 2, 3, 4] * 4), "normal"),
    ],
    ids=[
        "continuous",
        "constant",
        "few-valued only",
        "fixed variance",
        "counts",
        "small counts",
        "few rows",
    ],
)
def test_others_are_not(X: pd.DataFrame, likelihood: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", LikelihoodWarning)
        fit(X, likelihood)


def test_the_page_of_a_file_says_it(tmp_path: Path) -> None:
    table().assign(kind=["x", "y"] * 50).to_csv(tmp_path / "t.csv", index=False)
    arguments = ["fit", str(tmp_path / "t.csv"), "--epochs", "1", "-o", str(tmp_path / "out")]
    result = CliRunner().invoke(app, [*arguments, "--set", "hidden=[3]"])
    assert result.exit_code == 0, result.output
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "&#x27;sex&#x27;, &#x27;rank&#x27;, &#x27;kind=x&#x27; and 1 more of X take few" in page
