"""How many cores a fit takes, and that it leaves PyTorch's threads as they were."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from builders import fresh, run_config
from estimating import quick, table_of_unlike_units
from vaestudy.estimator import threads
from vaestudy.estimator.threads import cores_for, step_operations


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def test_a_small_fit_takes_one_core_and_gives_the_others_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    during: list[int] = []
    monkeypatch.setattr(
        "vaestudy.estimator.fitting.train",
        lambda state, data, watch: during.append(torch.get_num_threads()),
    )
    vae = quick()
    vae.fit(table_of_unlike_units())
    vae.partial_fit(np.asarray(table_of_unlike_units()))
    assert during == [1, 1]
    assert torch.get_num_threads() == 2


def test_large_steps_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    state = fresh(run_config())
    monkeypatch.setattr(threads, "WORTH_SHARING", step_operations(state))
    with cores_for(state):
        assert torch.get_num_threads() == 2


def test_an_error_leaves_the_threads_as_they_were() -> None:
    with pytest.raises(KeyError), cores_for(fresh(run_config())):
        raise KeyError
    assert torch.get_num_threads() == 2


def test_fits_side_by_side_do_not_meet() -> None:
    state, inside, leave = fresh(run_config()), threading.Event(), threading.Event()
    found: list[int] = []

    def other() -> None:
        torch.set_num_threads(2)
        with cores_for(state):
            inside.set()
            leave.wait()
            found.append(torch.get_num_threads())
        found.append(torch.get_num_threads())

    thread = threading.Thread(target=other)
    with cores_for(state):
        thread.start()
        inside.wait()
    assert torch.get_num_threads() == 2
    leave.set()
    thread.join()
    assert found == [1, 2]
