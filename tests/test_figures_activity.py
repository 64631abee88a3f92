"""The chapter on activity, on made-up tables whose answers are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from vaestudy.config import StudyConfig, expand_grid, parse_config
from vaestudy.figures.activity import FIGURES
from vaestudy.figures.activity_data import (
    count_active,
    fates,
    figure_four,
    find_families,
    find_family,
    follow,
)
from vaestudy.figures.activity_prose import (
    read_addition,
    read_course,
    read_latent_dimension,
    read_plateau,
    read_returns,
    read_ten,
    read_threshold,
    read_warmup,
)
from vaestudy.figures.activity_table import (
    combinations,
    fate_table,
    find_valley,
    plateau,
    shares,
    size_table,
)
from vaestudy.stats import EQUALS
from vaestudy.study import EmptySelectionError, Study, _read_table

mpl.use("Agg")
EPOCHS, N_Z = 4, 3
#: By dimension, activity from the untrained model to the last epoch: used throughout; pruned and
#: back; pruned for good.
FATES = np.array([
    [0.5, 0.6, 0.7, 0.8, 0.9],
    [0.5, 0.001, 0.001, 0.2, 0.4],
    [0.5, 0.2, 0.001, 0.001, 0.001],
])  # fmt: skip
WARM = np.array([[0.5, 0.6, 0.7, 0.8, 0.9]] * N_Z)


def configuration(directory: Path, **changes: Any) -> StudyConfig:
    values: dict[str, Any] = {
        "study": "made-up",
        "results_dir": str(directory),
        "base": {"dataset": "mnist-5k", "n_z": N_Z, "hidden": [4], "epochs": EPOCHS},
        "seeds": [0, 1, 2],
        "experiments": {
            "factors": {
                "title": "factors",
                "vary": {
                    "objective": ["elbo", {"objective": "iwae", "k": 5}],
                    "batch_norm": ["none", "hidden"],
                    "warmup": [0, 2],
                },
            },
            "dimensions": {"title": "sizes", "vary": {"n_z": [2, 3]}},
            "variant": {"title": "variant", "set": {"adam_beta2": 0.9}},
        },
    }
    return parse_config({**values, **changes})


def with_lengths(*vae: int) -> dict[str, Any]:
    """Return changes to a study: the factors, and the base model with these warm-ups."""
    factors = {
        "title": "factors",
        "vary": {
            "objective": ["elbo", {"objective": "iwae", "k": 5}],
            "batch_norm": ["none", "hidden"],
            "warmup": [0, 2] if vae else [0],
        },
    }
    sweep = {"title": "lengths", "vary": {"warmup": list(vae) or [0]}}
    return {"experiments": {"factors": factors, "lengths": sweep}}


def make_study(directory: Path, **changes: Any) -> Study:
    """Write a study's tables: with warm-up no dimension is pruned, else they meet `FATES`."""
    config = configuration(directory, **changes)
    runs, units, evaluation = [], [], []
    for run in expand_grid(config):
        row = {**run.config.model_dump(mode="json"), "hidden": "4", "status": "finished"}
        run_id = run.config.run_id
        runs.append({"run_id": run_id, "combination_id": run.config.combination_id, **row})
        activity = (WARM if run.config.warmup else FATES)[: run.config.n_z]
        for unit, values in enumerate(activity):
            units += [
                {"run_id": run_id, "epoch": e, "unit": unit, "activity": a, "kl": a / 2 + 0.01}
                for e, a in enumerate(values)
            ]
        active = float((activity[:, -1] > 0.01).sum())
        seed = run.config.seed
        found = {"active_units": active, "nll": 90.0 + seed, "kl": 3.0 + 0.1 * seed}
        how = {"run_id": run_id, "n_samples": 5000, "n_data": 1000}
        evaluation += [{**how, "metric": m, "value": v} for m, v in found.items()]
    tables = {"runs": runs, "units": units, "evaluation": evaluation}
    (config.directory / "tables").mkdir(parents=True)
    for name, rows in tables.items():
        pd.DataFrame(rows).to_parquet(config.directory / "tables" / f"{name}.parquet")
    return Study(config)


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


def test_sentences_follow_the_data(study: Study) -> None:
    base, warm = find_family(study), find_family(study, warmup=...)
    assert base is not None
    assert warm is not None
    returns = read_returns(study, base)
    assert "1.0 [1.0, 1.0]" in returns
    # Three returns in three models: as many could come of fewer than half a return a model.
    assert returns.endswith("this leaves the statement undecided.")
    text = read_warmup(study, warm, base)
    assert "is higher by 2.0 units" in text
    assert "as an estimate from 3 seeds and not a verdict" in text
    assert "two modes" in read_threshold(study)
    added = read_addition(study, warm, base, "warm-up", "000.warmup-more-active-vae")
    assert "raises the lowest count by 2.0 units" in added
    # The ledger asks for more than the one unit that it adds.
    assert "this contradicts, being no more than the least effect that counts, as an" in added
    assert "keeps all of up to 2 dimensions" in read_latent_dimension(study, base)
    assert "within one with the threshold" in read_plateau(study, [base])
    assert read_ten(study) == "no model of this study has more than ten dimensions."
    assert size_table(study, [base], 0.1)["VAE, over 0.1 nats"].tolist() == ["2.0 ± 0.0"] * 2
    assert fate_table(study, [base])["returned"].tolist() == ["1.0 ± 0.0"]


