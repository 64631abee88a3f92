"""Examining finished runs: rows against models whose answers are known, and whole groups."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pandas as pd
import pytest
import torch

from builders import CPU, LinearGaussian, run_config, tiny_dataset
from vaestudy.checkpoint import CheckpointError
from vaestudy.classifier import (
    ClassifierError,
    ClassifierSettings,
    save_classifier,
    train_classifier,
)
from vaestudy.examination import (
    AnnealedSampling,
    Conditional,
    Examination,
    Gaps,
    Information,
    Quality,
)
from vaestudy.examine import examine_group, examine_run
from vaestudy.jobs import train_group
from vaestudy.quality import make_judge
from vaestudy.rows import COLUMNS, Row
from vaestudy.slower import anneal, find_gaps, inform
from vaestudy.vae import VAE, Architecture

RUN = run_config()
AIS = AnnealedSampling(n_images=12, n_temperatures=25, n_chains=8)
EVERYTHING = Examination(
    ais=AnnealedSampling(n_images=3, n_temperatures=3, n_chains=2),
    gaps=Gaps(n_images=2, n_samples=10, tolerance=5),
    information=Information(n_samples=2),
    quality=Quality(n_samples=20),
)
METRICS = [
    *("is_nll", "ais_nll", "ais_effective_chains", "ais_acceptance", "bdmc_gap"),
    *("approximation_gap", "amortization_gap"),
    *("mutual_information", "marginal_kl", "effective_dimensions", "participation_ratio"),
    *("fid", "fid_floor", "sample_confidence", "test_confidence", "class_balance"),
    *("fid_of_means", "fid_floor_of_means", "sample_confidence_of_means"),
    *("test_confidence_of_means", "class_balance_of_means", "memorised"),
    *("reconstruction_accuracy", "test_accuracy"),
]


def values(rows: list[Row]) -> dict[str, tuple[float, float | None]]:
    return {name: (value, error) for name, value, error, *_ in rows}


def test_annealed_and_plain_nll_are_those_of_a_linear_gaussian() -> None:
    toy = LinearGaussian(shift=0.3, widen=1.2)
    x = toy.sample(15)
    exact = -toy.log_px(x)[:12].mean().item()
    _, rows = anneal(toy.model, RUN, x, AIS, 2000)
    found = values(rows)
    assert found["ais_nll"][0] == pytest.approx(exact, abs=0.05)
    assert found["is_nll"][0] == pytest.approx(exact, abs=0.05)
    # The two bounds hold in expectation; with these settings they nearly meet.
    assert -0.05 < found["bdmc_gap"][0] < 0.2
    assert 4 < found["ais_effective_chains"][0] <= 8
    assert {(row[0], row[-1]) for row in rows} == {(row[0], 12) for row in rows}


def test_gaps_of_a_linear_gaussian_are_known() -> None:
    # Its posterior is a factorised Gaussian: nothing but the encoder's error is left.
    widen = 1.3
    toy = LinearGaussian(widen=widen)
    x = toy.sample(20)
    annealed, _ = anneal(toy.model, RUN, x, AIS, 10)
    found = values(
        find_gaps(toy.model, RUN, x, Gaps(n_images=5, n_samples=2000, tolerance=0.02), annealed)
    )
    divergence = toy.n_z * (0.5 * (widen**2 - 1) - math.log(widen))
    assert found["amortization_gap"][0] == pytest.approx(divergence, abs=0.02)
    assert found["approximation_gap"][0] == pytest.approx(0, abs=0.05)


def test_information_divides_the_mean_kl() -> None:
    toy = LinearGaussian()
    x = toy.sample(200)
    found = {name: value for name, (value, _) in values(inform_rows(toy, x)).items()}
    mu, logvar = toy.model.encode(x.unsqueeze(0))
    kl = (0.5 * (mu**2 + logvar.exp() - 1 - logvar)).mean(1)[0]
    total = found["mutual_information"] + found["marginal_kl"]
    assert total == pytest.approx(kl.sum().item(), rel=1e-6)
    assert 0 < found["mutual_information"] <= math.log(200)
    shares = kl / kl.sum()
    assert found["participation_ratio"] == pytest.approx(1 / (shares**2).sum().item())


def test_annealing_follows_its_settings() -> None:
    toy = LinearGaussian(shift=0.3, widen=1.2)
    x = toy.sample(15)
    few = AIS.model_copy(update={"n_images": 4})
    plain, linear, timid = (
        values(anneal(toy.model, RUN, x, few.model_copy(update=change), 10)[1])
        for change in ({}, {"spacing": "linear"}, {"target_acceptance": 0.95})
    )
    assert linear["ais_nll"] != plain["ais_nll"]
    assert timid["ais_acceptance"][0] > plain["ais_acceptance"][0]


def inform_rows(toy: LinearGaussian, x: torch.Tensor) -> list[Row]:
    return inform(toy.model, RUN, x, Information(n_samples=5))


def test_repeating_gives_the_same_rows_and_leaving_one_out_shifts_no_other() -> None:
    toy = LinearGaussian(shift=0.3)
    x = toy.sample(20)
    small = AnnealedSampling(n_images=4, n_temperatures=3, n_chains=2)
    both = Examination(ais=small, information=Information(n_samples=2))
    first = examine_run(toy.model, RUN, x, both, 10)
    pd.testing.assert_frame_equal(first, examine_run(toy.model, RUN, x, both, 10))
    alone = Examination(information=Information(n_samples=2))
    second = examine_run(toy.model, RUN, x, alone, 10)
    rest = first[first["metric"].isin(second["metric"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(rest, second)
    assert list(first.columns) == list(COLUMNS)


def test_quality_needs_a_judge() -> None:
    model = VAE(Architecture(16, 2, hidden=(4,)), members=1).eval()
    with pytest.raises(ValueError, match="judge is None, but quality is asked for"):
        examine_run(model, RUN, torch.rand(3, 16), Examination(quality=Quality(n_samples=2)), 10)


def test_classes_that_are_asked_for_need_a_classifier() -> None:
    model = VAE(Architecture(16, 2, hidden=(4,), n_classes=10), members=1).eval()
    asked = Examination(conditional=Conditional(n_samples=10))
    with pytest.raises(ValueError, match="classifier is None, but classes are asked for"):
        examine_run(model, RUN, torch.rand(3, 16), asked, 10)


def test_a_told_run_is_asked_for_classes(tmp_path: Path) -> None:
    data, run = tiny_dataset(), run_config(labels="condition")
    train_group([run], data, tmp_path, device=CPU, checkpoint_every=5)
    classifier = train_classifier(data, ClassifierSettings(epochs=1, batch_size=20))
    save_classifier(*classifier, data, tmp_path / "classifier")
    asked = {run.run_id: Examination(conditional=Conditional(n_samples=40))}
    table = examine_group(
        [run], asked, data, tmp_path, classifier=tmp_path / "classifier", n_samples=5, device=CPU
    ).set_index("metric")
    assert list(table.index) == ["conditional_accuracy", "conditional_accuracy_of_means"]
    assert table["value"].between(0, 1).all()
    share = table["value"].iloc[0]
    assert table["standard_error"].iloc[0] == pytest.approx(math.sqrt(share * (1 - share) / 40))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs on made-up images, one of them marked as diverged, and a classifier."""
    folder = tmp_path_factory.mktemp("runs")
    data = tiny_dataset()
    runs = [run_config(seed=seed) for seed in range(3)]
    train_group(runs, data, folder, device=CPU, checkpoint_every=5)
    record = folder / runs[1].run_id / "record.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "status": "diverged"}))
    classifier = train_classifier(data, ClassifierSettings(epochs=2, batch_size=20))
    save_classifier(*classifier, data, folder / "classifier")
    return folder


