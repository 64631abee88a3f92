"""Kinds of runs that a compiled function must do as the plain one does, and what it is shown."""

from __future__ import annotations

import torch
from torch import Tensor

from builders import randn
from vaestudy.deeper import DeeperLayer
from vaestudy.train import TrainState

DEEPER = (DeeperLayer(n_z=2, hidden=(6,)),)
GREY = {"likelihood": "continuous-bernoulli", "binarization": "none"}
VARIANTS = [
    {"objective": "elbo"},
    {"objective": "dreg", "k": 3},
    {"objective": "free-bits", "free_bits": 0.1, **GREY},
    {"objective": "iwae", "k": 5, "batch_norm": "hidden"},
    {"objective": "elbo-sampled", "likelihood": "gaussian", "activation": "relu"},
    {"objective": "iwae", "k": 3, "likelihood": "gaussian", "batch_norm": "all"},
    {"encoder_heads": "bounded", "activation": "tanh", "k": 2},
    {"objective": "iwae", "k": 3, "activation": "tanh", "deeper": DEEPER},
    {"batch_norm": "all", "deeper": DEEPER},
    {"optimizer": "adamax"},
    {"optimizer": "adagrad"},
    {"labels": "condition"},
    {"labels": "m2", "label_share": 0.5, "objective": "iwae", "k": 2},
    {"network": "conv", "hidden": (30,), "activation": "elu"},
    {"network": "conv", "hidden": (30,), "likelihood": "gaussian", "k": 2},
    {"likelihood": "beta", "binarization": "none", "objective": "jensen-shannon", "k": 2},
    {"objective": "geometric-js", "js_skew": 0.5},
]


def batch(state: TrainState, seed: int, size: int = 20) -> tuple[Tensor, Tensor, Tensor]:
    run, members = state.runs[0], len(state.runs)
    x = (randn(members, size, 16, seed=seed) > 0).to(state.model.output.weight.dtype)
    if state.model.architecture.n_classes:
        # Every other label is known.
        labels = torch.eye(10).repeat(2, 1) * (torch.arange(size) % 2)[:, None]
        x = torch.cat([x, labels.to(x).expand(members, size, 10)], -1)
    n_latent = state.model.architecture.n_latent
    eps = randn(members, run.k, size, n_latent, seed=seed + 100).to(x)
    return x, eps, torch.linspace(0.3, 1, members).to(x)
