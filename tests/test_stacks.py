"""Models that train as one stack: weight decay, members of several weights, jobs of many."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from builders import CPU, assert_same_member, double_state, run_config, splits, tiny_dataset
from running import parts_of, results, training
from vaestudy.compile_choice import choose_epoch
from vaestudy.compiled import step_request
from vaestudy.config import RunConfig
from vaestudy.dataset import Dataset
from vaestudy.groups import group_runs
from vaestudy.layers import MemberLinear
from vaestudy.penalty import weight_penalty
from vaestudy.pure import fixed_tensors, pure_step, state_tensors
from vaestudy.rng import normal
from vaestudy.run_files import RunFiles, read_record
from vaestudy.splits import Splits, load_splits
from vaestudy.toys import make_toy
from vaestudy.tracing import trace_step
from vaestudy.train import TrainState, initial_state, train, train_step

GRID = [(beta, decay) for beta in (0.001, 0.1) for decay in (0.0, 0.5)]


def point_run(**changes: object) -> RunConfig:
    values = {"dataset": "square", "binarization": "none", "likelihood": "squared-error"}
    values |= {"n_z": 2, "hidden": (6, 5), "activation": "relu", "adam_eps": 1e-8}
    return run_config(**{**values, "batch_size": 50, **changes})


def few_points() -> Dataset:
    return make_toy("square").subset(500, 100)


def stack(seeds: int = 2, **changes: object) -> list[RunConfig]:
    return [
        point_run(beta=b, weight_decay=w, seed=s, **changes) for b, w in GRID for s in range(seeds)
    ]


def test_the_penalty_is_the_mean_square_of_the_weights() -> None:
    state = double_state(run_config(weight_decay=2.0), run_config(seed=1, weight_decay=2.0))
    decay = torch.tensor([2.0, 0.5], dtype=torch.float64)
    got = weight_penalty(state.optimizer.parameters, decay)
    want = torch.zeros((), dtype=torch.float64)
    for member in range(2):
        weights = [
            layer.weight[member].flatten()
            for layer in state.model.modules()
            if isinstance(layer, MemberLinear)
        ]
        want = want + decay[member] * torch.cat(weights).square().mean()
    torch.testing.assert_close(got, want)


def test_biases_and_normalization_are_not_penalised() -> None:
    state = double_state(run_config(weight_decay=1.0, batch_norm="hidden"))
    parameters = state.optimizer.parameters
    decay = torch.ones(1, dtype=torch.float64)
    (gradients) = torch.autograd.grad(
        weight_penalty(parameters, decay), list(parameters.values()), allow_unused=True
    )
    reached = {name for name, g in zip(parameters, gradients, strict=True) if g is not None}
    assert reached == {name for name in parameters if name.endswith("weight")}


def test_a_step_descends_the_penalised_loss() -> None:
    """Its gradient is that of the plain step plus 2 λ w / W."""
    plain, decayed = double_state(run_config()), double_state(run_config(weight_decay=0.7))
    decayed.weight_decay = torch.tensor([0.7], dtype=torch.float64)
    n = sum(p[0].numel() for name, p in decayed.optimizer.parameters.items() if "weight" in name)
    before = {name: p.detach().clone() for name, p in plain.optimizer.parameters.items()}
    for state in (plain, decayed):
        take_step(state)
    for name, weight in before.items():
        want = plain.optimizer.parameters[name].grad.clone()
        if name.endswith("weight"):
            want += 2 * 0.7 * weight / n
        torch.testing.assert_close(decayed.optimizer.parameters[name].grad, want)


def take_step(state: TrainState) -> torch.Tensor:
    x, eps, beta = inputs_of(state)
    return train_step(state, x, eps, beta)


def inputs_of(state: TrainState) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    members, n = len(state.runs), state.model.architecture.n_features
    dtype = state.model.output.weight.dtype
    generators = [torch.Generator().manual_seed(s) for s in range(members)]
    x = (normal(generators, (20, n), CPU) > 0).to(dtype)
    eps = normal(generators, (state.runs[0].k, 20, state.runs[0].n_z), CPU).to(dtype)
    return x, eps, torch.linspace(0.5, 1, members, dtype=dtype)


@pytest.mark.parametrize("how", ["called", "traced"])
def test_the_pure_step_is_the_plain_one_with_weight_decay(how: str) -> None:
    runs = (run_config(weight_decay=0.3), run_config(seed=1, weight_decay=0.3))
    first, second = (double_state(*runs) for _ in range(2))
    for state in (first, second):
        state.weight_decay = torch.tensor([0.3, 0.9], dtype=torch.float64)
    metrics = take_step(first)
    rate = second.optimizer.learning_rate
    corrections = torch.tensor(second.optimizer.corrections(1, rate), dtype=torch.float64)
    # The pure step itself, and as the graph that a compiler takes.
    step = pure_step(second) if how == "called" else trace_step(second, 20).module()
    got = step(*state_tensors(second), corrections, *inputs_of(second), *fixed_tensors(second))
    torch.testing.assert_close(got, metrics.to(got.dtype))
    for a, b in zip(state_tensors(first), state_tensors(second), strict=True):
        torch.testing.assert_close(a, b)


def test_steps_without_weight_decay_take_no_such_tensor() -> None:
    assert fixed_tensors(initial_state((run_config(),), 16, CPU)) == []
    decayed = [
        initial_state((run_config(weight_decay=w, beta=b),), 16, CPU)
        for w, b in ((0.1, 1.0), (0.7, 2.0))
    ]
    # How much decay and KL weight is no part of a compiled step, that there is decay is.
    assert step_request(decayed[0], 20) == step_request(decayed[1], 20)
    plain = initial_state((run_config(),), 16, CPU)
    assert step_request(decayed[0], 20) != step_request(plain, 20)


@pytest.mark.parametrize("n_z", [1, 2])
def test_a_member_of_a_stack_is_what_it_is_alone(n_z: int) -> None:
    """To a thousandth of a weight after 30 steps; on most machines to the last bit."""
    runs = stack(n_z=n_z, epochs=3)
    data = load_splits(few_points(), "none", CPU)
    together = train(initial_state(tuple(runs), 2, CPU), data)
    for m, run in enumerate(runs):
        alone = train(initial_state((run,), 2, CPU), data)
        for name, value in together.model.state_dict().items():
            want = alone.model.state_dict()[name][0]
            torch.testing.assert_close(value[m], want, rtol=1e-3, atol=1e-4, msg=name)
        for got, want in zip(together.history.test, alone.history.test, strict=True):
            np.testing.assert_allclose(got[:, m], want[:, 0], rtol=1e-4, atol=1e-5)


def test_who_the_neighbours_are_changes_no_bit() -> None:
    runs = stack()
    data = load_splits(few_points(), "none", CPU)
    first = train(initial_state((runs[0], runs[3], runs[5]), 2, CPU), data)
    second = train(initial_state((runs[6], runs[3], runs[1]), 2, CPU), data)
    assert_same_member(first, 1, second, 1)


def test_stacks_are_made_of_seeds_whatever_the_size_of_jobs() -> None:
    runs = stack(seeds=5)
    for max_members in (1, 2, 16):
        groups = group_runs(runs, max_members)
        assert [{run.seed for run in g.runs} for g in groups] == [{0, 1}, {2, 3}, {4}]
        assert [len(g.runs) for g in groups] == [8, 8, 4]
    more = group_runs([*runs, *stack(seeds=7, hidden=(9,))], 1)
    assert {g.group_id: g for g in groups}.items() <= {g.group_id: g for g in more}.items()
    warm = point_run(warmup=2, beta=0.1, seed=1)
    (joined, *_) = group_runs([*runs, warm], 1)
    assert warm in joined.runs
    assert joined.group_id == groups[0].group_id


def test_a_stack_is_one_part_on_the_cpu_too(tmp_path: Path) -> None:
    runs = stack(seeds=1)
    assert parts_of(runs, tmp_path, CPU) == [[0] * 4]


def test_a_killed_stack_resumes_bitwise(tmp_path: Path) -> None:
    runs = [*stack(epochs=3), point_run(warmup=2, beta=0.1, epochs=3)]
    data = few_points()
    training(runs, tmp_path / "whole", data)
    with pytest.raises(KeyboardInterrupt):
        training(runs, tmp_path / "killed", data, stop_after=len(runs))
    done = training(runs, tmp_path / "killed", data)
    assert [epoch for _, epoch in done] == [2] * len(runs) + [3] * len(runs)
    for run in runs:
        assert results(tmp_path / "killed", run) == results(tmp_path / "whole", run)


def test_a_diverged_member_of_a_stack_leaves_the_others_bitwise() -> None:
    runs = tuple(stack(seeds=1))
    data = load_splits(few_points(), "none", CPU)
    healthy, poisoned = initial_state(runs, 2, CPU), initial_state(runs, 2, CPU)
    with torch.no_grad():
        poisoned.model.encoder[0].weight[1, 0, 0] = float("nan")
    train(healthy, data)
    train(poisoned, data)
    assert list(poisoned.failed) == [1]
    for m in (0, 2, 3):
        assert_same_member(healthy, m, poisoned, m)


def test_a_diverged_members_record_says_so(tmp_path: Path) -> None:
    runs = [point_run(), point_run(beta=1e38)]
    training(runs, tmp_path, few_points())
    states = [read_record(RunFiles(tmp_path / run.run_id))["status"] for run in runs]
    assert states == ["finished", "diverged"]


def test_floats_train_step_by_step_wherever_pixels_would_take_a_graph() -> None:
    state = initial_state((point_run(),), 2, CPU)
    floats = Splits(torch.zeros(100, 2), torch.zeros(10, 2))
    pixels = splits(tiny_dataset())

    class Elsewhere:
        """A state that says that it is on a GPU."""

        device = torch.device("cuda")
        runs, model = state.runs, state.model

    epoch = choose_epoch(Elsewhere(), floats, "never")
    assert epoch.keywords["step"] is train_step
    with pytest.raises((AssertionError, RuntimeError)):
        choose_epoch(Elsewhere(), pixels, "never")


def test_models_of_images_with_other_weights_do_not_train_together() -> None:
    with pytest.raises(ValueError, match="if stacked in warmup_cycles, warmup_rise, beta"):
        initial_state((run_config(), run_config(beta=2.0)), 16, CPU)
