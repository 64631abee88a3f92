"""What the appendix notes of a run: every parameter that its name and n_z leave untold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from vaestudy.dataset_names import ANY_VALUE
from vaestudy.figures.families import NAMED

_TOLD = "n_z", *NAMED
#: By parameter, as the table of runs writes it; others are written out.
_SHORT = {
    "dataset": "{}",
    "binarization": "{}",
    "hidden": "hidden {}",
    "activation": "{}",
    "warmup": "WU {}",
    "warmup_cycles": "{} cycles",
    "warmup_rise": "rise {}",
    "epochs": "{} epochs",
    "batch_size": "batch {}",
    "optimizer": "{}",
    "learning_rate": "rate {}",
    "lr_schedule": "{} rate",
    "precision": "{}",
    "adam_beta1": "$\\beta_1$ = {}",
    "adam_beta2": "$\\beta_2$ = {}",
    "adam_eps": "$\\epsilon$ = {}",
}


def note_of(run: Mapping[Any, Any] | pd.Series, base: Mapping[str, Any]) -> str:
    """Return what tells a run from the base model besides its family's name and n_z.

    Parameters
    ----------
    run
        A row of the runs table.
    base
        The base model's parameters, as they stand in that table.
    """
    return ", ".join(
        _written(name, run[name])
        for name in (*_SHORT, *(name for name in base if name not in _SHORT))
        if name not in _TOLD and run[name] != base[name] and not _goes_without_saying(name, run)
    )


def _written(name: str, value: Any) -> str:
    if (name, value) == ("binarization", "none"):
        return "grey"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return _SHORT.get(name, f"{name.replace('_', ' ')} {{}}").format(text)


def _goes_without_saying(name: str, run: Mapping[Any, Any] | pd.Series) -> bool:
    # Values of any size are never binarized.
    return name == "binarization" and run["likelihood"] in ANY_VALUE
