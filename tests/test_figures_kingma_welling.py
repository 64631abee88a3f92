"""The chapter on Kingma & Welling: its statistics on images and logs whose answers are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vaestudy.claims import judge, load_ledger
from vaestudy.config import RunConfig, expand_grid, parse_config
from vaestudy.figures.aevb import bound_curves
from vaestudy.figures.summary_data import (
    kl_below_start,
    kl_course,
    kl_dip,
    late_loss,
    own_log,
    source_log,
    summary_runs,
)
from vaestudy.figures.summary_log import FIGURES, ring
from vaestudy.figures.summary_pictures import region_centres
from vaestudy.figures.summary_prose import (
    aevb_table,
    log_table,
    read_course,
    read_log,
    read_overfitting,
    read_rows_left_out,
)
from vaestudy.study import EmptySelectionError, Study

LEDGER = Path(__file__).parents[1] / "report" / "claims.yaml"


def test_source_log_adds_up() -> None:
    log = source_log()
    assert log["step"].tolist() == list(range(0, 10_000, 500))
    np.testing.assert_allclose(log["loss"], log["rec"] + log["kl"], atol=2e-5)


def test_claim_holds_the_log_against_its_own_mean() -> None:
    (claim,) = (c for c in load_ledger(LEDGER).claims if c.id == "003.log-is-repeatable")
    assert claim.reference == pytest.approx(source_log()["loss"].iloc[-10:].mean(), abs=1e-3)


def test_ring_keeps_directions_and_has_a_hole() -> None:
    z = np.random.default_rng(0).standard_normal((50, 2))
    mapped = ring(z)
    radius, before = np.linalg.norm(mapped, axis=1), np.linalg.norm(z, axis=1)
    np.testing.assert_allclose(radius, 1 + before / 10)
    np.testing.assert_allclose(mapped / radius[:, None], z / before[:, None])


def test_regions_are_named_inside_the_largest() -> None:
    named = np.zeros((7, 7), dtype=int)
    named[0, :4] = 1  # four in a row
    named[3:6, 3:6] = 2  # a block, whose middle is (4, 4)
    named[6, 0] = 2  # and a cell elsewhere
    named[0, 6] = 3  # too small for a name
    centres = region_centres(named)
    assert centres[2] == (4, 4)
    assert named[centres[1]] == 1
    assert named[centres[0]] == 0
    assert 3 not in centres


def test_figures_count_steps_as_the_text_does_from_zero(tmp_path: Path) -> None:
    study = make_study(tmp_path, course(*DIPS))
    lows = kl_course(study, summary_runs(study, 10))["lowest_at"]
    left = FIGURES["summary-first-steps"](study).figure.axes[0]
    assert left.get_xlabel() == "step"
    marks = next(line for line in left.lines if line.get_marker() == "v")
    assert list(marks.get_xdata()) == lows.tolist()
    crosses = next(
        line
        for line in FIGURES["summary-log"](study).figure.axes[0].lines
        if line.get_marker() == "x"
    )
    assert list(crosses.get_xdata()) == source_log()["step"].tolist()


def course(kl: list[float], late: list[float]) -> pd.DataFrame:
    """KL of the first steps and of later rows, with a loss that falls by 1 a step throughout."""
    n = len(kl)
    steps = [*range(n), *(500 * (i + 1) for i in range(len(late)))]
    both = [*kl, *late]
    values = {"kl": both, "elbo": [float(i) for i in range(len(both))]}
    values["reconstruction"] = [e + k for e, k in zip(values["elbo"], both, strict=True)]
    return pd.DataFrame({"step": steps, **values}).melt("step", var_name="metric")


def bounds(run: RunConfig, sign: int = 1) -> list[tuple[str, int, str, str, float]]:
    """Rows of a run's history; the larger latent space has a gap of 3 nats, the smaller of 1."""
    gap = sign * (3 if run.n_z == 200 else 1)
    return [
        (run.run_id, epoch, split, "elbo", -100.0 + epoch - gap * (split == "test"))
        for epoch in range(run.epochs + 1)
        for split in ("train", "test")
    ]


