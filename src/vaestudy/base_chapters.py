"""Which chapters of the report a study's base model and runs have something for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Chapters of a study of the user's own data, without their numbers.
OF_OWN_DATA = ("own-data", "appendix")

_WEIGHTED = {"objective": "iwae"}
_NORMALISED = {"batch_norm": "hidden"}
#: Chapters about the base model, with the variations of it that they compare it with throughout.
OF_THE_BASE: Mapping[str, tuple[dict[str, Any], ...]] = {
    "introduction": (_WEIGHTED, _NORMALISED),
    "implementing": (_WEIGHTED, _NORMALISED, {"likelihood": "gaussian"}),
    "activity": (),
    "visualization": (_WEIGHTED, {"n_z": 2}),
    "measuring": (_WEIGHTED,),
    "beyond": (),
}

# Nothing but the codes can be had of a model that is told classes without telling it one.
_ALONE = {"labels": ("none",)}
_UNWEIGHTED = {**_ALONE, "objective": ("elbo",)}
# What is compared with a variation of the base model must not be that variation itself.
_PLAIN = {**_UNWEIGHTED, "batch_norm": ("none",), "warmup": (0,)}
#: What the base model has to be for a chapter about it: of each parameter, the values it may have.
_SUBJECTS: Mapping[str, Mapping[str, tuple[Any, ...]]] = {
    "introduction": _PLAIN,
    "implementing": {**_PLAIN, "likelihood": ("bernoulli",)},
    # Bounded or normalised heads fix the variance that the chapter measures.
    "activity": {"encoder_heads": ("linear",), "batch_norm": ("none", "hidden")},
    "visualization": {**_PLAIN, "k": (1,)},
    "measuring": _UNWEIGHTED,
    "beyond": _ALONE,
}


def can_be_of(name: str, base: Mapping[str, Any]) -> bool:
    """Whether a chapter's subject can be a base model with these parameters.

    Parameters
    ----------
    name
        The chapter's, without its number.
    base
        Every parameter of the base model.
    """
    return all(base[key] in values for key, values in _SUBJECTS.get(name, {}).items())
