r"""Columns of few values among continuous ones, which a Gaussian of learned variances is not for.

A decoder that is told which of its few values a column has can narrow its density there as far as
the likelihood lets it, and gains :math:`\ln(1 / \sigma)` nats a row: several, where a continuous
column of which the code explains a share :math:`R^2` gains :math:`-\tfrac12 \ln(1 - R^2)`. The code
may therefore say the category first, at the cost of other columns. Whether it does depends on the
table: of scikit-learn's diabetes data, with the sex as two columns of 0 and 1 and four latent
dimensions, the code explains all of these, but less of age, body mass, blood pressure and score
than with a fixed variance (0.07, 0.35, 0.33, 0.46 of their variance in place of 0.40, 0.51, 0.45,
0.58; test rows, three seeds). The fixed one in turn knows less of columns that nearly follow from
each other, and fills in missing values less well, so that it is advice and no default.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vaestudy.estimator.support import LikelihoodWarning
from vaestudy.estimator.warning import warn_user

Array = NDArray[np.float64]

#: A column of at most so many values has few, if each is that of so many rows on average.
MOST_VALUES: Final = 10
LEAST_ROWS: Final = 5
#: Rows that tell a continuous column, before those left are looked at in full.
_LOOKED_AT: Final = 1000
#: Columns that a message names.
_NAMED: Final = 3


def few_valued(values: Array) -> dict[int, int]:
    """Return how many values each column of ``values`` [N, D] takes that takes few, but not one."""
    most = min(MOST_VALUES, len(values) // LEAST_ROWS)
    candidates = np.flatnonzero(_at_least(values) <= most)
    counts = {int(column): len(np.unique(values[:, column])) for column in candidates}
    return {column: count for column, count in counts.items() if 1 < count <= most}


def _at_least(values: Array) -> NDArray[np.intp]:
    """Return how many values each column takes in some of the rows, [D]."""
    some = np.sort(values[:: max(1, len(values) // _LOOKED_AT)], axis=0)
    changes: NDArray[np.intp] = np.count_nonzero(some[1:] != some[:-1], axis=0)
    return changes + 1


def warn_of_mixed(likelihood: str, values: Array, names: Sequence[str] | None) -> None:
    """Warn if learned variances are to describe columns of few values among continuous ones.

    Parameters
    ----------
    likelihood
        In use.
    values
        Rows [N, D] that it is chosen by.
    names
        Of the columns; None if they have none.
    """
    if likelihood != "normal":
        return
    found = few_valued(values)
    if not found or not (_at_least(values) > MOST_VALUES).any():
        return
    said = [f"{names[column]!r}" if names is not None else str(column) for column in found]
    more = f" and {len(said) - _NAMED} more" if len(said) > _NAMED else ""
    several = len(said) > 1
    warn_user(
        f"likelihood is 'normal', whose variances are learned, but column{'s' if several else ''} "
        f"{', '.join(said[:_NAMED])}{more} of X take{'' if several else 's'} few values among "
        "columns that are continuous: the code may tell these exactly, at the cost of other "
        "columns; likelihood='squared-error', whose variance is fixed, weighs all columns alike",
        LikelihoodWarning,
    )
