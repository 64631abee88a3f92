"""Tensors with a JSON header in one safetensors file, written atomically; nothing is executed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vaestudy.files import atomic_path


class ForeignFileError(ValueError):
    """A file is no tensor file, or its header is another's."""


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
        If it has no header under ``key``.
    DamagedFileError
        If it cannot be read.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})[key])
            names = file.keys()  # safe_open is no mapping and cannot be iterated
            return {name: file.get_tensor(name) for name in names}, header
    except FileNotFoundError:
        raise
    except (KeyError, ValueError) as error:
        raise ForeignFileError(f"{path} has no header {key!r}") from error
    except (OSError, SafetensorError) as error:
        raise DamagedFileError(str(error)) from error
