"""Warnings that name the user's line."""

from __future__ import annotations

import contextlib
import inspect
import os
import warnings
from pathlib import Path

import sklearn
import torch

#: Whose calls may lie between: scikit-learn's pipelines and wrappers, PyTorch's decorators, and
#: those made of context managers.
_INSIDE = (
    *(
        os.path.join(folder, "")
        for folder in (Path(__file__).parents[1], *sklearn.__path__, *torch.__path__)
    ),
    contextlib.__file__,
)


def warn_user(message: str, category: type[Warning]) -> None:
    """Warn at the line outside the libraries that led here, however many calls lie between."""
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_code.co_filename.startswith(_INSIDE):
        level, frame = level + 1, frame.f_back
    # `level` counts this function as 1, as `warn` does.
    warnings.warn(message, category, stacklevel=level)
