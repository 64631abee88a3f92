"""Which runs are compiled, and what is done where that cannot be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from builders import architecture, fresh, run_config, splits
from vaestudy import libraries
from vaestudy.compile_choice import choose_epoch, choose_log_weights, choose_step
from vaestudy.compiled import compiled_step
from vaestudy.graph import inductor_step
from vaestudy.libraries import CompileError, Request
from vaestudy.pure import state_tensors
from vaestudy.train import TrainState, initial_state, train_step
from vaestudy.vae import VAE


def test_short_runs_and_gpu_runs_are_not_compiled() -> None:
    short = fresh(run_config(epochs=2))
    assert choose_step(short, 90, "auto") is train_step
    long = fresh(run_config(epochs=10**6))
    assert choose_step(long, 90, "never") is train_step
    if torch.cuda.is_available():
        on_gpu = initial_state((run_config(epochs=10**6),), 16, torch.device("cuda"))
        assert choose_step(on_gpu, 90, "auto") is train_step


class Fails(RuntimeError):
    """As PyTorch's: its text begins with the backend's name."""

    def __init__(self) -> None:
        super().__init__("backend='inductor' raised:\n...")
        self.inner_exception = OSError("no C compiler\nSet TORCHDYNAMO_VERBOSE=1")


def untraceable(*_: object) -> None:
    raise Fails


def uncompilable(*_: object, **__: object) -> Callable[..., Tensor]:
    """What `torch.compile` returns where there is no C compiler: it fails when first called."""

    def call(*tensors: Tensor) -> Tensor:
        for tensor in tensors:
            tensor.fill_(7)
        raise Fails

    return call


@pytest.mark.parametrize(
    ("what", "fails"),
    [("torch.compile", uncompilable), ("vaestudy.tracing.traced", untraceable)],
)
def test_where_a_gpus_step_cannot_be_compiled_it_is_the_pure_one_and_said(
    what: str,
    fails: Callable[..., object],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    state = fresh(run_config(epochs=10**6))
    changed, read = [tensor.clone() for tensor in state_tensors(state)], [torch.ones(3)]
    before = [tensor.clone() for tensor in changed]

    def step(*tensors: Tensor) -> Tensor:
        return sum(tensor.sum() for tensor in tensors)

    monkeypatch.setattr(what, fails)
    monkeypatch.setattr(TrainState, "device", property(lambda _: torch.device("cuda")))
    # An epoch of which nothing but its step is made.
    monkeypatch.setattr(
        "vaestudy.compile_choice.BlockedEpoch", lambda _, __, make: make(step, changed, read)
    )
    assert choose_epoch(state, splits(), "auto") is step
    assert "set compile: never. PyTorch said: OSError: no C compiler" in caplog.text
    assert "TORCHDYNAMO" not in caplog.text
    for now, then in zip(changed, before, strict=True):
        assert torch.equal(now, then)
    with pytest.raises(CompileError, match="a C compiler such as gcc"):
        choose_epoch(state, splits(), "always")


def test_too_little_memory_is_no_failure_of_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(torch, "compile", full)
    with pytest.raises(torch.OutOfMemoryError):
        inductor_step(torch.add, [torch.ones(3)], [torch.ones(3)])


def test_the_choice_looks_at_all_planned_steps_not_at_those_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """90 images in batches of 20 are 4 steps an epoch; 20,000 steps are 5,000 epochs."""
    monkeypatch.setattr("vaestudy.compile_choice.compiled_step", lambda *_: "compiled")
    state = fresh(run_config(epochs=5000))
    state.epoch = 4999
    assert choose_step(state, 90, "auto") == "compiled"
    assert choose_step(fresh(run_config(epochs=4999)), 90, "auto") is train_step


@pytest.mark.parametrize(
    ("variable", "value", "why", "remedy"),
    [
        ("CXX", "no-such-compiler", "is not on the PATH", "install one, or set compile: never"),
        ("VAESTUDY_CACHE", f"{__file__}/cache", "Not a directory", "a folder that can be written"),
    ],
)
def test_what_cannot_be_compiled_or_kept_is_trained_plainly_and_said(
    variable: str,
    value: str,
    why: str,
    remedy: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv(variable, value)
    state = fresh(run_config(epochs=10**6, hidden=(3,)))
    assert choose_step(state, 90, "auto") is train_step
    assert value in caplog.text
    assert why in caplog.text
    with pytest.raises(CompileError, match=remedy):
        choose_step(state, 90, "always")


def test_few_samples_are_not_worth_compiling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vaestudy.compile_choice.compiled_log_weights", lambda *_, **__: "compiled")
    model = VAE(architecture())
    assert choose_log_weights(model, "nll", 5000, 1000, "auto") == "compiled"
    for n_samples, n_data, policy in (
        (5000, 999, "auto"),
        (100, 10**6, "auto"),
        (5000, 1000, "never"),
    ):
        assert choose_log_weights(model, "nll", n_samples, n_data, policy) != "compiled"


def test_weights_are_compiled_anew_where_their_formulas_have_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    requests: list[Request] = [{"kind": "step"}, {"kind": "weights"}]
    before = [libraries._identity(request) for request in requests]
    monkeypatch.setattr(libraries, "source_digest", lambda *names: f"another {names}")
    after = [libraries._identity(request) for request in requests]
    assert before[0] == after[0]
    assert before[1] != after[1]


def test_libraries_of_shorter_vectors_are_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ATEN_CPU_CAPABILITY=avx2 leaves of a processor is what was compiled for."""
    before = libraries._identity({"kind": "step"})
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "another")
    assert libraries._identity({"kind": "step"}) != before


def test_a_failure_of_the_compiler_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever ends the process that compiles; a compiler's own failure comes after 20 s of it."""
    fails = tmp_path / "python"
    fails.write_text("#!/bin/sh\necho no space left >&2; exit 3\n", encoding="utf-8")
    fails.chmod(0o755)
    monkeypatch.setattr("vaestudy.libraries.sys.executable", str(fails))
    with pytest.raises(CompileError, match=r"set compile: never, or mend this: no space left"):
        compiled_step(fresh(run_config(hidden=(3,))), 20)
