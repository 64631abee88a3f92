"""The chapter beyond the paper, on made-up tables: what is compared, and what figures show."""

from __future__ import annotations

import json
import math
from pathlib import Path

import matplotlib as mpl
import pytest

from beyond import CYCLES, EVERYTHING, LEVELS, WEIGHTED, make_study, member_of
from vaestudy.config import expand_grid
from vaestudy.figures.beyond import FIGURES, noise_ratio
from vaestudy.figures.beyond_data import (
    Member,
    betas,
    by_seed,
    compare,
    find_members,
    of_one_k,
    reference_of,
    schedules,
)
from vaestudy.figures.families import color_of, marker_of
from vaestudy.objectives import NO_BOUNDS, OBJECTIVES
from vaestudy.study import Study

mpl.use("Agg")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return make_study(tmp_path_factory.mktemp("study"), EVERYTHING)


def member(study: Study, label: str) -> Member:
    return next(m for m in find_members(study) if m.label == label)


def test_members_are_objectives_of_the_base_model(study: Study) -> None:
    members = find_members(study)
    assert len(members) == len(LEVELS)
    assert members[0].is_(objective="elbo", beta=0.5)
    assert len({m.label for m in members}) == len(members)
    assert all(len(m.runs) == 3 for m in members)
    # Linear warm-up and grey pixels belong elsewhere.
    assert not any(m.is_(warmup=2) or m.is_(binarization="none") for m in members)


def test_each_is_compared_with_its_own_kind(study: Study) -> None:
    members = find_members(study)
    against = {m.label: reference_of(m, members) for m in members}
    assert against["VAE"] is None
    for label in ("VAE (β=4)", "VAE, STL", "VAE, free bits (λ=0.1)", "IWAE (K=2)", "IWAE (K=4)",
                  "VAE + cyclical WU"):  # fmt: skip
        assert against[label] is member_of(members, "VAE"), label
    for label in ("IWAE, DReG (K=4)", "PIWAE (K=4, G=2)", "CIWAE (K=4, c=0.5)"):
        assert against[label] is member_of(members, "IWAE (K=4)"), label


def test_selections_for_the_figures(study: Study) -> None:
    members = find_members(study)
    k, weighted = of_one_k(members)
    assert (k, len(weighted)) == (4, 6)
    assert [m.first["beta"] for m in betas(members)] == [0.5, 1.0, 4.0]
    labels = [m.label for m in schedules(study, members)]
    assert labels == ["VAE", "VAE + WU", "VAE + cyclical WU"]


def test_seconds_are_of_one_epoch_of_one_model(study: Study) -> None:
    assert by_seed(study, member(study, "VAE"), "seconds").tolist() == [1.0, 1.0, 1.0]
    assert by_seed(study, member(study, "IWAE (K=4)"), "seconds").tolist() == [4.0, 4.0, 4.0]


def test_differences_are_paired(study: Study) -> None:
    gap = compare(study, member(study, "VAE (β=4)"), member(study, "VAE"), "nll")
    assert gap is not None
    # Seeds differ by 1, their differences do not.
    assert (gap.mean, gap.low, gap.high, gap.n) == (10.0, 10.0, 10.0, 3)
    assert compare(study, member(study, "VAE"), None, "nll") is None
    assert compare(study, member(study, "VAE"), member(study, "VAE (β=4)"), "unheard-of") is None


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_draws_and_tells_what(study: Study, name: str) -> None:
    drawing = FIGURES[name](study)
    drawing.figure.draw_without_rendering()
    assert len(drawing.data)
    assert set(drawing.runs) <= set(study.table("runs")["run_id"])
    assert drawing.runs
    json.dumps(drawing.data.to_dict("list"))  # Numbers and texts alone: it is to be downloaded.


def test_active_units_are_counted_in_whole_numbers(study: Study) -> None:
    (axes,) = FIGURES["beyond-units"](study).figure.axes
    assert all(tick == round(tick) for tick in axes.get_xticks())


def test_bars_show_every_seeds_ratio(study: Study) -> None:
    data = FIGURES["gradient-signal"](study).data
    own = data[(data["objective"] == "IWAE, DReG (K=4)") & (data["part"] == "encoder")]
    assert own["ratio"].tolist() == pytest.approx([0.8, 0.81, 0.82])
    assert (data["of_noise"] == noise_ratio(500)).all()
    assert noise_ratio(500) == pytest.approx(math.sqrt(2 / (500 * math.pi)))


def test_schedules_are_those_of_training(study: Study) -> None:
    data = FIGURES["annealing"](study).data
    course = data[data["metric"] == "beta"].pivot_table(
        index="objective", columns="epoch", values="mean"
    )
    assert course.loc["VAE"].tolist() == [1, 1, 1, 1]
    assert course.loc["VAE + WU"].tolist() == [0, 0.5, 1, 1]
    assert course.loc["VAE + cyclical WU"].tolist() == [0, 1, 0, 1]


def test_objectives_of_one_panel_have_colours_and_markers_of_their_own() -> None:
    for group in ([{"objective": "elbo"}, {"objective": "elbo-sampled"}, {"objective": "stl"},
                   {"objective": "free-bits"}, CYCLES], WEIGHTED):  # fmt: skip
        assert len({color_of(row) for row in group}) == len(group)
        assert len({marker_of(row) for row in group}) == len(group)
    # With batch normalization or warm-up they are families as before.
    normal = {"batch_norm": "hidden"}
    assert color_of({"objective": "dreg", **normal}) == color_of({"objective": "iwae", **normal})


def test_the_full_study_tries_every_objective_at_one_k() -> None:
    from vaestudy.config import load_config

    root = Path(__file__).resolve().parents[1]
    runs = [r for r in expand_grid(load_config(root / "config.yaml")) if "beyond" in r.experiments]
    assert {r.config.objective for r in runs} == set(OBJECTIVES) - set(NO_BOUNDS)
    weighted = [r.config for r in runs if r.config.objective in {w["objective"] for w in WEIGHTED}]
    assert {run.k for run in weighted if run.objective != "iwae"} == {8}
    assert {(run.epochs, run.batch_size, run.n_z) for run in weighted} == {(300, 100, 50)}
