"""Figures of chapter 4, on untrained models of four by four pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import norm

from vaestudy.config import expand_grid, parse_config
from vaestudy.dataset import Dataset
from vaestudy.figures import codes, latent_space, lattices, mosaics, reconstructions
from vaestudy.figures.visualization import FIGURES
from vaestudy.latent_plane import neighbour_accuracy
from vaestudy.rng import MemberRNG
from vaestudy.study import Study
from vaestudy.train import architecture_of
from vaestudy.vae import VAE, Architecture

CONFIG = {
    "study": "stub",
    "base": {"n_z": 4, "hidden": [3], "epochs": 2},
    "seeds": [3, 1],
    "experiments": {
        "factors": {
            "title": "Additions",
            "vary": {
                "objective": ["elbo", {"objective": "iwae", "k": 2}],
                "batch_norm": ["none", "hidden"],
                "warmup": [0, 1],
            },
        },
        "dimensions": {
            "title": "Sizes",
            "vary": {"objective": ["elbo", {"objective": "iwae", "k": 2}], "n_z": [2, 6]},
        },
        "likelihood": {"title": "Gaussian", "set": {"likelihood": "gaussian"}},
        "adam": {"title": "As printed", "set": {"adam_beta2": 0.9}},
    },
}
N, SHAPE = 60, (4, 4)


@dataclass(frozen=True)
class StubStudy(Study):
    """A study whose models are untrained and whose digits are noise."""

    @cached_property
    def configs(self):
        return {run.config.run_id: run.config for run in expand_grid(self.config)}

    @cached_property
    def runs_table(self):
        rows = []
        for run_id, run in self.configs.items():
            values = run.model_dump(mode="json")
            hidden = "-".join(map(str, values["hidden"]))
            rows.append({**values, "hidden": hidden, "run_id": run_id, "status": "finished"})
        return pd.DataFrame(rows)

    def table(self, name):
        if name == "runs":
            return self.runs_table
        assert name == "evaluation"
        metrics = ("squared_error", "reconstruction", "active_units")
        return pd.DataFrame(
            [
                {"run_id": run, "metric": m, "value": float(i)}
                for i, run in enumerate(self.configs)
                for m in metrics
            ]
        )

    def model(self, run_id):
        model = VAE(architecture_of(self.configs[run_id], SHAPE[0] * SHAPE[1]))
        model.initialize(MemberRNG((0,), torch.device("cpu")).generators("init"))
        return model.eval()

    @cached_property
    def _dataset(self):
        generator = torch.Generator().manual_seed(0)
        arrays = {}
        for split in ("train", "test"):
            arrays[split] = torch.randint(0, 256, (N, 16), generator=generator).to(torch.uint8)
            arrays[f"{split}_labels"] = torch.arange(N) % 10
        return Dataset.build("mnist", arrays, SHAPE, "noise")

    @property
    def dataset(self):
        return self._dataset


@pytest.fixture(scope="module")
def study():
    return StubStudy(parse_config(CONFIG))


@pytest.fixture(scope="module")
def base_codes(study):
    return codes.codes_of(study, study.runs()["run_id"].iloc[0])


def test_a_study_without_warm_up_has_families_without():
    factors = {
        "objective": ["elbo", {"objective": "iwae", "k": 2}],
        "batch_norm": ["none", "hidden"],
    }
    plain = {**CONFIG, "experiments": {"factors": {"title": "Additions", "vary": factors}}}
    names = [family.label for family in codes.families(StubStudy(parse_config(plain)))]
    assert names == ["VAE", "VAE + BN", "IWAE (K=2)", "IWAE (K=2) + BN"]


def test_inverse_cdf_steps_hold_equal_probability():
    z = lattices.inverse_cdf(20)
    assert np.allclose(np.diff(norm.cdf(z)), 1 / 20)
    assert np.allclose(z, -z[::-1])
    assert lattices.inverse_cdf(5)[2] == 0


def test_lattice_runs_as_a_page_is_read():
    z = lattices.lattice(np.array([7.0, 8.0, 9.0]), (2, 0), 3).reshape(3, 3, 3)
    steps = lattices.inverse_cdf(3)
    assert np.allclose(z[:, :, 2], steps)  # the first unit: left to right
    assert np.allclose(z[:, :, 0], steps[::-1, None])  # the second: bottom to top
    assert (z[:, :, 1] == 8).all()


def test_interpolation_ends_are_the_codes():
    start, end = np.array([0.1, -3.0]), np.array([2.0, 0.7])
    z = lattices.interpolation(start, end, 7)
    assert z.shape == (7, 2)
    assert (z[0] == start).all()
    assert (z[-1] == end).all()
    assert np.allclose(z[3], (start + end) / 2)


def test_planes_pick_by_activity(study, base_codes):
    means = np.random.default_rng(0).normal(0, [0.01, 2.0, 0.02, 1.0], (N, 4)).astype("f4")
    code = codes.Codes(base_codes.run_id, base_codes.model, means)
    at_zero, active, inactive = lattices.plane_choices(study, code)
    assert at_zero[2] == active[2] == (1, 3)
    assert active[0].startswith("most active, others as in a digit “")
    assert set(inactive[2]) == {0, 2}
    assert not at_zero[1].any()
    digit = codes.exemplars(study)[0]
    assert (active[1] == means[digit]).all()
    assert (inactive[1] == means[digit]).all()


def test_means_and_decoded_means_are_the_models(study, base_codes):
    x = codes.digits(study)
    assert base_codes.means.shape == (N, 4)
    with torch.no_grad():
        mu = base_codes.model.encode(x[None])[0]
        image = torch.sigmoid(base_codes.model.decode(mu))[0].numpy()
    assert np.allclose(base_codes.decode(base_codes.means), image, atol=1e-6)
    assert np.allclose(base_codes.activity, mu[0].var(0).numpy())


def test_families_start_with_the_vae_and_hold_every_variant(study):
    families = codes.families(study)
    names = [family.label for family in families]
    assert names[0] == "VAE"
    assert len(names) == len(set(names)) == 8 + 1 + 1 + 4
    for part in ("VAE, Gaussian", "IWAE (K=2) + BN + WU", "$n_z = 2$", "$n_z = 6$", "0.9"):
        assert any(part in name for name in names), part
    assert families[0].runs(study)["seed"].tolist() == [1, 3]


def test_neighbours_of_separate_classes_vote_right():
    rng = np.random.default_rng(0)
    classes = np.arange(100) % 4
    apart = (classes[:, None] * 10 + rng.normal(0, 0.1, (100, 2))).astype("f4")
    assert neighbour_accuracy(apart, classes) == 1
    noise = rng.normal(0, 1, (400, 2)).astype("f4")
    assert 0.1 < neighbour_accuracy(noise, np.arange(400) % 4) < 0.4


def test_a_code_does_not_vote_for_itself():
    # Two points of each class, each pair far from the other's: the nearest other decides.
    points = np.array([[0.0], [0.1], [9.0], [9.1]], dtype="f4")
    assert neighbour_accuracy(points, np.array([0, 1, 0, 1]), k=1) == 0


def test_tiles_keep_order_and_gaps():
    images = np.arange(6).reshape(2, 3, 1, 1) * np.ones((2, 3, 2, 2))
    mosaic = mosaics.tile(images, pad=1, breaks=[1], gap=4)
    assert mosaic.pixels.shape == (2 + 1 + 4 + 2, 3 * 2 + 2)
    assert mosaic.pixels[int(mosaic.rows[1]), int(mosaic.columns[2])] == 5
    assert mosaic.rows.tolist() == [1, 8]


def test_trim_cuts_only_what_is_blank_everywhere():
    images = np.zeros((2, 1, 8, 8))
    images[0, 0, 3, 3] = images[1, 0, 5, 2] = 1
    assert mosaics.trim(images).shape == (2, 1, 4, 4)
    images[1, 0, 0, 0] = 1
    assert mosaics.trim(images).shape == images.shape


def test_greyness_is_the_variance_of_the_pixels():
    assert codes.greyness(np.array([[0.0, 1.0], [0.5, 0.5]], dtype="f4")).tolist() == [0, 0.5]


def test_grey_originals_are_closer_than_the_mean_image(study):
    marks = reconstructions.yardsticks(study)
    assert 0 < marks["grey"] < marks["mean"] < 16


@pytest.fixture(scope="module")
def drawings(study):
    return {name: draw(study) for name, draw in FIGURES.items()}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_draws_and_tells_what(study, drawings, name):
    drawing = drawings[name]
    drawing.figure.canvas.draw()
    assert len(drawing.data) > 0
    assert drawing.runs
    assert set(drawing.runs) <= set(study.configs)
    assert set(drawing.data["run_id"]) - {""} == set(drawing.runs)
    assert drawing.figure.get_figwidth() <= 5.9


def test_shapes_of_the_data(study, drawings):
    n_families = len(codes.families(study))
    sizes = {name: len(drawing.data) for name, drawing in drawings.items()}
    assert sizes["reconstructions"] == 10 * (n_families + 2)
    assert sizes["latent-plane"] == 2 * N
    assert sizes["latent-projections"] == 2 * N  # n_z = 4 and 6
    assert sizes["manifold"] == 2 * lattices.MANIFOLD_SIDE**2
    assert sizes["planes"] == 2 * 3 * lattices.PLANE_SIDE**2
    assert sizes["interpolations"] == 2 * 5 * lattices.STEPS
    assert sizes["prior-samples"] == n_families * lattices.SAMPLES


def test_prior_draws_are_the_same_for_all_models_of_a_size():
    assert (lattices.prior_codes(4, 10) == lattices.prior_codes(4, 20)[:10]).all()


def test_principal_components_are_ordered():
    means = np.random.default_rng(1).normal(0, [0.1, 3, 1], (50, 3))
    projected, share = latent_space.principal_components(means, 2)
    assert projected.shape == (50, 2)
    assert share[0] > share[1]


def test_widget_layers_are_the_decoder(study):
    run_id = study.runs(n_z=2)["run_id"].iloc[0]
    code = codes.codes_of(study, run_id)
    h = z = np.array([[0.3, -0.7]])
    layers = lattices.affine_layers(code)
    for weight, bias in layers[:-1]:
        h = np.logaddexp(0, h @ weight + bias)
    logits = h @ layers[-1][0] + layers[-1][1]
    assert np.allclose(1 / (1 + np.exp(-logits)), code.decode(z), atol=1e-5)


def test_no_widget_for_batch_norm(study):
    run_id = study.runs(batch_norm="hidden")["run_id"].iloc[0]
    assert lattices.affine_layers(codes.codes_of(study, run_id)) == []


def test_no_widget_for_convolutions():
    model = VAE(Architecture(n_features=784, n_z=2, hidden=(20,), network="conv"))
    assert lattices.affine_layers(codes.Codes("r", model, np.zeros((1, 2), "f4"))) == []
