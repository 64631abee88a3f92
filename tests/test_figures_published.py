"""Published figures beside ours: on made-up studies, and where there are none of ours."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
import pytest
from typer.testing import CliRunner

from studies import make_study
from vaestudy.cli import app
from vaestudy.config import RunConfig, expand_grid, load_config
from vaestudy.figures.published import dots
from vaestudy.figures.published_data import (
    compare,
    find_comparison,
    keep_earlier,
    read_published,
    read_results,
    runs_of,
)
from vaestudy.figures.published_prose import read_differences, read_making, read_rerun
from vaestudy.figures.published_table import reading_table, write_comparison
from vaestudy.report.item import Item
from vaestudy.study import EmptySelectionError, Study, _read_table

mpl.use("Agg")
ROOT = Path(__file__).resolve().parents[1]
BURDA: dict[str, Any] = load_config(ROOT / "configs/burda-short.yaml").model_dump(mode="json")
#: By the paper's schedule, cut short.
BURDA["base"] |= {"epochs": 364, "lr_schedule": "burda"}
#: Seconds a model trained, and the machine.
TIMING = {
    "train_seconds": 7200.0,
    "members": 2,
    "images_per_second": 6000.0,
    "hardware": "a machine",
    "vaestudy": "0.1",
    "revision": "abc",
    "finished": "2026-01-02T03:04:05Z",
}


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The published figures as they are, and no results but the test's own."""
    (tmp_path / "report").mkdir()
    shutil.copy(ROOT / "report/published.yaml", tmp_path / "report")
    monkeypatch.chdir(tmp_path)


def measure(run: RunConfig) -> dict[str, float]:
    units = {"active_units_1": 16, "active_units_2": 5} if run.deeper else {}
    return {"nll": 86.0 + run.seed + len(run.deeper), "active_units": 21, **units}


def study(folder: Path, **changes: Any) -> Study:
    made = make_study(folder, {**BURDA, "seeds": [0, 1], **changes}, measure)
    rows = [{"run_id": run_id, **TIMING} for run_id in made.table("runs")["run_id"]]
    pd.DataFrame(rows).to_parquet(made.config.directory / "tables/timing.parquet")
    return made


OTHER = {"base": {"dataset": "mnist-5k"}, "experiments": {"e": {"title": "t"}}}


def test_the_published_file_is_the_study_that_repeats_it() -> None:
    """Every published model is a run of the configuration, and there are no others."""
    wanted = {parameters for _, parameters in read_published().models()}
    config = load_config(ROOT / "configs/burda.yaml")
    runs = {run.config for run in expand_grid(config)}
    assert {RunConfig(**model.model_dump(), seed=0) for model in wanted} == runs
    short = load_config(ROOT / "configs/burda-short.yaml")
    same = {"epochs": 3280, "lr_schedule": "burda"}
    assert {run.config.model_copy(update=same) for run in expand_grid(short)} == runs


def test_the_published_figures_are_the_papers(tmp_path: Path) -> None:
    table = compare(study(tmp_path, **OTHER), read_published())
    found = table.set_index(["layers", "objective", "k"])[["published_nll", "published_units"]]
    assert found.loc[(1, "iwae", 5)].tolist() == [85.54, "22"]
    assert found.loc[(2, "elbo", 1)].tolist() == [85.33, "16+5"]
    assert found.loc[(2, "iwae", 50)].tolist() == [82.90, "26+7"]
    assert len(found) == 10


def test_the_rerun_stands_beside_them(tmp_path: Path) -> None:
    own = study(tmp_path, experiments={"e": {"title": "t", "vary": {"epochs": [364, 3280]}}})
    table = compare(own, read_published())
    names = ["layers", "objective", "k"]
    found = table.drop_duplicates(names).set_index(names)
    assert found.loc[(1, "iwae", 5), "rerun_nll"] == 85.18
    assert found.loc[(1, "iwae", 50), "rerun_nll"] == 84.59
    assert found.loc[(2, "elbo", 1), "rerun_nll"] == 84.83
    told = read_rerun(table, read_published())
    assert "rerun of the table [@ipsen2021] ends below the published NLL in 10 of 10" in told
    assert "by 0.08 to 0.93 nats; of our 2, 2 end above it" in told
    assert "reports 86.08, 84.90 and 84.32 for $K$ of 1, 5 and 50, one layer" in told
    worse = read_rerun(table.assign(rerun_nll=99.0, nll=None), read_published())
    assert "below the published NLL in none of 10 models. With" in worse


def test_ours_are_means_over_seeds_with_what_made_them(tmp_path: Path) -> None:
    table, source = find_comparison(study(tmp_path))
    assert source == "study"
    row = table.set_index(["layers", "objective", "k"]).loc[(2, "iwae", 5)]
    assert row["nll"] == 87.5
    assert row["difference"] == pytest.approx(87.5 - 83.89)
    assert row["standard_error"] == pytest.approx(0.01 / 2**0.5)
    assert (row["units"], row["n"], row["passes"], row["hours"]) == ("16+5", 2, 364, 1.0)
    assert len(runs_of(table)) == 20
    assert table["units"].tolist() == ["21"] * 5 + ["16+5"] * 5


