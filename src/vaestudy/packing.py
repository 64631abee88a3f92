"""Weights that enter many products, laid out once for all of them.

A matrix product first copies its factors, in the order in which its innermost loop reads them.
While log p(x) is estimated a decoder's weights are the same in tens of thousands of products. MKL,
which makes PyTorch's products on x86, takes a copy that was made before, and the result is the same
to the last bit. A compiled graph is given such copies beside the weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, fx

aten, mkl = torch.ops.aten, torch.ops.mkl

#: Which of a graph's tensors is packed, and for how many rows of the other factor.
Packed = tuple[int, int]


def pack_products(graph: fx.GraphModule, n_weights: int) -> list[Packed]:
    """Have products of data and a weight take the weight packed; return what they take.

    The graph takes the packed weights, in the order returned, as its last tensors. Without MKL it
    is left as it is.

    Parameters
    ----------
    graph
        Of lowered operations (:mod:`vaestudy.lowering`).
    n_weights
        So many of its first inputs may be packed: those of one member, ``[1, I, O]``, in float32.
    """
    if not torch.backends.mkl.is_available():
        return []
    nodes = graph.graph
    inputs = list(nodes.find_nodes(op="placeholder"))
    last, packed = inputs[-1], []
    for product in nodes.find_nodes(op="call_function", target=aten.mm.default):
        data, weight = product.args
        place = _only_member_of(weight, inputs[:n_weights])
        if place is None or data.meta["val"].dtype != torch.float32:
            continue
        packed.append((place, data.meta["val"].shape[0]))
        with nodes.inserting_after(last):
            last = nodes.placeholder(f"packed_{len(packed)}")
        with nodes.inserting_before(product):
            # It asks for the weight too, [O, I], to know its shape.
            transposed = nodes.call_function(aten.permute.default, (weight, [1, 0]))
            taken = (data, last, transposed, None, packed[-1][1])
            made = nodes.call_function(mkl._mkl_linear.default, taken)
        product.replace_all_uses_with(made)
        nodes.erase_node(product)
    graph.recompile()
    return packed


def _only_member_of(node: fx.Node, inputs: Sequence[fx.Node]) -> int | None:
    """Return the place of the input whose only member a node is."""
    if node.target is not aten.select.int or node.args[1:] != (0, 0):
        return None
    of = node.args[0]
    return next((place for place, found in enumerate(inputs) if found is of), None)


def like_packed(tensors: Sequence[Tensor], packed: Sequence[Packed]) -> list[Tensor]:
    """Return tensors of the shapes that a graph finds packed weights to have."""
    return [torch.zeros_like(tensors[place][0].t()).contiguous() for place, _ in packed]


def pack(weight: Float[Tensor, "1 I O"], rows: int) -> Tensor:
    """Return a weight as products with ``rows`` rows of the other factor take it.

    It is a copy: what becomes of the weight is not seen in it.
    """
    of_one: Tensor = mkl._mkl_reorder_linear_weight(weight[0].t().contiguous(), rows)
    return of_one


def lower_packed_products() -> None:
    """Have the compiler take packed weights that are arguments: by itself it wants constants."""
    from torch._inductor.ir import TensorBox
    from torch._inductor.lowering import user_lowerings
    from torch._inductor.mkldnn_ir import MKLPackedLinear

    def lowered(*arguments: object) -> object:
        return TensorBox.create(MKLPackedLinear.create(*arguments))

    user_lowerings[mkl._mkl_linear.default] = lowered