def make_study(
    folder: Path, rows: pd.DataFrame, seeds: int = 5, n_z: int = 10, gap: int = 1
) -> Study:
    """A finished study of the summary's model and of the paper's; a seed adds 0.01 to all steps."""
    summary = {"hidden": [512, 384, 256], "activation": "relu", "binarization": "none"}
    summary |= {"adam_eps": 1e-8, "epochs": 17, "n_z": n_z}
    paper = {"hidden": [500], "activation": "tanh", "epochs": 3}
    experiments = {
        "summary": {"title": "t", "set": summary, "log_steps": 40},
        "paper": {"title": "t", "set": paper, "vary": {"n_z": [20, 200]}},
    }
    config = parse_config(
        {
            "study": "made-up",
            "results_dir": str(folder),
            "base": {"dataset": "mnist-5k"},
            "seeds": list(range(seeds)),
            "experiments": experiments,
        }
    )
    runs, steps, history = [], [], []
    for declared in expand_grid(config):
        run = declared.config
        row = {**run.model_dump(mode="json"), "hidden": "-".join(map(str, run.hidden))}
        runs.append({"run_id": run.run_id, "status": "finished", **row})
        if run.activation == "relu":
            steps.append(rows.assign(run_id=run.run_id, value=rows["value"] + 0.01 * run.seed))
        history += bounds(run, gap)
    tables = {
        "runs": pd.DataFrame(runs),
        "steps": pd.concat(steps),
        "history": pd.DataFrame(history, columns=["run_id", "epoch", "split", "metric", "value"]),
        "evaluation": pd.DataFrame(
            [(row["run_id"], m, 7.0, 10, 50) for row in runs for m in ("nll", "active_units")],
            columns=["run_id", "metric", "value", "n_samples", "n_data"],
        ),
    }
    directory = config.directory / "tables"
    directory.mkdir(parents=True)
    for name, table in tables.items():
        table.to_parquet(directory / f"{name}.parquet")
    return Study(config)


#: Falls from 20 to 0, then rises to 8 over the later rows.
DIPS = [*np.linspace(20, 0, 25), *np.zeros(15)], [4.0, 8.0]
RISES = list(np.linspace(0.2, 5, 40)), [6.0, 8.0]


def ruling(study: Study, name: str):
    (claim,) = (c for c in load_ledger(LEDGER).claims if c.id == name)
    return judge(claim, study).verdict


def test_dip_is_found_and_decided(tmp_path: Path) -> None:
    study = make_study(tmp_path, course(*DIPS))
    runs = summary_runs(study, 10)
    (first, *_) = kl_course(study, runs).to_dict("records")
    assert 25 <= first["lowest_at"] <= 35
    assert first["lowest"] == pytest.approx(0, abs=1e-9)
    assert first["last_step"] == 1000
    assert kl_dip(study, runs).iloc[0] == pytest.approx(8)
    assert kl_below_start(study, runs).iloc[0] == pytest.approx(20)
    assert ruling(study, "003.kl-falls-then-rises") == "supported"
    assert ruling(study, "003.kl-falls-from-the-start") == "supported"
    assert "which is less than what it was before training" in read_course(study)


def test_noise_alone_is_no_dip(tmp_path: Path) -> None:
    noisy = 5 + 0.4 * np.random.default_rng(0).standard_normal(40)
    study = make_study(tmp_path, course(list(noisy), [5.0, 8.0]))
    assert (kl_dip(study, summary_runs(study, 10)) < 1).all()
    assert ruling(study, "003.kl-falls-then-rises") != "supported"


def test_kl_that_only_rises_is_no_dip(tmp_path: Path) -> None:
    study = make_study(tmp_path, course(*RISES))
    assert (kl_dip(study, summary_runs(study, 10)) <= 0).all()
    assert ruling(study, "003.kl-falls-then-rises") == "contradicted"


def test_leap_and_return_is_no_fall_from_the_start(tmp_path: Path) -> None:
    leap = [0.1, *np.linspace(30, 2, 19), *np.full(20, 2.0)], [4.0, 8.0]
    study = make_study(tmp_path, course(*leap))
    assert ruling(study, "003.kl-falls-then-rises") == "supported"
    assert ruling(study, "003.kl-falls-from-the-start") == "contradicted"


