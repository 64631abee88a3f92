"""Verdicts kept with the code: which are kept, and which a shorter study shows."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner

from studies import make_study
from vaestudy.claims import ClaimError, judge_all, parse_ledger, tabulate
from vaestudy.claims.kept import keep_verdicts, kept_of, read_kept, verdicts_of
from vaestudy.claims.show import show
from vaestudy.cli import app
from vaestudy.config import RunConfig
from vaestudy.report.ledger import decided_table, kept_table, outcome
from vaestudy.study import Study


def values(seeds: int) -> dict[str, Any]:
    return {
        "study": f"seeds-{seeds}",
        "base": {"dataset": "mnist-5k", "n_z": 20, "hidden": [8], "epochs": 4},
        "seeds": list(range(seeds)),
        "experiments": {"sizes": {"title": "Sizes", "vary": {"n_z": [2, 20]}}},
        "evaluation": {"n_samples": 100},
    }


def measure(run: RunConfig) -> dict[str, float]:
    """A smaller latent space costs 30 nats, give or take a hundredth; seeds lie ten apart."""
    return {"nll": 100 + 10 * run.seed + (30 + 0.01 * run.seed if run.n_z == 2 else 0)}


def study_of(folder: Path, seeds: int, n_samples: int = 5_000) -> Study:
    study = make_study(folder, values(seeds), measure, n_samples=n_samples)
    ids = study.table("runs")["run_id"]
    made = {"finished": "2026-11-20T10:00:00", "hardware": "a CPU", "vaestudy": "1"}
    timing = pd.DataFrame({"run_id": ids, **made, "revision": "abc"})
    timing.to_parquet(study.config.directory / "tables" / "timing.parquet")
    return study


def ledger(least: float = 0.1) -> dict[str, Any]:
    claim = {
        "source": {"document": "000", "item": "Section 1"},
        "kind": "difference",
        "figure": "warmup",
    }
    smaller = {
        **claim,
        "id": "000.smaller-is-worse",
        "statement": "Two dimensions are worse.",
        "statistic": {"metric": "nll", "direction": "higher"},
        "runs": {"a": {"n_z": 2}, "b": {}},
        "minimum_effect": least,
    }
    larger = {
        **smaller,
        "id": "000.larger-is-better",
        "statement": "A hundred are better.",
        "runs": {"a": {}, "b": {"n_z": 100}},
    }
    documents = {"000": {"title": "A draft", "cite": "bettencourt2016"}}
    return {"documents": documents, "claims": [smaller, larger]}


def claims_of(study: Study, **changes: float) -> pd.DataFrame:
    return tabulate(judge_all(parse_ledger(ledger(**changes)), study))


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The verdicts of five seeds."""
    long = study_of(tmp_path / "long", 5)
    path = tmp_path / "claims.csv"
    keep_verdicts(verdicts_of(claims_of(long), long), path)
    return path


def test_only_verdicts_are_kept_and_how_they_came_about(kept: Path, tmp_path: Path) -> None:
    (row,) = pd.read_csv(kept).to_dict("records")
    assert (row["claim"], row["verdict"], row["n"]) == ("000.smaller-is-worse", "supported", 5)
    assert row["estimate"] == pytest.approx(30.02)
    assert (row["study"], row["n_samples"], row["hardware"]) == ("seeds-5", 5_000, "a CPU")
    assert row["version"] == "vaestudy 1 abc"
    assert row["epochs"] == 4
    short = study_of(tmp_path / "short", 2)
    with pytest.raises(ClaimError, match="over 5 seeds or more"):
        keep_verdicts(verdicts_of(claims_of(short), short), kept)
    assert len(pd.read_csv(kept)) == 1


def test_importance_samples_are_told_of_what_they_decide(tmp_path: Path) -> None:
    long = study_of(tmp_path / "long", 5)
    claims = claims_of(long).assign(metric="active_units")
    keep_verdicts(verdicts_of(claims, long), tmp_path / "claims.csv")
    kept = read_kept(tmp_path / "claims.csv")
    assert kept is not None
    assert kept["n_samples"].isna().all()


def test_lengths_of_training_are_told_and_left_out_where_none_was_kept(
    kept: Path, tmp_path: Path
) -> None:
    short = claims_of(study_of(tmp_path / "short", 2))
    assert kept_table(kept_of(short, kept))["Epochs"].tolist() == ["4"]
    pd.read_csv(kept).drop(columns="epochs").to_csv(kept, index=False)
    assert kept_table(kept_of(short, kept))["Epochs"].tolist() == ["–"]


def test_likelihoods_of_few_samples_give_no_verdict_to_keep(kept: Path, tmp_path: Path) -> None:
    hasty = study_of(tmp_path / "hasty", 5, n_samples=100)
    claims = claims_of(hasty)
    (row,) = claims[claims["n"] > 0].to_dict("records")
    assert (row["verdict"], row["sufficient"]) == ("undecided", False)
    assert "with 100 importance samples an image, 5,000 are needed" in row["notes"]
    assert verdicts_of(claims, hasty).empty
    # The same study shows what a more thorough one has found.
    assert list(kept_of(claims, kept)["claim"]) == ["000.smaller-is-worse"]


