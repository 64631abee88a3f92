"""M members against M stock modules, and how they are initialised."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from builders import architecture, fresh, generators, perturbed, randn, run_config, splits
from plain import ACTIVATIONS as PLAIN
from vaestudy.layers import ACTIVATIONS, Activation, MemberBatchNorm, MemberLinear, hidden_layers
from vaestudy.train import train
from vaestudy.vae import VAE

M, K, B = 3, 2, 8


def linear(bias: bool = True) -> MemberLinear:
    layer = MemberLinear(M, 4, 5, bias=bias).double()
    layer.initialize(generators(0, 1, 2))
    if layer.bias is not None:
        layer.bias.data.copy_(randn(M, 1, 5))
    return layer


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [(B,), (K, B)])
def test_linear_is_m_linears(bias: bool, rows: tuple[int, ...]) -> None:
    layer, x = linear(bias), randn(M, *rows, 4, seed=1).requires_grad_()
    upstream = randn(M, *rows, 5, seed=2)
    layer(x).backward(upstream)
    for m in range(M):
        plain, own = nn.Linear(4, 5, bias=bias).double(), x[m].detach().requires_grad_()
        plain.weight.data = layer.weight[m].detach().T
        if bias:
            plain.bias.data = layer.bias[m, 0].detach()
        y = plain(own)
        y.backward(upstream[m])
        torch.testing.assert_close(layer(x)[m], y)
        torch.testing.assert_close(layer.weight.grad[m], plain.weight.grad.T)
        torch.testing.assert_close(x.grad[m], own.grad)
        if bias:
            torch.testing.assert_close(layer.bias.grad[m, 0], plain.bias.grad)


@pytest.mark.parametrize("rows", [(B,), (K, B), (1,)])
def test_batch_norm_is_m_batch_norms(rows: tuple[int, ...]) -> None:
    layer = MemberBatchNorm(M, 5).double()
    layer.gamma.data.copy_(randn(M, 1, 5, seed=3))
    layer.beta.data.copy_(randn(M, 1, 5, seed=4))
    twins = [nn.BatchNorm1d(5).double() for _ in range(M)]
    for m, twin in enumerate(twins):
        twin.weight.data.copy_(layer.gamma[m, 0])
        twin.bias.data.copy_(layer.beta[m, 0])
    if rows == (1,):  # Stock layers refuse a single row in training.
        layer.eval(), [twin.eval() for twin in twins]
    for step in range(3):
        a = (2 + 3 * randn(M, *rows, 5, seed=step)).requires_grad_()
        upstream = randn(M, *rows, 5, seed=9)
        layer.zero_grad()
        y = layer(a)
        y.backward(upstream)
        for m, twin in enumerate(twins):
            own = a[m].detach().reshape(-1, 5).requires_grad_()
            twin.zero_grad()
            want = twin(own)
            want.backward(upstream[m].reshape(-1, 5))
            torch.testing.assert_close(y[m].reshape(-1, 5), want)
            torch.testing.assert_close(a.grad[m].reshape(-1, 5), own.grad)
            torch.testing.assert_close(layer.gamma.grad[m, 0], twin.weight.grad)
            torch.testing.assert_close(layer.beta.grad[m, 0], twin.bias.grad)
            torch.testing.assert_close(layer.running_mean[m, 0], twin.running_mean)
            torch.testing.assert_close(layer.running_var[m, 0], twin.running_var)


def test_batch_norm_in_evaluation_uses_the_running_statistics_and_leaves_them() -> None:
    layer, twin = MemberBatchNorm(1, 5).double(), nn.BatchNorm1d(5).double()
    for step in range(3):
        a = 2 + 3 * randn(1, B, 5, seed=step)
        layer(a), twin(a[0])
    layer.eval(), twin.eval()
    before = layer.running_mean.clone()
    a = randn(1, B, 5, seed=9)
    torch.testing.assert_close(layer(a)[0], twin(a[0]))
    # One datum alone is what it is in a batch.
    torch.testing.assert_close(layer(a[:, :1]), layer(a)[:, :1])
    assert torch.equal(layer.running_mean, before)


def test_batch_norm_of_a_single_row_is_finite() -> None:
    layer = MemberBatchNorm(1, 5)
    assert torch.isfinite(layer(torch.ones(1, 1, 5))).all()
    assert torch.isfinite(layer.running_var).all()


@pytest.mark.parametrize("heads", [1, 2])
def test_glorot_variance_of_each_member(heads: int) -> None:
    n_in, n_out = 300, 200
    layer = MemberLinear(M, n_in, n_out * heads, heads=heads)
    layer.initialize(generators(0, 1, 2))
    for weight in layer.weight:
        for head in weight.chunk(heads, dim=1):
            n = head.numel()
            assert head.var().item() == pytest.approx(2 / (n_in + n_out), rel=5 * math.sqrt(2 / n))
            assert abs(head.mean().item()) < 5 * head.std().item() / math.sqrt(n)
    assert not layer.bias.any()
    assert not torch.equal(layer.weight[0], layer.weight[1])


def test_a_members_initialisation_is_its_seeds_alone() -> None:
    group, alone = MemberLinear(3, 7, 5), MemberLinear(1, 7, 5)
    group.initialize(generators(4, 5, 6))
    alone.initialize(generators(5))
    assert torch.equal(group.weight[1], alone.weight[0])


def test_there_must_be_one_generator_a_member() -> None:
    with pytest.raises(ValueError, match="shorter"):
        MemberLinear(3, 7, 5).initialize(generators(1, 2))


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_activations(name: str) -> None:
    a = 5 * randn(1, 50, 4)
    torch.testing.assert_close(Activation(name)(a), PLAIN[name](a))


@pytest.mark.parametrize("batch_norm", [True, False])
def test_hidden_layers_are_dense_norm_nonlinearity(batch_norm: bool) -> None:
    kinds = [type(layer).__name__ for layer in hidden_layers(2, (6, 5, 4), "relu", batch_norm)]
    norm = ["MemberBatchNorm"] if batch_norm else []
    assert kinds == 2 * ["MemberLinear", *norm, "Activation"]


def test_a_wrong_shape_is_caught_in_tests() -> None:
    with pytest.raises(Exception, match=r"shape|type"):
        MemberBatchNorm(2, 5)(torch.zeros(5).int())


def test_products_in_bf16_are_those_of_the_rounded_factors() -> None:
    """Exact but for the rounding of two factors and a product: 3 * 2^-9 at the very most."""
    model = perturbed(VAE(architecture(), members=2)).float()
    x, eps = (randn(2, 4, 12) > 0).float(), randn(2, 3, 4, 3).float()
    exact = model(x, eps).log_px_z
    layer, a = model.output, randn(2, 5, 7).float()
    want = torch.baddbmm(layer.bias, a.bfloat16().float(), layer.weight.bfloat16().float())
    model.multiply_in(torch.bfloat16)
    torch.testing.assert_close(layer(a), want, rtol=2**-7, atol=2**-7)
    rough = model(x, eps).log_px_z
    assert rough.dtype == torch.float32
    assert not torch.equal(rough, exact)
    torch.testing.assert_close(rough, exact, rtol=0.02, atol=0.2)
    assert torch.equal(model.eval()(x, eps).log_px_z, exact), "what is measured is in fp32"
    model.train().multiply_in(None)
    assert torch.equal(model(x, eps).log_px_z, exact)


def test_parameters_stay_fp32_whatever_the_products_are() -> None:
    run = run_config(precision="bf16")
    state = train(fresh(run), splits())
    assert all(p.dtype == torch.float32 for p in state.model.parameters())
    assert state.history.test[-1][0, 0] > state.history.test[0][0, 0]