def test_lengths_of_training_are_rows_of_their_own(tmp_path: Path) -> None:
    experiments = {"e": {"title": "t", "vary": {"epochs": [364, 3280]}}}
    table = compare(study(tmp_path, experiments=experiments), read_published())
    assert table["passes"].dropna().tolist() == [364, 3280]
    assert table["nll"].notna().sum() == 2
    assert len(table) == 11
    (axes,) = dots(study(tmp_path / "drawn", experiments=experiments)).figure.axes
    named = [text.get_text() for text in axes.get_yticklabels()]
    assert named[:3] == ["VAE, 364 passes", "VAE, 3,280 passes", "VAE (K=5)"]
    told = read_making(table)
    assert "364 passes, the first of the paper's 3,280: VAE, 60 min." in told
    assert "3,280 passes, all of the paper's 3,280" in told
    assert "a machine; vaestudy 0.1 abc; finished 2026-01-02." in told


def test_a_revision_with_changes_is_told_in_words(tmp_path: Path) -> None:
    table, _ = find_comparison(study(tmp_path))
    told = read_making(table.assign(version="vaestudy 0.1 abc-dirty"))
    assert "vaestudy 0.1 abc with changes not committed; finished" in told


def test_another_schedule_is_told(tmp_path: Path) -> None:
    base = {**BURDA["base"], "lr_schedule": "cosine", "epochs": 300}
    table = compare(study(tmp_path, base=base, experiments=OTHER["experiments"]), read_published())
    assert table["schedule"].dropna().tolist() == ["cosine"]
    assert (
        "Trained for 300 passes instead of the paper's 3,280, with a rate that falls by a half "
        "cosine: VAE, 60 min." in read_making(table)
    )


def test_runs_of_another_protocol_are_not_ours(tmp_path: Path) -> None:
    table, source = find_comparison(study(tmp_path, **OTHER))
    assert source == "none"
    assert table["nll"].isna().all()
    assert set(reading_table(table)["NLL, ours"]) == {"–"}
    with pytest.raises(EmptySelectionError, match="no run of a published protocol"):
        dots(study(tmp_path / "again", **OTHER))


def test_kept_results_stand_in(tmp_path: Path) -> None:
    own = compare(study(tmp_path / "a"), read_published())
    write_comparison(own, Path("docs/results/burda.csv"))
    other = study(tmp_path / "b", **OTHER)
    table, source = find_comparison(other)
    assert source == "kept"
    assert reading_table(table).equals(reading_table(own))
    assert dots(other).runs == tuple(runs_of(own))


def test_kept_results_take_others_figures_from_todays_file(tmp_path: Path) -> None:
    own = compare(study(tmp_path / "a"), read_published())
    Path("docs/results").mkdir(parents=True)
    own.drop(columns="rerun_nll").to_csv("docs/results/burda.csv", index=False)
    table, _ = find_comparison(study(tmp_path / "b", **OTHER))
    assert table["rerun_nll"].tolist() == own["rerun_nll"].tolist()
    assert table["nll"].tolist() == own["nll"].tolist()


def test_what_one_study_has_not_trained_stays_from_another(tmp_path: Path) -> None:
    def levels(*objectives: Any) -> dict[str, Any]:
        return {"experiments": {"e": {"title": "t", "vary": {"objective": list(objectives)}}}}

    first = compare(study(tmp_path / "a", **levels("elbo")), read_published())
    again = study(tmp_path / "b", **levels("elbo", {"objective": "iwae", "k": 5}), seeds=[3])
    table = keep_earlier(compare(again, read_published()), first)
    assert len(table) == 10
    found = table.dropna(subset="nll").set_index(["objective", "k"])
    # What both have trained is the later one's: seed 3 alone.
    assert found["nll"].to_dict() == {("elbo", 1): 89, ("iwae", 5): 89}
    assert found["difference"].round(2).tolist() == [2.24, 3.46]
    back = keep_earlier(first, table)
    assert back.dropna(subset="nll")["nll"].tolist() == [86.5, 89]
    assert back["published_nll"].tolist() == first["published_nll"].tolist()
    # Another length of training is another row.
    longer = study(tmp_path / "c", **levels("elbo"), base=BURDA["base"] | {"epochs": 728})
    both = keep_earlier(compare(longer, read_published()), table)
    assert both.loc[(both["k"] == 1) & (both["layers"] == 1), "passes"].tolist() == [728, 364]
    assert len(both) == 11


