"""Final measurements: which rows a run gets, and that gradients are measured as trained."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
from torch.distributions import ContinuousBernoulli

from builders import CPU, architecture, generators, perturbed, randn, run_config, tiny_dataset
from vaestudy import jobs
from vaestudy.evaluate import MEASURES
from vaestudy.gradients import gradient_snr
from vaestudy.likelihoods import Bernoulli
from vaestudy.measure import measure_group
from vaestudy.measure_further import measure_gradients
from vaestudy.objectives import make_objective
from vaestudy.rng import stream_seed
from vaestudy.run_config import RunConfig
from vaestudy.study_parts import Further
from vaestudy.vae import VAE

PARTS = ("encoder", "decoder")


def measured(folder: Path, *runs: RunConfig, draws: int = 0) -> pd.DataFrame:
    dataset = tiny_dataset()
    jobs.train_group(runs, dataset, folder, device=CPU, checkpoint_every=1, compile_policy="never")
    return measure_group(
        runs,
        dataset,
        folder,
        device=CPU,
        n_samples=5,
        threshold=0.01,
        further={runs[0].run_id: Further(gradient_draws=draws)},
        compile_policy="never",
    )


def test_gradients_are_measured_where_asked_and_change_no_other_row(tmp_path: Path) -> None:
    run = run_config(objective="miwae", k=4, k_groups=2)
    without, with_ = measured(tmp_path, run), measured(tmp_path, run, draws=3)
    names = [f"gradient_{what}_{part}" for what in ("snr", "variance") for part in PARTS]
    assert not without["metric"].isin(names).any()
    pd.testing.assert_frame_equal(with_[: len(without)], without)
    added = with_[len(without) :]
    assert added["metric"].tolist() == names
    assert (added["value"] > 0).all()
    both = measured(tmp_path, run, run_config(objective="stl"), draws=3)
    asked = both[both["metric"].isin(names)]
    assert set(asked["run_id"]) == {run.run_id}
    assert set(added["n_samples"]) == {3}
    assert set(added["n_data"]) == {run.batch_size}


def test_gradients_are_those_of_the_runs_own_objective() -> None:
    run = run_config(objective="ciwae", k=4, elbo_share=0.3, seed=7)
    vae = perturbed(VAE(architecture())).eval()
    x = (randn(6, 12) > 0).double()
    table = measure_gradients(vae, run, x, 5).set_index("metric")["value"]
    seed = stream_seed(7, "estimate")
    want = gradient_snr(vae, x, make_objective(run), generators(seed), k=4, n_draws=5)
    assert table["gradient_snr_encoder"] == want.encoder.item()
    assert table["gradient_snr_decoder"] == want.decoder.item()
    elbo = run_config(beta=4.0, seed=7)
    table = measure_gradients(vae, elbo, x, 5).set_index("metric")["value"]
    want = gradient_snr(vae, x, make_objective(elbo), generators(seed), k=1, n_draws=5, beta=4.0)
    assert table["gradient_snr_encoder"] == want.encoder.item()
    # Of the ELBO the estimator with a sampled KL as well, at the same parameters and noise.
    sampled = make_objective(run_config(objective="elbo-sampled"))
    other = gradient_snr(vae, x, sampled, generators(seed), k=1, n_draws=5, beta=4.0)
    for part in PARTS:
        own, others = (getattr(snr, f"{part}_variance").item() for snr in (want, other))
        assert table[f"gradient_variance_{part}"] == own
        assert table[f"sampled_gradient_variance_{part}"] == others


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"nll"}),
        ({"likelihood": "gaussian"}, {"nll", "nll_restricted", "nll_mean"}),
        ({"binarization": "none"}, {"nll", "nll_continuous", "nll_clipped"}),
        ({"binarization": "none", "likelihood": "continuous-bernoulli"}, {"nll", "nll_clipped"}),
        ({"binarization": "none", "likelihood": "gaussian"}, {"nll", "nll_clipped"}),
        ({"binarization": "none", "likelihood": "beta"}, {"nll", "nll_clipped"}),
    ],
)
def test_measures_fit_the_pixels(
    tmp_path: Path, changes: dict[str, object], expected: set[str]
) -> None:
    metrics = set(measured(tmp_path, run_config(**changes))["metric"])
    assert {name for name in metrics if name.startswith("nll")} == expected


def test_a_bernoulli_read_as_a_continuous_one() -> None:
    logits, x = 3 * randn(2, 3, 4, 5), torch.rand(2, 1, 4, 5, dtype=torch.float64)
    got = MEASURES["nll_continuous"](Bernoulli(), x, logits)
    want = ContinuousBernoulli(logits=logits).log_prob(x.expand_as(logits)).sum(-1)
    torch.testing.assert_close(got, want)
