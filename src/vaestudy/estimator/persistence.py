"""A fitted estimator as one file: safetensors, with JSON in its header; nothing is ever executed.

Kept are the parameters, the weights in use, the scaling and the history. Adam's moments are not:
``partial_fit`` after ``load`` begins with new ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

import vaestudy
from vaestudy.checkpoint import CheckpointError
from vaestudy.history import History
from vaestudy.tensorfile import (
    DamagedFileError,
    ForeignFileError,
    read_tensors,
    write_tensors,
)

_KEY: Final = "vaestudy.VAE"
_FORMAT: Final = 1


@dataclass(frozen=True, eq=False)
class Saved:
    """What a file holds.

    Parameters
    ----------
    facts
        Numbers, names and lists.
    arrays
        By name; ``weights.*`` are the model's.
    history
        As far as training went.
    """

    facts: dict[str, Any]
    arrays: dict[str, Tensor]
    history: History

    @property
    def weights(self) -> dict[str, Tensor]:
        """The model's parameters and buffers."""
        start = "weights."
        return {k.removeprefix(start): v for k, v in self.arrays.items() if k.startswith(start)}


def write(path: Path, saved: Saved) -> None:
    """Write one file, whole or not at all."""
    header = {"format": _FORMAT, "version": vaestudy.__version__, **saved.facts}
    tensors = {k: v.detach().cpu().contiguous() for k, v in saved.arrays.items()}
    tensors |= {f"history.{k}": v for k, v in _history_arrays(saved.history).items()}
    write_tensors(path, _KEY, header, tensors)


def read(path: Path) -> Saved:
    """Read what :func:`write` wrote.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, of a later format or not a saved estimator.
    """
    try:
        arrays, facts = read_tensors(path, _KEY)
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist; expected a file of VAE.save") from None
    except ForeignFileError as error:
        raise CheckpointError(f"{path} is {error}; expected a file of VAE.save") from None
    except DamagedFileError as error:
        raise CheckpointError(
            f"{path} is damaged ({error}), or no file of VAE.save; save the model again"
        ) from None
    if facts["format"] != _FORMAT:
        raise CheckpointError(
            f"{path} has format {facts['format']} of vaestudy {facts['version']}, this is "
            f"{vaestudy.__version__}, which reads format {_FORMAT}: update vaestudy"
        )
    own = {k: v for k, v in arrays.items() if not k.startswith("history.")}
    return Saved(facts, own, _history(arrays))


def _history_arrays(history: History) -> dict[str, Tensor]:
    return {
        "epochs": torch.tensor(history.epochs),
        **{k: torch.from_numpy(np.stack(getattr(history, k))) for k in ("train", "test", "units")},
    }


def _history(arrays: dict[str, Tensor]) -> History:
    train, test, units = (
        list(arrays[f"history.{name}"].numpy()) for name in ("train", "test", "units")
    )
    return History(arrays["history.epochs"].tolist(), train, test, units)
