"""What the C++ of a compiled graph is made of."""

from __future__ import annotations

import pytest
import torch
from torch._inductor.codegen.cpp import CppVecOverrides
from torch._inductor.scheduler import BaseSchedulerNode
from torch._inductor.utils import fresh_cache, run_and_get_cpp_code

from builders import needs_compiler
from vaestudy import lowering
from vaestudy.tracing import cast_whole_vectors, overwrite_what_is_read_last

#: Whole vectors of any processor, and a rest.
N = 67


@needs_compiler
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_bits_are_cast_by_the_vector(monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype) -> None:
    # Taken back after the test, whatever is put in its place.
    name = "to_dtype_bitcast"
    monkeypatch.setattr(CppVecOverrides, name, vars(CppVecOverrides)[name])
    cast_whole_vectors()

    def exponentials(x: torch.Tensor) -> torch.Tensor:
        return lowering.exp(x.float()).to(dtype)

    x = torch.linspace(-100, 88, N).to(dtype)
    torch.compiler.reset()
    # What was compiled in another way, in an earlier process, is not what is asked for.
    with fresh_cache():
        found, code = run_and_get_cpp_code(torch.compile(exponentials), x)
    torch.testing.assert_close(found, exponentials(x))
    assert "c10::bit_cast<at::vec::Vectorized" in code
    assert "tmpbuf_out" not in code


@needs_compiler
def test_what_is_read_last_is_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a training step: a weight is updated after the product that it was in."""
    name = "decide_inplace_update"
    monkeypatch.setattr(BaseSchedulerNode, name, vars(BaseSchedulerNode)[name])

    def step(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        slope = (x @ weight).sin()
        weight.sub_(x.t() @ slope)
        return slope

    def compiled(x: torch.Tensor, weight: torch.Tensor) -> tuple[torch.Tensor, str]:
        torch.compiler.reset()
        with fresh_cache():
            return run_and_get_cpp_code(torch.compile(step), x, weight)

    x, weight = torch.randn(N, 32), torch.randn(32, 48)
    expected_weight = weight.clone()
    expected = step(x, expected_weight)
    _, by_itself = compiled(x, weight.clone())
    overwrite_what_is_read_last()
    found, code = compiled(x, weight)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(weight, expected_weight)
    # The new weight over its gradient, by itself; and the slope over the product. If both came by
    # itself the compiler would have learnt it, and need no longer be told.
    overwriting = "(float* in_out_ptr0"
    assert by_itself.count(overwriting) == 1
    assert code.count(overwriting) == 2
