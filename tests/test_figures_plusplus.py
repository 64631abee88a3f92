"""The chapter on VAE++ on a real study of tiny models, trained here in a second or two."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from builders import CPU, tiny_dataset
from vaestudy.config import Run, expand_grid, parse_config
from vaestudy.dataset import Dataset, save_prepared
from vaestudy.examine import examine_group
from vaestudy.figures.plusplus import FIGURES, cloud_of
from vaestudy.figures.plusplus_data import PRINTED, by_seed, levels, other_dataset, plus_runs
from vaestudy.figures.plusplus_prose import (
    read_clothes,
    read_divergences,
    read_grey,
    read_half_joint,
    read_halves,
    read_model,
    read_search,
    read_third_dimension,
    read_variance,
    read_weighted,
)
from vaestudy.figures.plusplus_table import (
    divergences_table,
    grey_table,
    halves_table,
    losses_table,
)
from vaestudy.groups import group_runs
from vaestudy.jobs import train_group
from vaestudy.measure import measure_group
from vaestudy.report.phrases import scope
from vaestudy.stats import mean_interval, number
from vaestudy.study import EmptySelectionError, Study
from vaestudy.tables import build_tables, write_tables

PLUS: dict[str, Any] = {
    "binarization": "threshold",
    "hidden": [5],
    "activation": "tanh",
    "epochs": 2,
    "batch_size": 30,
    "adam_eps": 1e-8,
    "n_z": 2,
}
VALUES: dict[str, Any] = {
    "study": "made-up",
    "base": {"dataset": "mnist-5k", "n_z": 4, "hidden": [4], "epochs": 1, "batch_size": 45},
    "seeds": [0, 1],
    "experiments": {
        "base": {"title": "base"},
        "larger-latent": {"title": "a", "set": PLUS, "vary": {"n_z": [2, 3, 5]}},
        "latent-grid": {
            "title": "b",
            "set": PLUS,
            "vary": {"dataset": ["mnist-5k", "fashion-2k"], "n_z": [2, 5]},
        },
        "divergences": {
            "title": "c",
            "set": PLUS,
            "vary": {
                "objective": [
                    "jensen-shannon",
                    {"objective": "geometric-js", "js_skew": 0.5},
                    "half-joint",
                ]
            },
        },
        "samples": {
            "title": "d",
            "set": PLUS,
            "vary": {"objective": [{"objective": "iwae", "k": 5}, {"objective": "iwae", "k": 10}]},
        },
        "grey": {
            "title": "e",
            "set": {**PLUS, "binarization": "none"},
            "vary": {"likelihood": ["bernoulli", "gaussian", "continuous-bernoulli", "beta"]},
        },
        "halves": {"title": "f", "set": PLUS},
    },
    "evaluation": {
        "n_samples": 5,
        "missing": {"experiments": ["halves"], "n_images": 4, "n_samples": 20},
    },
}


def named(name: str) -> Dataset:
    made = tiny_dataset()
    return Dataset.build(name, made.arrays, made.image_shape, made.source)


def train(folder: Path, values: dict[str, Any]) -> Study:
    """What the workflow does, in one process."""
    config = parse_config({**values, "results_dir": str(folder)})
    declared, study = expand_grid(config), Study(config)
    datasets = {name: named(name) for name in {run.config.dataset for run in declared}}
    for name, dataset in datasets.items():
        save_prepared(dataset, config.directory / "data" / f"{name}.safetensors")
    groups = group_runs([run.config for run in declared], 2)
    for group in groups:
        dataset, runs_dir = datasets[group.runs[0].dataset], config.directory / "runs"
        train_group(
            group.runs, dataset, runs_dir, device=CPU, checkpoint_every=9, compile_policy="never"
        )
        measured = [
            measure_group(
                group.runs,
                dataset,
                runs_dir,
                device=CPU,
                n_samples=config.evaluation.n_samples,
                threshold=0.01,
                compile_policy="never",
            ),
            examine_group(
                group.runs,
                {run.run_id: e for run in group.runs if (e := config.examination_of(run))},
                dataset,
                runs_dir,
                classifier=None,
                n_samples=5,
                device=CPU,
            ),
            judged(declared, group.runs),
        ]
        out = config.directory / "groups" / group.group_id
        out.mkdir(parents=True)
        pd.concat([part for part in measured if len(part)]).to_parquet(out / "evaluation.parquet")
    tables = build_tables(declared, groups, list(datasets.values()), config.directory)
    write_tables(tables, config.directory / "tables")
    return study


def judged(declared: list[Run], runs: tuple[Any, ...]) -> pd.DataFrame:
    """What a classifier would say: made up, for there is none of images of four by four."""
    values = {
        "fid_of_means": lambda run: 900 - 100 * run.n_z,
        "test_accuracy": lambda run: 0.9,
        "reconstruction_accuracy": lambda run: 0.6 if run.dataset == "fashion-2k" else 0.8,
    }
    rows = [
        (run.run_id, name, f(run), None, None, 33) for run in runs for name, f in values.items()
    ]
    names = ["run_id", "metric", "value", "standard_error", "n_samples", "n_data"]
    table = pd.DataFrame(rows, columns=names)
    return table.astype({"standard_error": "Float64", "n_samples": "Int64"})


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return train(tmp_path_factory.mktemp("study"), VALUES)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study of the base model alone."""
    only = {**VALUES, "experiments": {"base": {"title": "base"}}, "evaluation": {"n_samples": 5}}
    return train(tmp_path_factory.mktemp("alone"), only)