def test_a_low_shorter_than_the_mean_is_told_by_its_deepest_batch(tmp_path: Path) -> None:
    """As in a quick study: below the start for six steps, which a mean over ten does not show."""
    low = [0.41, 2.67, 38.8, 16.4, 4.84, 1.46, 0.54, 0.28, 0.15, 0.09, 0.17, 0.22, 0.31, 0.36, 0.87]
    study = make_study(tmp_path, course([*low, *np.linspace(1.5, 3, 25)], [4.0, 8.0]), seeds=1)
    (first,) = kl_course(study, summary_runs(study, 10)).to_dict("records")
    assert first["lowest"] > first["start"]
    assert first["lowest_batch"] == pytest.approx(0.09)
    assert "the lowest single batch has 0.09." in read_course(study)


def test_a_leap_is_told_by_its_highest_batch_not_by_a_mean_cut_at_the_edge(tmp_path: Path) -> None:
    leap = [0.44, 1.2, 90.0, 140.0, *np.linspace(30, 0.1, 21), *np.full(15, 0.1)]
    study = make_study(tmp_path, course(leap, [4.0, 8.0]), seeds=2)
    told = read_course(study)
    assert "It goes up first for 2 of 2 seeds" in told
    assert "at step 3, have between 140.00 and 140.01 nats" in told


def test_a_kl_that_falls_from_the_start_has_no_leap(tmp_path: Path) -> None:
    study = make_study(tmp_path, course(*DIPS))
    assert "goes up first" not in read_course(study)


def test_late_loss_wants_all_ten_rows(tmp_path: Path) -> None:
    short = make_study(tmp_path / "short", course(*DIPS))
    with pytest.raises(EmptySelectionError, match="9,500"):
        late_loss(short, summary_runs(short, 10))
    assert "training ends before those, and the log at step 1,000" in read_log(short)
    table = log_table(short)
    assert table["Step"].tolist() == ["0", "500", "1,000", "9,500"]
    assert table["Ours: KL"].iloc[1].startswith("4.02")
    assert table["Ours: KL"].iloc[-1] == "–"
    told = read_rows_left_out(short)
    assert "ends before step 1,500: of the source's 17 rows from there on only the last" in told
    whole = make_study(tmp_path / "whole", course(DIPS[0], [10.0] * 19))
    runs = summary_runs(whole, 10)
    # The ELBO rises by 1 a row: rows 5,000 to 9,500 are the 49th to the 58th, counted from 0.
    assert late_loss(whole, runs).iloc[0] == pytest.approx(-53.5)
    assert ruling(whole, "003.log-is-repeatable") == "contradicted"
    table = log_table(whole)
    assert len(table) == 20
    assert not read_rows_left_out(whole)
    assert table["Loss"].iloc[0] == "545.43"
    assert (table["Ours: KL"].iloc[1:].str.startswith("10.02")).all()


def test_signs_are_the_sources(tmp_path: Path) -> None:
    study = make_study(tmp_path, course(*DIPS), seeds=1)
    log = own_log(study, summary_runs(study, 10))
    np.testing.assert_allclose(log["loss"], log["rec"] + log["kl"])


def test_images_are_counted_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = make_study(tmp_path, course(*DIPS))
    monkeypatch.setattr(Study, "dataset", type("D", (), {"train": range(450)}))
    rows = bound_curves(study)
    assert sorted(rows["images"].unique()) == [400, 800, 1200]
    assert set(rows["n"]) == {5}
    told = read_overfitting(study)
    assert (
        "$n_z = 20$ to 200 the excess of the training ELBO over the test ELBO grows by 2.00" in told
    )
    assert "sign of overfitting" not in told
    table = aevb_table(study)
    assert table["$n_z$"].tolist() == ["20", "200"]
    assert table["Training − test"].str.startswith(("1.00", "3.00")).all()


def test_a_negative_gap_is_no_sign_of_overfitting(tmp_path: Path) -> None:
    told = read_overfitting(make_study(tmp_path, course(*DIPS), gap=-1))
    assert "the excess of the training ELBO over the test ELBO shrinks by 2.00" in told
    assert "it is no sign of overfitting, nor of its absence" in told
