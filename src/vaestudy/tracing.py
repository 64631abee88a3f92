"""The graphs of a training step and of evaluation, and the libraries compiled from them.

    python -m vaestudy.tracing '{"kind": "step", …}' FILE

A graph is traced from the model, objective, metrics and the optimiser's rule as they are written;
the gradient's operations stand in it beside the value's. :mod:`vaestudy.lowering` says what a few
of them become. :mod:`vaestudy.libraries` calls this in a process of its own, for the compiler takes
half a gigabyte that a training job should not hold.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter
from torch import Tensor

from vaestudy.compiled import model_tensors
from vaestudy.config import parse_run
from vaestudy.files import atomic_path
from vaestudy.history import row_measure
from vaestudy.libraries import Request
from vaestudy.lowering import LOWERINGS
from vaestudy.packing import Packed, like_packed, lower_packed_products, pack_products
from vaestudy.proposals import log_weights_of
from vaestudy.pure import fixed_tensors, pure_step, state_tensors
from vaestudy.sparse_products import lower_sparse_products, skip_zeros
from vaestudy.train import TrainState, initial_state
from vaestudy.vae import VAE, Architecture

CPU = torch.device("cpu")


def trace_step(
    state: TrainState, batch_size: int, sparse: bool = False
) -> torch.export.ExportedProgram:
    """Return a step's graph, with its in-place updates of ``pure.state_tensors``.

    If ``sparse``, products with a batch skip its zeros.
    """
    example = step_example(state, batch_size)
    state.model.train()
    graph = _graph(pure_step(state), example)
    if sparse:
        # After the state and the optimiser's corrections.
        skip_zeros(graph, _inputs(graph)[len(state_tensors(state)) + 1])
    return torch.export.export(_Graph(graph), tuple(example))


def traced(function: Callable[..., Tensor], example: Sequence[Tensor]) -> torch.fx.GraphModule:
    """Return a function's operations as they are, for a GPU's compiler.

    Nothing is computed, and ``example`` stays as it is.
    """
    return _graph(function, example, lowered=False)


def step_example(state: TrainState, batch_size: int) -> list[Tensor]:
    """Return arguments of a state's step; those that it changes are not the state's own."""
    run, members = state.runs[0], len(state.runs)
    inputs = [
        torch.ones(len(state.optimizer.corrections(1, 1.0))),
        torch.zeros(members, batch_size, state.model.architecture.n_inputs),
        torch.zeros(members, run.k, batch_size, state.model.architecture.n_latent),
        torch.ones(members),
        *fixed_tensors(state),
    ]
    changed = [torch.zeros_like(tensor) for tensor in state_tensors(state)]
    return [*changed, *(tensor.to(changed[0]) for tensor in inputs)]


def trace_log_weights(
    model: VAE, measure: str, samples: int, kl_weight: float | None = None
) -> tuple[torch.export.ExportedProgram, list[Packed]]:
    """Return the graph of one datum's importance weights, and which tensors it takes packed."""
    a, members = model.architecture, model.members
    model.eval()
    tensors = model_tensors(model)
    log_weights = _of_tensors(model, log_weights_of(model, measure, kl_weight))
    data = [
        torch.zeros(members, 1, a.n_inputs),
        torch.zeros(members, 1, a.n_z),
        torch.zeros(members, 1, a.n_z),
        torch.zeros(members, samples, 1, a.n_latent),
    ]
    example = [*tensors, *(tensor.to(tensors[0]) for tensor in data)]
    graph = _graph(log_weights, example)
    packed = pack_products(graph, len(tensors))
    example += like_packed(tensors, packed)
    return torch.export.export(_Graph(graph), tuple(example)), packed


def trace_measure(
    state: TrainState, rows: int, sparse: bool = False
) -> torch.export.ExportedProgram:
    """Return the graph of :func:`vaestudy.history.row_measure`, of so many rows.

    If ``sparse``, products with them skip their zeros.
    """
    model, run = state.model, state.runs[0]
    a, members = model.architecture, model.members
    model.eval()
    tensors = model_tensors(model)
    data = [torch.zeros(members, rows, a.n_inputs), torch.zeros(members, run.k, rows, a.n_latent)]
    example = [*tensors, *(tensor.to(tensors[0]) for tensor in data)]
    graph = _graph(_of_tensors(model, row_measure(model, run)), example)
    if sparse:
        skip_zeros(graph, _inputs(graph)[len(tensors)])
    return torch.export.export(_Graph(graph), tuple(example))


def _inputs(graph: torch.fx.GraphModule) -> list[torch.fx.Node]:
    return list(graph.graph.find_nodes(op="placeholder"))


