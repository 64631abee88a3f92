"""Tensors with a JSON header in one safetensors file, written atomically; nothing is executed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vaestudy.files import atomic_path

#: What files are whose header stands under a key.
_KINDS: Final = {
    "vaestudy": "of a study's run: vaestudy.checkpoint.load_model reads its model",
    "vaestudy.VAE": "a model of VAE.save: vaestudy.VAE.load reads it",
    "vaestudy-classifier": "a classifier, of `vaestudy classifier`",
    "dataset": "a prepared data set, of `vaestudy data`",
}


class ForeignFileError(ValueError):
    """A file's header is another's, or it is a folder; the message says what it is."""


class DamagedFileError(RuntimeError):
    """A file cannot be read to its end."""


def write_tensors(
    path: Path, key: str, header: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> None:
    """Write ``tensors``, and ``header`` under ``key``."""
    # One key: safetensors writes several in an order that changes from run to run.
    metadata = {key: json.dumps(header, sort_keys=True)}
    with atomic_path(path) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode
        save_file(dict(tensors), temporary, metadata)
        # safetensors leaves files that nobody but their owner may read, whatever the umask.
        temporary.chmod(mode)


def read_tensors(path: Path, key: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and the header that :func:`write_tensors` wrote under ``key``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ForeignFileError
        If it has no header under ``key``, or is a folder.
    DamagedFileError
        If it cannot be read.
    """
    if path.is_dir():
        raise ForeignFileError("a folder")
    try:
        with safe_open(path, framework="pt") as file:
            headers = file.metadata() or {}
            if key not in headers:
                kinds = (kind for name, kind in _KINDS.items() if name in headers)
                raise ForeignFileError(next(kinds, "of another program"))
            header = json.loads(headers[key])
            names = file.keys()  # safe_open is no mapping and cannot be iterated
            return {name: file.get_tensor(name) for name in names}, header
    except (FileNotFoundError, ForeignFileError):
        raise
    except (OSError, SafetensorError, ValueError) as error:
        raise DamagedFileError(str(error)) from error