def test_a_return_of_one_seed_in_two_decides_nothing(tmp_path: Path) -> None:
    study = make_study(tmp_path, seeds=[0, 1])
    path = study.config.directory / "tables" / "units.parquet"
    units = pd.read_parquet(path)
    stays = units["run_id"].isin(study.runs(seed=0)["run_id"]) & units["unit"].eq(1)
    units.loc[stays, "activity"] = 0.5
    units.to_parquet(path)
    _read_table.cache_clear()
    base = find_family(study)
    assert base is not None
    returns = read_returns(study, base)
    # t(0.975, 1) / 2 = 6.4 on either side, of a model's three dimensions.
    assert "0.5 [0.0, 3.0]" in returns
    assert returns.endswith("returns to stay: this leaves the statement undecided.")


def test_the_course_is_told_within_what_can_be_and_in_the_tables_digits(tmp_path: Path) -> None:
    study = make_study(tmp_path, seeds=[0, 1])
    path = study.config.directory / "tables" / "units.parquet"
    units = pd.read_parquet(path)
    # The first seed's fewest are after the first epoch, the second's after the second.
    early = units["run_id"].isin(study.runs(seed=0)["run_id"]) & units["epoch"].eq(1)
    units.loc[early, "activity"] = 0.0
    units.to_parquet(path)
    _read_table.cache_clear()
    base = find_family(study)
    assert base is not None
    course = read_course(study, base)
    assert f"at its lowest with 0.5 [0.0, 3.0] (n{EQUALS}2)" in course
    assert f"in epoch 1.5 [1.0, 4.0] (n{EQUALS}2)" in course
    assert fate_table(study, [base])["in epoch"].tolist() == ["1.5 ± 6.4\n[1.0, 2.0]"]


def test_full_strength_is_told_from_its_first_epoch(study: Study) -> None:
    base, warm = find_family(study), find_family(study, warmup=2)
    assert base is not None
    assert warm is not None
    text = read_warmup(study, warm, base)
    assert "It is from epoch 3 of 4 on. From before that epoch, with 3.0 [3.0, 3.0]" in text
    assert "to the end of training the count is the same (0.0 [0.0, 0.0]" in text


def test_a_warm_up_as_long_as_training_never_reaches_full_strength(tmp_path: Path) -> None:
    study = make_study(tmp_path, **with_lengths(0, EPOCHS))
    base, warm = find_family(study), find_family(study, warmup=EPOCHS)
    assert base is not None
    assert warm is not None
    text = read_warmup(study, warm, base)
    # (4 - 1) / 4
    assert text.endswith(
        "It never was: $\\beta$ is 0.75 in the last of 4 epochs, and training ends with the "
        "warm-up."
    )
    assert "to the end of training the count" not in text


@pytest.mark.parametrize(
    ("units", "said"),
    [
        ([33, 45], f"39.0 [0.0, 50.0] (n{EQUALS}2) active units, a $t$ interval that holds ten "
         "although every seed lies above it, between 33 and 45."),
        ([8, 12], "that holds ten, as do the seeds, between 8 and 12."),
        ([5, 6], "that holds ten although every seed lies below it, between 5 and 6."),
        ([20, 20], "[20.0, 20.0] (n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}2) active units, an "
         "interval above ten."),
        ([20], f"20.0 (n{EQUALS}1, no interval) active units."),
    ],
)  # fmt: skip
def test_ten_is_told_by_its_interval_and_by_its_seeds(
    tmp_path: Path, units: list[int], said: str
) -> None:
    sizes = {"dimensions": {"title": "sizes", "vary": {"n_z": [2, 50]}}}
    study = make_study(tmp_path, experiments=sizes, seeds=list(range(len(units))))
    path = study.config.directory / "tables" / "evaluation.parquet"
    evaluation = pd.read_parquet(path)
    for run in study.runs(n_z=50).itertuples():
        own = evaluation["run_id"].eq(run.run_id) & evaluation["metric"].eq("active_units")
        evaluation.loc[own, "value"] = float(units[run.seed])
    evaluation.to_parquet(path)
    _read_table.cache_clear()
    told = read_ten(study)
    assert told.startswith("with $n_z = 50$ the VAE has ")
    assert told.endswith(said)


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
