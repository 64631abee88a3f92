"""Products that skip zeros, against dense ones; and which steps have them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch._inductor.utils import fresh_cache

from builders import double_state, fresh, needs_compiler, randn, run_config, splits
from test_compiled import assert_same_steps
from vaestudy import compile_choice
from vaestudy.compile_choice import DENSE_FROM, choose_epoch, is_sparse
from vaestudy.compiled import compiled_measure, compiled_step, measure_request, step_request
from vaestudy.config import CompilePolicy
from vaestudy.history import row_measure, rows_at_once
from vaestudy.sparse_products import lower_sparse_products, own, skip_zeros
from vaestudy.splits import Splits
from vaestudy.tracing import _graph, trace_measure, trace_step
from vaestudy.train import StepFunction, TrainState, train_step

OPERATORS = (own.find_nonzeros.default, own.sparse_mm.default, own.sparse_t_mm.default)
#: Rows, columns and width: numbers, parts of vectors, whole ones, several of them and a part.
SHAPES = [(1, 1, 1), (3, 7, 5), (20, 32, 64), (7, 67, 129), (100, 784, 200)]


def both_products(x: Tensor, weight: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    return torch.bmm(x, weight), torch.bmm(x.transpose(1, 2), gradient)


def numbers(*shape: int, seed: int) -> Tensor:
    return randn(*shape, seed=seed).float()


def sparse(rows: int, columns: int) -> Tensor:
    """A row and a column without anything, one full; in the others a sixth, of any size."""
    x = numbers(1, rows, columns, seed=1) * (randn(1, rows, columns, seed=2) > 1)
    x[:, :, -1], x[:, -1], x[:, 0] = 0, 0, numbers(columns, seed=3)
    return x


def operators_in(graph: torch.fx.GraphModule) -> list[object]:
    found = (node.target for node in graph.graph.nodes)
    return sorted((target for target in found if target in OPERATORS), key=OPERATORS.index)


@needs_compiler
@pytest.mark.parametrize(("rows", "columns", "width"), SHAPES)
def test_products_that_skip_zeros_are_the_dense_ones(rows: int, columns: int, width: int) -> None:
    x = sparse(rows, columns)
    weight, gradient = numbers(1, columns, width, seed=4), numbers(1, rows, width, seed=5)
    graph = _graph(both_products, [x, weight, gradient])
    skip_zeros(graph, next(iter(graph.graph.find_nodes(op="placeholder"))))
    assert operators_in(graph) == list(OPERATORS)
    lower_sparse_products()
    torch.compiler.reset()
    with fresh_cache():
        compiled = torch.compile(graph)
        for batch in (x, torch.zeros_like(x), torch.ones_like(x), torch.full_like(x, math.nan)):
            want = both_products(batch.double(), weight.double(), gradient.double())
            found = compiled(batch, weight, gradient)
            torch.testing.assert_close(
                tuple(f.double() for f in found), want, rtol=1e-5, atol=1e-4, equal_nan=True
            )


@pytest.mark.parametrize("variant", [{}, {"k": 3, "objective": "iwae", "batch_norm": "all"}])
def test_the_first_layers_products_skip_zeros(variant: dict[str, object]) -> None:
    state = fresh(run_config(**variant))
    assert operators_in(trace_step(state, 20, sparse=True).graph_module) == list(OPERATORS)
    assert operators_in(trace_step(state, 20).graph_module) == []
    measure = trace_measure(state, 20, sparse=True).graph_module
    assert operators_in(measure) == list(OPERATORS[:2])
    assert operators_in(trace_measure(state, 20).graph_module) == []


@pytest.mark.parametrize(
    "state",
    [
        fresh(run_config(seed=0), run_config(seed=1)),
        fresh(run_config(precision="bf16")),
        fresh(run_config(network="conv", hidden=(30,), activation="elu")),
        double_state(run_config()),
    ],
    ids=["two members", "bf16", "convolutions", "float64"],
)
def test_other_products_are_left_as_they_are(state: TrainState) -> None:
    assert operators_in(trace_step(state, 20, sparse=True).graph_module) == []


@needs_compiler
def test_a_step_that_skips_zeros_is_the_plain_step() -> None:
    run = run_config(objective="iwae", k=3, batch_norm="hidden")
    a, b = fresh(run), fresh(run)
    assert_same_steps(a, b, compiled_step(b, 20, sparse=True), rtol=2e-5)


@needs_compiler
def test_a_measure_that_skips_zeros_is_the_plain_one() -> None:
    run = run_config(likelihood="gaussian")
    state, rows = fresh(run), rows_at_once(run)
    x, eps = sparse(rows, 16), numbers(1, 1, rows, run.n_z, seed=6)
    found = compiled_measure(state, sparse=True)(x, eps)
    torch.testing.assert_close(found, row_measure(state.model, run)(x, eps), rtol=1e-5, atol=1e-5)


def test_libraries_that_skip_zeros_are_others() -> None:
    state = fresh(run_config())
    assert step_request(state, 20) != step_request(state, 20, sparse=True)
    assert measure_request(state) != measure_request(state, sparse=True)


@pytest.mark.parametrize(("share", "expected"), [(DENSE_FROM - 0.01, True), (DENSE_FROM, False)])
def test_zeros_are_skipped_where_most_numbers_are_some(share: float, expected: bool) -> None:
    lit = (torch.arange(10_000) < share * 10_000).view(100, 100)
    # All equally grey: none is 0 until they are binarized.
    grey = torch.full((100, 100), 255, dtype=torch.uint8) * 0 + round(255 * share)
    for rows in (lit.to(torch.uint8), lit * 0.3, -lit.double()):
        assert is_sparse(rows) is expected
    assert is_sparse(lit.to(torch.uint8) * 255, "dynamic") is expected
    assert is_sparse(grey, "dynamic") is expected
    assert not is_sparse(grey)


def test_what_is_read_when_asked_for_is_not_looked_through() -> None:
    class Rows:
        def __len__(self) -> int:
            return 90

    assert not is_sparse(Rows())


@pytest.mark.parametrize(("lit", "expected"), [(0.1, True), (0.5, False)])
def test_a_runs_step_is_of_its_data(
    lit: float, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def choose(
        state: TrainState, n: int, policy: CompilePolicy, sparse: bool = False
    ) -> StepFunction:
        asked.append((n, policy, sparse))
        return train_step

    monkeypatch.setattr(compile_choice, "choose_step", choose)
    rows = (randn(90, 16).abs().argsort().argsort() < lit * 16).to(torch.uint8)
    choose_epoch(fresh(run_config(binarization="static")), Splits(rows, splits().test), "auto")
    assert asked == [(90, "auto", expected)]