def test_seeds_are_counted_and_errors_shown(tmp_path: Path) -> None:
    own = compare(study(tmp_path / "a"), read_published())
    write_comparison(own, Path("docs/results/burda.csv"))
    kept, _ = find_comparison(study(tmp_path / "b", **OTHER))
    # Kept with a model that is not trained, counts come back as floats.
    shown = reading_table(kept.astype({"n": float, "passes": float}))
    assert shown["$n$"].tolist() == ["2"] * 10
    assert shown["Passes"].tolist() == ["364"] * 10
    # Two estimates with errors of 0.01 each.
    assert shown["NLL, ours"].tolist()[0] == "86.50 ± 0.007"


def test_prose_says_no_more_than_the_numbers(tmp_path: Path) -> None:
    table = compare(study(tmp_path), read_published())
    told = read_differences(table)
    assert "Models that we trained: 10. Of these, 9 end above the published NLL and 1 below" in told
    assert "the largest difference is +4.60 nats (IWAE (K=50), two stochastic layers)" in told
    assert "With 2 seeds a model" in told
    assert "estimates, not verdicts" in told
    many = read_differences(table.assign(n=5))
    assert "means of at least 5 seeds" in many
    assert "verdict" not in many


def test_the_dots_are_the_tables(tmp_path: Path) -> None:
    drawing = dots(study(tmp_path))
    one, two = drawing.figure.axes
    assert one.get_yticklabels()[0].get_text() == "VAE"
    rings = [line.get_xdata()[0] for line in two.lines if line.get_markerfacecolor() == "white"]
    assert rings == [85.33, 85.01, 84.78, 83.89, 82.90]
    assert drawing.data["nll"].notna().all()
    experiments = {"e": {"title": "t"}}
    single = dots(study(tmp_path / "one", experiments=experiments))
    assert len(single.figure.axes) == 1


def test_command_writes_csv_and_markdown(tmp_path: Path) -> None:
    made = study(tmp_path)
    grid = made.config.directory / "grid.yaml"
    grid.write_text(made.config.model_dump_json(exclude={"report"}), encoding="utf-8")
    arguments = ["published", "--config", str(made.config.directory), "--output", "out/burda.csv"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "10 of 10 models" in result.output
    kept = read_results(Path("out/burda.csv"))
    assert kept is not None
    assert kept["published_units"].tolist()[0] == "19"
    text = Path("out/burda.md").read_text(encoding="utf-8")
    row = "| 2 | IWAE (K=5) | 83.89 | 83.48 | 87.50 ± 0.007 | +3.61 | 21+5 | 16+5 | 364 | 2 |"
    assert row in text
    assert "estimates, not verdicts" in text


def test_command_refuses_a_study_of_another_protocol(tmp_path: Path) -> None:
    made = study(tmp_path, **OTHER)
    grid = made.config.directory / "grid.yaml"
    grid.write_text(made.config.model_dump_json(exclude={"report"}), encoding="utf-8")
    result = CliRunner().invoke(app, ["published", "--config", str(grid.parent)])
    assert result.exit_code == 1
    assert "no finished run of the published protocol" in result.output
    assert not Path("docs").exists()


def test_tables_older_than_a_parameter_hold_runs_at_its_default(tmp_path: Path) -> None:
    made = study(tmp_path)
    path = made.config.directory / "tables/runs.parquet"
    runs = pd.read_parquet(path)
    runs[runs["deeper"] == "none"].drop(columns="deeper").to_parquet(path)
    _read_table.cache_clear()
    table = compare(made, read_published())
    assert table.groupby("layers")["nll"].count().tolist() == [5, 0]


def render(config: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the chapter shows, by label; prose by its number."""
    shown: dict[str, str] = {}

    def emit(item: Item, _: dict[str, str]) -> None:
        shown[item.label or f"prose {len(shown)}"] = item.markdown

    monkeypatch.setattr("vaestudy.report.present._emit", emit)
    source = (ROOT / "notebooks/07-published.py").read_text(encoding="utf-8")
    exec(compile(source.replace("configs/quick.yaml", str(config)), "07-published", "exec"), {})
    return shown


@pytest.mark.parametrize("source", ["study", "kept", "none"])
def test_the_chapter_stands_with_and_without_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    made = study(tmp_path, **({} if source == "study" else OTHER))
    if source == "kept":
        table = compare(study(tmp_path / "kept"), read_published())
        write_comparison(table, Path("docs/results/burda.csv"))
    config = tmp_path / "grid.yaml"
    config.write_text(made.config.model_dump_json(exclude={"report"}), encoding="utf-8")
    shown = render(config, monkeypatch)
    whose = {"study": "runs of this study", "kept": "kept with the code", "none": "are missing"}
    assert whose[source] in shown["tbl:published"]
    assert ("fig:published" in shown) == (source != "none")
    prose = " ".join(text for label, text in shown.items() if label.startswith("prose"))
    expected = "vaestudy published --config" if source == "none" else "estimates, not verdicts"
    assert expected in prose