def test_a_group_has_all_rows_of_the_runs_that_are_chosen(trained: Path) -> None:
    runs = [run_config(seed=seed) for seed in range(3)]
    little = Examination(information=Information(n_samples=1))
    chosen = {runs[0].run_id: EVERYTHING, runs[1].run_id: EVERYTHING, runs[2].run_id: little}
    table = examine_group(
        runs,
        chosen,
        tiny_dataset(),
        trained,
        classifier=trained / "classifier",
        n_samples=5,
        device=CPU,
    )
    by_run = table.groupby("run_id", sort=False)["metric"].agg(list)
    # The second diverged.
    assert list(by_run.index) == [runs[0].run_id, runs[2].run_id]
    assert by_run.iloc[0] == METRICS
    assert by_run.iloc[1] == METRICS[7:11]
    assert table["value"].notna().all()
    assert table["n_data"].notna().all()


def test_a_group_without_chosen_runs_is_an_empty_table(trained: Path) -> None:
    table = examine_group(
        [RUN], {}, tiny_dataset(), trained, classifier=None, n_samples=5, device=CPU
    )
    assert list(table.columns) == list(COLUMNS)
    assert table.empty


def test_quality_without_a_classifier_says_what_makes_one(trained: Path) -> None:
    with pytest.raises(ClassifierError, match="give --classifier a file that `vaestudy classif"):
        examine_group(
            [RUN],
            {RUN.run_id: EVERYTHING},
            tiny_dataset(),
            trained,
            classifier=None,
            n_samples=5,
            device=CPU,
        )


def test_another_runs_model_is_refused(trained: Path, tmp_path: Path) -> None:
    runs = [run_config(seed=seed) for seed in (0, 2)]
    for run in runs:
        (tmp_path / run.run_id).mkdir()
        for name in ("record.json", "model.safetensors"):
            wrong = runs[0].run_id if name.startswith("model") else run.run_id
            (tmp_path / run.run_id / name).write_bytes((trained / wrong / name).read_bytes())
    little = Examination(information=Information(n_samples=1))
    with pytest.raises(CheckpointError, match=f"holds {runs[0].run_id}, not {runs[1].run_id}"):
        examine_group(
            runs,
            {run.run_id: little for run in runs},
            tiny_dataset(),
            tmp_path,
            classifier=None,
            n_samples=5,
            device=CPU,
        )


def test_a_judge_is_made_for_the_pixels_of_the_runs(trained: Path) -> None:
    data = tiny_dataset()
    classifier, _ = train_classifier(data, ClassifierSettings(epochs=1, batch_size=20))
    grey, binary = (make_judge(classifier, data, how, 10) for how in ("none", "dynamic"))
    assert set(binary.test.unique().tolist()) == {0.0, 1.0}
    assert len(grey.test.unique()) > 2
    # Means are held against grey images either way.
    assert grey.means.floor == binary.means.floor == grey.drawn.floor != binary.drawn.floor
