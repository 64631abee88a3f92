"""Denormal numbers: zero while a model trains, as they were before and after."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from builders import fresh, run_config, splits
from vaestudy.denormals import denormals_as_zero
from vaestudy.splits import Splits
from vaestudy.train import TrainState, train_epoch

TINY = 1e-40


def product() -> float:
    return float(torch.ones(1).mul(TINY).item())


needs_support = pytest.mark.skipif(
    not torch.set_flush_denormal(False), reason="this processor cannot take denormals as zero"
)


@needs_support
def test_they_are_zero_within_and_what_they_were_outside() -> None:
    assert product() > 0
    with denormals_as_zero():
        assert product() == 0
        with denormals_as_zero():
            assert product() == 0
        assert product() == 0
    assert product() > 0


@needs_support
def test_an_error_within_leaves_things_as_they_were() -> None:
    with pytest.raises(KeyError), denormals_as_zero():
        raise KeyError
    assert product() > 0


@needs_support
def test_whoever_wants_them_zero_keeps_that() -> None:
    torch.set_flush_denormal(True)
    try:
        with denormals_as_zero():
            pass
        assert product() == 0
    finally:
        torch.set_flush_denormal(False)


DARK = 4


def after_an_epoch(first_moment: float) -> TrainState:
    """A model whose first pixels are dark, their weights' first moments what is given."""
    state = fresh(run_config(binarization="none"))
    data = splits()
    assert isinstance(data.train, Tensor)
    pixels = data.train.clone()
    pixels[:, :DARK] = 0
    moment(state)[:, :DARK] = first_moment
    train_epoch(state, Splits(pixels, data.test))
    return state


def moment(state: TrainState) -> Tensor:
    return state.optimizer.kept["exp_avg"]["encoder.0.weight"]


@needs_support
def test_adam_is_left_with_none_and_learns_the_same() -> None:
    """Left alone, a first moment shrinks to a few of the least numbers, and stays."""
    least = torch.tensor(2.0**-149)
    assert least - least * 0.1 == least
    state, twin = after_an_epoch(TINY), after_an_epoch(0)
    assert not moment(state)[:, :DARK].any()
    assert moment(state)[:, DARK:].any()
    for name, parameter in state.optimizer.parameters.items():
        assert torch.equal(parameter, twin.optimizer.parameters[name])
