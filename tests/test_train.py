"""Training against a textbook loop; members that do not touch each other; what is presented."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from builders import (
    CPU,
    OWN_PARAMETERS,
    assert_same_member,
    double_state,
    fresh,
    randn,
    run_config,
    splits,
    tiny_dataset,
)
from plain import as_plain, plain_objective, plain_twin
from vaestudy.checkpoint import save_state, stack_states
from vaestudy.config import RunConfig
from vaestudy.data import load_dataset
from vaestudy.history import SCALARS
from vaestudy.run_config import _OF_A_MEMBER, _OF_A_STACKED_MEMBER
from vaestudy.splits import Splits, load_splits
from vaestudy.train import EpochReport, TrainState, initial_state, train, train_epoch, train_step

BOUND = SCALARS.index("bound")

VARIANTS = [
    {"objective": "elbo", "warmup": 2},
    {"objective": "iwae", "k": 5, "batch_norm": "hidden", "warmup": 1},
    {"objective": "elbo-sampled", "likelihood": "gaussian", "binarization": "none"},
    {"objective": "iwae", "k": 5, "likelihood": "gaussian", "batch_norm": "all", "warmup": 2},
    {"encoder_heads": "bounded", "activation": "tanh", "binarization": "static", "k": 2},
    {"likelihood": "continuous-bernoulli", "binarization": "none", "beta": 0.5},
    {"likelihood": "normal", "binarization": "none"},
    {"optimizer": "adamax"},
    {"optimizer": "adagrad", "learning_rate": 0.05},
]


@pytest.fixture(params=VARIANTS, ids=str)
def variant(request: pytest.FixtureRequest) -> dict[str, object]:
    return request.param


def plain_optimizer(run: RunConfig, twin: torch.nn.Module) -> torch.optim.Optimizer:
    lr, eps, betas = run.learning_rate, run.adam_eps, (run.adam_beta1, run.adam_beta2)
    if run.optimizer == "adagrad":
        return torch.optim.Adagrad(twin.parameters(), lr=lr, eps=eps)
    made = {"adam": torch.optim.Adam, "adamax": torch.optim.Adamax}[run.optimizer]
    return made(twin.parameters(), lr=lr, betas=betas, eps=eps)


def test_twenty_steps_are_those_of_a_plain_loop(variant: dict[str, object]) -> None:
    decay = {} if variant.get("optimizer") == "adagrad" else {"adam_beta1": 0.8}
    runs = tuple(run_config(seed=s, **decay, **variant) for s in range(3))
    run, state = runs[0], double_state(*runs)
    twins = [plain_twin(state.model, m) for m in range(3)]
    optimizers = [plain_optimizer(run, twin) for twin in twins]
    beta = torch.tensor([1.0, 0.5, 0.0]).double()
    for step in range(20):
        x, eps = (randn(3, 8, 16, seed=step) > 0).double(), randn(3, run.k, 8, 3, seed=100 + step)
        metrics = train_step(state, x, eps, beta)
        for m, (twin, optimizer) in enumerate(zip(twins, optimizers, strict=True)):
            bound = plain_objective(run.objective, twin.terms(x[m], eps[m]), beta[m].item()).mean()
            torch.testing.assert_close(metrics[0, m], bound.detach(), rtol=1e-7, atol=1e-7)
            optimizer.zero_grad()
            (-bound).backward()
            optimizer.step()
    for m, twin in enumerate(twins):
        own = as_plain(state.model.state_dict(), m)
        for name, value in twin.state_dict().items():
            if not name.endswith("num_batches_tracked"):
                torch.testing.assert_close(own[name], value, rtol=1e-7, atol=1e-7)


def test_four_epochs_are_two_and_two_resumed_bitwise(
    variant: dict[str, object], tmp_path: Path
) -> None:
    runs = tuple(run_config(seed=s, epochs=4, **variant) for s in range(2))
    paths = [tmp_path / f"{run.run_id}.safetensors" for run in runs]
    data = load_splits(tiny_dataset(), runs[0].binarization, CPU)

    def save_at_two(state: TrainState, report: EpochReport) -> None:
        if report.epoch == 2:
            save_state(state, paths, "data")

    whole = train(initial_state(runs, 16, CPU), data, save_at_two)
    resumed = stack_states(runs, paths, CPU)
    assert resumed.epoch == 2
    train(resumed, data)
    for m in range(2):
        assert_same_member(whole, m, resumed, m)


def test_the_same_training_twice_is_the_same_bitwise(variant: dict[str, object]) -> None:
    first, second = (train(fresh(run_config(**variant)), splits()) for _ in range(2))
    assert_same_member(first, 0, second, 0)


@pytest.mark.parametrize("n_z", [2, 10, 50])
@pytest.mark.parametrize("shape", [{}, {"k": 5, "objective": "iwae", "batch_norm": "hidden"}])
def test_a_member_is_what_it_is_alone(n_z: int, shape: dict[str, object]) -> None:
    """To rounding; jobs on a CPU, which train members one by one, are tested to the last bit."""
    runs = [run_config(seed=s, warmup=s % 2, n_z=n_z, hidden=(20, 20), **shape) for s in range(3)]
    alone = [train(fresh(run), splits()) for run in runs]
    for order in ([0, 1], [2, 0, 1]):
        group = train(fresh(*(runs[i] for i in order)), splits())
        for m, i in enumerate(order):
            for name, value in group.model.state_dict().items():
                want = alone[i].model.state_dict()[name][0]
                torch.testing.assert_close(value[m], want, rtol=1e-3, atol=1e-4, msg=name)
            for got, want in zip(group.history.test, alone[i].history.test, strict=True):
                np.testing.assert_allclose(got[:, m], want[:, 0], rtol=1e-4, atol=1e-4)


def test_who_the_neighbours_are_changes_no_bit(variant: dict[str, object]) -> None:
    run, others = run_config(**variant), [run_config(seed=s, **variant) for s in range(1, 5)]
    first = train(fresh(others[0], run, others[1]), splits())
    second = train(fresh(others[2], run, others[3]), splits())
    assert_same_member(first, 1, second, 1)


def test_a_nan_stops_its_member_and_leaves_the_others_bitwise(variant: dict[str, object]) -> None:
    runs = tuple(run_config(seed=s, **variant) for s in range(3))
    healthy, poisoned = fresh(*runs), fresh(*runs)
    with torch.no_grad():
        poisoned.model.encoder[0].weight[1, 0, 0] = float("nan")
    train(healthy, splits())
    train(poisoned, splits())
    for m in (0, 2):
        assert_same_member(healthy, m, poisoned, m)
    assert healthy.failed == {}
    assert list(poisoned.failed) == [1]
    sentence = poisoned.failed[1]
    for part in (runs[1].run_id, "epoch 1 of 2", "not finite", "lower learning_rate"):
        assert part in sentence


def test_training_ends_when_every_member_has_failed() -> None:
    state = fresh(run_config(epochs=50))
    state.model.output.bias.data.fill_(float("nan"))
    train(state, splits())
    assert state.epoch == 1
    assert list(state.failed) == [0]


def test_a_divergence_in_the_very_last_step_is_seen() -> None:
    run = run_config(epochs=1, batch_size=90, learning_rate=1e30)
    state = train(fresh(run), splits())
    assert np.isfinite(state.history.train[-1]).all()
    assert "epoch 1 of 1" in state.failed[0]


def test_runs_of_different_groups_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be trained together") as told:
        fresh(run_config(), run_config(n_z=4))
    assert all(name in str(told.value) for name in (*_OF_A_MEMBER, *_OF_A_STACKED_MEMBER))


@pytest.mark.parametrize("name", sorted(OWN_PARAMETERS))
def test_every_objective_trains(name: str) -> None:
    parameters = {"objective": name, "k": 4, "n_z": 2, "warmup": 2, "epochs": 3, "beta": 1.5}
    state = train(fresh(run_config(**parameters, **OWN_PARAMETERS[name])), splits())
    bounds = [values[BOUND, 0] for values in state.history.test]
    assert bounds == sorted(bounds)
    assert not state.failed
    betas = [values[SCALARS.index("beta"), 0] for values in state.history.train[1:]]
    assert betas == [0, 0.75, 1.5]


def test_members_may_differ_in_warmup() -> None:
    state = train(fresh(run_config(warmup=2), run_config(warmup=0)), splits())
    betas = [train[SCALARS.index("beta")].tolist() for train in state.history.train[1:]]
    assert betas == [[0, 1], [0.5, 1]]


def test_the_bound_rises_on_real_digits(tmp_path: Path) -> None:
    digits = load_dataset("mnist-5k", tmp_path, download=False).subset(1000, 100)
    run = RunConfig(dataset="mnist-5k", n_z=10, hidden=(100, 100), epochs=3, batch_size=50)
    state = train(initial_state((run,), 784, CPU), load_splits(digits, run.binarization, CPU))
    bounds = [test[BOUND, 0] for test in state.history.test]
    assert bounds[-1] - bounds[0] > 50
    assert bounds[1:] == sorted(bounds[1:])


def presented(run: RunConfig, data: Splits) -> list[Tensor]:
    """The batches [B, D] that the member sees, all epochs in a row."""
    seen: list[Tensor] = []

    def record(state: TrainState, x: Tensor, eps: Tensor, beta: Tensor) -> Tensor:
        assert eps.shape == (1, run.k, x.shape[1], run.n_z)
        seen.append(x[0].clone())
        return torch.zeros(len(SCALARS), 1)

    train(fresh(run), data, run_epoch=partial(train_epoch, step=record))
    return seen


def distinct_images(n: int = 90) -> Splits:
    """Image i has the grey value i + 100 everywhere."""
    grey = torch.arange(100, 100 + n, dtype=torch.uint8)[:, None].expand(n, 16).contiguous()
    return Splits(grey, torch.zeros(3, 16))


def test_each_epoch_presents_images_once_and_drops_the_last_part_batch() -> None:
    run = run_config(binarization="none")
    batches = presented(run, distinct_images())
    assert [len(x) for x in batches] == 2 * 4 * [20]
    first, second = torch.cat(batches[:4])[:, 0], torch.cat(batches[4:])[:, 0]
    assert len(first.unique()) == len(second.unique()) == 80
    assert not torch.equal(first, second)
    torch.testing.assert_close((first * 255).round() / 255, first)


def test_a_batch_larger_than_the_set_is_the_set() -> None:
    batches = presented(run_config(binarization="none", batch_size=1000), distinct_images())
    assert [len(x) for x in batches] == [90, 90]
    assert len(torch.cat(batches[:1])[:, 0].unique()) == 90


@pytest.mark.parametrize("binarization", ["dynamic", "static", "threshold", "none"])
def test_binarizations(binarization: str) -> None:
    dataset = tiny_dataset()
    # In one batch of the whole set, so that sorting rows undoes the order of presentation.
    run = run_config(binarization=binarization, batch_size=90)
    data = load_splits(dataset, binarization, CPU)
    first, second = presented(run, data)
    ordered = [torch.tensor(sorted(x.tolist())) for x in (first, second)]
    grey = dataset.train / 255
    assert torch.equal(*ordered) == (binarization != "dynamic")
    expected = {"threshold": (dataset.train >= 128).float(), "none": grey}
    if binarization in expected:
        assert torch.equal(ordered[0], torch.tensor(sorted(expected[binarization].tolist())))
    else:
        assert set(first.unique().tolist()) == {0.0, 1.0}
        error = 5 * (grey * (1 - grey)).sum().sqrt() / grey.numel()
        assert abs(first.mean() - grey.mean()) < error
    assert set(data.test.unique().tolist()) == {0.0, 1.0} or binarization == "none"


def test_reports_tell_the_epoch_and_its_bounds() -> None:
    reports: list[EpochReport] = []
    state = train(fresh(run_config(), run_config(seed=1)), splits(), lambda _, r: reports.append(r))
    assert [(r.epoch, r.epochs) for r in reports] == [(1, 2), (2, 2)]
    for report, scalars in zip(reports, state.history.test[1:], strict=True):
        assert report.test_bound.tolist() == scalars[BOUND].tolist()
        assert report.images_per_second == pytest.approx(2 * 90 / report.seconds)
