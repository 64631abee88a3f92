"""One run's parameters: the names made from them, and which belong together."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaestudy.config import ModelParameters, RunConfig, parse_run
from vaestudy.config_errors import ConfigError
from vaestudy.layers import ACTIVATIONS
from vaestudy.likelihoods import LIKELIHOODS
from vaestudy.objectives import OBJECTIVES
from vaestudy.parameters import OBJECTIVE_PARAMETERS, Own


@given(st.data())
def test_an_id_depends_on_every_parameter(data: st.DataObject) -> None:
    values = {"n_z": 7, "k": 3, "hidden": (9,), "warmup": 2, "epochs": 11, "batch_size": 8}
    values |= {"learning_rate": 0.5, "adam_beta1": 0.5, "adam_beta2": 0.5, "adam_eps": 0.5}
    values |= {"beta": 4, "warmup_cycles": 2, "warmup_rise": 0.5, "free_bits_group": 2}
    values |= {"free_bits": 0.3, "k_groups": 4, "elbo_share": 0.7}
    values |= {"deeper": [{"n_z": 5, "hidden": [8]}]}
    values |= {"label_share": 0.1, "label_weight": 2, "dataset": "mnist-5k", "js_skew": 0.7}
    name = data.draw(st.sampled_from(sorted(RunConfig.model_fields)))
    choices = get_args(RunConfig.model_fields[name].annotation)
    default = RunConfig.model_fields[name].default
    other = values.get(name) or next((c for c in choices if c != default), 5)
    base = RunConfig(**BASES.get(name, {}))
    changed = RunConfig(**{**BASES.get(name, {}), name: other})
    assert base.run_id != changed.run_id
    assert (base.combination_id != changed.combination_id) == (name != "seed")
    assert (base.group_key != changed.group_key) == (name not in ("seed", "warmup"))


#: Where a parameter may differ from its default.
BASES: dict[str, dict[str, Any]] = {
    "dataset": {"binarization": "none", "likelihood": "normal"},
    "free_bits": {"objective": "free-bits", "free_bits": 0.1},
    "free_bits_group": {"objective": "free-bits", "free_bits": 0.1},
    "k_groups": {"objective": "miwae", "k": 8, "k_groups": 2},
    "elbo_share": {"objective": "ciwae", "elbo_share": 0.2},
    "js_skew": {"objective": "geometric-js", "js_skew": 0.2},
    "warmup_cycles": {"warmup": 10},
    "warmup_rise": {"warmup": 10},
    "lr_schedule": {"epochs": 13},
    "label_share": {"labels": "m2"},
    "label_weight": {"labels": "m2"},
}


def test_ids_say_what_sets_an_objective_apart() -> None:
    parameters = {"objective": "miwae", "k": 64, "k_groups": 8, "beta": 0.5, "warmup": 20}
    run = parse_run({**parameters, "warmup_cycles": 4})
    assert run.run_id.startswith("mnist-bernoulli-miwae64-z50-wu20-g8-b0p5-cycles4-s0-")
    assert re.fullmatch(r"[a-z0-9-]+", run.run_id)


def test_parameters_at_later_defaults_are_not_in_ids() -> None:
    """What was added since the first runs leaves their canonical text alone."""
    later = {"beta", "warmup_cycles", "warmup_rise", "free_bits", "free_bits_group"}
    later |= {"k_groups", "elbo_share", "lr_schedule", "output_bias", "precision", "deeper"}
    later |= {"network", "labels", "label_share", "label_weight", "weight_decay", "optimizer"}
    later |= {"js_skew"}
    assert set(json.loads(RunConfig().canonical)) == set(RunConfig.model_fields) - later
    run = parse_run({"beta": 4.0, "warmup": 10, "warmup_rise": 0.5})
    assert RunConfig(**json.loads(run.canonical)) == run


def test_ids_are_pinned() -> None:
    """Finished results are found by these names: changing them retrains every study."""
    run = parse_run({"objective": "iwae", "k": 5, "batch_norm": "hidden", "warmup": 200})
    assert run.run_id == PINNED_RUN
    assert run.combination_id == PINNED_COMBINATION


PINNED_RUN = "mnist-bernoulli-iwae5-z50-bn-hidden-wu200-s0-9506a86a"
PINNED_COMBINATION = "mnist-bernoulli-iwae5-z50-bn-hidden-wu200-23479318"


def test_choices_are_what_the_engine_has() -> None:
    for key, names in (
        ("likelihood", LIKELIHOODS),
        ("objective", OBJECTIVES),
        ("activation", ACTIVATIONS),
    ):
        assert set(get_args(ModelParameters.model_fields[key].annotation)) == set(names)


def test_parameters_of_objectives_are_those_of_their_functions() -> None:
    for name, function in OBJECTIVES.items():
        own = OBJECTIVE_PARAMETERS.get(name, Own((), otherwise=""))
        parameters = inspect.signature(function).parameters.values()
        keywords = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
        assert set(keywords) == set(own.names)
        for parameter, default in keywords.items():
            assert default == ModelParameters.model_fields[parameter].default
        assert own.otherwise in {"", *OBJECTIVES}


WRONG: list[tuple[dict[str, Any], list[str]]] = [
    # What is written, and what the message must hold: the key, the value, what would do.
    ({"beta": 0}, ["beta", "got 0", "greater than 0"]),
    ({"beta": 0.0}, ["plain autoencoder", "1.0e-6"]),
    ({"objective": "iwae"}, ["'iwae' but k is left out", "'elbo-sampled'", "k: 1 if"]),
    ({"objective": "dreg"}, ["'dreg' but k is left out", "it is 'stl'"]),
    (
        {"likelihood": "continuous-bernoulli"},
        ["'continuous-bernoulli' but binarization is 'dynamic'", "set binarization to none"],
    ),
    ({"elbo_share": 1.5}, ["elbo_share", "got 1.5", "at most 1"]),
    ({"warmup_rise": 0}, ["warmup_rise", "got 0", "greater than 0"]),
    ({"warmup_rise": 0.5}, ["warmup_rise is 0.5", "warmup is 0", "set warmup"]),
    ({"warmup": 1, "epochs": 1}, ["warmup is all of 1 epochs", "KL weight of 0", "raise epochs"]),
    (
        {"warmup": 3, "warmup_cycles": 4},
        ["warmup_cycles is 4", "warmup is 3", "raise warmup"],
    ),
    (
        {"dataset": "square", "likelihood": "squared-error"},
        ["'square' with binarization 'dynamic'", "set binarization to none"],
    ),
    (
        {"dataset": "ring", "binarization": "none"},
        ["'ring' with likelihood 'bernoulli'", "expected one of normal, squared-error"],
    ),
    ({"weight_decay": -1}, ["weight_decay", "got -1", "at least 0"]),
    (
        {"objective": "miwae", "k": 8},
        ["'miwae' with k_groups 1", "makes it 'iwae'", "set k_groups"],
    ),
    (
        {"objective": "ciwae", "k": 8},
        ["'ciwae' with elbo_share 0", "makes it 'iwae'", "set elbo_share"],
    ),
    (
        {"objective": "free-bits"},
        ["'free-bits' with free_bits 0", "makes it 'elbo'", "set free_bits"],
    ),
    (
        {"objective": "geometric-js"},
        ["'geometric-js' with js_skew 0", "makes it 'elbo'", "set js_skew"],
    ),
    (
        {"likelihood": "beta"},
        ["likelihood is 'beta'", "binarization is 'dynamic'", "set binarization to none"],
    ),
    ({"k": 8, "k_groups": 2}, ["k_groups is 2", "'elbo'", "leave it out", "miwae"]),
    (
        {"objective": "piwae", "k": 8, "k_groups": 2, "free_bits": 0.1},
        ["free_bits is 0.1", "'piwae'", "set objective: free-bits"],
    ),
    (
        {"objective": "piwae", "k": 8, "k_groups": 3},
        ["k_groups is 3", "k is 8", "must divide k"],
    ),
    (
        {"objective": "free-bits", "free_bits": 1, "free_bits_group": 7},
        ["free_bits_group is 7", "n_z is 50", "must divide n_z"],
    ),
    (
        {"objective": "dreg", "k": 5, "batch_norm": "hidden"},
        ["'dreg'", "batch_norm 'hidden'", "set batch_norm to none"],
    ),
    (
        {"objective": "piwae", "k": 4, "k_groups": 2, "batch_norm": "all"},
        ["'piwae'", "batch_norm 'all'", "set batch_norm to none"],
    ),
    (
        {"optimizer": "adagrad", "adam_beta2": 0.9},
        ["adam_beta2 is 0.9", "'adagrad'", "leave it out, or set optimizer to adam"],
    ),
]


@pytest.mark.parametrize(("wrong", "parts"), WRONG, ids=str)
def test_what_does_not_belong_together_is_told(wrong: dict[str, Any], parts: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        parse_run(wrong)
    for part in parts:
        assert part in str(error.value)


POINTS = {"dataset": "ring", "binarization": "none", "likelihood": "normal"}
TABLE = {**POINTS, "dataset": "diabetes"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"label_share": 0.5}, "labels is 'none', which has no use for a part"),
        ({"labels": "condition", "label_share": 0.5}, "labels is 'condition', which has no use"),
        ({"labels": "blanked"}, "which makes it 'condition'"),
        (
            {"labels": "condition", "deeper": [{"n_z": 5, "hidden": [8]}]},
            "which are told nothing",
        ),
        ({"labels": "condition", "label_weight": 1.0}, "has no classification loss"),
        ({"labels": "m2", "batch_norm": "hidden"}, "every image under every label"),
        ({"labels": "m2", "objective": "free-bits", "free_bits": 0.1}, "over a minibatch"),
        ({"network": "conv", "batch_norm": "hidden"}, "set batch_norm to none"),
        ({"network": "conv", "output_bias": "data"}, "set output_bias to zero"),
        ({"network": "conv", "precision": "bf16"}, "set precision to fp32"),
        ({**POINTS, "network": "conv"}, "dataset is 'ring', whose rows are no images"),
        ({**TABLE, "network": "conv"}, "dataset is 'diabetes', whose rows are no images"),
        ({**POINTS, "labels": "condition"}, "dataset is 'ring': what is measured of points"),
        ({**TABLE, "labels": "m2"}, "the rows of 'diabetes' are of no classes; set labels to none"),
    ],
)
def test_labels_and_networks_that_no_model_has(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        parse_run(values)
