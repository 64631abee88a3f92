"""The user's own data in a configuration: ``dataset: {path: data.csv}``, and the name it gets.

A data set of the user's is known to runs, tables and files by a name that ends in a hash of its
bytes and of what is done with them: another content is another data set, another place is not.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, ValidationError

from vaestudy.config_errors import OWN_FILE, ConfigError, explain
from vaestudy.dataset_names import OWN_PREFIX
from vaestudy.parameters import PositiveInt, Strict

_CHUNK: Final = 2**20


class OwnData(Strict):
    """A file or folder of the user's, and what is done with it."""

    path: str = Field(
        pattern=OWN_FILE,
        description="A .csv, .tsv, .parquet or .npy file, or a folder of images.",
    )
    label: str | None = Field(
        None,
        description="Column that is not modelled: classes, which colour embeddings and which "
        "models may be told (`labels`).",
    )
    drop: tuple[str, ...] = Field((), description="Columns that are left out.")
    drop_missing: bool = Field(False, description="Leave out rows with missing values.")
    test_share: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.2, description="Share of the rows that models are tested on."
    )
    image_shape: tuple[PositiveInt, PositiveInt] | None = Field(
        None, description="Height and width, where the columns of a table are pixels."
    )
    sha256: str = Field("", description="Of the content; found when the configuration is read.")

    @property
    def name(self) -> str:
        """What runs, tables and files call it."""
        chosen = self.model_dump(mode="json", exclude={"path"})
        digest = hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()[:8]
        stem = re.sub(r"[^a-z0-9]+", "-", Path(self.path).stem.lower()).strip("-")
        return f"{OWN_PREFIX}{stem or 'data'}-{digest}"


def name_own_data(values: dict[str, Any], source: str) -> dict[str, Any]:
    """Return a configuration in which data of the user's are named, and listed as ``own_data``.

    Parameters
    ----------
    values
        A configuration as it is read; it is not changed.
    source
        Where it comes from, for messages.

    Raises
    ------
    ConfigError
        If a file is not there, or a key is unknown.
    """
    found: dict[str, dict[str, Any]] = {}

    def name(level: Any) -> Any:
        if not (isinstance(level, dict) and "path" in level):
            return visit(level)
        own = _read(level, source)
        found[own.name] = own.model_dump(mode="json")
        return own.name

    def visit(node: Any) -> Any:
        if isinstance(node, list):
            return [visit(item) for item in node]
        if not isinstance(node, dict):
            return node
        return {
            key: dataset(value) if key == "dataset" else visit(value) for key, value in node.items()
        }

    def dataset(value: Any) -> Any:
        return [name(level) for level in value] if isinstance(value, list) else name(value)

    named: dict[str, Any] = visit(values)
    given = named.get("own_data", {})
    # What is no mapping is left for the check of the whole configuration to refuse.
    if not found or not isinstance(given, dict):
        return named
    return {**named, "own_data": {**given, **found}}


def check_own(dataset: str, own_data: Collection[str], source: str) -> None:
    """Refuse the name of data of the user's that nothing stands for.

    Raises
    ------
    ConfigError
        If it is none of ``own_data``.
    """
    if dataset.startswith(OWN_PREFIX) and dataset not in own_data:
        raise ConfigError(
            f"{source}: dataset is {dataset!r}, for which nothing stands under own_data; expected "
            "{path: your-file.csv}, from which that name is made"
        )


def _read(level: dict[str, Any], source: str) -> OwnData:
    try:
        own = OwnData.model_validate(level)
    except ValidationError as error:
        raise ConfigError(explain(error, OwnData, f"{source}, dataset")) from None
    path = Path(own.path).expanduser()
    if not path.exists():
        raise ConfigError(
            f"{source}: dataset.path: {own.path} does not exist (looked for in {Path.cwd()}); "
            "expected a .csv, .tsv, .parquet or .npy file, or a folder of images"
        )
    return own.model_copy(update={"sha256": content_sha256(path)})


def content_sha256(path: Path) -> str:
    """Return the checksum of a file, or of all files of a folder and their names."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    digest = hashlib.sha256()
    for file in files:
        if path.is_dir():
            digest.update(f"{file.relative_to(path)}\n".encode())
        with file.open("rb") as opened:
            while chunk := opened.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()
