"""The compiled step against the plain one; its lowerings against the plain formulas; its cache."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from builders import (
    CPU,
    architecture,
    assert_same_member,
    double_state,
    folder_bytes,
    fresh,
    generators,
    needs_compiler,
    perturbed,
    randn,
    run_config,
    splits,
    tiny_dataset,
)
from vaestudy import lowering
from vaestudy.adam import Adam, adam_update
from vaestudy.compiled import (
    SAMPLES_AT_ONCE,
    compiled_log_weights,
    compiled_step,
    step_request,
)
from vaestudy.deeper import DeeperLayer
from vaestudy.evaluate import estimate_log_px
from vaestudy.history import SCALARS
from vaestudy.jobs import train_group
from vaestudy.proposals import log_weights_of
from vaestudy.pure import state_tensors
from vaestudy.tracing import trace_step
from vaestudy.train import StepFunction, TrainState, train, train_epoch, train_step
from vaestudy.vae import VAE
from variants import DEEPER, VARIANTS, batch

EDGES = torch.tensor([-100.0, -88.0, -20.0, -1e-6, 0.0, 1e-6, 20.0, 88.0, 100.0])


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> object:
    """A cache of this file's own, so that compiling is tested and not remembered."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAESTUDY_CACHE", str(folder := tmp_path_factory.mktemp("cache")))
        yield folder


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("lowered", "plain"),
    [
        (lowering.softplus, lambda a: F.softplus(a, threshold=40)),
        (lowering.sigmoid, torch.sigmoid),
        (lowering.elu, lambda a: torch.where(a > 0, a, torch.expm1(a.clamp_max(0)))),
    ],
    ids=["softplus", "sigmoid", "elu"],
)
def test_lowered_functions_are_the_plain_ones(
    lowered: object, plain: object, dtype: torch.dtype
) -> None:
    a = torch.cat([EDGES.double(), 10 * randn(2000)]).to(dtype)
    # 1e-38: float32 may flush what is smaller to 0.
    torch.testing.assert_close(lowered(a), plain(a), rtol=4 * torch.finfo(dtype).eps, atol=1e-38)


def test_the_exponential_is_the_librarys() -> None:
    x = torch.linspace(-87.3, 88.3, 100_001)
    torch.testing.assert_close(lowering.exp(x), torch.exp(x), rtol=3e-7, atol=0)
    edges = torch.tensor([-torch.inf, -200.0, 0.0, 89.0, torch.inf, torch.nan])
    want = torch.tensor([0.0, 0.0, 1.0, torch.inf, torch.inf, torch.nan])
    torch.testing.assert_close(lowering.exp(edges), want, rtol=0, atol=0, equal_nan=True)
    # Other precisions keep the library's.
    assert lowering.exp(x.double()) is NotImplemented


def test_the_polynomial_is_the_logarithm_on_its_interval() -> None:
    e = torch.linspace(0, 1, 100_001)
    torch.testing.assert_close(
        lowering.log1p_unit(e), torch.log1p(e.double()).float(), rtol=3e-7, atol=0
    )


def test_the_gradient_of_elu_is_autograds() -> None:
    a = torch.cat([EDGES, 10 * randn(2000).float()]).requires_grad_()
    given = randn(len(a), seed=1).float()
    value = F.elu(a)
    (want,) = torch.autograd.grad(value, a, given)
    for is_result, known in ((False, a.detach()), (True, value.detach())):
        found = lowering.elu_backward(given, 1, 1, 1, is_result, known)
        # Beyond e^-15, what 1 is subtracted from and added to again keeps float32's rounding of 1.
        torch.testing.assert_close(found, want, rtol=3e-7, atol=3e-7)


def test_functions_of_another_slope_are_refused() -> None:
    with pytest.raises(NotImplementedError, match="beta 2"):
        lowering.softplus(torch.zeros(1), 2)
    with pytest.raises(NotImplementedError, match="alpha 2, scales 1 and 1"):
        lowering.elu(torch.zeros(1), 2)


def test_a_single_members_product_is_a_plain_one() -> None:
    a, b = randn(1, 4, 3), randn(1, 3, 5, seed=1)
    torch.testing.assert_close(lowering.bmm(a, b), torch.bmm(a, b))
    assert lowering.bmm(a.expand(2, 4, 3), b.expand(2, 3, 5)) is NotImplemented


def test_the_plain_update_is_adams() -> None:
    parameter = torch.nn.Parameter(randn(3, 4))
    plain, moments = parameter.detach().clone(), (torch.zeros(3, 4).double() for _ in range(2))
    exp_avg, exp_avg_sq = moments
    rates = {"beta1": 0.8, "beta2": 0.99, "eps": 1e-4}
    adam = Adam([("w", parameter)], learning_rate=0.1, **rates)
    for step in range(20):
        parameter.grad = randn(3, 4, seed=step)
        adam.step()
        corrections = torch.tensor(adam.corrections(step + 1, 0.1), dtype=torch.float64)
        adam_update(plain, parameter.grad, exp_avg, exp_avg_sq, corrections, **rates)
    torch.testing.assert_close(plain, parameter.detach())
    torch.testing.assert_close(exp_avg_sq, adam.kept["exp_avg_sq"]["w"])


