"""What is noted of runs: parameters that a name leaves untold, and warm-ups that never end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from vaestudy.dataset_names import ANY_VALUE
from vaestudy.figures.families import NAMED
from vaestudy.objectives import warmup_beta

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
        written(name, run[name])
        for name in (*_SHORT, *(name for name in base if name not in _SHORT))
        if name not in _TOLD and run[name] != base[name] and not _goes_without_saying(name, run)
    )


def weight_note(runs: pd.DataFrame) -> str:
    """Say in a caption which warm-ups end below a KL weight of 1; empty if none does."""
    names = ["warmup", "epochs", "warmup_cycles", "warmup_rise"]
    schedules = runs[names].drop_duplicates().sort_values(names).itertuples(index=False)
    told = [
        f"{warmup} of {epochs} epochs, ends with a KL weight of {last:.2f}"
        for warmup, epochs, cycles, rise in schedules
        if (last := warmup_beta(epochs, warmup, cycles, rise)) < 1
    ]
    return f" A warm-up as long as training, {'; '.join(told)}." if told else ""


def written(name: str, value: Any) -> str:
    """Return a parameter and its value as the notes write them, e.g. ``4 epochs``."""
    if (name, value) == ("binarization", "none"):
        return "grey"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return _SHORT.get(name, f"{name.replace('_', ' ')} {{}}").format(text)


def _goes_without_saying(name: str, run: Mapping[Any, Any] | pd.Series) -> bool:
    # Values of any size are never binarized.
    return name == "binarization" and run["likelihood"] in ANY_VALUE
