"""The learning rate's stages; the decoder's first bias."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
import torch

from builders import CPU, fresh, run_config, splits, tiny_dataset
from vaestudy.config import ConfigError, parse_run
from vaestudy.rates import learning_rate
from vaestudy.train import EpochReport, TrainState, initial_state, train


def test_theirs_are_eight_stages_from_a_thousandth_to_a_tenth_of_it() -> None:
    run = run_config(lr_schedule="burda", epochs=3280, learning_rate=1e-3)
    # The first and last epoch of every stage.
    edges = [(1, 1), (2, 4), (5, 13), (14, 40), (41, 121), (122, 364), (365, 1093), (1094, 3280)]
    for i, (first, last) in enumerate(edges):
        for epoch in (first, last):
            assert learning_rate(run, epoch) == pytest.approx(1e-3 * 10 ** (-i / 7), rel=1e-12)


def test_a_shorter_course_is_the_same_cut_short() -> None:
    long, short = (run_config(lr_schedule="burda", epochs=n) for n in (3280, 50))
    rates = [[learning_rate(run, epoch) for epoch in range(1, 51)] for run in (long, short)]
    assert rates[0] == rates[1]
    assert learning_rate(run_config(), 50) == 0.01


def test_a_cosine_falls_within_the_epochs_there_are() -> None:
    run = run_config(lr_schedule="cosine", epochs=100, learning_rate=1e-3)
    rates = [learning_rate(run, epoch) for epoch in range(1, 101)]
    assert rates[0] == 1e-3
    assert rates[50] == pytest.approx(5e-4, rel=1e-12)
    assert 0 < rates[-1] < 1e-6
    assert all(later < earlier for earlier, later in itertools.pairwise(rates))
    # PyTorch's own, which counts from 0.
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1e-3)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=100)
    for rate in rates:
        assert rate == pytest.approx(theirs.get_last_lr()[0], rel=1e-9)
        optimizer.step()
        theirs.step()


def test_training_uses_the_rate_of_each_epoch() -> None:
    run = run_config(lr_schedule="burda", epochs=4)
    seen: list[float] = []

    def note(state: TrainState, report: EpochReport) -> None:
        seen.append(state.optimizer.learning_rate)

    train(fresh(run), splits(), note)
    assert seen == [learning_rate(run, epoch) for epoch in (1, 2, 3, 4)]
    assert seen[0] == 0.01
    assert seen[-1] < seen[0]


def test_an_untrained_decoder_says_the_mean_of_the_data() -> None:
    means = torch.linspace(0, 1, 16)
    state = initial_state((run_config(output_bias="data"),), 16, CPU, means)
    # Away from the bias, the decoder's weights matter: take them out.
    state.model.output.weight.data.zero_()
    mean = torch.sigmoid(state.model.decode(torch.zeros(1, 1, 1, 3)))[0, 0, 0]
    torch.testing.assert_close(mean, means.clamp(0.001, 0.999))
    plain = initial_state((run_config(),), 16, CPU, means)
    assert (plain.model.output.bias == 0).all()


@pytest.mark.parametrize("n", [1, 511, 1025])
def test_the_mean_of_the_data_is_exact_however_many_there_are(n: int) -> None:
    dataset = tiny_dataset(n_train=n)
    exact = [Fraction(int(column.sum()), 255 * n) for column in dataset.train.long().T]
    assert dataset.pixel_means().tolist() == [float(np.float32(float(value))) for value in exact]


def test_only_a_bernoulli_decoder_has_such_a_bias() -> None:
    with pytest.raises(ConfigError, match="output_bias is 'data' but likelihood is 'gaussian'"):
        parse_run({"output_bias": "data", "likelihood": "gaussian"})
