"""A finished study as the report reads it: its tables, its models, its data.

Runs are found by their parameters: ``study.runs(objective="iwae", k=5)`` are those that equal the
base model but for what is named, so a figure draws the same comparison in every study.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ValidationError

from vaestudy.config import ModelParameters, StudyConfig, load_config
from vaestudy.deeper import DeeperLayer, text_of

if TYPE_CHECKING:
    from vaestudy.data import Dataset
    from vaestudy.vae import VAE

T = TypeVar("T")

TABLES = (
    *("runs", "history", "units", "steps", "evaluation"),
    *("summary", "timing", "datasets", "claims"),
)


class EmptySelectionError(LookupError):
    """No run of the study has the parameters that a figure or a number needs."""


def tried(make: Callable[..., T], *arguments: Any) -> T | None:
    """Return what ``make`` makes, or None where the study has not run what it needs."""
    try:
        return make(*arguments)
    except EmptySelectionError:
        return None


class MissingTableError(FileNotFoundError):
    """The study has not been run as far as the tables."""


@dataclass(frozen=True)
class Study:
    """The results of one study.

    Parameters
    ----------
    config
        The configuration that made it.
    """

    config: StudyConfig

    @classmethod
    def load(cls, config: str | Path) -> Study:
        """Open the study that a configuration file describes."""
        return cls(load_config(config))

    def table(self, name: str) -> pd.DataFrame:
        """Return a table, one of ``TABLES``."""
        return _read_table(self.config.directory / "tables" / f"{name}.parquet")

    def _among(self, table: str, column: str, allowed: tuple[Any, ...]) -> NDArray[np.bool_]:
        """Return which rows of a table have one of these values; chapters ask it over and over."""
        key = (table, column, allowed)
        if key not in self._found:
            found = self.table(table)[column].isin(list(allowed))
            self._found[key] = found.to_numpy(dtype=bool)
        return self._found[key]

    @cached_property
    def _found(self) -> dict[tuple[str, str, tuple[Any, ...]], NDArray[np.bool_]]:
        return {}

    @cached_property
    def base(self) -> dict[str, Any]:
        """The base model's parameters, as they stand in the runs table."""
        return as_columns(self.config.base)

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """Every parameter's default, likewise."""
        return as_columns(ModelParameters())

    def runs(self, **parameters: Any) -> pd.DataFrame:
        """Return the finished runs that equal the base model but for ``parameters``.

        Parameters
        ----------
        **parameters
            A value, or a list of values, or ``...`` for any; ``hidden`` and ``deeper`` as a
            configuration or as the table has them.

        Raises
        ------
        EmptySelectionError
            If there are none.
        """
        table = self.declared(**parameters)
        keep = table["status"] == "finished"
        if not keep.any():
            raise EmptySelectionError(f"no finished run of {self.config.study!r} has {parameters}")
        return table[keep].reset_index(drop=True)

    def declared(self, **parameters: Any) -> pd.DataFrame:
        """Return the runs that :meth:`runs` chooses from, those that diverged included."""
        unknown = set(parameters) - set(ModelParameters.model_fields) - {"seed"}
        if unknown:
            raise KeyError(f"unknown parameters {sorted(unknown)}")
        table = self.table("runs")
        keep = np.ones(len(table), dtype=bool)
        for name, value in {**self.base, **parameters}.items():
            if value is ...:
                continue
            level = as_level(name, value)
            allowed = tuple(level) if isinstance(level, list) else (level,)
            # A table older than a parameter holds runs at its default.
            keep &= (
                self._among("runs", name, allowed)
                if name in table
                else self.defaults[name] in allowed
            )
        return table[keep].reset_index(drop=True)

    def has(self, **parameters: Any) -> bool:
        """Whether any run equals the base model but for ``parameters``."""
        try:
            return len(self.runs(**parameters)) > 0
        except EmptySelectionError:
            return False

    def levels(self, parameter: str, **others: Any) -> list[Any]:
        """Return the values of ``parameter`` among runs that else equal base and ``others``."""
        return sorted(self.runs(**{parameter: ..., **others})[parameter].unique().tolist())

    @cached_property
    def iwae(self) -> dict[str, Any]:
        """The importance-weighted objective of this study, as parameters."""
        rows = self.runs(objective="iwae", k=...)
        return {"objective": "iwae", "k": int(rows["k"].min())}

    @cached_property
    def warmup(self) -> dict[str, Any]:
        """The study's standard warm-up, the longest that both objectives have, as parameters.

        Raises
        ------
        EmptySelectionError
            If they have none in common but 0 epochs, which is no warm-up.
        """
        both = set(self.levels("warmup")) & set(self.levels("warmup", **self.iwae))
        if not any(both):
            raise EmptySelectionError(
                f"no warm-up of {self.config.study!r} was trained with both objectives"
            )
        return {"warmup": max(both)}

    def curves(
        self, runs: pd.DataFrame, metrics: Sequence[str], splits: Sequence[str] = ("train", "test")
    ) -> pd.DataFrame:
        """Return history rows of ``runs``, with their parameters as further columns."""
        history = self.table("history")
        wanted = history["metric"].isin(metrics) & history["split"].isin(splits)
        return history[wanted].merge(runs, on="run_id")

    def units(self, runs: pd.DataFrame) -> pd.DataFrame:
        """Return per-dimension rows of ``runs``, with their parameters as further columns."""
        return self.table("units").merge(runs, on="run_id")

    def steps(self, runs: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
        """Return rows of single steps of ``runs``, with their parameters as further columns."""
        table = self.table("steps")
        return table[table["metric"].isin(metrics)].merge(runs, on="run_id")

    def final(self, runs: pd.DataFrame, metric: str) -> pd.DataFrame:
        """Return the final measurements of ``metric``, with parameters as further columns."""
        of_metric = self._among("evaluation", "metric", (metric,))
        return self.table("evaluation")[of_metric].merge(runs, on="run_id")

    def model(self, run_id: str) -> VAE:
        """Return a trained model with one member, on the CPU."""
        from vaestudy.checkpoint import load_model

        return load_model(self.config.directory / "runs" / run_id / "model.safetensors")[0]

    @property
    def dataset(self) -> Dataset:
        """The base model's data set."""
        return self.dataset_named(self.config.base.dataset)

    def dataset_named(self, name: str) -> Dataset:
        """Return a data set that some of the study's models were trained on.

        Raises
        ------
        EmptySelectionError
            If none was.
        """
        if name not in set(self.table("runs")["dataset"]):
            raise EmptySelectionError(f"no model of {self.config.study!r} was trained on {name}")
        return _read_dataset(self.config.directory / "data" / f"{name}.safetensors")


def as_columns(parameters: ModelParameters) -> dict[str, Any]:
    """Return parameters as they stand in the runs table."""
    values = parameters.model_dump(mode="json")
    return {**values, "hidden": as_level("hidden", parameters.hidden)}


def as_level(name: str, value: Any) -> Any:
    """Return a parameter's level, or a list of levels, as it stands in the runs table.

    What a configuration has as lists, the widths of ``hidden`` and the layers of ``deeper``, are
    texts there: ``[20, 10]`` is ``20-10``, and ``[[20, 10], [20]]`` two levels.

    Raises
    ------
    ValueError
        If the layers of ``deeper`` are none.
    """
    if name not in _AS_TEXT or not isinstance(value, list | tuple):
        return value
    if any(isinstance(entry, list | tuple | str) for entry in value):
        return [as_level(name, entry) for entry in value]
    return _AS_TEXT[name](value)


def _text_of_layers(layers: Sequence[Any]) -> str:
    try:
        return text_of([DeeperLayer.model_validate(layer) for layer in layers])
    except ValidationError:
        raise ValueError(
            f"deeper: got {layers!r}; expected none, or a list such as "
            "[{n_z: 50, hidden: [100, 100]}]"
        ) from None


_AS_TEXT: dict[str, Callable[[Sequence[Any]], str]] = {
    "hidden": lambda widths: "-".join(map(str, widths)),
    "deeper": _text_of_layers,
}


@cache
def _read_table(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except FileNotFoundError:
        raise MissingTableError(f"{path} is missing; `snakemake` makes it") from None


@cache
def _read_dataset(path: Path) -> Dataset:
    from vaestudy.data import load_prepared

    return load_prepared(path)
