"""The estimator's file: what it keeps, what it cannot, and on which device it comes back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from estimating import quick, table_of_unlike_units
from vaestudy import VAE
from vaestudy.checkpoint import CheckpointError, load_model
from vaestudy.dataset import DataError, load_prepared
from vaestudy.devices import DeviceError


@pytest.fixture
def table() -> np.ndarray:
    return table_of_unlike_units()


def test_a_saved_model_is_the_same_model(table: np.ndarray, tmp_path: Path) -> None:
    frame = pd.DataFrame(table, columns=list("abcde"))
    vae = quick().fit(frame)
    path = tmp_path / "vae.safetensors"
    vae.save(path)
    again = VAE.load(path, device="cpu")
    np.testing.assert_array_equal(vae.transform(frame), again.transform(frame))
    np.testing.assert_array_equal(vae.score_samples(frame), again.score_samples(frame))
    np.testing.assert_array_equal(vae.sample(5), again.sample(5))
    pd.testing.assert_frame_equal(vae.history_, again.history_)
    assert again.get_params() == vae.get_params()
    assert list(again.feature_names_in_) == list("abcde")
    assert again.partial_fit(frame).n_iter_ == vae.n_iter_ + 1


def test_what_is_no_saved_model_is_refused(table: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "vae.safetensors"
    with pytest.raises(CheckpointError, match="does not exist"):
        VAE.load(path)
    quick().fit(table).save(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="damaged"):
        VAE.load(path)


@pytest.mark.parametrize(("saved", "loaded"), [("cpu", "cpu"), ("auto", "auto"), ("cuda", "auto")])
def test_the_cpu_is_kept_and_a_gpu_is_where_there_is_one(
    saved: str,
    loaded: str,
    table: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vae, path = quick().fit(table), tmp_path / "vae.safetensors"
    vae.set_params(device=saved).save(path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    again = VAE.load(path)
    assert again.device == loaded
    np.testing.assert_array_equal(again.transform(table), vae.transform(table))
    assert VAE.load(path, device="cpu").device == "cpu"
    with pytest.raises(DeviceError, match="device is cuda, but PyTorch finds no usable GPU"):
        VAE.load(path, device="cuda")
    with pytest.raises(ValueError, match="device is 'gpu'; expected auto, cpu or cuda"):
        VAE.load(path, device="gpu")


def test_a_generator_is_no_parameter_that_a_file_keeps(table: np.ndarray, tmp_path: Path) -> None:
    vae = quick(random_state=np.random.RandomState(0)).fit(table)
    vae.save(tmp_path / "vae.safetensors")
    again = VAE.load(tmp_path / "vae.safetensors")
    assert again.random_state is None
    assert {**again.get_params(), "random_state": vae.random_state} == vae.get_params()
    # What the generator has drawn stays: the seed of the estimates.
    np.testing.assert_array_equal(again.score_samples(table), vae.score_samples(table))
    assert (again.sample(3) != again.sample(3)).any()


def test_a_file_of_another_kind_is_said_to_be_so(table: np.ndarray, tmp_path: Path) -> None:
    """And never one to delete: it may be the user's only copy."""
    path = tmp_path / "wine.safetensors"
    quick().fit(table).save(path)
    text = tmp_path / "wine.csv"
    text.write_text("alcohol,ash\n" + "13.2,2.4\n" * 99)
    for read, given, told in (
        (load_model, path, "is a model of VAE.save: vaestudy.VAE.load reads it"),
        (load_prepared, path, "is a model of VAE.save: vaestudy.VAE.load reads it"),
        (load_prepared, text, "expected a file that `vaestudy data` wrote; if it is one, delete"),
        (load_prepared, tmp_path, "is a folder; expected a file that `vaestudy data` wrote"),
        (VAE.load, tmp_path, "is a folder; expected a file of VAE.save"),
        (VAE.load, text, "or no file of VAE.save; save the model again"),
    ):
        with pytest.raises((CheckpointError, DataError)) as error:
            read(given)
        assert told in str(error.value)
        assert "delete" not in str(error.value).replace("if it is one, delete", "")
