"""A grid of the user's own data, drawn and told, on made-up numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from studies import make_study
from vaestudy.config import RunConfig
from vaestudy.figures import FIGURES
from vaestudy.figures.cells import NOT_MEASURED
from vaestudy.figures.grid_data import MOST_DRAWN, find_grid
from vaestudy.figures.grid_prose import read_drawn, read_lowest
from vaestudy.figures.packaged_table import combinations_table
from vaestudy.stats import EQUALS
from vaestudy.study import EmptySelectionError, Study

NAMES = ("own-results", "own-curves", "own-kl")
BEST = 4


def measure(run: RunConfig) -> dict[str, float]:
    nll = 10 + abs(run.n_z - BEST) + (run.likelihood == "squared-error") * 20 - 0.5 * (run.k > 1)
    seed = 0.01 * run.seed
    if run.labels in ("condition", "blanked"):
        given = 7 + (run.labels == "blanked") + seed
        return {"nll_given_label": given, "active_units": 1, "kl": 2 + seed}
    return {"nll": nll + seed, "active_units": min(run.n_z, 3), "kl": 2 + seed}


def bound(run: RunConfig) -> tuple[float, ...]:
    return tuple(-40.0 + 5 * epoch - abs(run.n_z - BEST) for epoch in range(6))


def own(folder: Path, vary: dict[str, Any], label: str | None = None, **base: Any) -> Study:
    folder.mkdir(exist_ok=True)
    table = folder / "things.csv"
    pd.DataFrame(np.random.default_rng(0).normal(size=(9, 3))).to_csv(table, index=False)
    values = {
        "study": "mine",
        "base": {
            "dataset": {"path": str(table), "label": label},
            "binarization": "none",
            "likelihood": "normal",
            "n_z": 2,
            "epochs": 2,
            **base,
        },
        "seeds": [0, 1, 2],
        "experiments": {"grid": {"title": "Grid", "vary": vary}},
    }

    def fates(run: RunConfig) -> tuple[str, ...]:
        return tuple("kept" if unit < 3 else "lost" for unit in range(run.n_z))

    return make_study(folder, values, measure, fates=fates, bound=bound)


def labels(study: Study) -> list[str]:
    return [member.label for scale in find_grid(study) for member in scale.drawn]


@pytest.mark.parametrize(
    ("vary", "expected"),
    [
        ({}, ["VAE"]),
        ({"n_z": [2, 4]}, ["$n_z$ = 2", "$n_z$ = 4"]),
        (
            {"objective": ["elbo", {"objective": "iwae", "k": 5}], "hidden": [[8], [9]]},
            ["VAE, hidden = 8", "VAE, hidden = 9", "IWAE (K=5), hidden = 8",
             "IWAE (K=5), hidden = 9"],
        ),
        ({"warmup": [0, 1, 2]}, ["no WU", "WU 1", "WU 2"]),
        ({"likelihood": ["normal", "squared-error"]}, ["normal", "squared-error"]),
    ],
)  # fmt: skip
def test_a_combination_is_called_by_what_varies(
    tmp_path: Path, vary: dict[str, Any], expected: list[str]
) -> None:
    study = own(tmp_path, vary)
    assert labels(study) == expected
    for name in NAMES:
        drawing = FIGURES[name](study)
        drawing.figure.draw_without_rendering()
        assert len(drawing.runs) == 3 * len(expected)
        column = "curve" if name == "own-curves" else "combination"
        assert drawing.data[column].unique().tolist() == expected


def test_the_figures_hold_what_was_measured(tmp_path: Path) -> None:
    study = own(tmp_path, {"n_z": [2, 4]})
    values = FIGURES["own-results"](study).data
    nll = values[(values["metric"] == "nll") & (values["combination"] == "$n_z$ = 4")]
    assert nll["value"].tolist() == pytest.approx([10, 10.01, 10.02])
    curves = FIGURES["own-curves"](study).data
    last = curves[(curves["epoch"] == 5) & (curves["split"] == "test")]
    assert last.set_index("curve")["mean"].to_dict() == {"$n_z$ = 2": -17, "$n_z$ = 4": -15}
    # Each seed's largest first: three that are kept, and one that is lost.
    units = FIGURES["own-kl"](study).data.query("combination == '$n_z$ = 4' and seed == 1")
    assert units["rank"].tolist() == [1, 2, 3, 4]
    assert units["kl"].tolist() == [0.5, 0.5, 0.5, 0.0005]


def test_each_likelihood_has_its_own_panels_and_sentence(tmp_path: Path) -> None:
    study = own(tmp_path, {"likelihood": ["normal", "squared-error"], "n_z": [2, 4]})
    assert [(scale.title, scale.n) for scale in find_grid(study)] == [
        ("normal", 2),
        ("squared-error", 2),
    ]
    figure = FIGURES["own-results"](study).figure
    (left, *_), (below, *_) = np.reshape(figure.axes, (2, 3))
    assert left.get_xlim()[1] < below.get_xlim()[0]
    told = read_lowest(study)
    assert "Of 2 combinations (normal), *normal, $n_z$ = 4* has the lowest" in told
    assert "Of 2 combinations (squared-error), *squared-error, $n_z$ = 4* has the lowest" in told


def test_other_data_are_another_scale(tmp_path: Path) -> None:
    study = own(tmp_path, {"dataset": ["diabetes", "breast-cancer"], "n_z": [2, 4]})
    assert [scale.title for scale in find_grid(study)] == ["Diabetes", "Breast cancer"]
    assert labels(study)[1:3] == ["Diabetes, $n_z$ = 4", "Breast cancer, $n_z$ = 2"]
    for name in NAMES:
        assert len(FIGURES[name](study).runs) == 12


def test_what_is_tested_with_labels_has_panels_of_its_own(tmp_path: Path) -> None:
    half = {"label_share": 0.5}
    levels = ["none", "condition", {"labels": "blanked", **half}, {"labels": "m2", **half}]
    # A kind a row, of which a model could be told.
    study = own(tmp_path, {"labels": levels}, label="2")
    blind, told = find_grid(study)
    assert [member.label for member in blind.drawn] == [
        "VAE",
        "VAE, 50\N{NO-BREAK SPACE}% of labels, M2",
    ]
    assert (blind.nll, told.nll) == ("nll", "nll_given_label")
    drawing = FIGURES["own-results"](study)
    named = [axes.get_xlabel() for axes in drawing.figure.axes[::3]]
    assert named == ["test NLL (nats)", "test NLL given the label (nats)"]
    given = drawing.data.query("metric == 'nll_given_label'").groupby("combination")["value"].min()
    assert sorted(given) == [7, 8]
    text = read_lowest(study)
    assert (
        "Of 2 combinations (labels given), *VAE, labels* has the lowest mean test NLL given" in text
    )
    table, _ = combinations_table(study)
    assert table["Given label"].tolist()[0] == NOT_MEASURED
    assert not table["Model"].str.contains("=").any()
    assert "Given label" not in combinations_table(own(tmp_path / "blind", {}))[0]


def test_the_lowest_is_told_no_stronger_than_its_interval(tmp_path: Path) -> None:
    study = own(tmp_path / "sure", {"n_z": [2, 4]})
    told = read_lowest(study)
    assert f"10.01 [9.99, 10.03] (n{EQUALS}3). Beside" in told
    assert (
        f"Beside the next, *$n_z$ = 2*, it is lower by 2.00 nats [2.00, 2.00] (n{EQUALS}3)." in told
    )
    assert "flatters" in told
    assert not read_lowest(own(tmp_path / "one", {}))

    def noisy(run: RunConfig) -> dict[str, float]:
        return {"nll": 10 + 0.1 * run.n_z + (run.seed * run.n_z) % 3}

    values = study.config.model_dump(mode="json")
    assert "undecided" in read_lowest(make_study(tmp_path / "noisy", values, noisy))


def test_of_many_the_lowest_are_drawn(tmp_path: Path) -> None:
    study = own(tmp_path, {"n_z": list(range(1, MOST_DRAWN + 4))})
    (scale,) = find_grid(study)
    assert (scale.n, len(scale.drawn)) == (MOST_DRAWN + 3, MOST_DRAWN)
    # In the grid's order, around the lowest.
    assert labels(study) == [f"$n_z$ = {n}" for n in range(1, MOST_DRAWN + 1)]
    assert read_drawn(study).startswith(
        f"The figures show the {MOST_DRAWN} with the lowest mean test NLL of the {MOST_DRAWN + 3} "
    )
    assert not read_drawn(own(tmp_path / "few", {"n_z": [2, 4]}))
    for name in NAMES:
        FIGURES[name](study).figure.draw_without_rendering()


def test_what_did_not_finish_is_not_drawn(tmp_path: Path) -> None:
    values = own(tmp_path / "whole", {"n_z": [2, 4]}).config.model_dump(mode="json")
    half = make_study(tmp_path / "half", values, measure, diverged=lambda run: run.n_z == 2)
    assert len(find_grid(half)) == len(find_grid(half)[0].drawn) == 1
    none = make_study(tmp_path / "none", values, measure, diverged=lambda run: True)
    for name in NAMES:
        with pytest.raises(EmptySelectionError, match="has finished"):
            FIGURES[name](none)


def test_objectives_that_bound_nothing_are_followed_by_their_elbo(tmp_path: Path) -> None:
    study = own(tmp_path, {"objective": ["elbo", "jensen-shannon"]})
    history = study.config.directory / "tables" / "history.parquet"
    table = pd.read_parquet(history)
    pd.concat([table, table.assign(metric="elbo", value=-7.0)]).to_parquet(history)
    again = Study(study.config.model_copy(update={"results_dir": f"{tmp_path}/."}))
    data = FIGURES["own-curves"](again).data
    assert (set(data["metric"]), set(data["mean"])) == ({"elbo"}, {-7.0})