def test_a_study_of_few_seeds_shows_them(kept: Path, tmp_path: Path) -> None:
    short = claims_of(study_of(tmp_path / "short", 2))
    shown = kept_of(short, kept)
    assert list(shown["claim"]) == ["000.smaller-is-worse"]
    assert (shown.loc[0, "n"], shown.loc[0, "study"]) == (5, "seeds-5")
    (cells,) = kept_table(shown).to_dict("records")
    assert cells["Verdict"] == "**supported**"
    assert cells["Estimate"].startswith("+30.02 [")
    assert "above 0.1 nats" in cells["Decided by"]
    assert (shown.loc[0, "n_here"], cells["Shown in"]) == (2, "@fig:warmup")
    assert kept_of(short, tmp_path / "none.csv").empty
    # What this study found itself is no part of another's verdict.
    assert not {"p_value", "contrasts", "runs", "sufficient"} & set(shown)
    assert shown.loc[0, "notes"] == ""
    noted = shown.assign(notes="one; two")
    assert kept_table(noted)["Verdict"].item() == "**supported** (one; two)"


def test_the_ledger_and_its_summary_tell_them(kept: Path, tmp_path: Path) -> None:
    short = claims_of(study_of(tmp_path / "short", 2))
    shown = kept_of(short, kept)
    first, second = decided_table(short, shown)["Verdict"]
    assert first == "undecided here; **supported** in @tbl:claims-kept ($n$ = 5)"
    assert second.startswith("**not run**")
    told = outcome(short, shown, 50)
    assert "This study has up to 2 seeds and 50 samples" in told
    assert "of itself it decides no claim" in told
    link = "[000.smaller-is-worse](#claim:000.smaller-is-worse)"
    assert told.endswith(f"tested 1 (@tbl:claims-kept): 1 supported ({link}).")
    assert "longer" not in outcome(short, shown.iloc[:0], 50)


def test_a_study_that_decides_names_its_verdicts(kept: Path, tmp_path: Path) -> None:
    long = claims_of(study_of(tmp_path / "again", 5))
    link = "[000.smaller-is-worse](#claim:000.smaller-is-worse)"
    assert outcome(long, kept_of(long, kept), 5_000) == f"Supported: {link}."


def test_a_study_that_ran_none_has_kept_ones_all_the_same(kept: Path, tmp_path: Path) -> None:
    none = claims_of(study_of(tmp_path / "short", 2)).assign(n=0, verdict="not run")
    shown = kept_of(none, kept)
    assert list(kept_table(shown)["Shown in"]) == ["–"]
    assert outcome(none, shown, 50).startswith("Of the claims that this study is too small for")


def test_the_terminal_shows_them_with_the_statement(kept: Path, tmp_path: Path) -> None:
    short = claims_of(study_of(tmp_path / "short", 2))
    console = Console(record=True, width=80, file=io.StringIO())
    show(short, "short", kept_of(short, kept), console)
    text = console.export_text()
    assert "000.smaller-is-worse Two dimensions are" in text
    assert re.search(r"undecided\s.*n = 2\s.*kept, n = 5:\s.*supported\s", text, re.DOTALL)
    assert "Verdicts of longer studies, kept: 1 supported, 0 contradicted, 0 undecided." in text
    # Exported, a console forgets.
    show(short, "short", kept_of(short, tmp_path / "none.csv"), console)
    assert "kept" not in console.export_text()


def test_a_study_that_decides_for_itself_does_not(kept: Path, tmp_path: Path) -> None:
    assert kept_of(claims_of(study_of(tmp_path / "again", 5)), kept).empty


def test_a_verdict_by_another_rule_is_not_shown(kept: Path, tmp_path: Path) -> None:
    short = study_of(tmp_path / "short", 2)
    assert kept_of(claims_of(short, least=1.0), kept).empty
    assert len(kept_of(claims_of(short, least=0.1), kept)) == 1


def test_newer_verdicts_replace_older_ones_and_leave_the_others(kept: Path) -> None:
    table = pd.read_csv(kept)
    keep_verdicts(table.assign(verdict="contradicted"), kept)
    keep_verdicts(table.assign(claim="000.another"), kept)
    found = read_kept(kept)
    assert found is not None
    assert dict(zip(found["claim"], found["verdict"], strict=True)) == {
        "000.another": "supported",
        "000.smaller-is-worse": "contradicted",
    }


def test_the_command_keeps_them(tmp_path: Path) -> None:
    study = study_of(tmp_path, 5)
    directory = study.config.directory
    grid = yaml.safe_dump(study.config.model_dump(mode="json"))
    (directory / "grid.yaml").write_text(grid, encoding="utf-8")
    said, path = tmp_path / "ledger.yaml", tmp_path / "kept" / "claims.csv"
    said.write_text(yaml.safe_dump(ledger()), encoding="utf-8")
    arguments = ["claims", str(directory), "--ledger", str(said), "--keep", str(path)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "verdicts kept: 1 ->" in result.output
    assert len(pd.read_csv(path)) == 1


def test_a_claim_of_one_seed_is_shown_without_an_interval(tmp_path: Path) -> None:
    single = claims_of(study_of(tmp_path, 1))
    console = Console(file=io.StringIO(), width=120)
    show(single, "single", kept_of(single, tmp_path / "none.csv"), console)
    told = console.file.getvalue()
    assert "+30.00" in told
    assert "nan" not in told
