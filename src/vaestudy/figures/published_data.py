"""Published figures beside ours: those of a study's own runs, or those kept with the project."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from pydantic import Field

from vaestudy.config_errors import ConfigError
from vaestudy.figures.families import label_of
from vaestudy.parameters import ModelParameters, Strict
from vaestudy.stats import mean_interval
from vaestudy.study import EmptySelectionError, Study, as_columns

#: Both relative to the checkout, where commands and notebooks run.
PUBLISHED, RESULTS = Path("report/published.yaml"), Path("docs/results")
#: What makes the file that :func:`read_results` reads.
COMMAND = "vaestudy published --config configs/burda-short.yaml --output docs/results/burda.csv"

#: What tells one published model from another.
_NAME = ["layers", "objective", "k"]
#: What is published of it.
_THEIRS = ["model", "published_nll", "published_units", "published_passes", "rerun_nll"]
_NUMBERS = ("nll", "standard_error", "hours", "images_per_second")
_COUNTS = ("n", "passes", "n_samples")
#: Of a model that we have not trained.
_MISSING: dict[str, Any] = dict.fromkeys(
    (*_NUMBERS, *_COUNTS, "schedule", "units", "hardware", "finished", "version", "runs")
)
#: Units of one layer would be taken for numbers, those of two not.
_TEXTS = {"units": "string", "published_units": "string", "schedule": "string"}
_TYPES: dict[str, str] = {
    **_TEXTS,
    **dict.fromkeys((*_NUMBERS, "rerun_nll"), "float64"),
    **dict.fromkeys(_COUNTS, "Int64"),
}


class PublishedModel(Strict):
    """A cell of a published table."""

    parameters: dict[str, Any] = Field(description="What sets it apart within its architecture.")
    nll: float = Field(description="Test NLL, in nats.")
    units: list[int] = Field(description="Active units of each stochastic layer.")
    rerun: float | None = Field(None, description="Test NLL of the independent rerun, in nats.")


class PublishedArchitecture(Strict):
    """Models of one shape."""

    parameters: dict[str, Any]
    models: list[PublishedModel]


class Rerun(Strict):
    """An independent run of a published table, which was published in turn."""

    citation: str = Field(description="Key in references.bib.")
    dreg: dict[int, float] = Field(description="Its NLL by the DReG gradient, one layer, by K.")


class PublishedTable(Strict):
    """A table of a paper, with the parameters of the runs that repeat it."""

    citation: str = Field(description="Key in references.bib.")
    item: str = Field(description="Which of the paper's tables.")
    n_samples: int = Field(description="Importance samples of its NLL.")
    passes: int = Field(description="Epochs of its training.")
    rerun: Rerun
    parameters: dict[str, Any]
    architectures: list[PublishedArchitecture]

    def models(self) -> Iterator[tuple[PublishedModel, ModelParameters]]:
        """Yield each cell with all parameters of the runs that repeat it, however long trained."""
        for architecture in self.architectures:
            for model in architecture.models:
                changed = {**self.parameters, **architecture.parameters, **model.parameters}
                yield model, ModelParameters.model_validate({**changed, "epochs": self.passes})


def read_published(name: str = "burda", path: Path = PUBLISHED) -> PublishedTable:
    """Read one table of the file of published figures.

    Raises
    ------
    ConfigError
        If the file is not there.
    """
    if not path.is_file():
        raise ConfigError(
            f"{path} does not exist (looked for in {Path.cwd()}); expected the figures that were "
            "published, which lie in the repository: run the command in its root"
        )
    tables: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return PublishedTable.model_validate(tables[name])


def compare(study: Study, published: PublishedTable) -> pd.DataFrame:
    """Return every published model with ours beside it, one row a model and way of training.

    Columns
    -------
    ``layers, objective, k, model`` name it; ``published_nll, published_units`` are the paper's,
    ``rerun_nll`` is the independent rerun's;
    ``nll, standard_error, units`` ours, means over ``n`` seeds with the Monte Carlo error;
    ``difference`` is ours less theirs; the rest says how ours came about. Missing where there are
    no runs of ours.
    """
    rows: list[dict[str, Any]] = []
    for model, parameters in published.models():
        theirs = {
            "layers": 1 + len(parameters.deeper),
            "objective": parameters.objective,
            "k": parameters.k,
            "model": label_of({"objective": parameters.objective, "k": parameters.k}),
            "published_nll": model.nll,
            "published_units": "+".join(map(str, model.units)),
            "published_passes": published.passes,
            "rerun_nll": model.rerun,
        }
        found = list(_ours(study, parameters)) or [{}]
        rows += [{**theirs, **_MISSING, **ours} for ours in found]
    return _with_difference(pd.DataFrame(rows))


def keep_earlier(table: pd.DataFrame, earlier: pd.DataFrame) -> pd.DataFrame:
    """Return a comparison with what an earlier one has, and it has not, of our own runs.

    Runs of the same model, length and schedule are replaced; others' figures are the table's.
    """
    theirs = table[_NAME + _THEIRS].drop_duplicates(_NAME)
    ours = [name for name in table if name not in (*_THEIRS, "difference")]
    parts = [part.dropna(subset="nll").reindex(columns=ours) for part in (table, earlier)]
    trained = pd.concat([part for part in parts if len(part)] or parts[:1])
    trained = trained.drop_duplicates([*_NAME, "passes", "schedule"])
    return _with_difference(theirs.merge(trained, on=_NAME, how="left"))


def _with_difference(rows: pd.DataFrame) -> pd.DataFrame:
    table = rows.astype(_TYPES)
    return table.assign(difference=table["nll"] - table["published_nll"])


def _ours(study: Study, parameters: ModelParameters) -> Iterator[dict[str, Any]]:
    """Yield our measurements of a model, once for each length and schedule of training."""
    ours = {"epochs": ..., "lr_schedule": ..., "precision": ...}
    try:
        runs = study.runs(**as_columns(parameters) | ours)
    except EmptySelectionError:
        return
    for (epochs, schedule), replicates in runs.groupby(["epochs", "lr_schedule"]):
        nll = study.final(replicates, "nll")
        timing = study.table("timing").merge(replicates[["run_id"]], on="run_id")
        seconds = timing["train_seconds"] / timing["members"]
        yield {
            "nll": nll["value"].mean(),
            "standard_error": mean_error(nll["standard_error"]),
            "units": _units(study, replicates, 1 + len(parameters.deeper)),
            "n": len(replicates),
            "passes": epochs,
            "schedule": schedule,
            "n_samples": nll["n_samples"].max(),
            "hours": seconds.mean() / 3600,
            "images_per_second": timing["images_per_second"].mean(),
            "hardware": _joined(timing["hardware"]),
            "finished": timing["finished"].max(),
            "version": _joined("vaestudy " + timing["vaestudy"] + " " + timing["revision"]),
            "runs": " ".join(replicates["run_id"]),
        }


def mean_error(errors: pd.Series) -> float:
    """Return the standard error of a mean of independent estimates."""
    return float((errors.astype(float) ** 2).sum() ** 0.5 / len(errors))


def _units(study: Study, runs: pd.DataFrame, layers: int) -> str:
    names = ["active_units"] if layers == 1 else [f"active_units_{i + 1}" for i in range(layers)]
    means = (mean_interval(study.final(runs, name)["value"]).mean for name in names)
    return "+".join(f"{mean:.1f}".removesuffix(".0") for mean in means)


def _joined(values: pd.Series) -> str:
    return " and ".join(sorted(values.astype(str).unique()))


def runs_of(table: pd.DataFrame) -> list[str]:
    """Return the ids of all runs of ours in a comparison."""
    return [run_id for ids in table["runs"].dropna() for run_id in str(ids).split()]


def layers_text(layers: int) -> str:
    """Return how many stochastic layers, in words."""
    return {1: "one stochastic layer", 2: "two stochastic layers"}[layers]


def read_results(path: Path = RESULTS / "burda.csv") -> pd.DataFrame | None:
    """Return the comparison that is kept with the project, or None if there is none."""
    return pd.read_csv(path, dtype=_TEXTS) if path.is_file() else None


def find_comparison(study: Study) -> tuple[pd.DataFrame, str]:
    """Return the comparison and whose runs are in it: ``study``, ``kept`` or ``none``."""
    own = compare(study, read_published())
    if own["nll"].notna().any():
        return own, "study"
    kept = read_results()
    if kept is None:
        return own, "none"
    return keep_earlier(own, kept), "kept"
