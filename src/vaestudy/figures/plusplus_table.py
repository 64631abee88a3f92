"""Tables of the chapter on VAE++."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from vaestudy.figures.cells import mean_cell
from vaestudy.figures.families import label_of
from vaestudy.figures.plusplus_data import PRINTED, mean_of, plus_runs
from vaestudy.figures.plusplus_pictures import likelihoods_of, objectives_of
from vaestudy.stats import Interval, mean_interval, number
from vaestudy.study import Study

#: Epochs of the source's printed losses.
_EPOCHS = 5

Column = tuple[str, str, int]


def losses_table(study: Study) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Return losses by epoch beside the printed ones: for reading, as numbers, and the runs."""
    shown, rows, ids = [], [], []
    epochs = range(1, _EPOCHS + 1)
    for (factor, level), printed in PRINTED.items():
        weighted = factor == "k"
        parameters: dict[str, Any] = {factor: level, **({"objective": "iwae"} if weighted else {})}
        runs = plus_runs(study, **parameters)
        ids += runs["run_id"].tolist()
        curves = study.curves(runs, ["bound" if weighted else "elbo"])
        ours: dict[Any, Interval] = {
            at: mean_interval(-own["value"]) for at, own in curves.groupby(["split", "epoch"])
        }
        name = f"IWAE, $k = {level}$" if weighted else f"VAE, $n_z = {level}$"
        cells = {str(e): number(v) for e, v in zip(epochs, printed, strict=True)}
        shown.append({"Model": name, "Loss": "printed", **cells})
        rows += [(factor, level, "printed", e, v) for e, v in zip(epochs, printed, strict=True)]
        for split in ("train", "test"):
            found = {epoch: ours.get((split, epoch)) for epoch in epochs}
            cells = {str(epoch): mean_cell(loss) for epoch, loss in found.items()}
            shown.append({"Model": name, "Loss": split, **cells})
            rows += [(factor, level, split, e, i.mean if i else math.nan) for e, i in found.items()]
    data = pd.DataFrame(rows, columns=["factor", "level", "split", "epoch", "loss"])
    return pd.DataFrame(shown), data, ids


def divergences_table(study: Study) -> tuple[pd.DataFrame, list[str]]:
    """Return what each divergence gives, and the runs."""
    columns: tuple[Column, ...] = (
        ("nll", "Test NLL", 1),
        ("elbo", "ELBO", 1),
        ("reconstruction", "Reconstruction", 1),
        ("kl", "KL", 2),
        ("posterior_variance", "Posterior variance", 3),
        ("squared_error", "Squared error", 1),
    )
    named = [(label_of(p), p) for p in objectives_of(study)]
    return _compare(study, "Objective", named, columns)


def grey_table(study: Study) -> tuple[pd.DataFrame, list[str]]:
    """Return what each likelihood makes of grey pixels in the chapter's model, and the runs."""
    columns: tuple[Column, ...] = (
        ("squared_error", "Squared error", 2),
        ("nll_clipped", "NLL as a density, clipped pixels", 1),
        ("active_units", "Active units", 1),
    )
    return _compare(study, "Decoder", list(likelihoods_of(study).items()), columns)


def halves_table(study: Study) -> tuple[pd.DataFrame, list[str]]:
    """Return the NLL of bottom halves given top halves, by method and latent dimension."""
    columns: tuple[Column, ...] = (
        ("nll_of_bottom_variational", "Variational", 2),
        ("nll_of_bottom_importance", "Importance-weighted", 2),
        ("importance_effective_samples", "Its effective samples", 1),
        ("nll_of_bottom_prior", "Prior", 2),
    )
    measured = study.final(plus_runs(study, n_z=...), "nll_of_bottom_prior")
    named = [(str(n_z), {"n_z": n_z}) for n_z in sorted(measured["n_z"].unique())]
    return _compare(study, "$n_z$", named, columns)


def _compare(
    study: Study,
    head: str,
    named: list[tuple[str, dict[str, Any]]],
    columns: tuple[Column, ...],
) -> tuple[pd.DataFrame, list[str]]:
    rows, ids = [], []
    for name, parameters in named:
        runs = plus_runs(study, **parameters)
        ids += runs["run_id"].tolist()
        cells = {head: name, "n": str(len(runs))}
        for metric, title, digits in columns:
            found = mean_of(study, metric, **parameters)
            cells[title] = mean_cell(found, digits)
        rows.append(cells)
    return pd.DataFrame(rows), ids
