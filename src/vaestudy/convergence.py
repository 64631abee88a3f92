"""How fast a run got where it ended."""

from __future__ import annotations

import pandas as pd

from vaestudy.study import Study


def epochs_to_within(study: Study, runs: pd.DataFrame, nats: float = 1.0) -> pd.DataFrame:
    """Return for each run the first epoch whose test bound is within ``nats`` of its last.

    Parameters
    ----------
    study
        Where the histories are.
    runs
        Rows of the runs table.
    nats
        The distance.

    Returns
    -------
    DataFrame
        ``runs`` with a column ``epochs_to``.
    """
    history = study.curves(runs, ["bound"], ["test"]).sort_values("epoch")
    last = history.groupby("run_id")["value"].transform("last")
    near = history[history["value"] >= last - nats]
    first = near.groupby("run_id")["epoch"].min().rename("epochs_to")
    return runs.merge(first, left_on="run_id", right_index=True)


def roughness(study: Study, runs: pd.DataFrame, share: float = 0.5) -> pd.Series:
    r"""Return for each run the scatter of the test bound about its own course, in nats.

    The root mean square of third differences, scaled:

    .. math::
        s^2 = \frac1{20\,|E|} \sum_{e \in E}
              (b_e - 3\,b_{e-1} + 3\,b_{e-2} - b_{e-3})^2, \qquad 20 = 1 + 9 + 9 + 1

    It is s for white noise of standard deviation s about any parabola, and 0 for the parabola: a
    bound that still rises, ever more slowly, is not rough for that, as it would be by the spread of
    its changes.

    Parameters
    ----------
    study
        Where the histories are.
    runs
        Rows of the runs table.
    share
        The part of training, up to its end, whose bounds are asked; at least four epochs.

    Returns
    -------
    Series
        By ``run_id``; NaN for a run of fewer than four bounds.

    References
    ----------
    Gasser, Sroka & Jennen-Steinmetz (1986), Residual variance and residual pattern in nonlinear
    regression. Biometrika 73.
    """
    history = study.curves(runs, ["bound"], ["test"])
    last = history["epoch"].max()
    late = history[history["epoch"] >= min((1 - share) * last, last - 3)]
    bounds = late.pivot_table(index="epoch", columns="run_id", values="value")
    scatter: pd.Series = (bounds.diff().diff().diff() ** 2 / 20).mean() ** 0.5
    return scatter
