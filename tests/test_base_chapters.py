"""Chapters about the base model where that is no plain VAE: left out, or without a figure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest

from studies import make_study
from vaestudy.base_chapters import OF_THE_BASE
from vaestudy.config import RunConfig, parse_config
from vaestudy.figures.activity import draw_price
from vaestudy.figures.activity_data import figure_four, find_families, find_family
from vaestudy.figures.beyond import nll_and_units, rate_distortion
from vaestudy.figures.beyond_prose import read_best, read_sweep
from vaestudy.figures.implementing import likelihood
from vaestudy.figures.latent_space import cloud_of, latent_projections
from vaestudy.figures.lattices import planes
from vaestudy.figures.measuring import density, nearest_training_image
from vaestudy.study import EmptySelectionError, Study

mpl.use("Agg")
ROOT = Path(__file__).parents[1]
STEMS = [path.stem for path in sorted((ROOT / "notebooks").glob("0[1-6]*.py"))]
WEIGHTED = {"objective": "iwae", "k": 5}
MOST = {"introduction", "implementing", "visualization"}
Make = Callable[..., Study]


def values(vary: dict[str, Any], **base: Any) -> dict[str, Any]:
    base = {"dataset": "mnist-5k", "n_z": 5, "hidden": [8], "epochs": 2, **base}
    experiments = {"a": {"title": "a", "vary": vary}}
    return {"study": "made-up", "base": base, "seeds": [0, 1], "experiments": experiments}


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def measure(run: RunConfig) -> dict[str, float]:
        names = ("nll", "kl", "elbo", "reconstruction", "active_units")
        return {name: 100.0 + run.seed + run.beta for name in names if run.labels == "none"}

    def build(vary: dict[str, Any], **base: Any) -> Study:
        return make_study(tmp_path, values(vary, **base), measure)

    return build


@pytest.mark.parametrize(
    ("base", "lacking"),
    [
        ({}, set()),
        ({"likelihood": "gaussian"}, {"implementing"}),
        ({"labels": "condition"}, {*MOST, "measuring", "beyond"}),
        (WEIGHTED, {*MOST, "measuring"}),
        ({"k": 5}, {"visualization"}),
        ({"warmup": 2}, MOST),
        ({"batch_norm": "hidden"}, MOST),
        ({"batch_norm": "all"}, {*MOST, "activity"}),
        ({"encoder_heads": "bounded"}, {"activity"}),
        ({"beta": 4.0}, set()),
        ({"n_z": 2}, set()),
    ],
    # A set's order differs between processes, and they have to agree on the names of tests.
    ids=lambda given: str(sorted(given) if isinstance(given, set) else given),
)
def test_a_chapter_needs_a_base_model_that_can_be_its_subject(
    base: dict[str, Any], lacking: set[str]
) -> None:
    levels = {
        "likelihood": ["bernoulli", "gaussian"],
        "objective": ["elbo", {"objective": "iwae", "k": 5}],
        "batch_norm": ["none", "hidden", base.get("batch_norm", "all")],
        "n_z": [2, 5],
    }
    experiments = {"all": {"title": "all", "vary": levels}, "base": {"title": "base"}}
    config = parse_config({**values({}, **base), "experiments": experiments})
    names = {stem.partition("-")[2] for stem in STEMS if not config.has_chapter(stem)}
    assert {stem.partition("-")[2] for stem in STEMS} == {*OF_THE_BASE}
    assert names == lacking


@pytest.mark.parametrize("draw", [latent_projections, cloud_of, planes])
def test_a_plane_has_no_planes_and_no_projections(make: Make, draw: Callable[..., Any]) -> None:
    study = make({"objective": ["elbo", WEIGHTED]}, n_z=2)
    with pytest.raises(EmptySelectionError):
        draw(study)


def test_decoders_are_compared_where_both_are_trained(make: Make) -> None:
    with pytest.raises(EmptySelectionError, match="bound"):
        likelihood(make({"objective": ["elbo", WEIGHTED]}, likelihood="gaussian"))


def test_models_that_are_told_classes_draw_none_without(make: Make) -> None:
    study = make({"objective": ["elbo", WEIGHTED]}, labels="condition")
    with pytest.raises(EmptySelectionError):
        nearest_training_image(study)
    with pytest.raises(EmptySelectionError):
        nll_and_units(study)
    assert read_best(study) == ""


def test_bounded_heads_have_no_activity_to_compare(make: Make) -> None:
    with pytest.raises(EmptySelectionError, match="plain heads"):
        density(make({"n_z": [2, 5]}, encoder_heads="bounded"))


def test_the_base_models_own_warm_up_is_no_addition(make: Make) -> None:
    study = make({"warmup": [1, 2], "objective": ["elbo", WEIGHTED]}, warmup=2)
    assert [family.label for family in find_families(study)] == ["VAE + WU", "IWAE (K=5) + WU"]
    assert find_family(study, warmup=...) is None
    assert draw_price(study).data["model"].unique().tolist() == ["VAE + WU", "IWAE (K=5) + WU"]


def test_the_base_models_own_objective_is_no_other(make: Make) -> None:
    study = make({"n_z": [2, 5]}, **WEIGHTED)
    assert len(figure_four(study)) == len(find_families(study)) == 1


def test_the_base_models_own_normalisation_is_no_addition(make: Make) -> None:
    assert len(find_families(make({"n_z": [2, 5]}, batch_norm="hidden"))) == 1


def test_without_the_kl_weight_one_nothing_compares_by_it(make: Make) -> None:
    with pytest.raises(EmptySelectionError, match="KL weight 1"):
        nll_and_units(make({"objective": ["elbo", WEIGHTED]}, beta=4.0))


def test_a_sweep_is_read_against_the_base_models_weight(make: Make) -> None:
    study = make({"beta": [2.0, 4.0]}, beta=4.0)
    rate_distortion(study).figure.canvas.draw()
    told = read_sweep(study)
    assert "$\\beta = 2$ lowers it by" in told
    assert "$\\beta = 4$ l" not in told
