"""The chapter on VAE++ on a real study of tiny models, trained here in a second or two."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from scipy import stats

from plusplus import VALUES, train
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
from vaestudy.stats import mean_interval, number
from vaestudy.study import EmptySelectionError, Study


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
    assert "lowers the Fréchet distance between decoded samples and training digits by 100" in told
    assert "The source's model is 784–500–2 and back" in read_model(study)
    assert "One of 5 hidden units is trained here" in read_model(study)
    assert "epochs of 60,000 images in batches of 200" in read_model(study)
    clothes = read_clothes(study)
    assert "A classifier of clothes names 90.0 of a hundred test images rightly" in clothes
    assert "Of a hundred reconstructions it names 60.0 [60.0, 60.0]." in clothes
    divergences = read_divergences(study)
    assert "geometric one in place of the KL" in divergences
    assert "samples are drawn from the prior instead" in divergences
    half = read_half_joint(study)
    assert "leaves the posterior a variance of" in half
    # That of untrained models is far from nothing.
    assert "all but points" not in half
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
