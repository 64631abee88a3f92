"""What a configuration may call a data set, and what each is made of."""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, Final

from pydantic import AfterValidator, WithJsonSchema

#: Data sets that a configuration may name.
PICTURES: Final = ("mnist-5k", "fashion-2k", "mnist", "fashion-mnist")
#: Of standardised numbers.
TABLES: Final = ("breast-cancer", "diabetes")
#: Of points in the plane (:mod:`vaestudy.toys`).
PLANE: Final = ("square", "ring", "moons", "mixture")
DATASETS: Final = (*PICTURES, *TABLES, *PLANE)
#: C of each; of rows in one class there is nothing to be told.
CLASSES: Final = MappingProxyType(
    {
        **dict.fromkeys(PICTURES, 10),
        "breast-cancer": 2,
        "diabetes": 1,
        "square": 4,
        "ring": 4,
        "moons": 2,
        "mixture": 8,
    }
)
#: Likelihoods of values beyond [0, 1].
ANY_VALUE: Final = ("normal", "squared-error")
#: Densities that are of grey values alone, with what they would make of binary ones.
_OF_GREY_VALUES: Final = MappingProxyType(
    {
        "continuous-bernoulli": "a density is of values all over [0, 1], and where all are 0 or 1 "
        "no probability of them",
        "beta": "a Beta density is of values between 0 and 1, and would see each binary pixel "
        "clipped",
    }
)
#: Begins the names of data sets of the user's own; see :mod:`vaestudy.own_data`.
OWN_PREFIX: Final = "own-"


def _known_dataset(name: str) -> str:
    if name in DATASETS or name.startswith(OWN_PREFIX):
        return name
    raise ValueError(
        f"got {name!r}; expected one of {', '.join(DATASETS)}, or {{path: your-file.csv}}"
    )


DatasetName = Annotated[
    str,
    AfterValidator(_known_dataset),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": list(DATASETS)},
                {"type": "string", "pattern": f"^{OWN_PREFIX}"},
                {"type": "object", "required": ["path"]},
            ]
        }
    ),
]


def check_dataset(dataset: str, binarization: str, likelihood: str) -> None:
    """Refuse a model of pixels for other data, and a density of grey values for binary ones.

    Raises
    ------
    ValueError
        If the three do not fit; the message says what does.
    """
    if dataset in TABLES and (binarization != "none" or likelihood not in ANY_VALUE):
        raise ValueError(
            f"dataset is {dataset!r}, a table of standardised numbers, with binarization "
            f"{binarization!r} and likelihood {likelihood!r}; set binarization: none and "
            f"likelihood: {', or '.join(ANY_VALUE)}"
        )
    if dataset in PLANE and binarization != "none":
        raise ValueError(
            f"dataset is {dataset!r} with binarization {binarization!r}: points in the plane are "
            "no pixels; set binarization to none"
        )
    if dataset in PLANE and likelihood not in ANY_VALUE:
        raise ValueError(
            f"dataset is {dataset!r} with likelihood {likelihood!r}, which has no density in all "
            f"of the plane; expected one of {', '.join(ANY_VALUE)}"
        )
    if likelihood in _OF_GREY_VALUES and binarization != "none":
        raise ValueError(
            f"likelihood is {likelihood!r} but binarization is {binarization!r}: "
            f"{_OF_GREY_VALUES[likelihood]}; set binarization to none, or likelihood to bernoulli"
        )
