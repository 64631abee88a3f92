"""Tables kept as text: which sign parts the columns, and whether the first line names them."""

from __future__ import annotations

import re
import warnings
from itertools import islice
from pathlib import Path
from typing import Final

import pandas as pd

_LINES_LOOKED_AT: Final = 100


class FileError(ValueError):
    """A file cannot be fitted; the message names it, what is wrong with it and the remedy."""


def read_text(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Return a table, and a sentence for each thing done to it that its owner may not expect.

    Columns are parted by commas, semicolons (then with decimal points or commas) or, in a
    ``.tsv``, by tabs.

    Raises
    ------
    FileError
        If the file is no such table, or has no line of names.
    """
    try:
        separator, decimal = signs(path)
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            # Told that no column is an index, pandas warns of rows that are longer than the header.
            # Read in parts, a long column of which one part holds words would be of two types.
            frame = pd.read_csv(
                path, sep=separator, decimal=decimal, index_col=False, low_memory=False
            )
    except pd.errors.ParserWarning:
        raise FileError(
            f"{path}: rows have more values than the first line has names; expected as many, "
            "parted by commas or semicolons: is a decimal comma among them, or a name missing?"
        ) from None
    except UnicodeDecodeError:
        raise FileError(f"{path} is no text in UTF-8; expected a table: save it in UTF-8") from None
    except (ValueError, OSError) as error:  # What pandas raises for bad text is a ValueError.
        raise FileError(f"{path} cannot be read as CSV: {str(error).strip()}") from None
    _check_names(path, frame)
    remarks = []
    if separator == ";":
        point = "commas" if decimal == "," else "points"
        remarks.append(f"read as columns parted by semicolons, with decimal {point}")
    first = str(frame.columns[0])
    # What pandas writes unless told index=False, and calls a column without a name.
    if first == "Unnamed: 0" and frame.shape[1] > 1 and _counts(frame[first]):
        frame = frame.drop(columns=first)
        remarks.append("the first column has no name and numbers the rows: left out")
    return frame, remarks


def signs(path: Path) -> tuple[str, str]:
    """Return what parts columns, and what parts a number's fraction."""
    if path.suffix.lower() == ".tsv":
        return "\t", "."
    with path.open(encoding="utf-8") as file:
        header, *lines = list(islice(file, _LINES_LOOKED_AT)) or [""]
    if header.count(";") <= header.count(","):
        return ",", "."
    fractions = any(re.search(r"(^|;)\s*-?\d+,\d+\s*(;|$)", line) for line in lines)
    return ";", "," if fractions else "."


def _check_names(path: Path, frame: pd.DataFrame) -> None:
    if any(_is_fraction(str(name)) for name in frame.columns) and all(
        _is_number(str(name)) for name in frame.columns
    ):
        shown = ", ".join(str(name) for name in frame.columns[:3])
        raise FileError(
            f"{path}: the first line holds numbers ({shown}, …); expected the columns' names: put "
            "a line of names above it"
        )


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def _is_fraction(name: str) -> bool:
    # Whole numbers may be names, as pandas gives them; of equal ones it makes 5, 5.1, 5.2.
    return _is_number(name) and not name.strip().isdecimal()


def _counts(column: pd.Series) -> bool:
    return bool(pd.api.types.is_integer_dtype(column) and (column.diff().dropna() == 1).all())