def _of_tensors(model: VAE, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of data, which asks a model, as one of the model's tensors and the data."""
    names = [name for name, _ in (*model.named_parameters(), *model.named_buffers())]

    class OfModel(torch.nn.Module):
        """What functional_call needs: a module whose call is the function."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *data: Tensor) -> Any:
            return function(*data)

    of_model = OfModel()

    @torch.no_grad()
    def of_tensors(*inputs: Tensor) -> Any:
        values, data = inputs[: len(names)], inputs[len(names) :]
        named = {f"model.{name}": value for name, value in zip(names, values, strict=True)}
        return torch.func.functional_call(of_model, named, data)

    return of_tensors


class _Graph(torch.nn.Module):
    def __init__(self, graph: torch.fx.GraphModule) -> None:
        super().__init__()
        self.graph = graph

    def forward(self, *tensors: Tensor) -> Tensor:
        return self.graph(*tensors)  # type: ignore[no-any-return]


def _graph(
    function: Callable[..., Tensor], example: Sequence[Tensor], lowered: bool = True
) -> torch.fx.GraphModule:
    from torch._functorch.compile_utils import fx_graph_cse
    from torch.fx.experimental.proxy_tensor import make_fx

    # On a GPU gradients have threads of their own, which tensors without data are not made for.
    with torch.autograd.set_multithreading_enabled(False):
        graph = make_fx(function, LOWERINGS if lowered else {}, tracing_mode="fake")(*example)
    # The gradient asks again for what the value computed: e^-|a| is made once.
    return torch.fx.GraphModule(graph, fx_graph_cse(graph.graph))


def _state_of(request: Request) -> TrainState:
    run = parse_run(request["run"])
    runs = tuple(run.model_copy(update={"seed": seed}) for seed in range(request["members"]))
    return initial_state(runs, request["n_features"], CPU, n_classes=request["n_classes"])


def _step_of(request: Request) -> tuple[torch.export.ExportedProgram, list[Packed]]:
    # A step's weights are other ones in the next.
    return trace_step(_state_of(request), request["batch_size"], request["sparse"]), []


def _measure_of(request: Request) -> tuple[torch.export.ExportedProgram, list[Packed]]:
    return trace_measure(_state_of(request), request["rows"], request["sparse"]), []


def _weights_of(request: Request) -> tuple[torch.export.ExportedProgram, list[Packed]]:
    architecture = TypeAdapter(Architecture).validate_python(request["architecture"])
    model = VAE(architecture, request["members"])
    return trace_log_weights(model, request["measure"], request["samples"], request["kl_weight"])


#: A product and the sum that it goes into in one instruction, which the polynomials of
#: :mod:`vaestudy.lowering` are made of; the compiler keeps them apart unless told.
_COMPILER = {"cpp.enable_floating_point_contract_flag": "fast"}


def cast_whole_vectors() -> None:
    """Have a vector that is taken for bits cast as a whole.

    The compiler writes it to memory and its numbers, one by one, to another place, from where they
    are read as a vector. The core must wait for each of these, twice in every exponential of
    :mod:`vaestudy.lowering`.
    """
    from torch._inductor.codegen.cpp import CppVecOverrides
    from torch._inductor.virtualized import V

    def to_dtype_bitcast(x: object, dtype: torch.dtype, src_dtype: torch.dtype) -> str:
        return f"c10::bit_cast<{V.kernel._get_vec_type(dtype)}>({x})"

    CppVecOverrides.to_dtype_bitcast = staticmethod(to_dtype_bitcast)  # type: ignore[method-assign]


def overwrite_what_is_read_last() -> None:
    """Have a result take the memory of what it is made of, where nothing else reads that later.

    The compiler does so by itself, but takes for readers also operations that must only come later:
    a weight's update, of the product that the weight was in. In a training step it would find
    nothing to overwrite, so that logits and their gradient, its largest tensors, lay side by side.
    """
    from torch._inductor.scheduler import BaseSchedulerNode

    decide = BaseSchedulerNode.decide_inplace_update

    def decide_by_readers(node: BaseSchedulerNode) -> None:
        known = node.scheduler.name_to_buf
        buffers = [known[read.name] for read in node.read_writes.reads if read.name in known]
        users = [buffer.users for buffer in buffers]
        for buffer in buffers:
            buffer.users = [user for user in buffer.users if not user.is_weak]
        decide(node)
        for buffer, all_of_them in zip(buffers, users, strict=True):
            buffer.users = all_of_them

    BaseSchedulerNode.decide_inplace_update = decide_by_readers  # type: ignore[method-assign, assignment]


_GRAPHS = {"step": _step_of, "measure": _measure_of, "weights": _weights_of}


def main(request_json: str, file: str) -> None:
    """Compile what a request describes; ``file`` appears when it is whole."""
    import torch._inductor as inductor

    request = json.loads(request_json)
    torch.set_num_threads(request["threads"])
    program, packed = _GRAPHS[request["kind"]](request)
    cast_whole_vectors()
    overwrite_what_is_read_last()
    lower_packed_products()
    lower_sparse_products()
    settings = {**_COMPILER, "aot_inductor.metadata": {"packed": json.dumps(packed)}}
    with atomic_path(Path(file)) as temporary:
        # The compiler insists on this suffix.
        package = temporary.with_name(f"{temporary.name}.pt2")
        made = inductor.aoti_compile_and_package(
            program, package_path=str(package), inductor_configs=settings
        )
        os.replace(made, temporary)


if __name__ == "__main__":
    main(*sys.argv[1:])
