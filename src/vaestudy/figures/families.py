"""Model families: one name, one colour and one line for each, in every chapter.

A family is a likelihood, an objective, and whether batch normalization and warm-up were added. Cold
colours are the VAE's, warm ones the importance-weighted autoencoder's; the stroke says what was
added, so that a family is told from its neighbour without colour as well. Other objectives, which
nothing is added to, have a colour and a marker each: they stay apart for colour-blind readers among
those of one K.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Final

import pandas as pd

from vaestudy.deeper import NONE

Row = Mapping[Any, Any] | pd.Series
"""A row of the runs table, or any mapping with some of its columns."""

_OBJECTIVES = {
    "elbo": "VAE",
    "elbo-sampled": "VAE, sampled KL",
    "iwae": "IWAE",
    "free-bits": "VAE, free bits",
    "stl": "VAE, STL",
    "iwae-stl": "IWAE, STL",
    "dreg": "IWAE, DReG",
    "miwae": "MIWAE",
    "piwae": "PIWAE",
    "ciwae": "CIWAE",
    "jensen-shannon": "VAE, Jensen–Shannon",
    "geometric-js": "VAE, geometric JS",
    "half-joint": "VAE, ½ log p(x, z)",
}
#: Objectives that do not weigh samples.
_SINGLE = (
    *("elbo", "elbo-sampled", "free-bits", "stl"),
    *("jensen-shannon", "geometric-js", "half-joint"),
)
_LIKELIHOODS = {
    "bernoulli": "",
    "gaussian": ", Gaussian",
    "continuous-bernoulli": ", continuous Bernoulli",
    "normal": ", normal",
    "squared-error": ", squared error",
    "beta": ", Beta",
}
#: What else tells models of one objective apart: parameter, its value that goes without saying.
_SYMBOLS = {
    "k": ("K=", 1),
    "k_groups": ("G=", 1),
    "elbo_share": ("c=", 0),
    "free_bits": ("λ=", 0),
    "beta": ("β=", 1),
    "weight_decay": ("weight decay ", 0),
    "js_skew": ("α=", 0),
}
#: Parameters that a model's name says in full; of a warm-up it says only that there is one.
NAMED: Final = (
    *("objective", *_SYMBOLS, "batch_norm", "encoder_heads", "network", "labels", "label_share"),
    *("deeper", "likelihood"),
)
_TOLD = {
    "none": "",
    "condition": ", labels",
    "blanked": ", {share} of labels, blanks",
    "m2": ", {share} of labels, M2",
}
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
# Of models that nothing is added to; the objectives that are not here are those above.
_OBJECTIVE_COLORS = {
    "elbo-sampled": "#5FB3DE",
    "free-bits": "#332288",
    "stl": "#999933",
    "iwae-stl": "#708090",
    "dreg": "#882255",
    "miwae": "#DD7F95",
    "piwae": "#9A5FC9",
    "ciwae": "#4A2C17",
    "jensen-shannon": "#AA4499",
    "geometric-js": "#117733",
    "half-joint": "#B8860B",
}
_CYCLICAL = "#8C510A"
_OBJECTIVE_MARKERS = {
    "elbo-sampled": "P",
    "free-bits": "p",
    "stl": "X",
    "iwae-stl": "X",
    "dreg": "d",
    "miwae": "<",
    "piwae": ">",
    "ciwae": "h",
    "jensen-shannon": "*",
    "geometric-js": "H",
    "half-joint": "v",
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
    """Return the family's name, as in ``IWAE (K=5) + BN + WU``; Bernoulli goes without saying.

    An objective or likelihood without a name of its own here has that of the configuration.
    """
    name = _OBJECTIVES.get(_objective(row), _objective(row))
    said = [
        f"{symbol}{row[key]:g}"
        for key, (symbol, usual) in _SYMBOLS.items()
        if row.get(key, usual) != usual
    ]
    name += f" ({', '.join(said)})" if said else ""
    name += _BATCH_NORM[row.get("batch_norm", "none")]
    name += _warmup(row)
    name += ", bounded heads" if row.get("encoder_heads", "linear") == "bounded" else ""
    name += ", convolutional" if row.get("network", "mlp") == "conv" else ""
    name += told_of(row)
    likelihood = _likelihood(row)
    return name + _layers(row) + _LIKELIHOODS.get(likelihood, f", {likelihood}")


def told_of(row: Row) -> str:
    """Return what a model is told of classes, as the end of its name."""
    labels, share = str(row.get("labels", "none")), float(row.get("label_share", 1))
    return _TOLD[labels].format(share=f"{100 * share:g}\N{NO-BREAK SPACE}%")


def color_of(row: Row) -> str:
    """Return the family's colour."""
    (norm, warm), plain = _additions(row), not any(_additions(row))
    if _likelihood(row) == "gaussian" and plain:
        return _GAUSSIAN[weighs_samples(row)]
    if warm and row.get("warmup_cycles", 1) > 1:
        return _CYCLICAL
    family = _COLORS[weighs_samples(row), norm, warm]
    return _OBJECTIVE_COLORS.get(_objective(row), family) if plain else family


def line_of(row: Row) -> Any:
    """Return the family's line style: solid, BN dashed, WU dotted, both dash-dotted."""
    return _LINES[_additions(row)]


def marker_of(row: Row) -> str:
    """Return the family's marker."""
    family = _MARKERS[_additions(row)]
    plain = not any(_additions(row))
    return _OBJECTIVE_MARKERS.get(_objective(row), family) if plain else family


def weighs_samples(row: Row) -> bool:
    """Whether the objective weighs its samples by importance."""
    return _objective(row) not in _SINGLE


def order_of(row: Row) -> tuple[Hashable, ...]:
    """Return a key that sorts families as the text meets them, n_z last."""
    norm = ("none", "hidden", "all").index(row.get("batch_norm", "none"))
    objective = _rank(_objective(row), _OBJECTIVES)
    k, warmup, n_z = (int(row.get(name, 0)) for name in ("k", "warmup", "n_z"))
    return (_rank(_likelihood(row), _LIKELIHOODS), objective, k, norm, warmup, n_z)


def _rank(name: str, names: Mapping[str, str]) -> tuple[int, str]:
    """Return a key that sorts as ``names`` stand, others last."""
    return (list(names).index(name) if name in names else len(names), name)


def _objective(row: Row) -> str:
    return str(row.get("objective", "elbo"))


def _additions(row: Row) -> tuple[bool, bool]:
    return row.get("batch_norm", "none") != "none", bool(row.get("warmup", 0))


def _warmup(row: Row) -> str:
    if not row.get("warmup", 0):
        return ""
    return " + cyclical WU" if row.get("warmup_cycles", 1) > 1 else " + WU"


def _layers(row: Row) -> str:
    deeper = row.get("deeper", NONE)
    if deeper in (NONE, ()):
        return ""
    return f", {1 + len(deeper.split('+') if isinstance(deeper, str) else deeper)} layers"


def _likelihood(row: Row) -> str:
    return str(row.get("likelihood", "bernoulli"))
