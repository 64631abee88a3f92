"""Files of models and states: whole or not there, and never taken for another's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from builders import CPU, assert_same_member, fresh, run_config, splits
from vaestudy import checkpoint, tensorfile
from vaestudy.checkpoint import (
    CheckpointError,
    load_model,
    save_model,
    save_state,
    saved_epoch,
    stack_states,
)
from vaestudy.files import atomic_path, write_json
from vaestudy.train import TrainState, train

RUNS = tuple(run_config(seed=s, epochs=4, warmup=s, batch_norm="all") for s in range(3))


@pytest.fixture
def state() -> TrainState:
    return train(fresh(*RUNS), splits())


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    return [tmp_path / run.run_id / "checkpoint.safetensors" for run in RUNS]


def test_a_state_comes_back_bitwise(state: TrainState, paths: list[Path]) -> None:
    state.failed[1] = "it diverged"
    save_state(state, paths, "data")
    loaded = stack_states(RUNS, paths, CPU)
    for m in range(3):
        assert_same_member(state, m, loaded, m)
    assert loaded.failed == {1: "it diverged"}


def test_an_untrained_state_comes_back(paths: list[Path]) -> None:
    state = fresh(*RUNS)
    state.history = train(fresh(*RUNS), splits()).history
    save_state(state, paths, "data")
    assert_same_member(state, 2, stack_states(RUNS, paths, CPU), 2)


def test_members_regroup_in_any_order(state: TrainState, paths: list[Path]) -> None:
    save_state(state, paths, "data")
    regrouped = stack_states((RUNS[2], RUNS[0]), [paths[2], paths[0]], CPU)
    assert_same_member(state, 2, regrouped, 0)
    assert_same_member(state, 0, regrouped, 1)


def test_only_the_same_run_engine_and_data_are_resumed(
    state: TrainState, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    save_state(state, paths, "data")
    other = run_config(epochs=4, batch_norm="all", adam_eps=1e-3)
    assert saved_epoch(paths[0], RUNS[0], "data") == 4
    assert saved_epoch(paths[0], RUNS[1], "data") is None
    assert saved_epoch(paths[0], other, "data") is None
    assert saved_epoch(paths[0], RUNS[0], "other data") is None
    assert saved_epoch(paths[0].with_name("absent"), RUNS[0], "data") is None
    monkeypatch.setattr(checkpoint, "engine_fingerprint", lambda: "another engine")
    assert saved_epoch(paths[0], RUNS[0], "data") is None


def test_a_model_comes_back_bitwise(state: TrainState, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_model(state.model, 1, RUNS[1], path)
    model, run = load_model(path)
    assert run == RUNS[1]
    assert not model.training
    assert model.members == 1
    for name, value in model.state_dict().items():
        assert torch.equal(value[0], state.model.state_dict()[name][1]), name


def test_a_file_is_a_function_of_what_it_holds(state: TrainState, tmp_path: Path) -> None:
    contents = set()
    for attempt in range(20):
        save_model(state.model, 0, RUNS[0], tmp_path / f"{attempt}")
        contents.add((tmp_path / f"{attempt}").read_bytes())
    assert len(contents) == 1


def interrupted_save(*args: object) -> None:
    Path(args[1]).write_bytes(b"half a f")
    raise KeyboardInterrupt


def test_whoever_may_read_other_files_may_read_models(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    path = tmp_path / "model.safetensors"
    tensorfile.write_tensors(path, "key", {}, {"x": torch.zeros(2)})
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_crash_while_writing_leaves_the_old_file_and_nothing_else(
    state: TrainState, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    save_state(state, paths, "data")
    before = paths[0].read_bytes()
    monkeypatch.setattr(tensorfile, "save_file", interrupted_save)
    with pytest.raises(KeyboardInterrupt):
        save_state(state, paths, "data")
    assert paths[0].read_bytes() == before
    assert [path.name for path in paths[0].parent.iterdir()] == [paths[0].name]


def test_a_first_crash_leaves_nothing(tmp_path: Path) -> None:
    def crash() -> None:
        with atomic_path(tmp_path / "file") as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        crash()
    assert not list(tmp_path.iterdir())


def test_the_old_file_stands_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_json(path, {"old": 1})
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        assert json.loads(path.read_text()) == {"old": 1}
        temporary.write_text("{}")
    assert json.loads(path.read_text()) == {}


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-50])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def garbled(path: Path) -> None:
    path.write_bytes(b"\xff" * 1000)


def foreign(path: Path) -> None:
    save_file({"w": torch.zeros(1)}, path)


def a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


AGAIN = "if it is one, delete it and train the run again"


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        *((damage, AGAIN) for damage in (truncated, emptied, garbled)),
        (foreign, "is of another program; expected a file of a study's run"),
        (a_directory, "is a folder; expected a file of a study's run"),
    ],
)
def test_a_damaged_file_is_named_with_the_remedy(
    damage: object, told: str, state: TrainState, paths: list[Path], tmp_path: Path
) -> None:
    save_state(state, paths, "data")
    save_model(state.model, 0, RUNS[0], tmp_path / "model")
    for path, read in (
        (paths[0], lambda: saved_epoch(paths[0], RUNS[0], "data")),
        (tmp_path / "model", lambda: load_model(tmp_path / "model")),
    ):
        damage(path)
        with pytest.raises(CheckpointError) as error:
            read()
        assert str(path) in str(error.value)
        assert told in str(error.value)
        assert ("delete" in str(error.value)) == (told == AGAIN)


def test_a_missing_model_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"model does not exist; train the run first"):
        load_model(tmp_path / "model")
