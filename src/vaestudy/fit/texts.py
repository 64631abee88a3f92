"""Tables kept as text: which sign parts the columns, and whether the first line names them."""

from __future__ import annotations

import csv
import re
import warnings
from pathlib import Path
from typing import Final

import pandas as pd
from pandas.api.types import is_numeric_dtype

_EXPONENT: Final = r"([eE][-+]?\d+)?"
_WHOLE: Final = re.compile(r"\d+")
_NUMBER: Final = re.compile(rf"[-+]?(\d+\.?\d*|\.\d+){_EXPONENT}")
#: What pandas reads as a number once it is told of decimal commas.
DECIMAL_COMMA: Final = rf"\s*[-+]?(\d+(,\d*)?|,\d+){_EXPONENT}\s*"
#: Numbers with commas of any use: 0,5 and 1.200,5 and 1,200.5.
ANY_COMMA: Final = (
    r"\s*[-+]?((\d+|\d{1,3}([. ']\d{3})+)?(,\d*)?|\d{1,3}(,\d{3})+(\.\d*)?|\d*\.\d+)"
    rf"{_EXPONENT}\s*"
)
#: Characters that show what parts the columns.
_LOOKED_AT: Final = 2**20


class FileError(ValueError):
    """A file cannot be fitted; the message names it, what is wrong with it and the remedy."""


def read_text(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Return a table, and a sentence for each thing done to it that its owner may not expect.

    Columns are parted by commas, semicolons (then with decimal points or commas) or tabs.

    Raises
    ------
    FileError
        If the file is no such table, or has no line of names.
    """
    try:
        separator, names = header(path)
        frame, decimal = _parse(path, separator)
    except pd.errors.ParserWarning:
        raise FileError(
            f"{path}: rows have more values than the first line has names; expected as many, "
            "parted by commas, semicolons or tabs: is a decimal comma among them, or a name "
            "missing?"
        ) from None
    except UnicodeDecodeError:
        raise FileError(f"{path} is no text in UTF-8; expected a table: save it in UTF-8") from None
    except (ValueError, OSError) as error:  # What pandas raises for bad text is a ValueError.
        raise FileError(f"{path} cannot be read as CSV: {str(error).strip()}") from None
    remarks = _look_at_names(path, [name.replace(decimal, ".") for name in names], frame)
    if separator == ";":
        point = "commas" if decimal == "," else "points"
        remarks.append(f"read as columns parted by semicolons, with decimal {point}")
    elif separator == "\t" and path.suffix.lower() != ".tsv":
        remarks.append("read as columns parted by tabs")
    first = str(frame.columns[0])
    # What pandas writes unless told index=False, and calls a column without a name.
    if first == "Unnamed: 0" and frame.shape[1] > 1 and _counts(frame[first]):
        frame = frame.drop(columns=first)
        remarks.append("the first column has no name and numbers the rows: left out")
    return frame, remarks


def header(path: Path) -> tuple[str, list[str]]:
    """Return what parts the columns of a text, and what its first line holds."""
    separator = "\t" if path.suffix.lower() == ".tsv" else _separator(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, delimiter=separator)
        try:
            # As pandas does, skip lines without anything.
            return separator, next((r for r in rows if len(r) > 1 or "".join(r).strip()), [])
        except csv.Error:  # Of a text that is no table; pandas says what is wrong with it.
            return separator, []


def _separator(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        bare = re.sub('"[^"]*"', "", file.read(_LOOKED_AT))
    lines = [line for line in bare.splitlines() if line.strip()][:2]
    counts = {sign: [line.count(sign) for line in lines] for sign in ";\t,"}
    # Commas may be in names and numbers, too: semicolons and tabs go first if they part both lines.
    for sign, found in counts.items():
        if any(found) and len(set(found)) == 1:
            return sign
    return max(",;\t", key=lambda sign: counts[sign][:1])


def _parse(path: Path, separator: str) -> tuple[pd.DataFrame, str]:
    """Return a table, and what parts its numbers' fractions."""
    frame = _parse_with(path, separator, ".")
    # Between semicolons only: elsewhere a comma is as likely one of thousands.
    if separator == ";" and any(commas_in(column, DECIMAL_COMMA) for _, column in frame.items()):
        return _parse_with(path, separator, ","), ","
    return frame, "."


def _parse_with(path: Path, separator: str, decimal: str) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        # Told that no column is an index, pandas warns of rows that are longer than the header.
        # Read in parts, a long column of which one part holds words would be of two types.
        return pd.read_csv(path, sep=separator, decimal=decimal, index_col=False, low_memory=False)


def commas_in(column: pd.Series, written: str) -> str | None:
    """Return the first value with a comma if all of a column's are text ``written`` like this."""
    if is_numeric_dtype(column):
        return None
    values = column.dropna().astype(str)
    if not re.fullmatch(written, values.iloc[0] if len(values) else "?"):
        return None  # As of most columns of text: the others need no look.
    found = values[values.str.contains(",", regex=False)]
    return str(found.iloc[0]) if len(found) and values.str.fullmatch(written).all() else None


def _look_at_names(path: Path, names: list[str], frame: pd.DataFrame) -> list[str]:
    """Refuse names that are values, and return what is to be said of those that may be."""
    # Not pandas' own: of equal names it makes 5, 5.1, 5.2.
    over_numbers = [
        name.strip()
        for name, (_, column) in zip(names, frame.items(), strict=False)
        if is_numeric_dtype(column)
    ]
    whole = [name for name in over_numbers if _WHOLE.fullmatch(name)]
    values = [name for name in over_numbers if _NUMBER.fullmatch(name) and name not in whole]
    # Whole numbers may be names, as pandas gives them, but hardly equal ones.
    if values or len(set(whole)) < len(whole):
        raise FileError(
            f"{path}: the first line holds numbers ({_first_of(values or whole)}); expected the "
            "columns' names: put a line of names above it"
        )
    if [int(name) for name in whole] in [[*range(len(whole))], [*range(1, len(whole) + 1)]]:
        return []
    return [f"the first line was taken for names: {_first_of(names)}"]


def _first_of(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def _counts(column: pd.Series) -> bool:
    return bool(pd.api.types.is_integer_dtype(column) and (column.diff().dropna() == 1).all())
