r"""Products with data that are mostly zeros: what a compiled step makes of its first layer's.

Of a binarized digit's pixels some 87 % are 0. The first layer's product with a batch x [B, D], and
that of its gradient,

.. math:: (xW)_b = \sum_{d:\, x_{bd} \ne 0} x_{bd} W_d, \qquad
          (x^T G)_d = \sum_{b:\, x_{bd} \ne 0} x_{bd} G_b,

are sums of the rows that the nonzeros of x pick. ``resources/sparse_products.h`` is their code,
which the compiler makes kernels of for the processor at hand. Not-a-numbers that zeros would make
of infinite weights, once a model has diverged, are skipped too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.resources import files
from typing import Any

import torch
from torch import Tensor, fx

aten, own = torch.ops.aten, torch.ops.vaestudy

_OPERATORS = torch.library.Library("vaestudy", "DEF")
_OPERATORS.define("find_nonzeros(Tensor sparse, int rows, int columns) -> Tensor")
_OPERATORS.define("sparse_mm(Tensor nonzeros, Tensor dense, int rows, int width) -> Tensor")
_OPERATORS.define(
    "sparse_t_mm(Tensor nonzeros, Tensor dense, int rows, int columns, int width) -> Tensor"
)


def _find_nonzeros(sparse: Tensor, rows: int, columns: int) -> Tensor:
    # Where each row's begin, and what they are, if all numbers were some.
    return sparse.new_empty(rows + 1 + rows * columns, dtype=torch.int64)


def _sparse_mm(nonzeros: Tensor, dense: Tensor, rows: int, width: int) -> Tensor:
    return dense.new_empty(rows, width)


def _sparse_t_mm(nonzeros: Tensor, dense: Tensor, rows: int, columns: int, width: int) -> Tensor:
    return dense.new_empty(columns, width)


# Shapes are all that tracing needs.
_SHAPES: dict[str, Callable[..., Tensor]] = {
    "find_nonzeros": _find_nonzeros,
    "sparse_mm": _sparse_mm,
    "sparse_t_mm": _sparse_t_mm,
}
for _name, _shape in _SHAPES.items():
    torch.library.register_fake(f"vaestudy::{_name}", _shape, lib=_OPERATORS)


def skip_zeros(graph: fx.GraphModule, x: fx.Node) -> None:
    """Have a graph's single-precision products with a batch of one member skip its zeros.

    Parameters
    ----------
    graph
        Of lowered operations (:mod:`vaestudy.lowering`).
    x
        The input that is mostly zeros, [M, B, D]; with M > 1 the graph is left as it is.
    """
    nodes = graph.graph
    _, rows, columns = x.meta["val"].shape
    with nodes.inserting_after(x):
        nonzeros = nodes.call_function(own.find_nonzeros.default, (x, rows, columns))
    for product in nodes.find_nodes(op="call_function", target=aten.mm.default):
        data, dense = product.args
        sparse, like = _only_member_of(data), dense.meta["val"]
        if sparse is None or like.dtype != torch.float32 or not like.is_contiguous():
            continue
        sizes: tuple[int, ...]
        if sparse is x:
            operator, sizes = own.sparse_mm.default, (rows,)
        elif sparse.target is aten.transpose.int and sparse.args == (x, 1, 2):
            operator, sizes = own.sparse_t_mm.default, (rows, columns)
        else:
            continue
        with nodes.inserting_before(product):
            made = nodes.call_function(operator, (nonzeros, dense, *sizes, like.shape[1]))
        product.replace_all_uses_with(made)
        nodes.erase_node(product)
    if not nonzeros.users:
        nodes.erase_node(nonzeros)
    graph.recompile()


def _only_member_of(node: fx.Node) -> fx.Node | None:
    selects = node.target is aten.select.int and node.args[1:] == (0, 0)
    of = node.args[0] if selects else None
    return of if isinstance(of, fx.Node) else None


def lower_sparse_products() -> None:
    """Have the compiler make kernels of what :func:`skip_zeros` puts in a graph."""
    from torch._inductor.lowering import user_lowerings

    for name in _SHAPES:
        user_lowerings[getattr(own, name).default] = partial(_kernel_that_calls, name)


def _kernel_that_calls(function: str, *arguments: Any) -> Any:
    """Return the result, to the compiler, of a kernel that calls a function of the header's."""
    from torch._inductor import ir
    from torch._inductor.codegen.cpp_template import CppTemplate
    from torch._inductor.virtualized import V

    tensors = [a for a in arguments if isinstance(a, ir.TensorBox)]
    sizes = arguments[len(tensors) :]
    inputs = [ir.ExternKernel.require_contiguous(ir.ExternKernel.realize_input(a)) for a in tensors]
    header = files("vaestudy") / "resources" / "sparse_products.h"

    class Kernel(CppTemplate):
        def render(self, **given: Any) -> str:
            kernel, result = given["kernel"], given.get("template_buffer_node", self.output_node)
            named = {f"in{i}": node for i, node in enumerate(inputs)}
            definition = kernel.def_kernel(inputs=named, outputs={"result": result})
            call = f"vaestudy::{function}({', '.join(map(str, (*named, 'result', *sizes)))});"
            includes = f'{self.header().getvalue()}\n#include "{header}"'
            return f'{includes}\nextern "C" {definition}\n{{\n    {call}\n}}\n'

    like = V.graph.current_node.meta["val"]
    layout = ir.FixedLayout(like.device, like.dtype, list(like.shape), list(like.stride()))
    result = Kernel(function, inputs, layout, num_threads=1).generate().output_node()
    # What follows would have to be written into the kernel.
    result.data.data.allow_epilogue_fusion = False
    return result
