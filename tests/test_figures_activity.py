"""The chapter on activity, on made-up tables whose answers are known."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from activity_study import FATES, configuration, make_study, with_lengths
from vaestudy.figures.activity import FIGURES
from vaestudy.figures.activity_data import (
    count_active,
    fates,
    figure_four,
    find_families,
    find_family,
    follow,
)
from vaestudy.figures.activity_table import (
    combinations,
    find_valley,
    plateau,
    shares,
)
from vaestudy.study import EmptySelectionError, Study

mpl.use("Agg")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return make_study(tmp_path_factory.mktemp("study"))


def test_selection_follows_the_study(study: Study) -> None:
    assert [f.label for f in figure_four(study)] == [
        "VAE", "IWAE (K=5)", "IWAE (K=5) + BN", "IWAE (K=5) + WU",
    ]  # fmt: skip
    assert len(find_families(study)) == 8
    warm = find_family(study, warmup=...)
    assert warm is not None
    assert warm.warmup == 2
    assert find_family(study, likelihood="gaussian") is None


def test_warm_up_is_of_the_standard_length_everywhere(tmp_path: Path) -> None:
    """One that the VAE alone was trained with has another name: its length."""
    changes = with_lengths(0, 2, 3)
    study = make_study(tmp_path, **changes)
    assert study.warmup == {"warmup": 2}
    assert {f.warmup for f in find_families(study) if "WU" in f.label} == {2}
    alone = {"vae": {"title": "the VAE's warm-ups", "vary": {"warmup": [0, 1, 3]}}}
    warm = find_family(make_study(tmp_path / "alone", experiments=alone), warmup=...)
    assert warm is not None
    assert warm.warmup == 3
    assert find_family(make_study(tmp_path / "none", **with_lengths()), warmup=...) is None


def test_a_length_of_warm_up_has_one_colour_in_both_panels(tmp_path: Path) -> None:
    drawing = FIGURES["active-units-warmup"](make_study(tmp_path, **with_lengths(0, 2, 3)))
    vae, iwae = (
        dict(
            zip(
                [text.get_text() for text in axes.get_legend().get_texts()],
                [line.get_color() for line in axes.lines],
                strict=True,
            )
        )
        for axes in drawing.figure.axes
    )
    assert list(vae) == ["0", "2", "3"]
    assert list(iwae) == ["0", "2"]
    assert len(set(vae.values())) == 3
    assert iwae == {length: vae[length] for length in iwae}


def test_the_line_of_all_dimensions_lies_on_top_of_the_data(study: Study) -> None:
    lines = FIGURES["active-units-n-z"](study).figure.axes[0].lines
    identity = max(lines, key=lambda line: line.get_zorder())
    np.testing.assert_array_equal(np.asarray(identity.get_xdata()), identity.get_ydata())
    assert sum(line.get_zorder() == identity.get_zorder() for line in lines) == 1


def test_active_units_are_counted_per_epoch(study: Study) -> None:
    counts = count_active(study, study.runs())
    expected = (FATES > 0.01).sum(axis=0)
    for _, run in counts.groupby("run_id"):
        assert run.sort_values("epoch")["active"].tolist() == expected.tolist()


def test_fates_of_known_dimensions(study: Study) -> None:
    told = fates(study, study.runs())
    assert told["seed"].tolist() == [0, 1, 2]
    first = told.iloc[0]
    assert (first["pruned"], first["returned"], first["clearly"], first["stayed"]) == (2, 1, 1, 1)
    assert (first["lost"], first["active"]) == (1, 2)
    assert (first["lowest"], first["lowest_epoch"]) == (1, 2)
    warm = fates(study, study.runs(warmup=2))
    assert warm[["pruned", "returned", "lost"]].to_numpy().sum() == 0


@pytest.mark.parametrize(
    ("activity", "expected"),
    [
        ([0.011, 0.009, 0.011, 0.009, 0.011], (1, 1, 0, 0)),  # hovers
        ([0.011, 0.009, 0.05, 0.05, 0.05], (1, 1, 1, 0)),
        ([0.5, 0.001, 0.2, 0.001, 0.001], (1, 1, 1, 0)),  # back, and pruned again
        ([0.001, 0.001, 0.5, 0.5, 0.5], (0, 0, 0, 0)),  # rises without ever having fallen
        ([0.5, 0.001, 0.001, 0.001, 0.5], (1, 1, 1, 1)),
    ],
)
def test_one_dimension_followed(activity: list[float], expected: tuple[int, ...]) -> None:
    told = follow(np.array(activity)[:, None], np.arange(5), 0.01)
    assert tuple(told[name] for name in ("pruned", "returned", "clearly", "stayed")) == expected


def test_the_fewest_active_are_counted_once_training_has_begun() -> None:
    """An untrained model with a dimension less says nothing of training."""
    activity = np.array([[0.001, 0.5], [0.5, 0.5], [0.5, 0.001], [0.5, 0.5]])
    told = follow(activity, np.arange(4), 0.01)
    assert (told["lowest"], told["lowest_epoch"]) == (1, 2)
    told = follow(activity[[0, 1, 3]], np.arange(3), 0.01)
    assert (told["lowest"], told["lowest_epoch"]) == (2, 1)


def test_shares_about_the_threshold() -> None:
    divided = shares(pd.Series([1e-4, 0.009, 0.011, 0.5]), 0.01)
    assert (divided.below, divided.between, divided.above, divided.n) == (0.25, 0.5, 0.25, 4)


def test_plateau_ends_where_the_count_changes(study: Study) -> None:
    family = find_families(study)[0]
    low, high = plateau(study, family, tolerance=0.5)
    assert low == pytest.approx(0.001, rel=0.05)
    assert high == pytest.approx(0.4, rel=0.05)


def test_valley_between_two_modes() -> None:
    rng = np.random.default_rng(0)
    two = np.concatenate([rng.normal(-4, 0.2, 300), rng.normal(0, 0.2, 200)])
    valley = find_valley(pd.Series(10**two))
    assert valley is not None
    assert valley.low == pytest.approx(1e-4, rel=0.3)
    assert valley.high == pytest.approx(1.0, rel=0.3)
    assert valley.depth < 0.01
    assert valley.holds(valley.bottom)
    assert not valley.holds(10.0)
    assert find_valley(pd.Series(10 ** rng.normal(-1, 0.2, 500))) is None


def test_table_has_every_combination_once(study: Study) -> None:
    shown, numbers = combinations(study)
    assert len(shown) == len(numbers) == study.table("runs")["combination_id"].nunique()
    assert shown.iloc[-1]["Model"] == "VAE, $\\beta_2$ = 0.9"
    base = shown[(shown["Model"] == "VAE") & (shown["BN"] == "–") & (shown["WU"] == "–")]
    assert base["$n_z$"].tolist() == ["2", "3"]
    assert base["Active units"].tolist() == ["2.0 ± 0.0", "2.0 ± 0.0"]
    # mean of 90, 91, 92; t(0.975, 2) / sqrt(3) = 2.4841
    assert base["Test NLL"].tolist() == ["91.00 ± 2.48\n[90.00, 92.00]"] * 2


def test_diverged_combinations_stay_in_the_table(tmp_path: Path) -> None:
    study = make_study(tmp_path)
    path = study.config.directory / "tables" / "evaluation.parquet"
    gone = study.runs(adam_beta2=0.9)["run_id"]
    evaluation = pd.read_parquet(path)
    evaluation[~evaluation["run_id"].isin(gone)].to_parquet(path)
    shown, _ = combinations(Study(configuration(tmp_path)))
    assert shown.iloc[-1][["n", "Test NLL"]].tolist() == ["0", "diverged"]


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_every_figure_draws_and_says_what(study: Study, name: str) -> None:
    drawing = FIGURES[name](study)
    assert len(drawing.data)
    assert set(drawing.runs) <= set(study.table("runs")["run_id"])
    drawing.figure.draw_without_rendering()


def test_heat_maps_are_sorted_by_final_activity(study: Study) -> None:
    data = FIGURES["activity-heatmaps"](study).data
    vae = data[data["model"] == "VAE"].pivot_table(index="rank", columns="epoch", values="activity")
    np.testing.assert_array_equal(vae.to_numpy(), FATES)


def test_figures_work_with_a_part_of_the_study(tmp_path: Path) -> None:
    alone = {"only": {"title": "the base model", "vary": {"seed": [0]}}}
    alone["only"].pop("vary")
    study = make_study(tmp_path, experiments=alone, seeds=[0])
    sweeps = {"active-units-warmup", "active-units-n-z"}
    for name in sorted(set(FIGURES) - sweeps):
        FIGURES[name](study).figure.draw_without_rendering()
    for name in sweeps:
        with pytest.raises(EmptySelectionError):
            FIGURES[name](study)
