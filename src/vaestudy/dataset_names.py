"""What a configuration may call a data set, and what each is made of."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, WithJsonSchema

#: Data sets that a configuration may name.
PICTURES: Final = ("mnist-5k", "mnist", "fashion-mnist")
#: Of standardised numbers.
TABLES: Final = ("breast-cancer", "diabetes")
DATASETS: Final = (*PICTURES, *TABLES)
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


def check_table(dataset: str, binarization: str, likelihood: str) -> None:
    """Refuse a model of pixels for a table.

    Raises
    ------
    ValueError
        If the data set is one of ``TABLES``.
    """
    if dataset in TABLES and (binarization, likelihood) != ("none", "normal"):
        raise ValueError(
            f"dataset is {dataset!r}, a table of standardised numbers, with binarization "
            f"{binarization!r} and likelihood {likelihood!r}; set binarization: none and "
            "likelihood: normal"
        )
