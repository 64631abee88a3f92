"""The chapter on measuring, on made-up measurements whose means are known."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
import torch

from builders import generators, tiny_dataset
from studies import FACTORS, make_study
from vaestudy.config import RunConfig
from vaestudy.dataset import Dataset
from vaestudy.figures.cells import NO_BREAK
from vaestudy.figures.families import color_of
from vaestudy.figures.measuring import FIGURES
from vaestudy.figures.measuring_data import (
    GAPS,
    INFORMATION,
    LIKELIHOOD,
    QUALITY,
    Neighbours,
    by_family,
    by_run,
    differences_by_family,
    find_neighbours,
    has,
    n_images,
    threshold_table,
    yardstick,
)
from vaestudy.study import EmptySelectionError, Study
from vaestudy.vae import VAE, Architecture

mpl.use("Agg")
VALUES: dict[str, Any] = {
    "study": "made-up",
    "base": {"dataset": "mnist-5k", "n_z": 2, "hidden": [4], "epochs": 5},
    "seeds": [0, 1],
    "experiments": {
        "factors": {**FACTORS, "title": "Factors"},
        "sweep": {"title": "Sweep", "vary": {"warmup": [0, 1, 2]}},
        "sizes": {"title": "Sizes", "vary": {"n_z": [2, 3]}},
    },
}
#: What a run measures, but for its seed, which is added to each.
KNOWN = {
    "is_nll": 101.5,
    "ais_nll": 100.0,
    "bdmc_gap": 0.5,
    "ais_effective_chains": 3.0,
    "approximation_gap": 2.0,
    "amortization_gap": 4.0,
    "mutual_information": 3.0,
    "marginal_kl": 5.0,
    "effective_dimensions": 1.5,
    "participation_ratio": 1.25,
    "active_units": 2.0,
    **{name: 10.0 + i for i, name in enumerate(QUALITY)},
    "fid_floor": 0.5,
}
FAMILIES = [
    *("VAE", "VAE + WU", "VAE + BN", "VAE + BN + WU", "IWAE (K=5)"),
    *("IWAE (K=5) + WU", "IWAE (K=5) + BN", "IWAE (K=5) + BN + WU"),
]


def measured(run: RunConfig) -> dict[str, float]:
    """Annealing of the first seed only, all else of every run."""
    annealed = ("is_nll", "ais_nll", "bdmc_gap", "ais_effective_chains")
    return {m: v + run.seed for m, v in KNOWN.items() if run.seed == 0 or m not in annealed}


@dataclass(frozen=True)
class WithModels(Study):
    """Its models are one untrained one, its digits are made up."""

    model_of: VAE = field(kw_only=True)

    def model(self, run_id: str) -> VAE:
        return self.model_of

    @property
    def dataset(self) -> Dataset:
        return made_up_digits()


@cache
def made_up_digits() -> Dataset:
    return tiny_dataset()


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    made = make_study(
        tmp_path_factory.mktemp("study"), VALUES, measured, fates=lambda run: ("kept", "lost")
    )
    model = VAE(Architecture(16, 2, hidden=(4,)), members=1)
    model.initialize(generators(0))
    return WithModels(made.config, model_of=model.eval())


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_draws_and_tells_what(study: Study, name: str, tmp_path: Path) -> None:
    drawing = FIGURES[name](study)
    drawing.figure.savefig(tmp_path / "figure.png", dpi=40)
    assert len(drawing.data)
    assert drawing.runs
    assert set(drawing.runs) <= set(study.table("runs")["run_id"])


def test_families_leave_out_other_sizes_and_lengths_of_warmup(study: Study) -> None:
    runs = by_run(study, INFORMATION)
    assert list(dict.fromkeys(runs["label"])) == FAMILIES
    assert len(runs) == 2 * len(FAMILIES)
    table = by_family(runs, INFORMATION)
    assert list(table["Model"]) == FAMILIES
    assert set(table["n"]) == {2}
    # Two values 3 and 4: mean 3.5, and a 95 % interval of 12.706 standard errors of a half, 6.35
    # either way, of what cannot be below zero.
    assert set(table["Mutual information"]) == {f"3.50 [0.00,{NO_BREAK}9.85]\n[3.00, 4.00]"}


def test_families_differ_from_the_first_by_their_paired_seeds(study: Study) -> None:
    runs = by_run(study, INFORMATION)
    # The second family has one nat more for seed 0 and three for seed 1; the third shares no seed.
    labels = runs["label"].map({FAMILIES[0]: "A", FAMILIES[1]: "B", FAMILIES[2]: "C"})
    runs = runs.assign(label=labels).dropna(subset="label")
    b, c = runs["label"] == "B", runs["label"] == "C"
    runs.loc[b, "mutual_information"] += 1 + 2 * runs["seed"]
    runs.loc[c, "seed"] += 10
    table = differences_by_family(runs, INFORMATION)
    assert table is not None
    assert table["Model"].tolist() == ["B"]
    assert table["n"].tolist() == [2]
    assert table["Mutual information"].tolist() == ["+2.00 ± 12.71\n[+1.00, +3.00]"]
    assert table["Marginal KL"].tolist() == ["0.00 ± 0.00"]
    assert differences_by_family(runs[~b], INFORMATION) is None


def test_a_single_seed_has_its_n_and_its_monte_carlo_error(study: Study) -> None:
    runs = by_run(study, LIKELIHOOD)
    # The made-up error is 0.01; that of a difference of two estimates is larger by a root of two.
    runs.loc[1, ["is_nll_error", "ais_nll_error"]] = [0.3, 0.4]
    runs.loc[1, "left_error"] = 0.5
    assert runs.loc[0, "left_error"] == pytest.approx(0.01 * 2**0.5)
    table = by_family(runs, LIKELIHOOD)
    assert set(table["n"]) == {1}
    assert table["NLL, annealed"].tolist()[:2] == ["100.00 ± 0.01", "100.00 ± 0.40"]
    assert table["Left by importance sampling"].tolist()[1] == "1.50 ± 0.50"
    differences = differences_by_family(runs, LIKELIHOOD)
    assert differences is not None
    assert differences["NLL, annealed"].tolist()[0] == "0.00 ± 0.40"


def test_the_sum_of_two_gaps_has_no_error_of_its_own(study: Study) -> None:
    first = by_run(study, GAPS).drop_duplicates("label")
    table = by_family(first, GAPS)
    assert table["Approximation"][0] == "2.00 ± 0.01"
    assert table["Together"][0] == "6.00"


def test_bars_of_several_seeds_have_whiskers(study: Study) -> None:
    (axes,) = FIGURES["inference-gaps"](study).figure.axes
    # An approximation gap of 2 and 3 nats, 2.5 ± 6.35, and both gaps of 6 and 8: cut at the ends.
    whiskers = [line.get_xdata() for line in axes.lines]
    end = axes.get_xlim()[1]
    assert end == pytest.approx(1.12 * 7)
    assert np.array(whiskers) == pytest.approx(np.tile([0, end], (2 * len(FAMILIES), 1)))
    left, right = FIGURES["information"](study).figure.axes
    assert len(left.lines) == 1 + 2 * len(FAMILIES)
    assert len(right.lines) == 3 * (1 + len(FAMILIES))


def test_bars_of_one_seed_have_none(tmp_path: Path) -> None:
    made = make_study(tmp_path, {**VALUES, "seeds": [0]}, measured, fates=lambda run: ("kept",))
    drawing = FIGURES["inference-gaps"](made)
    assert not drawing.figure.axes[0].lines
    assert "95 % interval" not in [text.get_text() for text in drawing.figure.legends[0].texts]


def test_gaps_add_up(study: Study) -> None:
    runs = by_run(study, GAPS)
    assert runs["inference_gap"].tolist() == pytest.approx([6.0 + 2 * s for s in runs["seed"]])


def test_what_was_not_measured_is_missing(study: Study, tmp_path: Path) -> None:
    bare = make_study(tmp_path, VALUES, lambda run: {"nll": 1.0})
    assert has(study, "ais_nll")
    assert not has(bare, "ais_nll")
    with pytest.raises(EmptySelectionError, match="no run of 'made-up' has fid"):
        by_run(bare, QUALITY)
    with pytest.raises(EmptySelectionError, match="has fid_floor"):
        yardstick(bare, "fid_floor")


def test_yardstick_and_counts_come_from_the_table(study: Study) -> None:
    assert yardstick(study, "fid_floor") == pytest.approx(1.0)  # of 0.5 and 1.5
    assert n_images(study, "ais_nll") == 1000


def test_bars_divide_the_kl_and_end_at_their_sum(study: Study) -> None:
    left = FIGURES["information"](study).figure.axes[0]
    widths = np.array([bar.get_width() for bar in left.patches]).reshape(2, -1)
    assert widths[0] == pytest.approx(3.5)
    assert widths.sum(0) == pytest.approx(9.0)
    assert len(widths[0]) == len(FAMILIES)
    assert left.lines[0].get_xdata()[0] == pytest.approx(np.log(1000))


def test_density_has_a_curve_an_objective_and_integrates_to_one(study: Study) -> None:
    data = FIGURES["activity-density"](study).data
    assert set(data["model"]) == {"VAE", "IWAE (K=5)"}
    for _, curve in data.groupby("model"):
        area = np.trapezoid(curve["density"], np.log10(curve["activity"]))
        assert area == pytest.approx(1, abs=1e-3)
        # Half of the dimensions are lost, with an activity of a thousandth.
        assert curve.loc[curve["activity"] > 0.01, "share_above"].max() == pytest.approx(0.5)


def test_densities_have_the_colours_of_their_objectives(tmp_path: Path) -> None:
    """However many objectives; two K of one are told apart by their strokes."""
    levels: list[dict[str, Any]] = [{"objective": name} for name in ("elbo", "stl", "elbo-sampled")]
    levels += [{"objective": n, "k": 4} for n in ("iwae", "iwae-stl", "dreg")]
    levels += [
        {"objective": "iwae", "k": 8},
        {"objective": "free-bits", "free_bits": 0.1},
        {"objective": "miwae", "k": 4, "k_groups": 2},
        {"objective": "ciwae", "k": 4, "elbo_share": 0.5},
    ]
    experiments = {"all": {"title": "All", "vary": {"kind": levels}}}
    made = make_study(
        tmp_path, {**VALUES, "experiments": experiments}, measured, fates=lambda run: ("kept",)
    )
    left, right = FIGURES["activity-density"](made).figure.axes
    drawn = {str(line.get_label()).split(",")[0]: line for line in left.lines}
    colors = [line.get_color() for line in left.lines[: len(levels)]]
    assert colors == [line.get_color() for line in right.lines[: len(levels)]]
    assert set(colors) == {color_of(level) for level in levels}
    few, many = drawn["IWAE (K=4)"], drawn["IWAE (K=8)"]
    assert few.get_color() == many.get_color()
    assert few.get_linestyle() != many.get_linestyle()


def test_thresholds_count_each_seeds_dimensions(study: Study) -> None:
    table = threshold_table(study)
    assert list(table["Model"]) == ["VAE", "IWAE (K=5)"]
    assert set(table["$n$"]) == {2}
    # Half of the dimensions have activity 1, the others a thousandth, in every run.
    for name in table.columns[3:]:
        assert set(table[name]) == {"50 ± 0"}


def test_neighbours_are_the_nearest_training_images(study: Study) -> None:
    memory = find_neighbours(study, "any", n=20)
    train = made_up_digits().train / 255
    for found in (memory.samples, memory.held_out):
        distances = torch.cdist(torch.from_numpy(found.images), train)
        np.testing.assert_allclose(found.distance, distances.min(1).values, atol=1e-4)
        np.testing.assert_array_equal(found.label, made_up_digits().train_labels[found.index])
    below = (memory.held_out.distance < memory.limit).mean()
    assert below == pytest.approx(0.05, abs=0.05)


def test_the_closest_of_each_class_is_shown() -> None:
    blank = np.zeros((4, 1), dtype=np.float32)
    distance = np.array([3.0, 1.0, 2.0, 0.5], dtype=np.float32)
    found = Neighbours(blank, blank, np.array([7, 7, 2, 2]), distance, np.arange(4))
    closest = found.closest(np.array([2, 5, 7]))
    assert closest.index.tolist() == [3, 1]
    assert closest.label.tolist() == [2, 7]
