r"""What the chapter on the summary of Kingma & Welling compares: its log, and the KL's course.

The source prints ``loss``, ``rec`` and ``kl`` of a batch, to be lowered: the negative ELBO and its
two terms. They are the batch means of single steps (``steplog``), with the sign turned.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd

from vaestudy.study import EmptySelectionError, Study

#: What the source prints: the metric it is of ours, and its sign.
LOGGED = {"loss": ("elbo", -1), "rec": ("reconstruction", -1), "kl": ("kl", 1)}
#: The source's model, but for the number of latent dimensions.
MODEL: dict[str, Any] = {"hidden": "512-384-256", "activation": "relu", "binarization": "none"}
#: How it is trained, which differs between a full study and a quick one.
TRAINING = dict.fromkeys(("epochs", "batch_size", "learning_rate", "adam_eps"), ...)
#: Steps over which a batch's noise is averaged away before a lowest KL is looked for.
WINDOW = 10


def summary_runs(study: Study, n_z: int) -> pd.DataFrame:
    """Return the runs of the source's model, lowest seed first.

    Raises
    ------
    EmptySelectionError
        If the study has none.
    """
    runs = study.runs(**MODEL, **TRAINING, n_z=n_z)
    return runs.sort_values("seed", ignore_index=True)


@cache
def source_log() -> pd.DataFrame:
    """Return the 20 rows that the source prints: step, loss, rec, kl."""
    path = resources.files("vaestudy.report").joinpath("resources/vaesummary-log.csv")
    with path.open(encoding="utf-8") as file:
        return pd.read_csv(file, comment="#")


def own_log(study: Study, runs: pd.DataFrame) -> pd.DataFrame:
    """Return what the runs logged, one row a run × step: run_id, seed, step, loss, rec, kl.

    Raises
    ------
    EmptySelectionError
        If the study has logged no step of theirs.
    """
    tidy = study.steps(runs, [metric for metric, _ in LOGGED.values()])
    if tidy.empty:
        raise EmptySelectionError(f"{study.config.study!r} has logged no single step")
    keys = ["run_id", "seed", "step"]
    wide = tidy.pivot_table(index=keys, columns="metric", values="value").reset_index()
    logged = {name: sign * wide[metric] for name, (metric, sign) in LOGGED.items()}
    return wide[keys].assign(**logged)


def late_loss(study: Study, runs: pd.DataFrame) -> pd.Series:
    """Return each run's mean loss over the steps of the source's last ten rows, by run_id.

    One batch says little: its loss is some nats off, and the mean of ten a third of that.

    Raises
    ------
    EmptySelectionError
        If no run was trained as far.
    """
    steps = source_log()["step"].iloc[-10:]
    log = own_log(study, runs)
    late = log[log["step"].isin(steps)].groupby("run_id")["loss"].agg(["mean", "count"])
    whole = late.loc[late["count"] == len(steps), "mean"]
    if whole.empty:
        raise EmptySelectionError(f"the model was not trained for {steps.max():,} steps")
    return whole


def kl_course(study: Study, runs: pd.DataFrame) -> pd.DataFrame:
    """Return how each run's KL falls and rises: one row a run.

    Columns: ``run_id``, ``seed``; ``start``, the KL at step 0; ``lowest`` and ``lowest_at``, where
    among the first steps it has fallen furthest from ``highest`` before: means over ``WINDOW``
    steps (fewer at either edge), for a single step's highest less the lowest mean would be a fall
    of noise; ``highest_batch``, at ``highest_batch_at``, the highest single one up to there, and
    ``lowest_batch`` the lowest after that, for a mean over more steps than a high or a low lasts
    reaches neither;
    ``last`` and ``last_step``, the KL at the last step logged; ``loss_falls``, how far the loss
    falls from the lowest KL to there.
    """
    log = own_log(study, runs)
    return pd.DataFrame([_course(*run) for run in log.groupby(["run_id", "seed"])])


def kl_dip(study: Study, runs: pd.DataFrame) -> pd.Series:
    """Return, by run_id, the least of three: the KL's fall, its later rise, the loss's fall then.

    It is positive only where the KL falls first and rises later while the loss still falls.
    """
    course = kl_course(study, runs).set_index("run_id")
    parts = {
        "fall": course["highest"] - course["lowest"],
        "rise": course["last"] - course["lowest"],
        "loss": course["loss_falls"],
    }
    return pd.DataFrame(parts).min(axis=1)


def kl_below_start(study: Study, runs: pd.DataFrame) -> pd.Series:
    """Return, by run_id, how far the lowest KL lies below that of the untrained model.

    The lowest is a mean over ``WINDOW`` steps, the untrained model's KL that of its first batch.
    """
    course = kl_course(study, runs).set_index("run_id")
    return course["start"] - course["lowest"]


def _course(key: tuple[Any, ...], log: pd.DataFrame) -> dict[str, Any]:
    log = log.sort_values("step", ignore_index=True)
    first = log[log["step"] == log.index]  # each of them, without a gap
    smooth = first[["loss", "kl"]].rolling(WINDOW, min_periods=1, center=True).mean()
    kl = smooth["kl"].to_numpy()
    low = int((np.maximum.accumulate(kl) - kl).argmax())
    batches = first["kl"].to_numpy()
    peak = int(batches[: low + 1].argmax())
    last = log.iloc[-1]
    return {
        "run_id": key[0],
        "seed": key[1],
        "start": batches[0],
        "highest": kl[: low + 1].max(),
        "highest_batch": batches[peak],
        "highest_batch_at": peak,
        "lowest": kl[low],
        "lowest_at": low,
        "lowest_batch": batches[peak:].min(),
        "last": last["kl"],
        "last_step": int(last["step"]),
        "loss_falls": smooth["loss"].iloc[low] - last["loss"],
    }
