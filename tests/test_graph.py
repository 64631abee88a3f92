"""An epoch in blocks, as a GPU takes it, against the plain one; on a CPU, where both can run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._inductor.utils import fresh_cache
from torch.utils._python_dispatch import TorchDispatchMode

from builders import double_state, fresh, needs_compiler, run_config, splits
from vaestudy import graph
from vaestudy.graph import BlockedEpoch, BlockStep, inductor_step
from vaestudy.pure import state_tensors
from vaestudy.rng import MemberRNG
from vaestudy.splits import Splits
from vaestudy.tracing import traced
from vaestudy.train import TrainState, train, train_epoch, train_step

VARIANTS = [
    {"objective": "elbo", "warmup": 2},
    {"objective": "iwae", "k": 5, "batch_norm": "hidden"},
    {"objective": "dreg", "k": 3, "binarization": "none", "lr_schedule": "burda", "epochs": 4},
]


def states(**changes: object) -> tuple[TrainState, TrainState]:
    """Twice the same three members, in float64, whose noise comes in whole vectors of 16."""
    runs = tuple(run_config(seed=s, batch_size=16, n_z=4, **changes) for s in range(3))
    return double_state(*runs), double_state(*runs)


def plain_epoch(state: TrainState, data: Splits) -> Tensor:
    """`train_epoch` with the bytes of a GPU: one random number a pixel, none drawn again."""
    rng = MemberRNG(tuple(r.seed for r in state.runs), torch.device("cpu"))
    noise = rng.generators("eps", state.epoch + 1)

    def step(state: TrainState, x: Tensor, eps: Tensor, beta: Tensor) -> Tensor:
        shape, double = eps.shape[1:], torch.float64
        eps = torch.stack([torch.randn(shape, dtype=double, generator=g) for g in noise])
        return train_step(state, x.double(), eps, beta)

    def uniform(like: Tensor, generator: torch.Generator) -> Tensor:
        return torch.empty_like(like).random_(0, 255, generator=generator)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vaestudy.presentation.uniform_below_255", uniform)
        return train_epoch(state, data, step)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("member_bytes", [1, 2_000, 1 << 26])
def test_an_epoch_in_blocks_is_the_plain_one(
    variant: dict[str, object], member_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of one step, of a few that do not divide the epoch, and of the whole."""
    monkeypatch.setattr(graph, "MEMBER_BYTES", member_bytes)
    a, b = states(**variant)
    data = Splits(splits().train, splits().test.double())
    train(a, data, run_epoch=plain_epoch)
    train(b, data, run_epoch=BlockedEpoch(b, data))
    torch.testing.assert_close(b.history.train[1:], a.history.train[1:], rtol=1e-9, atol=1e-9)
    for got, want in zip(state_tensors(b), state_tensors(a), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-8, atol=1e-9)
    assert b.optimizer.step_count == a.optimizer.step_count == 5 * a.runs[0].epochs


def test_blocks_hold_what_memory_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "MEMBER_BYTES", 2_000)
    state, _ = states()
    epoch = BlockedEpoch(state, splits())
    a_step = 16 * (16 + 8 + 4 * 4)
    assert epoch.steps == 2_000 // a_step == 3 < epoch.steps_an_epoch
    assert epoch.bytes.nbytes + epoch.rows.nbytes <= 3 * 2_000


@pytest.mark.parametrize("members", [2, 16])
def test_what_is_drawn_at_a_time_is_a_matter_of_the_run_alone(
    members: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GPU's generator gives other numbers to calls of another size."""
    monkeypatch.setattr(graph, "MEMBER_BYTES", 2_000)

    def drawn(n: int) -> list[list[int]]:
        state = fresh(*(run_config(seed=seed, batch_size=16) for seed in range(n)))
        with Sizes() as sizes:
            BlockedEpoch(state, splits())(state, splits())
        return sizes.of_normals[:: len(state.runs)]

    alone = drawn(1)
    assert len(alone) > 1
    assert drawn(members) == alone


class Sizes(TorchDispatchMode):
    """Notes how much normal noise is asked for, call by call."""

    def __init__(self) -> None:
        super().__init__()
        self.of_normals: list[list[int]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.normal_.default:
            self.of_normals.append(list(args[0].shape))
        return func(*args, **(kwargs or {}))


def test_one_step_of_noise_warms_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """More calls than there are steps of noise, as before a graph is recorded."""
    monkeypatch.setattr(graph, "MEMBER_BYTES", 1)
    state, _ = states()
    epoch = BlockedEpoch(state, splits())
    assert epoch.steps == 1
    epoch._warm_up()
    assert int(epoch.position) == 0


def test_members_do_not_touch_each_other() -> None:
    """Changing one member's weights leaves the others' trajectories to the last bit."""
    one, other = states(objective="iwae", k=5, batch_norm="hidden")
    other.model.output.weight.data[1] += 1
    for state in (one, other):
        train(
            state,
            Splits(splits().train, splits().test.double()),
            run_epoch=BlockedEpoch(state, splits()),
        )
    for name, value in one.model.state_dict().items():
        assert torch.equal(value[[0, 2]], other.model.state_dict()[name][[0, 2]]), name


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_a_traced_step_may_stand_in_for_the_pure_one(variant: dict[str, object]) -> None:
    """What the compiler is given on a GPU, here run as it is."""
    a, b = states(**variant)

    def as_traced(
        step: BlockStep, changed: list[Tensor], read: list[Tensor]
    ) -> Callable[..., Tensor]:
        return traced(step, [*changed, *read])

    data = Splits(splits().train, splits().test.double())
    train(a, data, run_epoch=BlockedEpoch(a, data))
    train(b, data, run_epoch=BlockedEpoch(b, data, as_traced))
    for got, want in zip(state_tensors(b), state_tensors(a), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-10)


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize(
    "variant", [*VARIANTS, {"optimizer": "adamax", "weight_decay": 0.1}], ids=str
)
def test_the_fused_step_is_the_plain_one(
    variant: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The compiler that fuses a GPU's step, here for the CPU: the same graph, and what it reorders.

    A step changes its position, weights and moments in place; each must be read before it changes.
    """
    monkeypatch.setattr(graph, "MEMBER_BYTES", 2_000)
    a, b = states(**variant)
    data = Splits(splits().train, splits().test.double())
    train(a, data, run_epoch=BlockedEpoch(a, data))
    with fresh_cache():
        train(b, data, run_epoch=BlockedEpoch(b, data, inductor_step))
    torch.testing.assert_close(b.history.train[1:], a.history.train[1:], rtol=1e-9, atol=1e-9)
    for got, want in zip(state_tensors(b), state_tensors(a), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-10)
