"""Activity in closed form, what is measured an epoch, and the tidy tables."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from builders import CPU, assert_same_member, double_state, fresh, randn, run_config, splits
from vaestudy import history
from vaestudy.history import SCALARS, History, batch_metrics, evaluate_epoch, latent_activity
from vaestudy.latent_terms import kl_per_unit
from vaestudy.objectives import OBJECTIVES
from vaestudy.rng import MemberRNG, normal
from vaestudy.train import train

# docs/architecture.md
HISTORY_COLUMNS = ["run_id", "epoch", "split", "metric", "value"]
UNITS_COLUMNS = ["run_id", "epoch", "unit", "activity", "kl"]


def test_activity_of_perfect_latents_is_the_variance_of_the_data() -> None:
    n = 64
    mu = torch.linspace(-1, 1, n).double().view(1, n, 1) * torch.tensor([1.0, 2.0])
    variance = (n + 1) / (3 * (n - 1))  # of n equidistant points on [-1, 1]
    want = torch.tensor([[variance, 4 * variance]]).double()
    torch.testing.assert_close(latent_activity(mu), want)


def test_activity_of_dead_latents_is_zero_wherever_they_sit() -> None:
    mu = torch.tensor([0.0, 1e4]).expand(2, 500, 2)
    assert torch.equal(latent_activity(mu), torch.zeros(2, 2).double())


def test_duplicated_latents_are_equally_active() -> None:
    mu = randn(1, 100, 1).expand(1, 100, 3) * torch.tensor([1.0, 1.0, -1.0])
    first, *others = latent_activity(mu)[0].tolist()
    assert others == [first, first]


def test_activity_is_each_members_and_units_own() -> None:
    mu = randn(3, 50, 4)
    np.testing.assert_allclose(latent_activity(mu).numpy(), mu.numpy().var(axis=1))


def test_activity_keeps_its_precision_far_from_zero() -> None:
    mu = 1000 + 0.1 * randn(1, 1000, 1)
    got = latent_activity(mu.float())
    torch.testing.assert_close(got, mu.float().double().var(1, correction=0), rtol=1e-9, atol=0)


def test_batch_metrics_are_means_over_the_batch() -> None:
    state = double_state(run_config(k=4), run_config(k=4, seed=1))
    terms = state.model.eval()((randn(2, 5, 16) > 0).double(), randn(2, 4, 5, 3, seed=1))
    beta = torch.tensor([0.2, 1.0]).double()
    iwae = OBJECTIVES["iwae"]
    got = dict(zip(SCALARS, batch_metrics(terms, iwae(terms, beta), beta, iwae), strict=True))
    torch.testing.assert_close(got["objective"], iwae(terms, beta).mean(1))
    torch.testing.assert_close(got["bound"], iwae(terms, torch.ones(2).double()).mean(1))
    torch.testing.assert_close(got["reconstruction"], terms.log_px_z.mean((1, 2)))
    torch.testing.assert_close(got["kl"], terms.kl.mean(1))
    torch.testing.assert_close(got["elbo"], got["reconstruction"] - got["kl"])
    torch.testing.assert_close(got["beta"], beta)


@pytest.mark.parametrize("rows", [1, 10, 1000])
def test_an_evaluation_is_the_mean_over_the_test_set(
    rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_ROWS", rows)
    runs = (run_config(k=3, objective="iwae"), run_config(k=3, objective="iwae", seed=1))
    state, test = fresh(*runs), splits().test
    scalars, units = evaluate_epoch(state.model, test, runs, epoch=2)
    mu, logvar = state.model.encode(test.expand(2, *test.shape))
    kl = kl_per_unit(mu, logvar).mean(1).double()
    torch.testing.assert_close(units, torch.stack([latent_activity(mu), kl]), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(scalars[SCALARS.index("kl")], kl.sum(-1), atol=1e-5, rtol=1e-5)
    # The noise is drawn a chunk at a time, with the epoch's generators.
    noise = MemberRNG((0, 1), CPU).generators("test-eps", 2)
    chunks = [
        OBJECTIVES["iwae"](
            state.model(x.expand(2, *x.shape), normal(noise, (3, len(x), 3), CPU)), torch.ones(2)
        )
        for x in test.split(max(1, rows // 3))
    ]
    want = torch.cat(chunks, 1).mean(1).double()
    got = scalars[SCALARS.index("bound")]
    torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-4)


_GROWTH = """
import torch
torch.set_num_threads(1)
from vaestudy.config import RunConfig
from vaestudy.history import evaluate_epoch
from vaestudy.machine import peak_rss_mb
from vaestudy.splits import Splits
from vaestudy.train import initial_state, train_epoch

