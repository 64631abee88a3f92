"""The chapter beyond the paper, on made-up tables whose answers are known."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
import pytest

from vaestudy.config import RunConfig, expand_grid, parse_config
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
from vaestudy.figures.beyond_prose import (
    read_absent,
    read_annealing,
    read_best,
    read_differences,
    read_free_bits,
    read_references,
    read_sweep,
)
from vaestudy.figures.beyond_table import differences_table, grey_table, objectives_table
from vaestudy.figures.families import color_of, label_of, marker_of
from vaestudy.objectives import NO_BOUNDS, OBJECTIVES, beta_schedule
from vaestudy.study import EmptySelectionError, Study

mpl.use("Agg")
EPOCHS = 4
CYCLES = {"objective": "elbo", "warmup": 4, "warmup_cycles": 2, "warmup_rise": 0.5}
WEIGHTED = [
    {"objective": "iwae", "k": 4},
    {"objective": "iwae-stl", "k": 4},
    {"objective": "dreg", "k": 4},
    {"objective": "miwae", "k": 4, "k_groups": 2},
    {"objective": "piwae", "k": 4, "k_groups": 2},
    {"objective": "ciwae", "k": 4, "elbo_share": 0.5},
]
LEVELS = [
    "elbo",
    {"objective": "elbo", "beta": 0.5},
    {"objective": "elbo", "beta": 4.0},
    CYCLES,
    {"objective": "free-bits", "free_bits": 0.1},
    "elbo-sampled",
    "stl",
    {"objective": "iwae", "k": 2},
    *WEIGHTED,
]
#: By label: NLL, active units, ratios of encoder and decoder, of seed 0.
MEANS = {
    "VAE": (100.0, 3.0, 0.4, 0.6),
    "VAE (β=4)": (110.0, 1.0, 0.5, 0.6),
    "VAE, free bits (λ=0.1)": (101.0, 4.0, 0.4, 0.6),
    "IWAE (K=4)": (97.0, 3.0, 0.2, 0.9),
    "IWAE, DReG (K=4)": (97.0, 3.0, 0.8, 0.9),
}


def values(experiments: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "study": "made-up",
        "base": {"dataset": "mnist-5k", "n_z": 4, "hidden": [4], "epochs": EPOCHS},
        "seeds": [0, 1, 2],
        "experiments": experiments,
        **changes,
    }


def vary(**levels: Any) -> dict[str, Any]:
    return {"title": "t", "vary": levels}


EVERYTHING = {
    "beyond": {**vary(objective=LEVELS), "gradients": True},
    "warmup": vary(warmup=[0, 2]),
    "grey": {**vary(likelihood=["bernoulli", "gaussian"]), "set": {"binarization": "none"}},
}


def measured(run: RunConfig) -> dict[str, float]:
    """Seeds add 1 to every NLL and 0.01 to every ratio; odd seeds of STL take 1 off the NLL."""
    nll, units, encoder, decoder = MEANS.get(
        label_of(run.model_dump()),
        (100.0 - 3 * (run.objective == "stl") * (run.seed % 2), 3, 0.4, 0.6),
    )
    seed = run.seed
    found = {"nll": nll + seed, "active_units": units, "kl": 20 / run.beta, "squared_error": 9.0}
    found |= {"reconstruction": -80.0 - 4 * run.beta, "elbo": -90.0 - seed}
    if run.binarization == "none":
        return {**found, "nll_continuous": -500.0 - seed}
    ratios = {"gradient_snr_encoder": encoder, "gradient_snr_decoder": decoder}
    found["gradient_variance_encoder"] = 300.0 - 50 * (run.objective == "dreg") + seed
    return found | {name: value + 0.01 * seed for name, value in ratios.items()}


def make_study(folder: Path, experiments: dict[str, Any], **changes: Any) -> Study:
    """Training takes 8 s a job of two models and four epochs, and K times that of K samples."""
    config = parse_config(values(experiments, results_dir=str(folder), **changes))
    runs, history, units, evaluation, timing = [], [], [], [], []
    for declared in expand_grid(config):
        run = declared.config
        names = {"run_id": run.run_id, "combination_id": run.combination_id, "status": "finished"}
        runs.append({**names, **run.model_dump(mode="json"), "hidden": "4"})
        for epoch in range(EPOCHS + 1):
            history += [
                (run.run_id, epoch, split, metric, -100.0 + epoch + run.seed)
                for split in ("train", "test")
                for metric in ("elbo", "bound", "kl")
            ]
            if epoch:
                history.append((run.run_id, epoch, "train", "beta", beta_schedule(run, epoch)))
            units += [(run.run_id, epoch, u, 0.5 * (u < 3) + 0.001, 0.2) for u in range(4)]
        evaluation += [(run.run_id, m, v, 500) for m, v in measured(run).items()]
        timing.append((run.run_id, 8.0 * run.k, 2, EPOCHS))
    tables = {
        "runs": pd.DataFrame(runs),
        "history": pd.DataFrame(history, columns=["run_id", "epoch", "split", "metric", "value"]),
        "units": pd.DataFrame(units, columns=["run_id", "epoch", "unit", "activity", "kl"]),
        "evaluation": pd.DataFrame(evaluation, columns=["run_id", "metric", "value", "n_samples"]),
        "timing": pd.DataFrame(
            timing, columns=["run_id", "train_seconds", "members", "epochs_timed"]
        ),
    }
    (config.directory / "tables").mkdir(parents=True)
    for name, table in tables.items():
        table.to_parquet(config.directory / "tables" / f"{name}.parquet")
    return Study(config)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return make_study(tmp_path_factory.mktemp("study"), EVERYTHING)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The base model and nothing else."""
    return make_study(tmp_path_factory.mktemp("alone"), {"base": {"title": "t"}}, seeds=[0])


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


