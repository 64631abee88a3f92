"""What the C++ of a compiled graph is made of."""

from __future__ import annotations

import shutil

import pytest
import torch
from torch._inductor.codegen.cpp import CppVecOverrides
from torch._inductor.utils import fresh_cache, run_and_get_cpp_code

from vaestudy import lowering
from vaestudy.tracing import cast_whole_vectors

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler here")
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