def test_runs_are_those_of_the_chapter(study: Study) -> None:
    assert set(plus_runs(study)["n_z"]) == {2}
    assert levels(study, "n_z") == [2, 3, 5]
    assert levels(study, "n_z", dataset="fashion-2k") == [2, 5]
    assert other_dataset(study) == "fashion-2k"


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_every_figure_is_drawn_with_its_data_and_runs(study: Study, name: str) -> None:
    drawing = FIGURES[name](study)
    drawing.figure.canvas.draw()
    assert len(drawing.data)
    assert drawing.runs
    assert set(drawing.runs) <= set(study.table("runs")["run_id"])


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_a_study_without_the_models_has_no_figure(alone: Study, name: str) -> None:
    with pytest.raises(EmptySelectionError):
        FIGURES[name](alone)


def test_losses_stand_beside_the_printed_ones(study: Study) -> None:
    table, numbers, runs = losses_table(study)
    rows = {(row["Model"], row["Loss"]): row for _, row in table.iterrows()}
    printed = [rows["VAE, $n_z = 2$", "printed"][str(epoch)] for epoch in range(1, 6)]
    assert printed == [f"{v:.2f}" for v in PRINTED["n_z", 2]]
    curves = study.curves(plus_runs(study, n_z=3), ["elbo"], ["test"])
    want = -curves[curves["epoch"] == 2]["value"].mean()
    assert rows["VAE, $n_z = 3$", "test"]["2"].startswith(f"{want:.2f} ± ")
    assert rows["IWAE, $k = 10$", "train"]["3"] == "–"
    assert len(numbers) == 4 * 3 * 5
    assert len(runs) == 8


def test_tables_have_every_model(study: Study) -> None:
    names = divergences_table(study)[0]["Objective"].tolist()
    kinds = ["", ", Jensen–Shannon", ", geometric JS (α=0.5)", ", ½ log p(x, z)"]
    assert names == [f"VAE{kind}" for kind in kinds]
    table, runs = grey_table(study)
    assert table["Decoder"].tolist() == ["Bernoulli", "Gaussian", "continuous Bernoulli", "Beta"]
    assert not (table == "–").any().any()
    assert len(runs) == 8
    assert halves_table(study)[0]["$n_z$"].tolist() == ["2"]


def test_objectives_that_bound_nothing_have_no_bound(study: Study) -> None:
    for objective, there in (("elbo", True), ("jensen-shannon", False)):
        runs = plus_runs(study, objective=objective)
        assert bool(len(study.final(runs, "bound"))) is there
        assert bool(len(study.curves(runs, ["bound"]))) is there
        assert len(study.curves(runs, ["elbo"]))


def test_posterior_variance_is_that_of_the_encoder(study: Study) -> None:
    run = plus_runs(study, n_z=3).iloc[0]
    data = FIGURES["plus-variance"](study).data
    own = data[data["run_id"] == run["run_id"]]["variance"]
    measured = by_seed(study, "posterior_variance", n_z=3)[run["seed"]]
    assert own.mean() == pytest.approx(measured, rel=1e-5)
    assert len(own) == 3