def test_without_an_iwae_of_its_k_the_vae_stands_in(tmp_path: Path) -> None:
    other = [level for level in LEVELS if level != {"objective": "iwae", "k": 4}]
    study = make_study(tmp_path, {"beyond": {**vary(objective=other), "gradients": True}})
    members = find_members(study)
    vae = member_of(members, "VAE")
    for label in ("IWAE, DReG (K=4)", "MIWAE (K=4, G=2)", "CIWAE (K=4, c=0.5)"):
        assert reference_of(member_of(members, label), members) is vae
    against = differences_table(study).set_index("Objective")["Against"]
    assert against["PIWAE (K=4, G=2)"] == "VAE"
    assert len(against) == len(members) - 1
    told = read_references(study)
    assert told.startswith("This study has no IWAE of $K = 4$: *IWAE, STL (K=4)*, ")
    assert "are compared with the VAE" in told
    # 97 + s of DReG's likelihood, 100 + s of the VAE's.
    assert "*IWAE, DReG (K=4)* (−3.00" in read_differences(study, "nll", "the test NLL")


def member_of(members: list[Member], label: str) -> Member:
    return next(m for m in members if m.label == label)


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


def test_tables_tell_means_and_differences_with_intervals(study: Study) -> None:
    shown, numbers = objectives_table(study)
    vae = shown[shown["Objective"] == "VAE"].iloc[0]
    # mean of 100, 101, 102; t(0.975, 2) / sqrt(3) = 2.4841
    nll = "101.00 ± 2.48\n[100.00, 102.00]"
    assert vae[["n", "Test NLL", "Active units"]].tolist() == ["3", nll, "3.0 ± 0.0"]
    assert vae["SNR, encoder"] == "0.41 ± 0.02\n[0.40, 0.42]"
    gaps = differences_table(study).set_index("Objective")
    assert "VAE" not in gaps.index
    doubly = gaps.loc["IWAE, DReG (K=4)"]
    assert doubly["Against"] == "IWAE (K=4)"
    assert doubly["SNR, encoder"] == "+0.60 ± 0.00"
    assert doubly["Variance, encoder"] == "−50 ± 0"
    assert vae["Variance, encoder"] == "301 ± 2\n[300, 302]"
    told = numbers.set_index(["objective", "metric"]).loc[("IWAE (K=4)", "nll")]
    assert (told["mean"], told["n"], told["difference"]) == (98.0, 3, -3.0)
    assert (told["against"], told["difference_n"]) == ("VAE", 3)


def test_sentences_say_no_more_than_the_intervals(study: Study) -> None:
    text = read_differences(study, "nll", "the test NLL")
    worse = text.split("is higher with ")[1].split("; it")[0]
    assert "*VAE (β=4)* (+10.00 [+10.00, +10.00])" in worse
    assert "is lower with *IWAE (K=4)* (−3.00" in text
    # STL is 3 lower in one seed of three: no verdict. Free bits are 1 higher in all.
    assert "STL" not in text.split("Against")[1]
    assert "cannot be told from equal with the other" in text.split("Against")[1]
    assert "*VAE, free bits (λ=0.1)* (+1.00" in worse
    ratio = read_differences(study, "gradient_snr_encoder", "the encoder's ratio", 3)
    weighted = ratio.split("Against the IWAE (K=4), the encoder's ratio is higher with ")[1]
    assert "*IWAE, DReG (K=4)* (+0.600 [+0.600, +0.600])" in weighted
    assert "has not measured the unheard-of" in read_differences(study, "x", "the unheard-of")


def test_sentences_about_single_outcomes(study: Study) -> None:
    best = read_best(study)
    assert "98.00" in best
    assert "*VAE, free bits (λ=0.1)* has the most of those, 4.0" in best
    assert f"{1 - math.exp(-0.2):.2f}" in read_free_bits(study)
    sweep = read_sweep(study)
    assert sweep.startswith("At $\\beta = 0.5$ the rate is 40.0 [")
    assert "and the distortion 82.0 [" in sweep
    assert "$\\beta = 4$ raises it by 10.00 nats" in sweep
    text = read_annealing(study)
    assert text.count("Against none") == 2
    assert "leaves the lowest number on the way as it was" in text
    assert read_absent(study) == ""
    assert read_references(study) == ""


def test_a_study_without_the_experiment_says_so(alone: Study) -> None:
    text = read_absent(alone)
    for name in ("*VAE, STL*", "*PIWAE*", "cyclical annealing", "β-VAE"):
        assert name in text
    assert differences_table(alone).empty
    assert len(objectives_table(alone)[0]) == 1
    assert read_free_bits(alone) == ""
    assert "has not measured" in read_differences(alone, "nll", "the test NLL")
    for name in ("beyond-curves", "annealing", "rate-distortion"):
        with pytest.raises(EmptySelectionError):
            FIGURES[name](alone)
    with pytest.raises(EmptySelectionError, match="grey"):
        grey_table(alone)


def test_grey_likelihoods_stand_by_their_densities(study: Study) -> None:
    table, runs = grey_table(study)
    assert table["Decoder"].tolist() == ["Bernoulli", "Gaussian"]
    assert table["NLL as a density"].tolist()[0] == "−501.0 ± 2.5\n[−502.0, −500.0]"
    assert len(runs) == 6


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_draws_and_tells_what(study: Study, name: str) -> None:
    drawing = FIGURES[name](study)
    drawing.figure.draw_without_rendering()
    assert len(drawing.data)
    assert set(drawing.runs) <= set(study.table("runs")["run_id"])
    assert drawing.runs
    json.dumps(drawing.data.to_dict("list"))  # Numbers and texts alone: it is to be downloaded.


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
