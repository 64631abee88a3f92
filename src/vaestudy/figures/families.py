"""Model families: one name, one colour and one line for each, in every chapter.

A family is a likelihood, an objective, and whether batch normalization and warm-up were added. Cold
colours are the VAE's, warm ones the importance-weighted autoencoder's; the stroke says what was
added, so that a family is told from its neighbour without colour as well.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

Row = Mapping[Any, Any] | pd.Series
"""A row of the runs table, or any mapping with some of its columns."""

_OBJECTIVES = {"elbo": "VAE", "elbo-sampled": "VAE, sampled KL", "iwae": "IWAE"}
_BATCH_NORM = {"none": "", "hidden": " + BN", "all": " + BN (heads too)"}

# (importance weighted, batch normalization, warm-up)
_COLORS = {
    (False, False, False): "#0072B2",
    (False, True, False): "#56B4E9",
    (False, False, True): "#009E73",
    (False, True, True): "#6B5B95",
    (True, False, False): "#D55E00",
    (True, True, False): "#E69F00",
    (True, False, True): "#CC79A7",
    (True, True, True): "#7A2E0E",
}
# Gaussian beside Bernoulli is the one comparison of likelihoods: greys belong to no other family.
_GAUSSIAN = {False: "#333333", True: "#8A9199"}

# (batch normalization, warm-up)
_LINES: dict[tuple[bool, bool], Any] = {
    (False, False): "-",
    (True, False): (0, (5, 1.5)),
    (False, True): (0, (1.2, 1.2)),
    (True, True): (0, (5, 1.2, 1.2, 1.2)),
}
_MARKERS = {(False, False): "o", (True, False): "s", (False, True): "^", (True, True): "D"}


def label_of(row: Row) -> str:
    """Return the family's name, as in ``IWAE (K=5) + BN + WU``; Bernoulli goes without saying."""
    name = _OBJECTIVES[row.get("objective", "elbo")]
    k = int(row.get("k", 1))
    name += f" (K={k})" if k > 1 else ""
    name += _BATCH_NORM[row.get("batch_norm", "none")]
    name += " + WU" if row.get("warmup", 0) else ""
    name += ", bounded heads" if row.get("encoder_heads", "linear") == "bounded" else ""
    return f"{name}, Gaussian" if _gaussian(row) else name


def color_of(row: Row) -> str:
    """Return the family's colour."""
    weighted, (norm, warm) = row.get("objective", "elbo") == "iwae", _additions(row)
    if _gaussian(row) and not (norm or warm):
        return _GAUSSIAN[weighted]
    return _COLORS[weighted, norm, warm]


def line_of(row: Row) -> Any:
    """Return the family's line style: solid, BN dashed, WU dotted, both dash-dotted."""
    return _LINES[_additions(row)]


def marker_of(row: Row) -> str:
    """Return the family's marker."""
    return _MARKERS[_additions(row)]


def order_of(row: Row) -> tuple[Hashable, ...]:
    """Return a key that sorts families as the text meets them, n_z last."""
    norm = ("none", "hidden", "all").index(row.get("batch_norm", "none"))
    objective = tuple(_OBJECTIVES).index(row.get("objective", "elbo"))
    k, warmup, n_z = (int(row.get(name, 0)) for name in ("k", "warmup", "n_z"))
    return (_gaussian(row), objective, k, norm, warmup, n_z)


def _additions(row: Row) -> tuple[bool, bool]:
    return row.get("batch_norm", "none") != "none", bool(row.get("warmup", 0))


def _gaussian(row: Row) -> bool:
    return bool(row.get("likelihood", "bernoulli") == "gaussian")
