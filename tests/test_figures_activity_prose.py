"""Sentences of the chapter on activity, on made-up tables whose answers are known."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pandas as pd
import pytest

from activity_study import EPOCHS, make_study, with_lengths
from vaestudy.figures.activity import FIGURES
from vaestudy.figures.activity_data import (
    base_networks,
    find_family,
    without_free_bits,
)
from vaestudy.figures.activity_metric_prose import read_plateau, read_threshold
from vaestudy.figures.activity_prose import (
    read_addition,
    read_course,
    read_latent_dimension,
    read_returns,
    read_ten,
    read_warmup,
)
from vaestudy.figures.activity_table import (
    fate_table,
    size_table,
)
from vaestudy.figures.cells import NO_BREAK
from vaestudy.stats import EQUALS
from vaestudy.study import Study, _read_table

mpl.use("Agg")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return make_study(tmp_path_factory.mktemp("study"))


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
    told = read_threshold(study)
    assert "Smoothed by a Gaussian kernel of 0.12 decades, the distribution has two modes" in told
    assert "lower" not in told
    added = read_addition(study, warm, base, "warm-up", "000.warmup-more-active-vae")
    assert "raises the lowest count by 2.0 units" in added
    # The ledger asks for more than the one unit that it adds.
    assert "this contradicts, being no more than the least effect that counts, as an" in added
    assert "keeps all of up to 2 dimensions" in read_latent_dimension(study, base)
    assert "within one with the threshold" in read_plateau(study, [base])
    assert read_ten(study) == "no model of this study has more than ten dimensions."
    assert size_table(study, [base], 0.1)["VAE, over 0.1 nats"].tolist() == ["2.0 ± 0.0"] * 2
    assert fate_table(study, [base])["returned"].tolist() == ["1.0 ± 0.0"]


def test_the_threshold_is_told_of_the_base_models_networks(tmp_path: Path) -> None:
    free = {"objective": "free-bits", "free_bits": 0.1}
    experiments = {
        "free": {"title": "t", "vary": {"objective": ["elbo", free]}},
        "other": {"title": "t", "set": {"activation": "relu"}, "vary": {"n_z": [3]}},
        "grey": {"title": "t", "set": {"likelihood": "gaussian"}, "vary": {"n_z": [3]}},
    }
    study = make_study(tmp_path, experiments=experiments)
    kept = without_free_bits(base_networks(study))
    assert len(kept) == len(study.config.seeds)
    assert set(kept["objective"]) == {"elbo"}
    drawn = FIGURES["activity-histogram"](study)
    assert set(drawn.runs) == set(kept["run_id"])


def two_seeds(directory: Path, column: str, of: int, activity: float) -> Study:
    """Return a study of two seeds; the first has another activity where ``column`` is ``of``."""
    study = make_study(directory, seeds=[0, 1])
    path = study.config.directory / "tables" / "units.parquet"
    units = pd.read_parquet(path)
    changed = units["run_id"].isin(study.runs(seed=0)["run_id"]) & units[column].eq(of)
    units.loc[changed, "activity"] = activity
    units.to_parquet(path)
    _read_table.cache_clear()
    return study


def test_a_return_of_one_seed_in_two_decides_nothing(tmp_path: Path) -> None:
    study = two_seeds(tmp_path, "unit", 1, activity=0.5)
    base = find_family(study)
    assert base is not None
    returns = read_returns(study, base)
    # t(0.975, 1) / 2 = 6.4 on either side, of a model's three dimensions.
    assert "0.5 [0.0, 3.0]" in returns
    assert returns.endswith("returns to stay: this leaves the statement undecided.")


def test_the_course_is_told_within_what_can_be_and_in_the_tables_digits(tmp_path: Path) -> None:
    # The first seed's fewest are after the first epoch, the second's after the second.
    study = two_seeds(tmp_path, "epoch", 1, activity=0.0)
    base = find_family(study)
    assert base is not None
    course = read_course(study, base)
    assert f"at its lowest with 0.5 [0.0, 3.0] (n{EQUALS}2)" in course
    assert f"in epoch 1.5 [1.0, 4.0] (n{EQUALS}2)" in course
    assert fate_table(study, [base])["in epoch"].tolist() == [
        f"1.5 [1.0,{NO_BREAK}4.0]\n[1.0, 2.0]"
    ]


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
