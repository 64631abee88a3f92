"""Which chapters a report has, by what its study trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from studies import make_study
from vaestudy.config import RunConfig, parse_config
from vaestudy.figures import FIGURES
from vaestudy.figures.grid_data import find_grid
from vaestudy.figures.packaged_table import combinations_table
from vaestudy.source_chapters import KNOWN_EXPERIMENTS, own_experiments
from vaestudy.study import Study
from vaestudy.study_parts import Experiment

ROOT = Path(__file__).parents[1]
STEMS = [path.stem for path in sorted((ROOT / "notebooks").glob("[0-9]*.py"))]
FILES = [ROOT / "config.yaml", *sorted((ROOT / "configs").glob("*.yaml"))]
DEPTH = {
    "depth": {
        "title": "One hidden layer or three",
        "vary": {
            "hidden": [[20], [20, 20, 20]],
            "objective": ["elbo", {"objective": "iwae", "k": 5}],
        },
    }
}
SWEEP = {"warmup-sweep": {"title": "Warm-up", "vary": {"warmup": [0, 1]}}}


def values_of(file: Path) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return values


def mine(experiments: dict[str, Any], **base: Any) -> dict[str, Any]:
    base = {"dataset": "mnist-5k", "epochs": 2, **base}
    return {"study": "mine", "base": base, "seeds": [0, 1], "experiments": experiments}


def chapters(values: dict[str, Any]) -> list[str]:
    config = parse_config(values)
    return [stem for stem in STEMS if config.has_chapter(stem)]


@pytest.mark.parametrize("name", ["config.yaml", "configs/quick.yaml"])
def test_the_studies_of_the_project_have_every_chapter(name: str) -> None:
    assert chapters(values_of(ROOT / name)) == STEMS


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_experiment_of_the_project_is_known(file: Path) -> None:
    # Some files are laid over another, and of an experiment name what they change.
    declared = values_of(file).get("experiments", {}).items()
    vary = {name: Experiment(title=name, vary=e.get("vary", {})) for name, e in declared}
    assert own_experiments(vary) == ()


def test_none_is_known_that_no_configuration_has() -> None:
    names = {name for file in FILES for name in values_of(file).get("experiments", {})}
    assert {*KNOWN_EXPERIMENTS} == names


def test_an_experiment_of_another_design_is_the_users_own() -> None:
    widths = {"grid": {"title": "Grid", "vary": {"hidden": [[8], [9]], "n_z": [2, 5]}}}
    assert own_experiments(parse_config(mine(widths)).chosen) == ("grid",)


def test_a_study_of_ones_own_has_the_chapters_that_its_runs_are_of() -> None:
    assert chapters(mine(DEPTH)) == ["12-own-data", "14-appendix"]


@pytest.mark.parametrize(
    ("experiment", "chapter"),
    [
        ({"set": {"labels": "condition"}}, "10-labels"),
        ({"vary": {"network": ["mlp", "conv"]}}, "10-labels"),
        ({"set": {"hidden": [500], "activation": "tanh"}}, "11-kingma-welling"),
        ({"set": {"lr_schedule": "burda"}}, "07-published"),
    ],
)
def test_a_source_has_its_chapter_where_a_model_of_its_kind_is_trained(
    experiment: dict[str, Any], chapter: str
) -> None:
    found = chapters(mine({"tried": {"title": "Tried", **experiment}}))
    assert chapter in found
    assert {"08-toys", "09-plusplus"}.isdisjoint(found)


def test_points_in_the_plane_alone_are_their_chapter_and_their_claims() -> None:
    values = {**values_of(ROOT / "configs/tiny.yaml"), "only": ["square", "shapes"]}
    assert chapters(values) == ["08-toys", "13-claims", "14-appendix"]


def measure(run: RunConfig) -> dict[str, float]:
    return {"nll": 100.0 + run.seed + len(run.hidden), "active_units": 2, "kl": 3.0}


@pytest.fixture
def both(tmp_path: Path) -> Study:
    """A study of an experiment that a chapter knows and one that none does."""
    return make_study(tmp_path, mine({**SWEEP, **DEPTH}), measure)


def test_the_grid_is_of_the_experiments_that_no_chapter_knows(both: Study) -> None:
    (scale,) = find_grid(both)
    assert [member.label for member in scale.drawn] == [
        "VAE, hidden = 20",
        "IWAE (K=5), hidden = 20",
        "VAE, hidden = 20-20-20",
        "IWAE (K=5), hidden = 20-20-20",
    ]
    shown, _ = combinations_table(both)
    assert shown["Model"].tolist() == [member.label for member in scale.drawn]
    assert set(FIGURES["own-results"](both).data["combination"]) == {m.label for m in scale.drawn}
