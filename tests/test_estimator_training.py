"""When the estimator's training stops, what it warns of, goes on with and tells."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning

from estimating import REAL, quick, table_of_unlike_units
from vaestudy import VAE
from vaestudy.estimator import fitting
from vaestudy.history import SCALARS


@pytest.fixture
def table() -> np.ndarray:
    return table_of_unlike_units()


def test_stopping_keeps_the_best_epoch(table: np.ndarray) -> None:
    vae = quick(epochs=200, patience=3, learning_rate=0.05).fit(table)
    held_out = vae.history_.query("split == 'held-out' and metric == 'bound'").set_index("epoch")
    trained = held_out["value"].drop(0)
    assert vae.best_epoch_ == trained.idxmax()
    assert vae.n_iter_ == vae.best_epoch_ + 3 < 200
    # The kept weights are those of the best epoch: retraining up to there ends with them.
    again = quick(epochs=vae.best_epoch_, patience=200, learning_rate=0.05).fit(table)
    np.testing.assert_array_equal(again.transform(table), vae.transform(table))


def test_without_stopping_all_rows_are_trained_on(table: np.ndarray) -> None:
    vae = quick(early_stopping=False).fit(table)
    assert vae.n_iter_ == vae.best_epoch_ == 4
    assert set(vae.history_["split"]) == {"train", "training-rows"}


def watched(values: list[float], patience: int, warmup: int = 0) -> fitting.Watch:
    """Watch epochs that bring these bounds, as far as patience lets it."""
    run = fitting.configure({"epochs": len(values), "warmup": warmup})
    watch, model = fitting.Watch(patience, None), torch.nn.Linear(1, 1)
    for epoch, value in enumerate(values, 1):
        measured = np.zeros((len(SCALARS), 1))
        measured[SCALARS.index("bound")] = value
        history = SimpleNamespace(test=[measured])
        state = SimpleNamespace(runs=(run,), epoch=epoch, model=model, history=history)
        try:
            watch(state, None)
        except fitting.StopTraining:
            break
    watch.warn_if_rising(run)
    return watch


def test_epochs_that_ran_out_too_soon_draw_a_warning(table: np.ndarray) -> None:
    said = r"epochs=30 ran out while .* still rose: it was .* nats a row better in the last 10"
    with pytest.warns(ConvergenceWarning, match=said) as caught:
        quick(epochs=30, patience=10, learning_rate=3e-4, validation_fraction=0.5).fit(table)
    assert caught[0].filename == __file__
    with pytest.warns(ConvergenceWarning, match=r"was 20 nats .*last 20 .*the 20 before.*raise"):
        watched(list(range(60)), patience=20)


@pytest.mark.parametrize(
    "parameters",
    [
        {"epochs": 200, "patience": 3, "learning_rate": 0.05},  # Patience ends it.
        {"epochs": 30, "early_stopping": False, "patience": 10},
        {"epochs": 20, "patience": 10},  # A choice of few.
        {"epochs": 30, "patience": 10, "warmup": 10},
    ],
)
def test_other_fits_draw_none(parameters: dict[str, object], table: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        quick(**{"learning_rate": 3e-4, "validation_fraction": 0.5, **parameters}).fit(table)


def test_the_records_of_a_level_bound_draw_no_warning() -> None:
    epochs = np.arange(60)
    levelled = -100 * np.exp(-epochs / 5) + 1e-3 * epochs  # A record in every epoch.
    noisy = levelled + np.random.default_rng(0).normal(0, 1, 60)
    noisy[49] = 5
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        assert watched(levelled.tolist(), patience=20).best_epoch == 60
        assert watched(noisy.tolist(), patience=20).best_epoch == 50
        assert watched([0.0] * 60, patience=20).best_epoch == 1
        assert watched([-1.0, *[-2.0] * 15], patience=20).best_epoch == 1


@pytest.mark.parametrize("objective", ["elbo", "free-bits", "jensen-shannon"])
def test_the_best_epoch_is_that_of_the_objective_at_its_own_beta(objective: str) -> None:
    """Of a divergence in place of the KL, the KL says nothing."""
    own = {"free_bits": 0.1} if objective == "free-bits" else {}
    run = fitting.configure({"epochs": 2, "beta": 20.0, "objective": objective, **own})
    watch, model = fitting.Watch(5, None), torch.nn.Linear(1, 1)
    # The second epoch rebuilds better and pays no more for it, whatever its KL has become.
    for epoch, (reconstruction, paid, kl) in enumerate([(-100, 0.5, 0.5), (-80, 0.5, 30)], 1):
        measured = np.zeros((len(SCALARS), 1))
        for name, value in (("reconstruction", reconstruction), ("kl", kl)):
            measured[SCALARS.index(name)] = value
        measured[SCALARS.index("bound")] = reconstruction - (kl if objective == "elbo" else paid)
        history = SimpleNamespace(test=[measured])
        watch(SimpleNamespace(runs=(run,), epoch=epoch, model=model, history=history), None)
    assert watch.best_epoch == (1 if objective == "elbo" else 2)


def test_half_a_joint_density_counts_half_a_reconstruction() -> None:
    """At its own beta it is (log p(x|z) + beta log p(z)) / 2, here of -50 and -3."""
    run = fitting.configure({"epochs": 1, "objective": "half-joint", "beta": 4.0})
    measured = np.zeros((len(SCALARS), 1))
    measured[SCALARS.index("reconstruction")] = -50
    measured[SCALARS.index("bound")] = (-50 - 3) / 2
    history, model = SimpleNamespace(test=[measured]), torch.nn.Linear(1, 1)
    watch = fitting.Watch(5, None)
    watch(SimpleNamespace(runs=(run,), epoch=1, model=model, history=history), None)
    assert watch.best == pytest.approx((-50 - 4 * 3) / 2)


def test_partial_fit_goes_on(table: np.ndarray) -> None:
    whole = quick(early_stopping=False, epochs=3).fit(table)
    parts = quick()
    for _ in range(3):
        parts.partial_fit(table)
    np.testing.assert_array_equal(whole.transform(table), parts.transform(table))
    before, scale = whole.score(table), whole.scale_
    for _ in range(5):
        whole.partial_fit(table[:40])
    assert whole.n_iter_ == 8
    assert whole.score(table) > before
    np.testing.assert_array_equal(whole.scale_, scale)


def test_parameters_changed_between_partial_fits_count(table: np.ndarray) -> None:
    same, slower = quick().partial_fit(table), quick().partial_fit(table)
    before = same.transform(table)
    moved = np.abs(same.partial_fit(table).transform(table) - before).max()
    slower.set_params(learning_rate=1e-9).partial_fit(table)
    assert np.abs(slower.transform(table) - before).max() < 1e-4 * moved
    with pytest.raises(ValueError, match=r"n_z is 5, but the model .* has 2; call fit"):
        slower.set_params(n_z=5).partial_fit(table)


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"likelihood": "squared-error"}, "likelihood is 'squared-error', but the model"),
        ({"device": "nonsense"}, "device is 'nonsense'; expected"),
    ],
)
def test_partial_fit_refuses_what_it_cannot_change(
    change: dict[str, str], message: str, table: np.ndarray
) -> None:
    begun = quick(likelihood="normal").partial_fit(table)
    with pytest.raises(ValueError, match=message):
        begun.set_params(**change).partial_fit(table)
    begun.set_params(likelihood="auto", device="cpu").partial_fit(table)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("how", ["diverges", "interrupted"])
def test_a_fit_that_fails_leaves_the_model_as_it_was(
    method: str, how: str, table: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what a file keeps of it, and what partial_fit goes on from."""
    vae, other = quick().fit(table), quick().fit(table)
    codes = vae.transform(table)
    if how == "interrupted":
        monkeypatch.setattr(fitting, "check_finite", interrupt)  # After its training.
    else:
        vae.set_params(learning_rate=1e30)
    with pytest.raises((fitting.DivergenceError, KeyboardInterrupt)):
        getattr(vae, method)(table * 2)
    monkeypatch.undo()
    vae.set_params(learning_rate=other.learning_rate)
    assert vae.n_iter_ == other.n_iter_
    np.testing.assert_array_equal(vae.transform(table), codes)
    vae.save(tmp_path / "model")
    np.testing.assert_array_equal(VAE.load(tmp_path / "model").transform(table), codes)
    later, want = vae.partial_fit(table).transform(table), other.partial_fit(table)
    np.testing.assert_array_equal(later, want.transform(table))