def assert_same_steps(a: TrainState, b: TrainState, step: StepFunction, rtol: float) -> None:
    """Twenty plain steps on ``a``, twenty of ``step`` on ``b``."""
    a.model.train()
    b.model.train()
    for i in range(20):
        metrics = train_step(a, *batch(a, i))
        torch.testing.assert_close(step(b, *batch(b, i)), metrics, rtol=rtol, atol=rtol)
    for first, second in zip(state_tensors(a), state_tensors(b), strict=True):
        torch.testing.assert_close(second, first, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("members", [1, 2])
def test_the_graph_is_the_plain_step(variant: dict[str, object], members: int) -> None:
    """In float64, so that nothing but rounding is forgiven; run as it is, not compiled."""
    runs = tuple(run_config(seed=s, **variant) for s in range(members))
    a, b = double_state(*runs), double_state(*runs)
    graph = trace_step(b, batch_size=20).module()

    def step(state: TrainState, x: Tensor, eps: Tensor, beta: Tensor) -> Tensor:
        optimizer = state.optimizer
        optimizer.count += 1
        found = optimizer.corrections(optimizer.step_count, optimizer.learning_rate)
        corrections = torch.tensor(found, dtype=x.dtype)
        return graph(*state_tensors(state), corrections, x, eps, beta)

    assert_same_steps(a, b, step, rtol=1e-9)


@needs_compiler
def test_the_compiled_step_is_the_plain_step_and_is_compiled_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    run = run_config(objective="iwae", k=3, batch_norm="hidden")
    a, b = fresh(run), fresh(run)
    caplog.set_level(logging.INFO)
    assert_same_steps(a, b, compiled_step(b, 20), rtol=2e-5)
    assert "compiling" in caplog.text
    assert b.optimizer.step_count == 20
    caplog.clear()
    # Of the same kind: another seed, warm-up and learning rate.
    other = fresh(run.model_copy(update={"seed": 3, "warmup": 5, "learning_rate": 0.003}))
    twin = fresh(other.runs[0])
    assert_same_steps(twin, other, compiled_step(other, 20), rtol=2e-5)
    assert "compiled before" in caplog.text


@needs_compiler
def test_compiled_convolutions_are_the_librarys() -> None:
    run = run_config(network="conv", hidden=(30,), activation="elu", likelihood="gaussian")
    a, b = fresh(run), fresh(run)
    assert_same_steps(a, b, compiled_step(b, 20), rtol=2e-5)


@needs_compiler
def test_a_killed_compiled_run_resumes_bit_by_bit(tmp_path: Path) -> None:
    run = run_config(objective="iwae", k=3, batch_norm="hidden", epochs=4)

    def training(folder: Path, crash_after: int | None) -> None:
        def on_epoch(_: object, report: object) -> None:
            if report.epoch == crash_after:  # type: ignore[attr-defined]
                raise KeyboardInterrupt

        train_group(
            [run],
            tiny_dataset(),
            folder,
            device=CPU,
            checkpoint_every=1,
            compile_policy="always",
            on_epoch=on_epoch,
        )

    training(tmp_path / "whole", None)
    with pytest.raises(KeyboardInterrupt):
        training(tmp_path / "killed", 3)
    training(tmp_path / "killed", None)
    whole, killed = (folder_bytes(tmp_path / name / run.run_id) for name in ("whole", "killed"))
    for name in ("model.safetensors", "history.parquet", "units.parquet"):
        assert whole[name] == killed[name], name


@needs_compiler
def test_training_twice_gives_the_same_bits() -> None:
    run = run_config(objective="iwae", k=3, batch_norm="hidden")
    first, second = fresh(run), fresh(run)
    for state in (first, second):
        train(state, splits(), run_epoch=partial(train_epoch, step=compiled_step(state, 20)))
    assert_same_member(first, 0, second, 0)


def test_which_labels_are_known_asks_for_no_step_of_its_own() -> None:
    def request(labels: str, share: float) -> dict[str, object]:
        return step_request(fresh(run_config(labels=labels, label_share=share)), 20)

    assert request("blanked", 0.1) == request("blanked", 0.5) == request("condition", 1.0)
    # There the share is part of the loss.
    assert request("m2", 0.1) != request("m2", 0.5)
    assert request("condition", 1.0) != request("none", 1.0)


@needs_compiler
@pytest.mark.parametrize(
    ("measure", "deeper", "kl_weight", "members"),
    [
        ("nll_restricted", (), None, 1),
        ("nll", DEEPER, None, 1),
        ("nll", (), 1.0, 2),
        ("nll", (), 0.25, 2),
    ],
)
def test_compiled_weights_are_the_plain_ones(
    measure: str, deeper: tuple[DeeperLayer, ...], kl_weight: float | None, members: int
) -> None:
    shape = architecture(likelihood="gaussian", deeper=deeper)
    model = perturbed(VAE(shape, members)).float().eval()
    x = (randn(3, 12) > 0).float()
    # A last chunk that is no whole one takes the plain way.
    n_samples = 2 * SAMPLES_AT_ONCE + 100
    plain, compiled = (
        estimate_log_px(model, x, n_samples, generators(*range(members)), log_weights=log_weights)
        for log_weights in (
            log_weights_of(model, measure, kl_weight),
            compiled_log_weights(model, measure, kl_weight),
        )
    )
    torch.testing.assert_close(compiled.log_px, plain.log_px, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(compiled.standard_error, plain.standard_error, rtol=1e-3, atol=1e-5)


def test_metrics_have_their_shape() -> None:
    state = fresh(run_config(), run_config(seed=1))
    assert train_step(state, *batch(state, 0)).shape == (len(SCALARS), 2)
