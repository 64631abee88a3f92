"""What several tests build: small models, made-up data, training states, small studies."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.distributions import Normal

from vaestudy.binarization import fixed_binarization
from vaestudy.config import RunConfig
from vaestudy.dataset import DataError, Dataset
from vaestudy.likelihoods import Likelihood
from vaestudy.objectives import Objective, make_objective
from vaestudy.optimizers import make_optimizer
from vaestudy.rng import normal
from vaestudy.splits import Splits
from vaestudy.train import TrainState, architecture_of, initial_state
from vaestudy.vae import VAE, Architecture

CPU = torch.device("cpu")

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler here")


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def architecture(**changes: object) -> Architecture:
    """A small one with two different hidden widths."""
    return Architecture(**{"n_features": 12, "n_z": 3, "hidden": (7, 5), **changes})


def perturbed(model: VAE, seed: int = 0) -> VAE:
    """In float64, every weight and bias (0 or 1 when fresh) away from its special value."""
    model.double().initialize(generators(*range(seed, seed + model.members)))
    with torch.no_grad():
        for i, parameter in enumerate(model.parameters()):
            parameter.add_(0.1 * randn(*parameter.shape, seed=seed + i))
    return model


def run_config(**changes: object) -> RunConfig:
    """A run that trains in a fraction of a second."""
    small = {
        "dataset": "mnist-5k",
        "n_z": 3,
        "hidden": (7, 5),
        "epochs": 2,
        "batch_size": 20,
        "learning_rate": 0.01,
    }
    return RunConfig(**{**small, **changes})


def study(**changes: Any) -> dict[str, Any]:
    """Two models of two seeds, as the file of a study declares them."""
    grid = {"grid": {"title": "all", "vary": {"n_z": [2, 5]}}}
    return {"study": "test", "seeds": [0, 1], "experiments": grid, **changes}


#: Every objective with parameters that set it apart from all others, for K = 4 and Z = 2.
OWN_PARAMETERS: dict[str, dict[str, object]] = {
    "elbo": {},
    "elbo-sampled": {},
    "iwae": {},
    "free-bits": {"free_bits": 0.2},
    "stl": {},
    "iwae-stl": {},
    "dreg": {},
    "miwae": {"k_groups": 2},
    "piwae": {"k_groups": 2},
    "ciwae": {"elbo_share": 0.3},
    "jensen-shannon": {},
    "geometric-js": {"js_skew": 0.3},
    "half-joint": {},
}


def objective_of(name: str) -> Objective:
    """The objective as a run with the parameters above makes it."""
    return make_objective(run_config(objective=name, k=4, n_z=2, **OWN_PARAMETERS[name]))


def tiny_dataset(n_train: int = 90, n_test: int = 33, side: int = 4) -> Dataset:
    """Made-up grey images whose columns brighten with the label; 90 is no multiple of 20."""
    rng = np.random.default_rng(0)
    arrays = {}
    for split, n in (("train", n_train), ("test", n_test)):
        labels = rng.integers(0, 10, n)
        ramp = labels[:, None] * np.arange(side * side)[None, :] * 255 / (9 * side * side)
        noisy = np.clip(ramp + rng.normal(0, 20, ramp.shape), 0, 255)
        arrays[split] = torch.from_numpy(noisy.astype(np.uint8))
        arrays[f"{split}_labels"] = torch.from_numpy(labels)
    return Dataset.build("mnist-5k", arrays, (side, side), "made up for the tests")


def splits(dataset: Dataset | None = None) -> Splits:
    dataset = dataset or tiny_dataset()
    return Splits(dataset.train, fixed_binarization(dataset.test, "dynamic", 1).float())


def fresh(*runs: RunConfig, n_features: int = 16) -> TrainState:
    return initial_state(runs, n_features, CPU, n_classes=10)


def double_state(*runs: RunConfig, n_features: int = 16) -> TrainState:
    """Like `initial_state`, in float64: a comparison that forgives no more than rounding."""
    run = runs[0]
    model = perturbed(VAE(architecture_of(run, n_features, 10), members=len(runs)))
    optimizer = make_optimizer(run, model.named_parameters())
    return TrainState(model, optimizer, runs)


def assert_same_member(a: TrainState, m: int, b: TrainState, n: int) -> None:
    """Member m of ``a`` is member n of ``b``, to the last bit: weights, moments, history, fate."""
    for first, second in (
        (a.model.state_dict(), b.model.state_dict()),
        (a.optimizer.moments(), b.optimizer.moments()),
    ):
        assert first.keys() == second.keys()
        for name in first:
            assert torch.equal(first[name][m], second[name][n]), name
    assert (a.epoch, a.optimizer.step_count) == (b.epoch, b.optimizer.step_count)
    assert a.history.epochs == b.history.epochs
    assert a.runs[m] == b.runs[n]
    assert a.failed.get(m) == b.failed.get(n)
    for name in ("train", "test", "units"):
        pairs = zip(getattr(a.history, name), getattr(b.history, name), strict=True)
        for epoch, (first, second) in enumerate(pairs):
            np.testing.assert_array_equal(first[:, m], second[:, n], f"{name}, entry {epoch}")


def folder_bytes(folder: Path) -> dict[str, bytes]:
    """Every file below ``folder`` by its path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def damage(draw: st.DataObject, content: bytearray) -> None:
    """Cut ``content`` short or change one byte of it."""
    if draw.draw(st.booleans(), label="truncate"):
        del content[draw.draw(st.integers(0, len(content) - 1), label="length") :]
    else:
        position = draw.draw(st.integers(0, len(content) - 1), label="position")
        content[position] ^= draw.draw(st.integers(1, 255), label="mask")