def test_a_first_fit_that_fails_leaves_nothing(table: np.ndarray) -> None:
    vae = quick(learning_rate=1e30)
    made_with = dict(vars(vae))
    with pytest.raises(fitting.DivergenceError):
        vae.fit(table)
    with pytest.raises(ValueError, match="no negative weights"):
        vae.fit(table, sample_weight=-np.ones(len(table)))
    assert vars(vae) == made_with


def test_training_is_the_same_whatever_the_caller_has_set(table: np.ndarray) -> None:
    want = quick().fit(table).transform(table)
    torch.set_default_dtype(torch.float64)
    try:
        np.testing.assert_array_equal(quick().fit(table).transform(table), want)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    with torch.inference_mode():
        np.testing.assert_array_equal(quick().fit(table).transform(table), want)
        assert not torch.is_grad_enabled()


@pytest.mark.parametrize("n", [3, 12, 19])
def test_few_rows_can_be_normalised(n: int) -> None:
    """A batch of one has no variance, and running averages of none make evaluation explode."""
    vae = quick(batch_norm="hidden", epochs=40).fit(REAL[:n])
    held_out = vae.history_.query("split == 'held-out' and metric == 'bound'")["value"]
    assert held_out.min() > -1e4


def test_one_row_cannot_be_normalised() -> None:
    with pytest.raises(ValueError, match="only 1 row to train on, whose variance is 0"):
        quick(batch_norm="hidden").fit(REAL[:2])
    vae = quick(batch_norm="hidden").partial_fit(REAL)
    with pytest.raises(ValueError, match="only 1 row to train on"):
        vae.partial_fit(REAL[:1])
    with pytest.raises(ValueError, match="batch_size is 1 but batch_norm is 'all'"):
        quick(batch_norm="all", batch_size=1).fit(REAL)


