"""Weights that are packed once for many products."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from builders import architecture, perturbed, randn
from vaestudy.compiled import model_tensors
from vaestudy.evaluate import plain_log_weights
from vaestudy.packing import like_packed, pack, pack_products
from vaestudy.tracing import trace_log_weights
from vaestudy.vae import VAE

needs_mkl = pytest.mark.skipif(
    not torch.backends.mkl.is_available(), reason="PyTorch's products are not MKL's here"
)
#: Of the importance weights of one datum.
SAMPLES = 7


def model_of(members: int = 1, **changes: object) -> VAE:
    return perturbed(VAE(architecture(**changes), members)).float().eval()


@needs_mkl
def test_the_decoders_weights_are_packed() -> None:
    model = model_of()
    graph, packed = trace_log_weights(model, "nll", SAMPLES)
    names = [name for name, _ in model.named_parameters()]
    found = [names[place] for place, _ in packed]
    assert found == ["decoder.0.weight", "decoder.2.weight", "output.weight"]
    assert {rows for _, rows in packed} == {SAMPLES}
    left = [node.target for node in graph.graph.nodes if node.op == "call_function"]
    assert torch.ops.aten.mm.default not in left


@needs_mkl
def test_weights_of_packed_products_are_the_plain_ones() -> None:
    model = model_of(likelihood="gaussian")
    n_z = model.architecture.n_z
    x, mu, logvar, eps = (
        randn(1, 1, 12),
        randn(1, 1, n_z),
        randn(1, 1, n_z),
        randn(1, SAMPLES, 1, n_z),
    )
    data = [tensor.float() for tensor in (x, mu, logvar, eps)]
    program, places = trace_log_weights(model, "nll", SAMPLES)
    tensors = model_tensors(model)
    packed = [pack(tensors[place], rows) for place, rows in places]
    # Not as a graph's module: that asks whether its arguments are as laid out as in the example.
    graph = torch.fx.GraphModule({}, program.graph)
    found = graph(*tensors, *data, *packed)[0]
    torch.testing.assert_close(found, plain_log_weights(model)(*data), rtol=1e-5, atol=1e-5)


@needs_mkl
@pytest.mark.parametrize("shape", [(1, 3, 2), (500, 50, 200), (37, 784, 5)])
def test_a_packed_product_is_the_product(shape: tuple[int, int, int]) -> None:
    rows, n_in, n_out = shape
    x, weight = randn(rows, n_in).float(), randn(1, n_in, n_out).float()
    found = torch.ops.mkl._mkl_linear(x, pack(weight, rows), weight[0].t(), None, rows)
    torch.testing.assert_close(found, x @ weight[0])


def traced(*tensors: Tensor) -> torch.fx.GraphModule:
    from torch.fx.experimental.proxy_tensor import make_fx

    def function(a: Tensor, b: Tensor, x: Tensor) -> Tensor:
        return x @ a[0] + x @ b[0]

    return make_fx(function, tracing_mode="fake")(*tensors)


@needs_mkl
def test_only_the_first_tensors_are_weights() -> None:
    tensors = [randn(1, 4, 3).float(), randn(1, 4, 3).float(), randn(5, 4).float()]
    graph = traced(*tensors)
    assert pack_products(graph, n_weights=1) == [(0, 5)]
    (like,) = like_packed(tensors, [(0, 5)])
    assert like.shape == (3, 4)
    found = graph(*tensors, pack(tensors[0], 5))
    torch.testing.assert_close(found, tensors[2] @ (tensors[0] + tensors[1])[0])


@needs_mkl
def test_other_numbers_are_left_as_they_are() -> None:
    graph = traced(randn(1, 4, 3), randn(1, 4, 3), randn(5, 4))
    assert pack_products(graph, n_weights=2) == []


def test_several_members_products_are_left_as_they_are() -> None:
    _, packed = trace_log_weights(model_of(members=2), "nll", SAMPLES)
    assert packed == []


def test_without_mkl_nothing_is_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: False)
    graph = traced(*(randn(1, 4, 3).float() for _ in range(2)), randn(5, 4).float())
    assert pack_products(graph, n_weights=2) == []
    assert [node.name for node in graph.graph.find_nodes(op="placeholder")] == ["a_1", "b_1", "x_1"]
