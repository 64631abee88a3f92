"""The study's tables: what all jobs wrote, put together, tidy, as Parquet and CSV.

``docs/architecture.md`` lists their columns. Rows follow the order of the grid, so the same config
gives the same bytes; ``timing`` alone differs between repeats.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vaestudy.config import Run
from vaestudy.data import Dataset
from vaestudy.files import write_csv, write_parquet
from vaestudy.groups import Group
from vaestudy.run_files import MissingResultError, RunFiles, read_record
from vaestudy.stats import bootstrap_interval, mean_interval
from vaestudy.steplog import COLUMNS as STEP_COLUMNS
from vaestudy.steplog import is_logged

#: Five million rows in the full study: its CSV is gzipped.
_LARGE = ("units",)
_SUMMARY = (
    *("combination_id", "metric", "n", "mean", "low", "high"),
    *("bootstrap_low", "bootstrap_high"),
)
_TIMING = (
    "run_id",
    "train_seconds",
    "images_per_second",
    "finished",
    "members",
    "epochs_timed",
    "peak_rss_mb",
    "device",
    "hardware",
    "cores",
    "threads",
    "system",
    "python",
    "torch",
    "vaestudy",
    "revision",
    "engine",
)


def build_tables(
    runs: Sequence[Run],
    groups: Sequence[Group],
    datasets: Sequence[Dataset],
    directory: Path,
    examined: Collection[str] = (),
    logged: Mapping[str, int] | None = None,
) -> dict[str, pd.DataFrame]:
    """Return every table of a study from the files under ``directory``.

    ``examined`` are the ids of groups with slower measurements as well; ``logged`` says of how many
    first steps of a run each is logged.

    Raises
    ------
    MissingResultError
        If a run's files are missing, or every run diverged, which leaves nothing to measure.
    """
    files = [RunFiles(directory / "runs" / run.config.run_id) for run in runs]
    records = [read_record(f) for f in files]
    if all(record["status"] == "diverged" for record in records):
        raise MissingResultError(
            f"none of the study's {len(runs)} runs can be measured, for every one diverged: "
            f"{records[0]['message']}"
        )
    declared = _runs_table(runs, groups, records)
    folders = [directory / "groups" / group.group_id for group in groups]
    measured = [folder / "evaluation.parquet" for folder in folders]
    measured += [f / "examination.parquet" for f in folders if f.name in examined]
    evaluation = _evaluation_table(runs, measured)
    return {
        "runs": declared,
        "history": pd.concat([pd.read_parquet(f.history) for f in files], ignore_index=True),
        "units": pd.concat([pd.read_parquet(f.units) for f in files], ignore_index=True),
        "steps": _steps_table(files, logged or {}),
        "evaluation": evaluation,
        "summary": summarise(declared, evaluation),
        "timing": pd.DataFrame([{k: r.get(k) for k in _TIMING} for r in records]),
        "datasets": pd.DataFrame([_dataset_row(d) for d in datasets]),
    }


def write_tables(tables: dict[str, pd.DataFrame], directory: Path) -> None:
    """Write each table as Parquet and as CSV (gzipped if large)."""
    for name, table in tables.items():
        write_parquet(directory / f"{name}.parquet", table)
        write_csv(directory / f"{name}.csv{'.gz' if name in _LARGE else ''}", table)


def summarise(runs: pd.DataFrame, evaluation: pd.DataFrame) -> pd.DataFrame:
    """Return each combination's mean over seeds of every metric, with its n and both intervals."""
    values = evaluation.merge(runs[["run_id", "combination_id"]], on="run_id")
    rows = []
    for (combination, metric), seeds in values.groupby(["combination_id", "metric"], sort=False):
        t, bootstrap = mean_interval(seeds["value"]), bootstrap_interval(seeds["value"])
        rows.append(
            (combination, metric, t.n, t.mean, t.low, t.high, bootstrap.low, bootstrap.high)
        )
    return pd.DataFrame(rows, columns=list(_SUMMARY))


def _runs_table(
    runs: Sequence[Run], groups: Sequence[Group], records: Sequence[dict[str, Any]]
) -> pd.DataFrame:
    group_of = {run.run_id: group.group_id for group in groups for run in group.runs}
    rows = []
    for run, record in zip(runs, records, strict=True):
        parameters = run.config.model_dump(mode="json")
        parameters["hidden"] = "-".join(str(width) for width in run.config.hidden)
        rows.append(
            {
                "run_id": run.config.run_id,
                "combination_id": run.config.combination_id,
                "group_id": group_of[run.config.run_id],
                "experiments": ",".join(run.experiments),
                **parameters,
                "n_parameters": record["n_parameters"],
                "status": record["status"],
                "message": record["message"],
            }
        )
    return pd.DataFrame(rows)


def _steps_table(files: Sequence[RunFiles], logged: Mapping[str, int]) -> pd.DataFrame:
    parts = []
    for one in files:
        if n_first := logged.get(one.directory.name, 0):
            frame = pd.read_parquet(one.steps)
            # An earlier configuration may have asked for more.
            parts.append(frame[[is_logged(step, n_first) for step in frame["step"]]])
    if parts:
        return pd.concat(parts, ignore_index=True)
    return pd.DataFrame(columns=list(STEP_COLUMNS)).astype({"step": "int64", "value": "float64"})


def _evaluation_table(runs: Sequence[Run], files: Sequence[Path]) -> pd.DataFrame:
    parts = [read_measurements(path) for path in files]
    table = pd.concat([part for part in parts if len(part)], ignore_index=True)
    order = {run.config.run_id: i for i, run in enumerate(runs)}
    table = table[table["run_id"].isin(order)]
    return table.sort_values(
        "run_id", key=lambda ids: ids.map(order), kind="stable", ignore_index=True
    )


def read_measurements(path: Path) -> pd.DataFrame:
    """Read what one group of runs was measured to be.

    Raises
    ------
    MissingResultError
        If the file is not there, or is no such table.
    """
    wanted = "expected a table that evaluate-group or examine-group wrote"
    try:
        table = pd.read_parquet(path)
    except (ValueError, OSError) as error:
        why = f"cannot be read ({error})" if path.exists() else "does not exist"
        raise MissingResultError(f"{path} {why}; {wanted}") from None
    missing = [name for name in ("run_id", "metric", "value") if name not in table]
    if missing:
        raise MissingResultError(f"{path} has no column {', '.join(missing)}; {wanted}")
    return table


def _dataset_row(dataset: Dataset) -> dict[str, Any]:
    return {
        "dataset": dataset.name,
        "n_train": len(dataset.train),
        "n_test": len(dataset.test),
        "n_features": dataset.train.shape[1],
        "sha256": dataset.sha256,
        "source": dataset.source,
    }
