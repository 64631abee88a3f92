"""Tables kept as text, as people and spreadsheets write them: read rightly, or refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from test_fit_cli import fit
from vaestudy.fit.choices import Choices
from vaestudy.fit.files import Table, read
from vaestudy.fit.sizes import count_values
from vaestudy.fit.texts import FileError


def read_csv(folder: Path, text: str, name: str = "x.csv", color: str | None = None) -> Table:
    (folder / name).write_text(text, encoding="utf-8")
    return read(folder / name, Choices(color=color))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n4.7,3.2,virginica\n", "5.1, 3.5"),
        ("-3,7,a\n1.5,2,a\n2.5,3,b\n", "-3"),
        ("1e-3,x\n2e-3,1\n", "1e-3"),
        ("5,5,4\n1,2,3\n4,5,6\n", "5, 5, 4"),
        ("5,1;3,5;setosa\n4,9;3,0;setosa\n", "5.1, 3.5"),
    ],
)
def test_a_first_line_of_values_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(FileError) as error:
        read_csv(tmp_path, text)
    assert f"the first line holds numbers ({told})" in str(error.value)
    assert "put a line of names above it" in str(error.value)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ("10,66,4", "the first line was taken for names: 10, 66, 4"),
        ("10,66,4,7", "the first line was taken for names: 10, 66, 4, …"),
        ("label,66", "the first line was taken for names: label, 66"),
        ("0,1,2", None),
        ("label,1,2,3", None),
        ("2010_11,inf", None),
        ("a,a,b", None),
    ],
)
def test_whole_numbers_as_names_are_told_of(tmp_path: Path, names: str, told: str | None) -> None:
    n = names.count(",") + 1
    found = read_csv(tmp_path, "\n".join([names, ",".join("1" * n), ",".join("2" * n), ""]))
    assert found.remarks == (() if told is None else (told,))


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("a;b\n" + 120 * "1;2\n" + "0,5;3\n", [*(120 * [1.0]), 0.5]),
        ("a;b\n1,4e+00;2\n2,5e-1;3\n", [1.4, 0.25]),
        ('"a, cm";"b"\n1,5;2\n2,5;3\n', [1.5, 2.5]),
        ("a, cm;b, kg\n1,5;2,5\n2,5;3,5\n", [1.5, 2.5]),
        ("a\tb\n1.5\t2\n2.5\t3\n", [1.5, 2.5]),
        ('"a;b","c"\n1.5,2\n2.5,3\n', [1.5, 2.5]),
        ('id,"a; b"\n1,"x; y"\n2,"x; y"\n', [1.0, 2.0]),
    ],
)
def test_columns_are_parted_as_they_were_meant(
    tmp_path: Path, text: str, column: list[float]
) -> None:
    found = read_csv(tmp_path, text)
    assert found.data.shape == (len(column), 2)
    np.testing.assert_allclose(found.data.iloc[:, 0], column)
    assert count_values(tmp_path / "x.csv") == 2 * len(column)


def test_tabs_of_a_csv_are_told_of(tmp_path: Path) -> None:
    text = "a\tb\n1.5\t2\n2.5\t3\n"
    assert read_csv(tmp_path, text).remarks == ("read as columns parted by tabs",)
    assert read_csv(tmp_path, text, "x.tsv").remarks == ()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("x.csv", "a;b\n1.200,5;2\n10,5;3\n", "1.200,5"),
        ("x.csv", "a;b\n1.200,5;2,5\n10,5;3,5\n", "1.200,5"),
        ("x.csv", 'a,b\n"1,200.5",2\n10.5,3\n', "1,200.5"),
        ("x.csv", 'a,b\n"0,5",2\n"1,5",3\n', "0,5"),
        ("x.tsv", "a\tb\n0,5\t2\n1,5\t3\n", "0,5"),
    ],
)
def test_commas_that_may_mean_two_things_are_refused(
    tmp_path: Path, name: str, text: str, value: str
) -> None:
    with pytest.raises(FileError, match=f"column 'a' holds numbers with commas, such as '{value}'"):
        read_csv(tmp_path, text, name)
    # A colour may be called so.
    assert read_csv(tmp_path, text, name, color="a").names == ["b"]


def test_words_with_commas_are_words(tmp_path: Path) -> None:
    found = read_csv(tmp_path, 'a,b\n"1,2 km",2\n"1,5",3\n')
    assert found.names == ["a=1,2 km", "a=1,5", "b"]


def test_a_category_with_the_name_of_a_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"columns 't' and 't=a' both give a column 't=a'.*rename"):
        read_csv(tmp_path, "t,t=a\na,1\nb,2\na,3\n")


def test_numbers_that_no_float_holds_are_refused_or_colour(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n" + "".join(f"{'1' * 400}{i},{i}\n" for i in range(30)))
    with pytest.raises(FileError, match=r"column 'a' holds numbers too large.*--drop 'a'"):
        read(path, Choices())
    result = fit(path, tmp_path / "out", "--color", "a")
    assert result.exit_code == 0, result.output
