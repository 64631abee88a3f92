"""The ledger: what the shipped one holds, and what a wrong one is told."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from studies import make_study
from vaestudy.claims import (
    ClaimError,
    Ledger,
    judge,
    judge_all,
    load_ledger,
    parse_ledger,
    tabulate,
)
from vaestudy.claims.kinds import KINDS
from vaestudy.claims.ledger import selectors
from vaestudy.claims.metrics import PLANE_METRICS
from vaestudy.cli import app
from vaestudy.config import RunConfig
from vaestudy.study import Study

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ROOT / "report" / "claims.yaml"


def measure(run: RunConfig) -> dict[str, float]:
    names = ["nll", "nll_mean", "nll_restricted", "bound", "elbo", "squared_error", "active_units"]
    names += [name for name, *_ in PLANE_METRICS]
    names += ["pca_squared_error", "kl", "neighbour_accuracy"]
    names += ["slant_explained", "slant_explained_within_class"]
    names += ["nll_clipped", "posterior_variance", "sample_confidence_of_means"]
    names += ["fid_of_means"]
    names += ["reconstruction_accuracy", "test_accuracy"]
    names += ["nll_of_bottom_variational", "nll_of_bottom_prior"]
    names += ["nll_given_label", "conditional_accuracy_of_means"]
    for part in ("encoder", "decoder"):
        names += [f"gradient_variance_{part}", f"sampled_gradient_variance_{part}"]
    return dict.fromkeys(names, 100.0 + run.seed + run.n_z)


def study_of(config: str, folder: Path) -> Study:
    values = yaml.safe_load((ROOT / config).read_text(encoding="utf-8"))
    return make_study(folder, values, measure)


@pytest.fixture(scope="module")
def shipped() -> Ledger:
    return load_ledger(SHIPPED)


@pytest.mark.parametrize(("config", "n"), [("config.yaml", 5), ("configs/quick.yaml", 2)])
def test_every_claim_finds_its_runs(shipped: Ledger, tmp_path: Path, config: str, n: int) -> None:
    study = study_of(config, tmp_path)
    table = tabulate(judge_all(shipped, study))
    # A study without download has no claim about a data set that is to be downloaded; pictures that
    # are not the base model's, "other", every one has.
    there = {*study.table("runs")["dataset"], "other"}
    elsewhere = [
        claim.id
        for claim in shipped.claims
        for _, selector in selectors(claim)
        if selector.get("dataset", study.config.base.dataset) not in there
    ]
    ours = table[(table["pending"] == "") & ~table["claim"].isin(elsewhere)]
    not_run = ours.loc[ours["verdict"] == "not run", ["claim", "notes"]]
    assert not_run.empty, not_run.to_string()
    assert set(ours["n"]) == {n}
    assert (table.loc[table["pending"] != "", "verdict"] == "not run").all()
    for _, row in ours.iterrows():
        assert row["runs"], row["claim"]


@pytest.mark.parametrize("config", ["config.yaml", "configs/quick.yaml"])
def test_gains_are_between_the_same_sizes(shipped: Ledger, tmp_path: Path, config: str) -> None:
    study = study_of(config, tmp_path)
    claim = next(c for c in shipped.claims if c.id == "002.complex-data-need-dimensions")
    used = study.table("runs").set_index("run_id").loc[list(judge(claim, study).runs)]
    table = study.table("runs").query("binarization == 'threshold' and objective == 'elbo'")
    ends = {
        (own["n_z"].min(), used.loc[used["dataset"] == name, "n_z"].max())
        for name, own in table[table["labels"] == "none"].groupby("dataset")
    }
    assert used["dataset"].nunique() == 2
    assert len(ends) == 1


def test_every_document_has_its_claims(shipped: Ledger) -> None:
    counts = pd.Series([claim.source.document for claim in shipped.claims]).value_counts()
    assert set(counts.index) == set(shipped.documents) == {f"{i:03}" for i in range(5)}
    assert counts.min() >= 5
    for claim in shipped.claims:
        assert claim.statement.endswith("."), claim.id
        assert list(selectors(claim)), claim.id


def test_every_document_is_in_the_bibliography(shipped: Ledger) -> None:
    bibliography = (ROOT / "report" / "references.bib").read_text(encoding="utf-8")
    for document in shipped.documents.values():
        assert f"{{{document.cite}," in bibliography


def test_every_figure_stands_in_a_chapter(shipped: Ledger) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "notebooks").glob("*.py"))
    labels = set(re.findall(r'label="fig:([\w-]+)"', text))
    figures = {claim.figure for claim in shipped.claims if claim.pending is None}
    assert figures <= labels


def test_the_schema_is_what_the_command_prints() -> None:
    written = ROOT / "workflow" / "schemas" / "claims.schema.yaml"
    printed = CliRunner().invoke(app, ["schema", "--claims"]).output
    assert printed == written.read_text(encoding="utf-8")


GOOD: dict[str, Any] = {
    "documents": {"000": {"title": "A draft", "cite": "bettencourt2016"}},
    "claims": [
        {
            "id": "000.it-is-so",
            "source": {"document": "000", "item": "Section 1"},
            "statement": "It is so.",
            "kind": "difference",
            "statistic": {"metric": "nll", "direction": "lower"},
            "runs": {"a": {"warmup": "standard"}, "b": {}},
            "minimum_effect": 0.0,
            "figure": "warmup",
        }
    ],
}


def changed(**changes: Any) -> dict[str, Any]:
    """GOOD with keys of its claim replaced; ``a__b`` is key b within a, None takes it away."""
    values = copy.deepcopy(GOOD)
    for path, value in changes.items():
        *outer, last = path.split("__")
        place: Any = values["claims"][0]
        for key in outer:
            place = place[key]
        if value is None:
            del place[last]
        else:
            place[last] = value
    return values


def test_a_good_ledger_is_taken() -> None:
    assert parse_ledger(GOOD).claims[0].id == "000.it-is-so"
    parse_ledger(changed(runs__a={"hidden": "512-384-256"}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "differs"}, "kind: got 'differs'; expected one of difference, no-worse"),
        ({"statment": "x"}, "statment: unknown key; did you mean statement?"),
        ({"statement": None}, "claim 000.it-is-so:\n  statement: missing"),
        ({"runs__c": {}}, "runs.c: unknown key"),
        ({"runs__b": None}, "runs.b: missing"),
        ({"statistic__split": "train"}, "statistic.split: got 'train'; expected one of 'test'"),
        ({"statistic__direction": "up"}, "expected one of 'lower', 'higher' or 'within'"),
        ({"statistic__metric": "nl"}, "statistic.metric: got 'nl'; did you mean nll?"),
        ({"statistic__direction": "within"}, "direction within needs a minimum_effect"),
        ({"kind": "no-worse"}, "kind no-worse needs direction lower or higher"),
        ({"statistic__split": "training"}, "nll is measured on test data: write split: test"),
        ({"minimum_effect": None}, "minimum_effect: missing"),
        ({"minimum_effect": -1}, "minimum_effect: got -1; expected a number of at least 0"),
        ({"figure": "warm-up"}, "figure: got 'warm-up'; did you mean warmup?"),
        ({"figure": None}, "figure: got None"),
        ({"runs__a": {"warm_up": 3}}, "runs.a.warm_up: unknown parameter; did you mean warmup?"),
        ({"runs__a": {"n_z": -3}}, "runs.a.n_z: got -3; Input should be greater than 0"),
        ({"runs__a": {"likelihood": "laplace"}}, "runs.a.likelihood: got 'laplace'"),
        ({"runs__a": {"hidden": 200}}, "runs.a.hidden: got 200; Input should be a valid tuple"),
        ({"runs__a": {"n_z": "standard"}}, "runs.a.n_z: got 'standard'"),
        ({"source__document": "009"}, "source.document: got '009'"),
        ({"id": "001.it-is-so"}, "the id should start with its document's, '000'"),
        ({"id": "It is so"}, "id: got 'It is so'"),
    ],
)
def test_a_wrong_claim_is_told_where_and_what(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ClaimError) as caught:
        parse_ledger(changed(**changes), "claims.yaml")
    assert message in str(caught.value)
    assert "claims.yaml" in str(caught.value)


def test_all_problems_are_told_at_once_and_ids_are_unique() -> None:
    values = changed(figure="nowhere", statistic__metric="nothing")
    values["claims"].append(values["claims"][0])
    with pytest.raises(ClaimError) as caught:
        parse_ledger(values)
    for part in ("figure: got 'nowhere'", "metric: got 'nothing'", "a claim of this id stands"):
        assert part in str(caught.value)


def test_what_is_no_ledger_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClaimError, match="cannot read the ledger"):
        load_ledger(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("claims: [", encoding="utf-8")
    with pytest.raises(ClaimError, match="is not valid YAML"):
        load_ledger(tmp_path / "bad.yaml")
    with pytest.raises(ClaimError, match="expected a mapping with `documents`"):
        parse_ledger([])
    with pytest.raises(ClaimError, match="claim number 1: got 'x', expected a mapping"):
        parse_ledger({"documents": {}, "claims": ["x"]})


def test_a_pending_claim_is_checked_once_it_is_not() -> None:
    values = changed(figure=None, runs__a={"temperature": 2}, pending="an experiment")
    assert parse_ledger(values).claims[0].pending == "an experiment"
    del values["claims"][0]["pending"]
    with pytest.raises(ClaimError, match=r"runs\.a\.temperature: unknown parameter"):
        parse_ledger(values)


def test_kinds_are_those_of_the_schema() -> None:
    tags = Ledger.model_json_schema()["properties"]["claims"]["items"]["discriminator"]["mapping"]
    assert set(tags) == set(KINDS)


def test_the_command_prints_and_writes(tmp_path: Path) -> None:
    study = study_of("configs/tiny.yaml", tmp_path)
    # grid.yaml is what the workflow leaves beside the tables.
    directory = study.config.directory
    grid = yaml.safe_dump(study.config.model_dump(mode="json"))
    (directory / "grid.yaml").write_text(grid, encoding="utf-8")
    moved = directory.rename(tmp_path / "moved")
    result = CliRunner().invoke(app, ["claims", str(moved), "--ledger", str(SHIPPED)])
    assert result.exit_code == 0, result.output
    table = pd.read_parquet(moved / "tables" / "claims.parquet")
    assert len(pd.read_csv(moved / "tables" / "claims.csv")) == len(table)
    assert "000.warmup-stops-pruning" in result.output
    assert f"{len(table)} claims: 0 supported, 0 contradicted" in result.output
    verdicts = table.set_index("claim")["verdict"]
    assert verdicts["000.ten-dimensions-suffice"] == "not run"  # tiny has none of ten
    assert verdicts["000.warmup-stops-pruning"] == "undecided"  # of two seeds


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["claims", str(tmp_path), "--ledger", str(SHIPPED)])
    assert result.exit_code == 1
    assert "has no grid.yaml" in result.output
    result = CliRunner().invoke(app, ["claims", str(tmp_path / "no.yaml")])
    assert "cannot read the configuration" in result.output
    never = tmp_path / "never.yaml"
    values = {"study": "never", "results_dir": str(tmp_path), "seeds": [0]}
    never.write_text(yaml.safe_dump({**values, "experiments": {"only": {"title": "Only"}}}))
    result = CliRunner().invoke(app, ["claims", str(never), "--ledger", str(SHIPPED)])
    assert result.exit_code == 1
    assert "error:" in result.output
    assert "`snakemake` makes it" in result.output
