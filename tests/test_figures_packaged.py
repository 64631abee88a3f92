"""The packaged model's figures and words on made-up numbers; any data's on small real studies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from builders import CPU
from studies import make_study
from vaestudy.config import RunConfig, expand_grid, parse_config
from vaestudy.dataset import save_prepared
from vaestudy.figures import FIGURES
from vaestudy.figures.packaged_data import explained, find_fitted, find_variants
from vaestudy.figures.packaged_prose import (
    kept_words,
    read_averaging,
    read_categories,
    read_errors,
    read_features,
    read_optimizers,
    read_package,
    read_samples,
    read_variances,
)
from vaestudy.figures.packaged_table import combinations_table, datasets_table, variants_table
from vaestudy.files import write_parquet
from vaestudy.groups import group_runs
from vaestudy.jobs import train_group
from vaestudy.measure import measure_group
from vaestudy.own_dataset import load_own
from vaestudy.stats import EQUALS
from vaestudy.study import EmptySelectionError, Study
from vaestudy.study_parts import Further
from vaestudy.tables import build_tables, write_tables

RNG = np.random.default_rng(0)
PACKAGED = {"hidden": [8], "n_z": 2, "optimizer": "adamax", "epochs": 10}
VARIANTS = [
    {"k": 1},
    {"k": 10, "epochs": 1},
    {"k": 10},
    {"beta": 0.5},
    {"optimizer": "adam"},
    {"optimizer": "adagrad"},
]
WORSE = {"adam": -1.0, "adagrad": 4.0, "adamax": 0.0}


def measure(run: RunConfig) -> dict[str, float]:
    noise = 0.01 * run.seed
    nll = 100 + noise + WORSE[run.optimizer] + 2 * (run.k > 1) + 3 * (run.beta < 1)
    found = {"nll": nll, "kl": 5 / run.beta + noise, "squared_error": 50 + noise}
    ratio = 1.2 if run.n_z == 2 else 0.9
    for part, variance in (("encoder", 7.0 + noise), ("decoder", 3.0)):
        found[f"gradient_variance_{part}"] = variance
        more = ratio if part == "encoder" else 1.0
        found[f"sampled_gradient_variance_{part}"] = more * variance
    return found


@pytest.fixture
def study(tmp_path: Path) -> Study:
    values = {
        "study": "made-up",
        "base": {"dataset": "mnist-5k"},
        "seeds": [0, 1, 2, 3, 4],
        "experiments": {
            "base": {"title": "Base"},
            "packaged": {"title": "P", "set": PACKAGED, "vary": {"variant": VARIANTS}},
        },
    }
    made = make_study(tmp_path, values, measure)
    runs = made.table("runs")
    timing = pd.DataFrame({"run_id": runs["run_id"], "train_seconds": 6.0, "members": 2})
    # One sample takes 6 seconds, ten of them as many in an epoch and ten times that in ten.
    timing["train_seconds"] *= (runs["k"] * runs["epochs"] / 10).where(runs["k"] > 1, 1)
    timing.to_parquet(made.config.directory / "tables" / "timing.parquet")
    return made


def test_variants_are_named_by_what_they_change(study: Study) -> None:
    assert [variant.label for variant in find_variants(study)] == [
        "packaged model: AdaMax, 1 sample, 10 epochs",
        "10 samples, 1 epoch",
        "10 samples, 10 epochs",
        r"KL averaged ($\beta = 0.5$)",
        "Adam",
        "Adagrad",
    ]


def test_the_words_follow_the_numbers(study: Study) -> None:
    samples = read_samples(study)
    assert "10 samples and 1 epoch, training raises the NLL by 2.00 nats" in samples
    assert f"in 1.00 [1.00, 1.00] (n{EQUALS}5) times the packaged model's time. With 10" in samples
    assert f"in 10.00 [10.00, 10.00] (n{EQUALS}5) times the packaged model's time." in samples
    assert "Adam lowers the NLL by 1.00" in read_optimizers(study)
    assert "Adagrad raises the NLL by 4.00" in read_optimizers(study)
    assert "raises the NLL by 3.00" in read_averaging(study)
    assert "raises the KL by 5.00" in read_averaging(study)
    base, packaged = read_variances(study).split("In the encoder of the ")[1:]
    assert base.startswith("base model, 50 latent dimensions, sampling the KL multiplies")
    assert "by 0.90 [0.90, 0.90]" in base
    assert "the closed form is the noisier" in base
    assert "the closed form is the quieter" in packaged


def test_what_the_package_has_and_the_study_has_not_is_said(study: Study) -> None:
    told = read_package(study)
    assert "one hidden layer of 200 rectified linear units" in told
    assert "batches of 100 and 10 epochs unless its user says otherwise" in told
    # Of batch size and epochs it has the package's own.
    assert "Here it is trained with 8 hidden units in place of 200, once so" in told


def test_figures_and_tables_hold_what_was_measured(study: Study) -> None:
    drawn = FIGURES["packaged"](study)
    assert len(drawn.data) == len(drawn.runs) == 30
    variances = FIGURES["estimator-variance"](study).data
    means = variances.groupby(["model", "part"])["ratio"].mean()
    assert means["packaged model, 2 latent dimensions", "encoder"] == pytest.approx(1.2)
    assert means["packaged model, 2 latent dimensions", "all parameters"] == pytest.approx(
        1 + 0.2 * 0.7, abs=1e-3
    )
    shown, told = variants_table(study)
    assert shown["Difference"].tolist()[:2] == ["–", "+2.00 ± 0.00"]
    assert told["seconds"].tolist() == [3.0, 3.0, 30.0, 3.0, 3.0, 3.0]


def test_a_study_without_it_has_no_figures(tmp_path: Path) -> None:
    values = {
        "study": "bare",
        "base": {"dataset": "mnist-5k"},
        "seeds": [0],
        "experiments": {"base": {"title": "Base"}},
    }
    bare = make_study(tmp_path, values, lambda run: {"nll": 1.0})
    for name in ("packaged", "estimator-variance", "any-data", "embeddings", "tables"):
        with pytest.raises(EmptySelectionError):
            FIGURES[name](bare)


def own_study(folder: Path, dataset: dict[str, Any], **base: Any) -> Study:
    """Train and measure a small grid on a file."""
    config = parse_config(
        {
            "study": "mine",
            "results_dir": str(folder / "results"),
            "base": {"dataset": dataset, "hidden": [6], "n_z": 2, "epochs": 3, **base},
            "seeds": [0, 1],
            "experiments": {"sizes": {"title": "Sizes", "vary": {"n_z": [1, 2]}}},
        }
    )
    ((name, own),) = config.own_data.items()
    data, runs = load_own(own), expand_grid(config)
    save_prepared(data, config.directory / "data" / f"{name}.safetensors")
    groups = group_runs([run.config for run in runs], 2)
    for group in groups:
        place = config.directory / "runs"
        train_group(group.runs, data, place, device=CPU, checkpoint_every=9, compile_policy="never")
        further = {run.run_id: Further(principal_components=True) for run in group.runs}
        table = measure_group(
            group.runs, data, place, device=CPU, n_samples=4, threshold=0.01, further=further
        )
        write_parquet(config.directory / "groups" / group.group_id / "evaluation.parquet", table)
    tables = build_tables(runs, groups, [data], config.directory)
    write_tables(tables, config.directory / "tables")
    return Study(config)


@pytest.fixture(scope="module")
def table_study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("table")
    x = RNG.normal(size=(60, 2))
    frame = pd.DataFrame({"a": x[:, 0], "b": x[:, 0] + 0.1 * x[:, 1], "c": x[:, 1], "fixed": 1.0})
    frame["kind"] = np.where(x[:, 0] > 0, "big", "small")
    frame["side"] = np.where(x[:, 1] > 0, "left", "right")
    frame.to_csv(folder / "things.csv", index=False)
    said = {"path": str(folder / "things.csv"), "label": "kind"}
    return own_study(folder, said, binarization="none", likelihood="normal")


def test_a_table_is_drawn_and_told(table_study: Study) -> None:
    (one,) = find_fitted(table_study)
    assert (one.title, len(one.runs), one.codes.shape) == ("things.csv", 2, (12, 2))
    assert one.drawn(7, means=False).shape == (7, 6)
    assert np.isnan(explained(one.rows.numpy(), one.nearest)[3])
    ratio = FIGURES["any-data"](table_study).data["ratio"]
    assert (ratio > 0).all()
    assert len(FIGURES["embeddings"](table_study).data) == 12
    features = FIGURES["tables"](table_study).data.dropna(subset="feature")
    sides = {"side=left", "side=right"}
    assert set(features["feature"]) == {"a", "b", "c", "fixed", *sides}
    told = read_categories(table_study)
    assert told.startswith("Of *things.csv*, *side=left* and *side=right* take two values: ")
    assert one.spread is not None
    assert f"deviation is {one.spread[-2:].mean():.3f} of the column's own" in told
    assert f"and {one.spread[:-2].mean():.3f} on average over the other columns" in told
    told = read_features(table_study)
    assert "Of *things.csv* the code keeps" in told
    assert "On *things.csv* the error relative to theirs is" in read_errors(table_study)
    shown, _ = datasets_table(table_study, [one])
    assert "–" not in shown.iloc[0].tolist()
    shown, _ = combinations_table(table_study)
    assert shown["Model"].tolist() == ["$n_z$ = 1", "$n_z$ = 2"]
    with pytest.raises(EmptySelectionError, match="no pictures"):
        FIGURES["nearest-representations"](table_study)


@pytest.mark.parametrize(
    ("shares", "told"),
    [
        ([0.714, 0.2], "keeps 71\N{NO-BREAK SPACE}% of *a*, the most of any column, and "
         "20\N{NO-BREAK SPACE}% of *b*, the least."),
        ([0.714, -1.25], "keeps 71\N{NO-BREAK SPACE}% of *a*, the most of any column, and nothing "
         "of *b*: there the nearest representation does no better than the column's mean."),
        ([0.5, -1, -2, -3, 0.001], "and nothing of 4 of 5: there the nearest"),
        ([-0.001, -1.25], "the code keeps nothing of any column: the nearest"),
    ],
)  # fmt: skip
def test_what_is_not_kept_has_no_negative_share(shares: list[float], told: str) -> None:
    assert told in kept_words(pd.Series(shares, list("abcde")[: len(shares)]))


def test_pictures_are_drawn(tmp_path: Path) -> None:
    np.save(tmp_path / "faces.npy", RNG.integers(0, 256, (60, 4, 5), dtype=np.uint8))
    study = own_study(tmp_path, {"path": str(tmp_path / "faces.npy")})
    data = FIGURES["nearest-representations"](study).data
    assert data["name"].unique().tolist() == ["as tested", "nearest", "generated"]
    assert not read_categories(study)
    with pytest.raises(EmptySelectionError, match="no table"):
        FIGURES["tables"](study)
