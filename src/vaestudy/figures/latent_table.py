"""Tables of the chapter on the latent space: what comes back, and what lies near in it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from vaestudy.figures.cells import mean_cell
from vaestudy.figures.spans import mean_within
from vaestudy.stats import mean_interval, paired_difference


def by_seed(table: pd.DataFrame, value: str, **where: Any) -> pd.Series:
    """Return a column of the rows that ``where`` selects, by seed."""
    for name, wanted in where.items():
        table = table[table[name] == wanted]
    values: pd.Series = table.set_index("seed")[value]
    return values


def reconstruction_table(errors: pd.DataFrame) -> pd.DataFrame:
    """Return each family's errors, the first family being what the others are compared to.

    Parameters
    ----------
    errors
        From :func:`~vaestudy.figures.reconstructions.reconstruction_values`.
    """
    first, *_ = errors["family"]
    base = by_seed(errors, "squared_error", family=first)
    rows = []
    for family, own in errors.groupby("family", sort=False):
        values = by_seed(own, "squared_error")
        # The density of another decoder is no probability of binary pixels.
        is_mass = own["likelihood"].iloc[0] == "bernoulli"
        term = mean_interval(by_seed(own, "reconstruction")) if is_mass else None
        gap = None if family == first else paired_difference(values, base)
        rows.append(
            {
                "Model": family,
                "Squared error": mean_cell(mean_within(values, "squared_error"), 1),
                f"Minus {first}": mean_cell(gap, 1, signed=True),
                r"$\mathbb{E}_q \log p(x \mid z)$": mean_cell(term, 1),
                "Active units": mean_cell(
                    mean_within(by_seed(own, "active_units"), "active_units", own), 1
                ),
            }
        )
    return pd.DataFrame(rows)


def neighbour_table(near: pd.DataFrame, n_z: list[int]) -> pd.DataFrame:
    """Return how often neighbours agree on the class (%), and active units, by family and $n_z$.

    Parameters
    ----------
    near
        From :func:`~vaestudy.figures.latent_space.neighbour_values`.
    n_z
        Latent dimensions that all families have.
    """
    families = near["family"].unique().tolist()
    rows = []
    for n in n_z:
        own = near[near["n_z"] == n].assign(percent=100 * near["accuracy"])
        row = {"$n_z$": str(n)}
        for family in families:
            share, units = (
                mean_interval(by_seed(own, name, family=family)).within(0, most)
                for name, most in (("percent", 100), ("active", n))
            )
            row |= {family: mean_cell(share, 1), f"{family}: active": mean_cell(units, 1)}
        if len(families) > 1:
            first, second = (by_seed(own, "percent", family=family) for family in families[:2])
            row["Difference"] = mean_cell(
                paired_difference(second, first).within(-100, 100), 1, signed=True
            )
        rows.append(row)
    return pd.DataFrame(rows)
