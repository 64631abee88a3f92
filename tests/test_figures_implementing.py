"""The chapter on implementing, on made-up tables whose answers are known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb

import studies
from implementing import EPOCHS, VALUES, climbing, halving, make_study
from vaestudy.config import RunConfig
from vaestudy.convergence import epochs_to_within, roughness
from vaestudy.figures.families import color_of
from vaestudy.figures.implementing import FIGURES
from vaestudy.figures.implementing_prose import (
    read_dimensions,
    read_gaussian,
    read_speed,
    settling_note,
)
from vaestudy.figures.implementing_table import settled
from vaestudy.figures.style import INK, style
from vaestudy.stats import EQUALS
from vaestudy.study import EmptySelectionError, Study

mpl.use("Agg")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return make_study(tmp_path_factory.mktemp("study"))


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_draws_and_tells_what(study: Study, name: str, tmp_path: Path) -> None:
    drawing = FIGURES[name](study)
    drawing.figure.savefig(tmp_path / "figure.png", dpi=40)
    assert len(drawing.data)
    known = set(study.table("runs")["run_id"])
    assert set(drawing.runs) <= known
    if name not in ("architecture", "initialization"):
        assert drawing.runs


def test_names_of_rows_are_ink_beside_the_colour_of_the_curve(study: Study) -> None:
    with mpl.rc_context():
        style()
        left, right = FIGURES["batch-norm"](study).figure.axes
    assert {label.get_color() for label in right.get_yticklabels()} == {INK}
    marks = [line.get_color() for line in right.lines if line.get_marker() == "s"]
    assert marks == list(dict.fromkeys(line.get_color() for line in left.lines))


def test_no_legend_lies_on_the_curves_of_the_likelihoods(study: Study) -> None:
    figure = FIGURES["likelihood"](study).figure
    assert all(axes.get_legend() is None for axes in figure.axes)
    (legend,) = figure.legends
    named = [text.get_text() for text in legend.get_texts()]
    assert named[-2:] == ["training", "test"]
    assert {"VAE", "VAE, Gaussian"} <= set(named)


def test_a_colour_is_of_one_family_throughout_the_chapter(study: Study) -> None:
    families = {color_of(run) for _, run in study.table("runs").iterrows()}
    base = color_of(study.runs().iloc[0])
    literal = FIGURES["literal-variants"](study).figure.axes[0]
    drawn = list(dict.fromkeys(line.get_color() for line in literal.lines))
    assert drawn[0] == base
    assert set(drawn) & families == {base, color_of({"batch_norm": "hidden"})}
    by_dimension = FIGURES["latent-dimension"](study).figure.axes[0]
    for line in by_dimension.lines:
        red, green, blue = to_rgb(line.get_color())
        assert red > green > blue


def test_curves_are_means_over_seeds_with_their_range(study: Study) -> None:
    data = FIGURES["importance-weighting"](study).data
    last = data[(data["curve"] == "VAE") & (data["epoch"] == EPOCHS) & (data["split"] == "test")]
    row = last.iloc[0]
    expected = -101 - 8 / 2**EPOCHS
    assert (row["mean"], row["low"], row["high"]) == pytest.approx(
        (expected, expected - 1, expected + 1)
    )
    finals = data[(data["curve"] == "VAE") & (data["metric"] == "nll")]
    assert sorted(finals["value"]) == [100.0, 101.0, 102.0]


def test_bounds_are_framed_from_the_second_epoch_on(tmp_path: Path) -> None:
    """After the first a model on its warm-up may be far below, which would merge all that ends."""
    study = make_study(tmp_path, lambda run, e: -1000.0 if e < 2 else -100 - 8 / 2**e)
    for name, panel in (("warmup", 0), ("warmup-sweep", 1), ("batch-norm", 0)):
        drawing = FIGURES[name](study)
        assert drawing.figure.axes[panel].get_ylim()[0] == pytest.approx(-102, abs=0.5)
        assert drawing.data["mean"].min() == pytest.approx(-1000)


def test_epochs_are_whole(study: Study) -> None:
    figure = FIGURES["warmup-sweep"](study).figure
    figure.draw_without_rendering()
    for axes in figure.axes[:2]:
        ticks = axes.get_xticks()
        assert ticks == pytest.approx(np.round(ticks))


def test_each_axis_shows_the_runs_it_names(study: Study) -> None:
    runs = study.table("runs").set_index("run_id")
    sweep = runs.loc[list(FIGURES["warmup-sweep"](study).runs)]
    assert set(sweep["warmup"]) == {0, 1, 2}
    assert set(sweep["objective"]) == {"elbo"}
    sizes = runs.loc[list(FIGURES["latent-dimension"](study).runs)]
    assert set(sizes["n_z"]) == {2, 5}
    assert set(sizes["warmup"]) == {0}


def test_epochs_to_within_a_nat(study: Study) -> None:
    found = epochs_to_within(study, study.runs())
    # 8 / 2^e - 8 / 2^6 <= 1 first at e = 3, where it is 1 - 1/8.
    assert found["epochs_to"].tolist() == [3, 3, 3]
    assert epochs_to_within(study, study.runs(), 2.0)["epochs_to"].tolist() == [2, 2, 2]


def test_training_that_ends_too_soon_has_not_settled(study: Study, tmp_path: Path) -> None:
    short = make_study(tmp_path, climbing, sizes=(5, 10, 20))
    assert settled(study, {}).tolist() == [True] * 3
    assert settled(short, {}).tolist() == [False] * 3
    assert settling_note(study) == ""
    assert "of 6 epochs; a run that gets there in the last one only had" in settling_note(short)
    told = read_dimensions(short)
    assert "none had settled, and which is fastest cannot be seen here" in told
    assert "fewest" not in told
    speed = read_speed(short, {"batch_norm": "hidden"}, {}, "BN", "000.bn-speeds")
    assert "neither had settled" in speed
    assert "faster" not in speed


def test_speed_is_told_by_its_interval_and_its_censored_runs(tmp_path: Path) -> None:
    def bound(run: RunConfig, epoch: int) -> float:
        slow = run.batch_norm == "hidden" or run.n_z == 20 or (run.n_z == 10 and run.seed == 0)
        return (climbing if slow else halving)(run, epoch)

    study = make_study(tmp_path, bound, sizes=(5, 10, 20))
    speed = read_speed(study, {"batch_norm": "hidden"}, {}, "BN", "000.bn-speeds")
    assert "with BN it comes later by 3.0 epochs [3.0, 3.0]" in speed
    assert "contradicts, as an estimate from 3 seeds and not a verdict" in speed
    assert "Of these 6 runs 3 get there in the last epoch only" in speed
    told = read_dimensions(study)
    # With ten dimensions one seed of three takes six epochs instead of three, with twenty each.
    assert f"on average, 3.0 [3.0, 3.0] (n{EQUALS}3), at $n_z = 5$; it takes more with 20" in told
    assert "20 (+3.0 [+3.0, +3.0]); with $n_z$ of 10 the difference is undecided." in told
    assert "Of these 9 runs 4 get there in the last epoch only" in told


def test_what_the_gaussian_spends_is_told_by_its_intervals(study: Study) -> None:
    told = read_gaussian(study)
    assert "Its KL is lower by 4.00 nats [4.00, 4.00]" in told
    assert "active dimensions is higher by 0.3 units" in told
    # What one expects is no claim of the ledger, and has no verdict.
    assert "statement" not in told


@pytest.mark.parametrize("warmups", [(0,), (0, 1)])
def test_no_epochs_of_warm_up_are_none(warmups: Sequence[int], tmp_path: Path) -> None:
    """Nor is one that the VAE alone has had a warm-up of both objectives."""
    study = make_study(tmp_path, warmups=warmups)
    with pytest.raises(EmptySelectionError, match="no warm-up of 'made-up'"):
        _ = study.warmup
    with pytest.raises(EmptySelectionError):
        FIGURES["warmup"](study)
    if warmups == (0,):
        with pytest.raises(EmptySelectionError, match="has no warm-up"):
            FIGURES["warmup-sweep"](study)


def test_two_dimensions_are_judged_by_the_ledger(tmp_path: Path) -> None:
    told = read_dimensions(make_study(tmp_path, sizes=(2, 5, 10)))
    # All have the same NLL; the ledger asks for half a nat.
    assert "which contradicts, as an estimate from 3 seeds and not a verdict, the" in told
    told = read_dimensions(make_study(tmp_path / "five", sizes=(5, 10)))
    assert "With $n_z = 5$ the IWAE's NLL makes no difference" in told
    assert "too few" not in told


def roughness_of(folder: Path, *bounds: Sequence[float]) -> list[float]:
    """Of runs whose test bounds these are, one a seed."""
    values = {**VALUES, "seeds": list(range(len(bounds)))}
    study = studies.make_study(
        folder, values, lambda run: {"nll": 100.0}, bound=lambda run: tuple(bounds[run.seed])
    )
    runs = study.runs()
    return runs["run_id"].map(roughness(study, runs)).tolist()


def test_a_bound_that_still_rises_is_not_rough(tmp_path: Path) -> None:
    """Neither along a line nor along a parabola, however steep."""
    epochs = np.arange(9)
    found = roughness_of(tmp_path, 8.0 * epochs, -9.0 * (8 - epochs) ** 2)
    assert found == pytest.approx([0, 0], abs=1e-9)


def test_noise_about_a_course_is_as_rough_as_its_standard_deviation(tmp_path: Path) -> None:
    epochs = np.arange(8000)
    noise = np.random.default_rng(0).normal(0, 0.5, (2, 8000))
    found = roughness_of(tmp_path, noise[0], 0.1 * epochs + 2 * noise[1])
    assert found == pytest.approx([0.5, 1.0], rel=0.05)


def test_an_erratic_end_is_rougher_than_a_smooth_one_that_is_steeper(tmp_path: Path) -> None:
    smooth, erratic = (
        [-160, -148.6, -140.8, -136.7, -132.8],
        [-136, -133.9, -130.5, -130.2, -126.6],
    )
    few = roughness_of(
        tmp_path, [-500, -180, -175, -170, *smooth], [-500, -180, -160, -140, *erratic]
    )
    # Third differences −0.1 and 3.5, and −4.4 and 6.4: their root mean squares over the root of 20.
    assert few == pytest.approx([0.554, 1.228], abs=1e-3)


def test_training_of_few_epochs_has_a_roughness_from_four_bounds_on(tmp_path: Path) -> None:
    assert roughness_of(tmp_path / "four", [-100, -90, -80, -60]) == pytest.approx([10 / 20**0.5])
    assert np.isnan(roughness_of(tmp_path / "three", [-100, -90, -80])).all()


def test_selection_is_relative_to_the_base_model(study: Study) -> None:
    assert len(study.runs()) == 3
    assert len(study.runs(warmup=...)) == 9
    assert study.levels("n_z", **study.iwae) == [2, 5]
    assert study.warmup == {"warmup": 2}
    assert study.iwae == {"objective": "iwae", "k": 5}
    assert not study.has(n_z=77)
    with pytest.raises(EmptySelectionError, match="n_z"):
        study.runs(n_z=77)
    with pytest.raises(KeyError, match="nz"):
        study.runs(nz=2)
