"""What the estimator's tests share: one that trains in no time, and tables for it."""

from __future__ import annotations

import numpy as np

from vaestudy import VAE

_RNG = np.random.default_rng(0)
#: 30 rows of 4 features: on the whole line, in the unit interval, of 0 and 1.
REAL = _RNG.normal(size=(30, 4))
UNIT = _RNG.random((30, 4))
BINARY = (UNIT > 0.5).astype(float)
QUICK = {"hidden": (8,), "epochs": 4, "n_importance": 20, "device": "cpu", "random_state": 0}


def quick(**changes: object) -> VAE:
    return VAE(**{**QUICK, **changes})


def table_of_unlike_units() -> np.ndarray:
    """60 rows of 5 features of very different units, two of them driven by the others."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(60, 2))
    x = np.column_stack([z, z.sum(1), z[:, 0] ** 2, rng.normal(size=60)])
    return x * [1, 100, 0.01, 1, 5] + [0, 1000, 0, 0, -3]
