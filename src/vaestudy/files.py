"""Files that are never half-written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


class OutputError(RuntimeError):
    """Results cannot be written where they are to be; the message says why and what to do."""


def require_writable(directory: Path) -> None:
    """Make a directory unless it is there, and write to it: to fail before the work, not after it.

    Raises
    ------
    OutputError
        If it cannot be made, is a file, or may not be written to.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=directory):
            pass
    except OSError as error:
        why = "it is a file" if directory.is_file() else error.strerror
        raise OutputError(
            f"no results can be written to {directory}: {why}; expected a directory that you may "
            "write to, or a place where one can be made: give another one"
        ) from None


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that replaces it if the block succeeds.

    A reader sees the old file or the new one, never a part; a kill leaves the old.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def write_parquet(path: Path, frame: pd.DataFrame) -> None:
    """Write a table as Parquet."""
    with atomic_path(path) as temporary:
        frame.to_parquet(temporary, index=False)


def write_columns(path: Path, columns: Mapping[str, NDArray[Any]]) -> None:
    """Write a table of numbers and texts as Parquet, by a process that need not hold pandas."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table([_column(values) for values in columns.values()], list(columns))
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary)


def _column(values: NDArray[Any]) -> pa.Array:
    # From its parts, for `pa.array` imports pandas, whatever it is given.
    import pyarrow as pa

    if values.dtype.kind != "U":
        buffer = pa.py_buffer(np.ascontiguousarray(values))
        kind = pa.from_numpy_dtype(values.dtype)
        return pa.Array.from_buffers(kind, len(values), [None, buffer])
    texts = [str(value).encode() for value in values]
    ends = np.cumsum([0, *map(len, texts)], dtype=np.int32)
    return pa.StringArray.from_buffers(
        len(texts), pa.py_buffer(ends), pa.py_buffer(b"".join(texts))
    )


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Write a table as CSV, gzipped (with no time stamp) if the name ends in ``.gz``."""
    gzip = {"method": "gzip", "mtime": 1} if path.suffix == ".gz" else None
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, index=False, compression=gzip)
