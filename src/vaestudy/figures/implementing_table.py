"""Tables of the chapter on implementing: what each choice does to likelihood and activity."""

from __future__ import annotations

from typing import Any

import pandas as pd

from vaestudy.convergence import epochs_to_within, roughness
from vaestudy.figures.cells import mean_cell
from vaestudy.figures.families import label_of
from vaestudy.figures.spans import mean_within
from vaestudy.report.phrases import Parameters, difference, final_mean
from vaestudy.stats import Interval, mean_interval, paired_difference
from vaestudy.study import Study

#: Readings of the draft to the letter: name, parameters, and of what they are compared to.
VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "Adam with $\\beta_2 = 0.9$": ({"adam_beta2": 0.9}, {}),
    "Bounded heads": ({"encoder_heads": "bounded"}, {}),
    "BN on the heads too": ({"batch_norm": "all"}, {"batch_norm": "hidden"}),
}
_ON_COMMON_GROUND = {
    "nll_restricted": "NLL, restricted",
    "nll_mean": "NLL, mean",
    "squared_error": "Squared error",
    "active_units": "Active units",
}


def common_ground(study: Study) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return Bernoulli and Gaussian decoders by what compares: for reading, and by seed.

    A Bernoulli decoder is its own reading, restricted or by the mean.
    """
    shown, data = [], []
    for likelihood in ("bernoulli", "gaussian"):
        for objective in ({}, study.iwae):
            selection = {"likelihood": likelihood, **objective}
            if not study.has(**selection):
                continue
            runs = study.runs(**selection)
            cells = {"Model": label_of(runs.iloc[0])}
            for metric, title in _ON_COMMON_GROUND.items():
                is_nll = metric.startswith("nll_") and likelihood == "bernoulli"
                final = study.final(runs, "nll" if is_nll else metric)
                cells[title] = mean_cell(mean_within(final["value"], metric, runs), 1)
                data.append(final.assign(metric=metric))
            shown.append(cells)
    return pd.DataFrame(shown), pd.concat(data)


def warmup_table(study: Study) -> pd.DataFrame:
    """Return test NLL, its paired difference to no warm-up, and active units, by length."""
    rows = []
    for n in study.levels("warmup"):
        gap = difference(study, "nll", {"warmup": n}, {"warmup": 0}) if n else None
        rows.append(
            {
                "Warm-up (epochs)": n,
                "Test NLL": mean_cell(final_mean(study, "nll", {"warmup": n})),
                "Against none": mean_cell(gap, signed=True),
                "Active units": mean_cell(final_mean(study, "active_units", {"warmup": n}), 1),
            }
        )
    return pd.DataFrame(rows)


def dimension_table(study: Study) -> pd.DataFrame:
    """Return test NLL, active units and the time to converge, by objective and $n_z$."""
    rows = []
    for objective in ({}, study.iwae):
        for n in study.levels("n_z", **objective):
            selection = {"n_z": n, **objective}
            epochs = epochs_to(study, selection)
            most = int(study.runs(**selection)["epochs"].max())
            rows.append(
                {
                    "Model": label_of(study.runs(**selection).iloc[0]),
                    "$n_z$": n,
                    "Test NLL": mean_cell(final_mean(study, "nll", selection)),
                    "Active units": mean_cell(final_mean(study, "active_units", selection), 1),
                    "Epochs to 1 nat": mean_cell(mean_interval(epochs).within(0, most), 1),
                }
            )
    return pd.DataFrame(rows)


def variants_table(study: Study) -> pd.DataFrame:
    """Return the change in NLL, and the active units, of each reading of the draft's letter."""
    rows = []
    for name, (selection, against) in VARIANTS.items():
        if not study.has(**selection):
            continue
        change = difference(study, "nll", selection, against)
        rows.append(
            {
                "Variant": name,
                "Against": label_of(study.runs(**against).iloc[0]),
                "Change in NLL": mean_cell(change, signed=True),
                "Active units": mean_cell(final_mean(study, "active_units", selection), 1),
                "of those against": mean_cell(final_mean(study, "active_units", against), 1),
            }
        )
    return pd.DataFrame(rows)


def epochs_to(study: Study, parameters: Parameters) -> pd.Series:
    """Return by seed the first epoch whose test bound is within 1 nat of the last."""
    table = epochs_to_within(study, study.runs(**parameters))
    epochs: pd.Series = table.set_index("seed")["epochs_to"]
    return epochs


def settled(study: Study, parameters: Parameters) -> pd.Series:
    """Return by seed whether the test bound came within 1 nat of its last before the last epoch.

    Where it did not, training ended while the bound still rose, and what :func:`epochs_to` counts
    is the length of training.
    """
    last = study.runs(**parameters).set_index("seed")["epochs"]
    return epochs_to(study, parameters).lt(last)


def speed_gap(study: Study, parameters: Parameters, reference: Parameters) -> Interval:
    """Return the paired difference of :func:`epochs_to`."""
    return paired_difference(epochs_to(study, parameters), epochs_to(study, reference))


def roughness_gap(study: Study, parameters: Parameters, reference: Parameters) -> Interval:
    """Return the paired difference of :func:`~vaestudy.convergence.roughness`, in nats."""

    def by_seed(selection: Parameters) -> pd.Series:
        runs = study.runs(**selection)
        return runs.set_index("seed")["run_id"].map(roughness(study, runs))

    return paired_difference(by_seed(parameters), by_seed(reference))