def test_codes_of_the_cloud_are_the_encoders(study: Study) -> None:
    shown, means = cloud_of(study)
    with torch.no_grad():
        want = shown.model.encode(shown.pixels[None])[0][0]
    np.testing.assert_allclose(means, want.numpy(), rtol=1e-6)


def test_a_rank_correlation_has_its_interval(study: Study) -> None:
    values = [
        float(stats.spearmanr([2, 3, 5], [by_seed(study, "posterior_variance", n_z=n)[seed]
              for n in (2, 3, 5)]).statistic) for seed in (0, 1)
    ]  # fmt: skip
    found = mean_interval(values)
    ends = [number(end, 2) for end in np.clip([found.low, found.high], -1, 1)]
    told = f"its rank correlation with $n_z$ is {number(found.mean)} [{ends[0]}, {ends[1]}] (n"
    assert told in read_variance(study)


def test_sentences(study: Study) -> None:
    told = read_third_dimension(study)
    assert "lowers the Fréchet distance between decoded samples and test digits by 100" in told
    assert "The source's model is 784–500–2 and back" in read_model(study)
    assert "One of 5 hidden units is trained here" in read_model(study)
    assert "epochs of 60,000 images in batches of 200" in read_model(study)
    clothes = read_clothes(study)
    assert "right kind of 90.0 [90.0, 90.0]" in clothes
    assert "as many reconstructions of 60.0 [60.0, 60.0]" in clothes
    assert "geometric one in place of the KL" in read_divergences(study)
    assert "leaves the posterior a variance of" in read_half_joint(study)
    assert "Against $k = 5$, $k = 10$" in read_weighted(study)
    grey = read_grey(study)
    assert "Against the Bernoulli, the Beta" in grey
    assert "rank the decoders" in grey
    assert "a look at the top half is worth" in read_halves(study)
    search = read_search(study)
    assert "On clothes the lowest mean NLL" in search
    assert re.search(
        r"units are active and the squared error is \d+\xa0% of that at \$n_z = 2", search
    )
    left = FIGURES["plus-search"](study).data.query("metric == 'squared_error_left'")
    assert (left.loc[left["n_z"] == 2, "value"] == 1).all()


def test_sentences_of_a_part_of_the_study(tmp_path: Path) -> None:
    """Gaussian grey pixels, one k, samples of two dimensions: no more is said than was run."""
    experiments = {
        "larger-latent": {"title": "a", "set": PLUS, "vary": {"n_z": [2]}},
        "samples": {
            "title": "b",
            "set": PLUS,
            "vary": {"objective": [{"objective": "iwae", "k": 5}]},
        },
        "grey": {
            "title": "c",
            "set": {**PLUS, "binarization": "none"},
            "vary": {"likelihood": ["gaussian", "continuous-bernoulli"]},
        },
    }
    part = train(tmp_path, {**VALUES, "experiments": experiments, "evaluation": {"n_samples": 5}})
    assert read_weighted(part) == "This study has $k = 5$ only."
    assert read_grey(part).startswith("On average, ")


def test_many_dimensions_alone_are_no_course(tmp_path: Path) -> None:
    experiments = {"larger-latent": {"title": "a", "set": PLUS, "vary": {"n_z": [11]}}}
    part = train(tmp_path, {**VALUES, "experiments": experiments, "evaluation": {"n_samples": 5}})
    for name in ("plus-samples", "plus-variance"):
        with pytest.raises(EmptySelectionError, match="ten dimensions or fewer"):
            FIGURES[name](part)


def test_a_part_on_other_data_says_nothing_of_the_base_models_images(tmp_path: Path) -> None:
    experiments = {"fashion": {"title": "a", "set": {**PLUS, "dataset": "fashion-2k"}}}
    part = train(tmp_path, {**VALUES, "experiments": experiments, "evaluation": {"n_samples": 5}})
    n = len(part.config.seeds)
    assert scope(part) == f"{n} models of 1 combinations, {n} seeds each"
    with pytest.raises(EmptySelectionError, match="was trained on mnist-5k"):
        FIGURES["plus-samples"](part)
