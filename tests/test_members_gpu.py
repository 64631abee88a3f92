"""On a GPU: the CPU's results, and members that do not touch each other."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from builders import CPU, double_state, fresh, randn, run_config, splits
from vaestudy.evaluate import estimate_log_px
from vaestudy.graph import BlockedEpoch, inductor_step
from vaestudy.optimizers import make_optimizer
from vaestudy.pure import state_tensors
from vaestudy.rng import MemberRNG
from vaestudy.splits import Splits
from vaestudy.train import TrainState, initial_state, train, train_step

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a GPU that PyTorch can use"
)

GPU = torch.device("cuda")
VARIANTS = [
    {"objective": "elbo"},
    {"objective": "iwae", "k": 5, "batch_norm": "hidden"},
    {"objective": "iwae", "k": 5, "batch_norm": "all", "likelihood": "gaussian"},
    {"optimizer": "adamax"},
    {"optimizer": "adagrad"},
]


def on_gpu(state: TrainState) -> TrainState:
    model, run = copy.deepcopy(state.model).to(GPU), state.runs[0]
    optimizer = make_optimizer(run, model.named_parameters())
    return TrainState(model, optimizer, state.runs)


def gpu_splits() -> Splits:
    data = splits()
    return Splits(data.train.to(GPU), data.test.to(GPU))


def test_a_gpu_model_starts_from_the_cpus_weights() -> None:
    run = run_config()
    on_cpu, state = fresh(run), initial_state((run,), 16, GPU)
    assert state.device.type == "cuda"
    for name, value in state.model.state_dict().items():
        assert torch.equal(value.cpu(), on_cpu.model.state_dict()[name]), name


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_twenty_steps_agree_with_the_cpu(variant: dict[str, object]) -> None:
    cpu = double_state(*(run_config(seed=s, **variant) for s in range(3)))
    gpu = on_gpu(cpu)
    beta = torch.tensor([1.0, 0.5, 0.0]).double()
    for step in range(20):
        x, eps = (randn(3, 8, 16, seed=step) > 0).double(), randn(3, cpu.runs[0].k, 8, 3, seed=step)
        want = train_step(cpu, x, eps, beta)
        got = train_step(gpu, x.to(GPU), eps.to(GPU), beta.to(GPU))
        torch.testing.assert_close(got.cpu(), want, rtol=1e-7, atol=1e-7)
    for name, value in gpu.model.state_dict().items():
        torch.testing.assert_close(value.cpu(), cpu.model.state_dict()[name], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_a_member_is_what_it_is_alone_to_rounding(variant: dict[str, object]) -> None:
    runs = tuple(run_config(seed=s, **variant) for s in range(3))
    group = train(initial_state(runs, 16, GPU), gpu_splits())
    for m, run in enumerate(runs):
        alone = train(initial_state((run,), 16, GPU), gpu_splits())
        for got, want in zip(group.history.test, alone.history.test, strict=True):
            np.testing.assert_allclose(got[:, m], want[:, 0], rtol=1e-3, atol=1e-3)


def test_a_nan_stays_in_its_member() -> None:
    runs = tuple(run_config(seed=s) for s in range(3))
    healthy, poisoned = (initial_state(runs, 16, GPU) for _ in range(2))
    poisoned.model.output.bias.data[1] = float("nan")
    train(healthy, gpu_splits())
    train(poisoned, gpu_splits())
    assert list(poisoned.failed) == [1]
    for name, value in healthy.model.state_dict().items():
        torch.testing.assert_close(poisoned.model.state_dict()[name][[0, 2]], value[[0, 2]])


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("compiler", [None, inductor_step], ids=["as it is", "fused"])
def test_replayed_steps_are_the_pure_ones(
    variant: dict[str, object], compiler: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = tuple(run_config(seed=s, epochs=25, **variant) for s in range(3))
    replayed, stepped = (initial_state(runs, 16, GPU) for _ in range(2))
    train(replayed, gpu_splits(), run_epoch=BlockedEpoch(replayed, gpu_splits(), compiler))
    # Without a graph: the same steps, launched one by one.
    monkeypatch.setattr(BlockedEpoch, "_capture", lambda self: self._advance)
    train(stepped, gpu_splits(), run_epoch=BlockedEpoch(stepped, gpu_splits()))
    assert replayed.optimizer.step_count == stepped.optimizer.step_count == 100
    for got, want in zip(state_tensors(replayed), state_tensors(stepped), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-3, atol=1e-4)


def test_members_of_a_graph_do_not_touch_each_other() -> None:
    """One member's weights changed: the others' move by an ulp at most."""
    runs = tuple(run_config(seed=s, batch_norm="hidden") for s in range(3))
    one, other = (initial_state(runs, 16, GPU) for _ in range(2))
    other.model.output.weight.data[1] += 1
    for state in (one, other):
        train(state, gpu_splits(), run_epoch=BlockedEpoch(state, gpu_splits()))
    for name, value in one.model.state_dict().items():
        changed = other.model.state_dict()[name][[0, 2]]
        torch.testing.assert_close(changed, value[[0, 2]], rtol=2**-23, atol=0, msg=name)


def test_estimates_agree_with_the_cpu_within_their_errors() -> None:
    state = fresh(run_config())
    x = splits().test[:10]
    on_cpu, on_device = (
        estimate_log_px(
            copy.deepcopy(state.model).to(device).eval(),
            x.to(device),
            20_000,
            MemberRNG((0,), device).generators("estimate"),
        )
        for device in (CPU, GPU)
    )
    error = torch.hypot(on_cpu.standard_error, on_device.standard_error.cpu())
    assert ((on_cpu.log_px - on_device.log_px.cpu()).abs() < 5 * error + 1e-4).all()
