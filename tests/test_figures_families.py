"""What families of models are called in figures, and how they are told apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from vaestudy.figures.families import color_of, label_of, line_of, order_of
from vaestudy.likelihoods import LIKELIHOODS
from vaestudy.objectives import OBJECTIVES


@pytest.mark.parametrize(
    ("row", "label"),
    [
        ({}, "VAE"),
        ({"objective": "iwae", "k": 5}, "IWAE (K=5)"),
        ({"objective": "iwae", "k": 5, "batch_norm": "hidden", "warmup": 200},
         "IWAE (K=5) + BN + WU"),
        ({"batch_norm": "all"}, "VAE + BN (heads too)"),
        ({"likelihood": "gaussian", "warmup": 1}, "VAE + WU, Gaussian"),
        ({"encoder_heads": "bounded"}, "VAE, bounded heads"),
        ({"beta": 4.0, "likelihood": "continuous-bernoulli"}, "VAE (β=4), continuous Bernoulli"),
        ({"beta": 0.01, "weight_decay": 0.25}, "VAE (β=0.01, weight decay 0.25)"),
        ({"objective": "free-bits", "free_bits": 0.25}, "VAE, free bits (λ=0.25)"),
        ({"objective": "miwae", "k": 64, "k_groups": 8}, "MIWAE (K=64, G=8)"),
        ({"objective": "dreg", "k": 5, "warmup": 20, "warmup_cycles": 4},
         "IWAE, DReG (K=5) + cyclical WU"),
    ],
)  # fmt: skip
def test_families_have_names(row: Mapping[str, Any], label: str) -> None:
    assert label_of(row) == label


def test_every_objective_and_likelihood_has_a_name() -> None:
    names = {label_of({"objective": name}) for name in OBJECTIVES}
    assert len(names | {label_of({"likelihood": name}) for name in LIKELIHOODS}) == (
        len(OBJECTIVES) + len(LIKELIHOODS) - 1
    )


def test_every_objective_has_a_name_of_its_own() -> None:
    assert not [name for name in OBJECTIVES if label_of({"objective": name}) == name]


def test_what_has_no_name_yet_is_called_as_in_the_configuration() -> None:
    """A new objective or likelihood breaks no report, and stands last."""
    row = {"objective": "capacity", "likelihood": "laplace"}
    assert label_of(row) == "capacity, laplace"
    known = [{"objective": name} for name in OBJECTIVES]
    assert sorted([{"objective": "capacity"}, *known], key=order_of)[-1]["objective"] == "capacity"


def test_families_are_told_apart() -> None:
    rows = [
        {"objective": objective, "batch_norm": norm, "warmup": warmup, "likelihood": "bernoulli"}
        for objective in ("elbo", "iwae")
        for norm in ("none", "hidden")
        for warmup in (0, 10)
    ]
    gaussian = {"objective": "elbo", "likelihood": "gaussian"}
    assert len({color_of(row) for row in [*rows, gaussian]}) == len(rows) + 1
    assert len({str(line_of(row)) for row in rows[:4]}) == 4
    assert min(rows[::-1], key=order_of) == rows[0]
