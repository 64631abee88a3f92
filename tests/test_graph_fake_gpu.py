"""A step on a GPU that is not there: its operations' shapes and devices, without their numbers.

What a CUDA graph holds must neither mix devices nor ask the device for a value. Tensors of
`FakeTensorMode` raise at both, on any machine.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from builders import fresh, run_config
from vaestudy.graph import BlockedEpoch
from vaestudy.history import SCALARS
from vaestudy.likelihoods import LIKELIHOODS
from vaestudy.objectives import OBJECTIVES
from vaestudy.optimizers import make_optimizer
from vaestudy.splits import Splits
from vaestudy.tracing import traced
from vaestudy.train import TrainState

pytestmark = pytest.mark.skipif(
    not torch.backends.cuda.is_built(), reason="this PyTorch knows no CUDA"
)

GPU = torch.device("cuda")
PIXELS = torch.zeros(60, 784, dtype=torch.uint8)
#: What these objectives ask for beside K.
PARAMETERS: dict[str, dict[str, object]] = {
    "free-bits": {"free_bits": 0.1},
    "miwae": {"k_groups": 2},
    "piwae": {"k_groups": 2},
    "ciwae": {"elbo_share": 0.5},
    "geometric-js": {"js_skew": 0.5},
}
KINDS: list[dict[str, object]] = [
    *({"objective": name, "k": 4, **PARAMETERS.get(name, {})} for name in OBJECTIVES),
    *({"likelihood": name, "binarization": "none"} for name in LIKELIHOODS),
    {"binarization": "static"},
    {"binarization": "threshold"},
    {"batch_norm": "hidden"},
    {"batch_norm": "all", "encoder_heads": "bounded"},
    {"precision": "bf16"},
    {"optimizer": "adamax"},
    {"optimizer": "adagrad"},
    {"weight_decay": 0.1},
    {"network": "conv", "activation": "elu"},
    {"deeper": [{"n_z": 2, "hidden": [4]}]},
]


class OnGPU(torch.fx.Interpreter):
    """Runs a graph that was traced on a CPU; what is made in it is made on a GPU."""

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        if kwargs.get("device") is not None:
            kwargs = {**kwargs, "device": GPU}
        return super().call_function(target, args, kwargs)


def group(**changes: object) -> TrainState:
    """Two members of 784 features: convolutions take no others."""
    return fresh(*(run_config(seed=seed, **changes) for seed in range(2)), n_features=784)


def there(tensor: Tensor) -> Tensor:
    """Return one like a tensor on the GPU; call inside a `FakeTensorMode`."""
    return torch.empty(tensor.shape, dtype=tensor.dtype, device=GPU)


def on_fake_gpu(state: TrainState) -> TrainState:
    """Replace a state's tensors; call inside a `FakeTensorMode`."""
    for module in state.model.modules():
        for name, tensor in list(module.named_parameters(recurse=False)):
            setattr(module, name, nn.Parameter(there(tensor)))
        for name, tensor in list(module.named_buffers(recurse=False)):
            setattr(module, name, there(tensor))
    state.optimizer = make_optimizer(state.runs[0], state.model.named_parameters())
    return state


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_step_stays_on_its_device(kind: dict[str, object]) -> None:
    """Gathering, binarizing, forward, gradient, optimiser, metrics and counting, of every kind."""
    epoch = BlockedEpoch(group(**kind), Splits(PIXELS, PIXELS))
    tensors = [*epoch.changed, *epoch.read]
    graph = traced(epoch.step, tensors)
    with FakeTensorMode():
        metrics: Tensor = OnGPU(graph).run(*map(there, tensors))
    assert metrics.device.type == "cuda"
    assert metrics.shape == (len(SCALARS), 2)


@pytest.mark.parametrize("optimizer", ["adam", "adamax", "adagrad"])
def test_a_gpus_epoch_lies_on_it(optimizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    state = group(optimizer=optimizer)
    monkeypatch.setattr(BlockedEpoch, "_capture", lambda epoch: epoch._advance)
    with FakeTensorMode():
        on_fake_gpu(state)
        epoch = BlockedEpoch(state, Splits(there(PIXELS), there(PIXELS)))
    assert {tensor.device.type for tensor in (*epoch.changed, *epoch.read)} == {"cuda"}


def test_what_would_leave_the_device_is_found() -> None:
    """The two mistakes that these tests are for."""
    with FakeTensorMode():
        on_gpu, on_cpu = torch.empty(3, device=GPU), torch.empty(3)
        with pytest.raises(RuntimeError, match="device"):
            on_gpu + on_cpu
        with pytest.raises(DataDependentOutputException):
            on_gpu.sum().item()