@contextmanager
def suppress_naming(path: Path) -> Iterator[None]:
    """Let a `DataError` pass that names the file and the remedy, and nothing else."""
    try:
        yield
    except DataError as error:
        if not (str(path) in str(error) and "vaestudy data" in str(error)):
            raise


class FixedVariance(Likelihood):
    """p(x | z) = N(x; params, s² I): with a linear decoder log p(x) is known exactly."""

    n_heads = 1

    def __init__(self, s: float) -> None:
        self.s = s

    def log_prob(self, x: Tensor, params: Tensor) -> Tensor:
        return Normal(params, self.s).log_prob(x).sum(-1)

    def mean(self, params: Tensor) -> Tensor:
        return params

    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return params + self.s * torch.empty_like(params).normal_(generator=generator)

    def binary_logits(self, params: Tensor) -> Tensor:
        return (params - 0.5) / self.s**2

    def mean_logits(self, params: Tensor) -> Tensor:
        return torch.logit(params)


class LinearGaussian:
    """x = W z + b + s n, with orthogonal columns in W, so that the posterior is diagonal.

    ``model`` is a VAE whose encoder is linear: q(z|x) is the posterior, its mean moved by ``shift``
    and its standard deviation multiplied by ``widen``.
    """

    def __init__(
        self, members: int = 1, n_x: int = 6, n_z: int = 2, shift: float = 0.0, widen: float = 1.0
    ) -> None:
        s = 0.7
        basis = torch.linalg.qr(randn(n_x, n_z))[0]
        self.w = basis * torch.linspace(1.5, 0.5, n_z, dtype=torch.float64)
        self.b, self.s, self.n_z = randn(n_x, seed=1), s, n_z
        precision = 1 + self.w.square().sum(0) / s**2
        self.model = VAE(Architecture(n_x, n_z, hidden=(n_x,)), members).double().eval()
        self.model.encoder = nn.Identity()
        self.model.decoder = nn.Identity()
        self.model.output = type(self.model.output)(members, n_z, n_x).double()
        self.model.likelihood = FixedVariance(s)
        to_mean = self.w / precision / s**2
        logvar = -torch.log(precision) + 2 * np.log(widen)
        with torch.no_grad():
            self.model.output.weight.copy_(self.w.T)
            self.model.output.bias.copy_(self.b)
            self.model.heads = type(self.model.heads)(members, n_x, 2 * n_z, heads=2).double()
            self.model.heads.weight.copy_(torch.cat([to_mean, torch.zeros_like(to_mean)], 1))
            self.model.heads.bias.copy_(torch.cat([shift - self.b @ to_mean, logvar]))

    def sample(self, n: int, seed: int = 2) -> Tensor:
        z, noise = randn(n, self.n_z, seed=seed), randn(n, len(self.b), seed=seed + 1)
        return z @ self.w.T + self.b + self.s * noise

    def log_px(self, x: Tensor) -> Tensor:
        covariance = self.w @ self.w.T + self.s**2 * torch.eye(len(self.b), dtype=torch.float64)
        return torch.distributions.MultivariateNormal(self.b, covariance).log_prob(x)

    def log_w(self, x: Tensor, k: int, seed: int = 0) -> Tensor:
        """Log-weights [M, K, N] of fresh samples."""
        members = self.model.members
        eps = normal(generators(*range(seed, seed + members)), (k, len(x), self.n_z), CPU)
        return self.model(x.expand(members, *x.shape), eps.double()).log_w().detach()
