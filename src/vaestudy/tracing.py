"""The graph of a training step, and the library that is compiled from it.

    python -m vaestudy.tracing '{"runs": […], "n_features": 784, "batch_size": 100, "threads": 1,
                                 "path": "…"}'

The graph is traced from the model, objective, metrics and Adam's rule as they are written; the
gradient's operations stand in it beside the value's. :mod:`vaestudy.lowering` says what a few of
them become. :mod:`vaestudy.compiled` calls this in a process of its own, for the compiler takes
half a gigabyte that a training job should not hold.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from vaestudy.adam import adam_update
from vaestudy.compiled import state_tensors
from vaestudy.config import parse_run
from vaestudy.files import atomic_path
from vaestudy.history import batch_metrics
from vaestudy.lowering import LOWERINGS
from vaestudy.objectives import OBJECTIVES
from vaestudy.train import TrainState, initial_state


def pure_step(state: TrainState) -> Callable[..., Tensor]:
    """Return the step as a function of tensors alone."""
    model, adam = state.model, state.optimizer
    names = list(adam.parameters)
    buffer_names = [name for name, _ in model.named_buffers()]
    objective = OBJECTIVES[state.runs[0].objective]
    n = len(names)

    def step(*tensors: Tensor) -> Tensor:
        *changed, corrections, x, eps, beta = tensors
        parameters, exp_avg, exp_avg_sq = changed[:n], changed[n : 2 * n], changed[2 * n : 3 * n]
        leaves = [p.detach().requires_grad_() for p in parameters]
        buffers = dict(zip(buffer_names, changed[3 * n :], strict=True))
        weights = dict(zip(names, leaves, strict=True))
        terms = torch.func.functional_call(model, (weights, buffers), (x, eps))
        bound = objective(terms, beta)
        gradients = torch.autograd.grad(-bound.mean(1).sum(), leaves)
        metrics = batch_metrics(terms, bound.detach(), beta, objective).detach()
        with torch.no_grad():
            for tensors_of_one in zip(parameters, gradients, exp_avg, exp_avg_sq, strict=True):
                adam_update(
                    *tensors_of_one, corrections, beta1=adam.beta1, beta2=adam.beta2, eps=adam.eps
                )
        return metrics

    return step


class _Graph(torch.nn.Module):
    def __init__(self, graph: torch.fx.GraphModule) -> None:
        super().__init__()
        self.graph = graph

    def forward(self, *tensors: Tensor) -> Tensor:
        return self.graph(*tensors)  # type: ignore[no-any-return]


def trace(state: TrainState, batch_size: int) -> torch.export.ExportedProgram:
    """Return the step's graph, with the in-place updates of what :func:`state_tensors` lists."""
    from torch._functorch.compile_utils import fx_graph_cse
    from torch.fx.experimental.proxy_tensor import make_fx

    run, architecture = state.runs[0], state.model.architecture
    members = len(state.runs)
    inputs = [
        torch.ones(2),
        torch.zeros(members, batch_size, architecture.n_features),
        torch.zeros(members, run.k, batch_size, run.n_z),
        torch.ones(members),
    ]
    example = [torch.zeros_like(tensor) for tensor in state_tensors(state)]
    example += [tensor.to(example[0]) for tensor in inputs]
    state.model.train()
    graph = make_fx(pure_step(state), LOWERINGS, tracing_mode="fake")(*example)
    # The gradient asks again for what the value computed: e^-|a| is made once.
    graph = torch.fx.GraphModule(graph, fx_graph_cse(graph.graph))
    return torch.export.export(_Graph(graph), tuple(example))


def compile_to(path: Path, program: torch.export.ExportedProgram) -> None:
    """Compile a graph ahead of time; ``path`` appears when it is whole."""
    import torch._inductor as inductor

    with atomic_path(path) as temporary:
        # The compiler insists on this suffix.
        package = temporary.with_name(f"{temporary.name}.pt2")
        os.replace(inductor.aoti_compile_and_package(program, package_path=str(package)), temporary)


def main(request: str) -> None:
    """Compile the step that ``request`` describes, as JSON."""
    wanted = json.loads(request)
    torch.set_num_threads(wanted["threads"])
    runs = tuple(parse_run(values) for values in wanted["runs"])
    state = initial_state(runs, wanted["n_features"], torch.device("cpu"))
    compile_to(Path(wanted["path"]), trace(state, wanted["batch_size"]))


if __name__ == "__main__":
    main(sys.argv[1])
