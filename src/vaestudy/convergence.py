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
    """Return for each run the spread of epoch-to-epoch changes of the test bound, in nats.

    Over the last ``share`` of training, where the trend is small: a measure of stability.
    """
    history = study.curves(runs, ["bound"], ["test"]).sort_values(["run_id", "epoch"])
    late = history[history["epoch"] >= (1 - share) * history["epoch"].max()]
    steps = late.groupby("run_id")["value"].diff()
    spread: pd.Series = steps.groupby(late["run_id"]).std()
    return spread
