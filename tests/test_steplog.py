"""Single steps, logged: by every way to train, through checkpoints, into the table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from builders import CPU, fresh, run_config, splits, tiny_dataset
from vaestudy import checkpoint
from vaestudy.config import parse_config
from vaestudy.graph import BlockedEpoch
from vaestudy.history import SCALARS
from vaestudy.jobs import is_finished, train_group
from vaestudy.run_files import RunFiles
from vaestudy.steplog import EVERY, StepLog, is_logged
from vaestudy.tables import _steps_table
from vaestudy.train import train, train_epoch, train_step

#: Of 90 images in batches of 20.
STEPS_AN_EPOCH = 4


def logged(n_first: int, *runs: object):
    state = fresh(*runs)
    state.step_log = StepLog(n_first)
    return state


def test_first_steps_and_one_in_so_many() -> None:
    kept = [step for step in range(3 * EVERY) if is_logged(step, 3)]
    assert kept == [0, 1, 2, EVERY, 2 * EVERY]


def test_log_holds_what_each_step_returned_and_changes_nothing() -> None:
    run = run_config(epochs=3)
    seen = []

    def step(state, x, eps, beta):
        seen.append(train_step(state, x, eps, beta))
        return seen[-1]

    plain, log = fresh(run), logged(STEPS_AN_EPOCH + 2, run)
    train(plain, splits(), run_epoch=train_epoch)
    train(log, splits(), run_epoch=lambda state, data: train_epoch(state, data, step))
    assert log.step_log.steps == list(range(STEPS_AN_EPOCH + 2))
    for kept, made in zip(log.step_log.metrics, seen, strict=False):
        assert torch.equal(kept, made.double())
    for name, value in plain.model.state_dict().items():
        assert torch.equal(value, log.model.state_dict()[name]), name


def test_step_zero_is_the_untrained_model() -> None:
    slow, fast = (logged(2, run_config(epochs=1, learning_rate=rate)) for rate in (1e-4, 0.1))
    for state in (slow, fast):
        train(state, splits())
    (a, b), (c, d) = slow.step_log.metrics, fast.step_log.metrics
    assert torch.equal(a, c)
    assert not torch.allclose(b, d)


@pytest.mark.parametrize("blocked", [False, True])
def test_steps_average_to_what_their_epoch_says(blocked: bool) -> None:
    state = logged(2 * STEPS_AN_EPOCH, run_config(seed=0), run_config(seed=1))
    train(state, splits(), run_epoch=BlockedEpoch(state, splits()) if blocked else train_epoch)
    assert state.step_log.steps == list(range(2 * STEPS_AN_EPOCH))
    for member in range(2):
        epochs = state.step_log.member(member).view(2, STEPS_AN_EPOCH, -1).mean(1)
        expected = np.stack(state.history.train[1:])[:, :, member]
        np.testing.assert_allclose(epochs.numpy(), expected, rtol=1e-6)


def test_what_a_step_returns_is_copied() -> None:
    """A compiled step or a graph may hand out the same tensor each time."""
    state, buffer = logged(3, run_config(epochs=1)), torch.zeros(len(SCALARS), 1)

    def step(state, x, eps, beta):
        return buffer.add_(1)

    train(state, splits(), run_epoch=lambda state, data: train_epoch(state, data, step))
    assert state.step_log.member(0)[:, 0].tolist() == [1, 2, 3]


def test_checkpoint_keeps_the_log_of_each_member(tmp_path: Path) -> None:
    runs = run_config(seed=0, epochs=1), run_config(seed=1, epochs=1)
    state = logged(3, *runs)
    train(state, splits())
    paths = [tmp_path / f"{run.seed}.safetensors" for run in runs]
    checkpoint.save_state(state, paths, "data")
    again = checkpoint.stack_states(runs, paths, CPU)
    assert again.step_log.n_first == 3
    assert again.step_log.steps == state.step_log.steps == [0, 1, 2]
    for member in range(2):
        assert torch.equal(again.step_log.member(member), state.step_log.member(member))
    assert checkpoint.saved_epoch(paths[0], runs[0], "data", 3) == 1
    assert checkpoint.saved_epoch(paths[0], runs[0], "data") is None
    assert checkpoint.saved_epoch(paths[0], runs[0], "data", 4) is None


@pytest.mark.filterwarnings("ignore:for .*copying from a non-meta parameter")
def test_a_log_goes_on_where_training_does(tmp_path: Path) -> None:
    """What was logged before and what comes meet on one device; "meta" stands for a GPU."""
    run, path, meta = run_config(epochs=1), tmp_path / "state", torch.device("meta")
    state = logged(3, run)
    train(state, splits())
    checkpoint.save_state(state, [path], "data")
    log = checkpoint.stack_states((run,), [path], meta).step_log
    log.add(3, torch.zeros(len(SCALARS), 1, device=meta))
    assert {metrics.device.type for metrics in log.metrics} == {"meta"}
    torch.stack(log.metrics)


def test_interrupted_run_ends_with_the_same_log(tmp_path: Path) -> None:
    run, data = run_config(epochs=3), tiny_dataset()

    def killed(runs, report):
        if report.epoch == 2:
            raise KeyboardInterrupt

    settings = {"device": CPU, "checkpoint_every": 1, "compile_policy": "never", "log_steps": 7}
    train_group([run], data, tmp_path / "whole", **settings)
    with pytest.raises(KeyboardInterrupt):
        train_group([run], data, tmp_path / "part", on_epoch=killed, **settings)
    train_group([run], data, tmp_path / "part", **settings)
    whole, part = (RunFiles(tmp_path / name / run.run_id).steps for name in ("whole", "part"))
    pd.testing.assert_frame_equal(pd.read_parquet(whole), pd.read_parquet(part))
    assert sorted(set(pd.read_parquet(whole)["step"])) == list(range(7))


def test_run_is_trained_again_only_for_more_steps(tmp_path: Path) -> None:
    run, data = run_config(epochs=1), tiny_dataset()
    train_group([run], data, tmp_path, device=CPU, checkpoint_every=1, log_steps=2)
    files = RunFiles(tmp_path / run.run_id)
    assert is_finished(run, files, data)
    assert is_finished(run, files, data, 2)
    assert not is_finished(run, files, data, 3)
    files.steps.unlink()
    assert is_finished(run, files, data)
    assert not is_finished(run, files, data, 2)


def test_table_has_the_steps_asked_for(tmp_path: Path) -> None:
    runs = [run_config(epochs=1, seed=seed) for seed in (0, 1)]
    train_group(runs, tiny_dataset(), tmp_path, device=CPU, checkpoint_every=1, log_steps=4)
    files = [RunFiles(tmp_path / run.run_id) for run in runs]
    table = _steps_table(files, {runs[1].run_id: 2})
    assert set(table["run_id"]) == {runs[1].run_id}
    assert sorted(set(table["step"])) == [0, 1]
    assert set(table["metric"]) == set(SCALARS)
    assert len(_steps_table(files, {})) == 0
    assert list(_steps_table(files, {}).columns) == list(table.columns)


def test_what_an_experiment_asks_for_is_no_part_of_a_run() -> None:
    experiment = {"title": "t", "log_steps": 7}
    values = {"study": "s", "seeds": [0], "experiments": {"a": experiment, "b": {"title": "t"}}}
    config = parse_config(values)
    assert config.log_steps_of(["b"]) == 0
    assert config.log_steps_of(["b", "a"]) == 7
    assert "log_steps" not in type(config.base).model_fields


def test_log_without_steps_is_an_empty_table() -> None:
    table = StepLog(0).table(0, "run")
    assert list(table) == ["run_id", "step", "metric", "value"]
    assert {len(values) for values in table.values()} == {0}


def test_what_bounds_nothing_has_no_bound(tmp_path: Path) -> None:
    runs = [run_config(objective="jensen-shannon", epochs=1), run_config(epochs=1)]
    settings = {"device": CPU, "checkpoint_every": 1, "log_steps": 2}
    train_group(runs, tiny_dataset(), tmp_path, **settings)
    for run, expected in zip(runs, (False, True), strict=True):
        files = RunFiles(tmp_path / run.run_id)
        for path in (files.history, files.steps):
            assert ("bound" in set(pd.read_parquet(path)["metric"])) == expected, path
