"""What is measured after each epoch, compiled, against the plain measure."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from builders import CPU, double_state, fresh, needs_compiler, run_config, splits, tiny_dataset
from vaestudy import history
from vaestudy.compile_choice import choose_measure
from vaestudy.compiled import compiled_measure, measure_request, model_tensors, step_request
from vaestudy.history import evaluate_epoch, row_measure
from vaestudy.jobs import train_group
from vaestudy.tracing import trace_measure
from vaestudy.train import train
from variants import VARIANTS, batch

ROWS = 20


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("members", [1, 2])
def test_the_graph_is_the_plain_measure(variant: dict[str, object], members: int) -> None:
    """In float64, so that nothing but rounding is forgiven; run as it is, not compiled."""
    state = double_state(*(run_config(seed=s, **variant) for s in range(members)))
    graph = trace_measure(state, ROWS).module()
    x, eps, _ = batch(state, 0, ROWS)
    found = graph(*model_tensors(state.model), x, eps)
    want = row_measure(state.model, state.runs[0])(x, eps)
    torch.testing.assert_close(found, want, rtol=1e-9, atol=1e-9)


@needs_compiler
@pytest.mark.parametrize(
    "variant", [{"objective": "iwae", "k": 3, "batch_norm": "hidden"}, {"likelihood": "gaussian"}]
)
def test_the_compiled_measure_is_the_plain_one(
    variant: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAESTUDY_CACHE", str(tmp_path))
    run = run_config(**variant)
    # The 30 rows of the test set are two whole chunks and a part of one, or more.
    monkeypatch.setattr(history, "_ROWS", 12 * run.k)
    state = fresh(run)
    measure = compiled_measure(state)
    # It is of the weights as they become.
    train(state, splits(), measure=measure)
    for test in (splits().test, splits().test.to(torch.uint8)):
        found, want = (
            evaluate_epoch(state.model, test, [run], 7, how)
            for how in (measure, row_measure(state.model, run))
        )
        torch.testing.assert_close(found, want, rtol=1e-5, atol=1e-5)
    twin = fresh(run)
    train(twin, splits())
    bounds = (torch.tensor(s.history.test[-1]) for s in (state, twin))
    torch.testing.assert_close(*bounds, rtol=1e-5, atol=1e-5)


def test_part_chunks_are_measured_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    class Library:
        def __call__(self, *tensors: Tensor) -> list[Tensor]:
            *_, x, _ = tensors
            sizes.append(x.shape[1])
            return list(row_measure(state.model, run)(*tensors[-2:]))

    monkeypatch.setattr("vaestudy.compiled.load_library", lambda _: Library())
    monkeypatch.setattr(history, "_ROWS", 12)
    run = run_config()
    state, test = fresh(run), splits().test
    found = evaluate_epoch(state.model, test, [run], 1, compiled_measure(state))
    assert sizes == [12] * (len(test) // 12)
    assert len(test) % 12
    torch.testing.assert_close(found, evaluate_epoch(state.model, test, [run], 1))


def test_how_a_model_was_trained_asks_for_no_measure_of_its_own() -> None:
    def request(**changes: object) -> dict[str, object]:
        return measure_request(fresh(run_config(**changes)))

    trained = {"optimizer": "adamax", "batch_size": 10, "weight_decay": 0.1, "seed": 3}
    assert request() == request(**trained)
    assert request() != request(objective="iwae", k=3)
    assert request() != step_request(fresh(run_config()), 20)


def test_short_runs_are_measured_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three million samples of test rows are a thousand epochs of a thousand rows thrice."""
    monkeypatch.setattr("vaestudy.compile_choice.compiled_measure", lambda *_: "compiled")
    state = fresh(run_config(epochs=1000, k=3))
    assert choose_measure(state, 1000, "auto") == "compiled"
    assert choose_measure(fresh(run_config(epochs=999, k=3)), 1000, "auto") != "compiled"
    assert choose_measure(state, 1000, "never") != "compiled"
    assert choose_measure(fresh(run_config(epochs=1)), 30, "always") == "compiled"
    # No chunk would be whole.
    assert choose_measure(fresh(run_config(epochs=10**6)), history._ROWS - 1, "auto") != "compiled"


def test_a_job_measures_as_its_policy_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, str, bool]] = []

    def choose(state: object, n_test: int, policy: str, sparse: bool) -> object:
        asked.append((n_test, policy, sparse))
        return row_measure(state.model, state.runs[0])  # type: ignore[attr-defined]

    monkeypatch.setattr("vaestudy.jobs.choose_measure", choose)
    data = tiny_dataset()
    job = partial(train_group, [run_config()], data, tmp_path, device=CPU, checkpoint_every=1)
    job(compile_policy="never")
    assert asked == [(len(data.test), "never", False)]