def test_a_batch_of_more_rows_than_there_are_draws_a_warning() -> None:
    said = "batch_size is 28, but there are only 27 rows to train on: each epoch is one step"
    with pytest.warns(UserWarning, match=said) as caught:
        quick(batch_size=28).fit(REAL)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick(batch_size=27).fit(REAL)
        quick(batch_norm="hidden").fit(REAL[:5])  # The default, at least ten rows, is no choice.


def test_history_says_what_each_epoch_was_measured_on(table: np.ndarray) -> None:
    history = quick().fit(table).partial_fit(table).history_
    measured = history[history["split"] != "train"].groupby("epoch")["split"].first()
    assert measured.tolist() == ["held-out"] * 5 + ["training-rows"]


def test_warmup_may_outlast_the_first_partial_fit(table: np.ndarray) -> None:
    vae = quick(warmup=4)
    betas = vae.partial_fit(table).partial_fit(table).history_.query("metric == 'beta'")["value"]
    assert betas.tolist() == [0, 0.25]


def test_a_progress_bar_is_shown_if_asked(
    table: np.ndarray, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    quick().fit(table)
    assert capsys.readouterr().err == ""
    with caplog.at_level("INFO", "vaestudy"):
        quick(verbose=True).fit(table)
    assert "held out" in caplog.text
    assert "test " not in caplog.text
    assert "rows/s" in caplog.text
    shown = capsys.readouterr().err
    assert "held out" in shown
    assert "rows/s" in shown
    assert "test" not in shown
    quick(verbose=True, early_stopping=False).fit(table)
    assert "held out" not in capsys.readouterr().err