run = RunConfig.model_validate({"objective": "iwae", "k": 10, "n_z": 2, "hidden": [50]})
state = initial_state((run,), 784, torch.device("cpu"))
test = torch.zeros(10_000, 784)
train_epoch(state, Splits(test[:500], test))
evaluate_epoch(state.model, test[:1000], [run], 0)
before = peak_rss_mb()
evaluate_epoch(state.model, test, [run], 0)
print(peak_rss_mb() - before)
"""


def test_evaluation_of_more_rows_takes_no_more_memory() -> None:
    """Codes kept chunk by chunk, between large tensors that go, let the heap grow by 80 MB here."""
    code = [sys.executable, "-c", _GROWTH]
    out = subprocess.run(code, capture_output=True, text=True, check=True)
    assert float(out.stdout) < 30


def test_evaluation_changes_nothing() -> None:
    run = run_config(batch_norm="all")
    state, untouched = fresh(run), fresh(run)
    evaluate_epoch(state.model, splits().test, [run], 0)
    assert_same_member(state, 0, untouched, 0)
    assert all(p.grad is None for p in state.model.parameters())


def test_tables_are_tidy() -> None:
    runs = (run_config(warmup=2), run_config(seed=1))
    state = train(fresh(*runs), splits())
    frame = pd.DataFrame(state.history.scalars_table(0, runs[0].run_id))
    assert list(frame.columns) == HISTORY_COLUMNS
    assert set(frame["run_id"]) == {runs[0].run_id}
    assert not frame.duplicated(["epoch", "split", "metric"]).any()
    assert not frame["value"].isna().any()
    at = frame.set_index(["split", "metric", "epoch"])["value"].sort_index()
    assert set(at["train"].index.get_level_values("epoch")) == {1, 2}
    assert set(at["test"].index.get_level_values("epoch")) == {0, 1, 2}
    assert set(at["train"].index.get_level_values("metric")) == set(SCALARS)
    assert set(at["test"].index.get_level_values("metric")) == set(SCALARS) - {"beta"}
    assert at["train", "beta"].tolist() == [0, 0.5]
    assert at["test", "elbo", 2] == state.history.test[2][SCALARS.index("elbo"), 0]
    assert at["train", "objective", 1] == pytest.approx(at["train", "reconstruction", 1])
    second = pd.DataFrame(state.history.scalars_table(1, runs[1].run_id))
    assert second.loc[second["metric"] == "beta", "value"].tolist() == [1, 1]


def test_units_table_has_a_row_an_epoch_and_unit() -> None:
    run = run_config()
    state = train(fresh(run), splits())
    frame = pd.DataFrame(state.history.units_table(0, run.run_id))
    assert list(frame.columns) == UNITS_COLUMNS
    assert len(frame) == 3 * 3
    row = frame[(frame["epoch"] == 1) & (frame["unit"] == 2)].iloc[0]
    assert (row["activity"], row["kl"]) == tuple(state.history.units[1][:, 0, 2])


def test_an_untrained_epoch_has_no_training_metrics() -> None:
    empty = History()
    empty.append(0, None, torch.zeros(len(SCALARS), 1), torch.zeros(2, 1, 3))
    assert set(empty.scalars_table(0, "run")["split"]) == {"test"}


def test_what_is_kept_of_many_epochs_lies_together() -> None:
    """Else small arrays between each epoch's large ones would pin the heap, and it would grow."""
    long = History()
    epochs = [(torch.full((6, 1), float(n)), torch.full((2, 1, 3), n / 2)) for n in range(300)]
    for epoch, (scalars, units) in enumerate(epochs):
        long.append(epoch, scalars if epoch else None, scalars + 1, units)
    assert np.isnan(long.train[0]).all()
    for n, (scalars, units) in enumerate(epochs):
        assert (long.test[n] == scalars.numpy() + 1).all()
        assert (long.units[n] == units.numpy()).all()
        assert n == 0 or (long.train[n] == scalars.numpy()).all()
    assert len({id(kept.base) for kept in long.units}) <= 3
