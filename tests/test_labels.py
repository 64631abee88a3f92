"""Labels beside pixels, and models that are told them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from builders import (
    CPU,
    LinearGaussian,
    architecture,
    generators,
    randn,
    run_config,
    tiny_dataset,
)
from labelled import BLANKED, CONDITION, LABELS, M2, B, C, D, K, M, Z, rows, told
from vaestudy.binarization import as_float, draw_bernoulli
from vaestudy.config_errors import ConfigError
from vaestudy.dataset import Dataset
from vaestudy.evaluate import estimate_log_px
from vaestudy.labels import (
    known_labels,
    labelled,
    one_hot,
    unlabelled,
    with_labels,
)
from vaestudy.layers import MemberLinear
from vaestudy.splits import load_splits
from vaestudy.train import initial_state
from vaestudy.vae import VAE


@pytest.mark.parametrize("share", [0.05, 0.3, 1.0])
def test_of_every_class_the_same_share_is_known(share: float) -> None:
    labels = torch.arange(400) % 7
    known = known_labels(labels, share)
    for label in range(7):
        of_class = labels == label
        assert known[of_class].sum() == max(1, round(share * of_class.sum().item()))
    assert not (known & ~known_labels(labels, min(1.0, 2 * share))).any()


def test_of_the_rarest_class_one_label_is_known() -> None:
    labels = torch.tensor([0] * 50 + [1])
    assert known_labels(labels, 0.01)[-1]


@pytest.mark.parametrize("binarization", ["dynamic", "static", "threshold", "none"])
def test_labels_are_presented_as_0_and_1(binarization: str) -> None:
    dataset = tiny_dataset()
    run = run_config(binarization=binarization, **BLANKED)
    plain = load_splits(dataset, binarization, CPU)
    data = with_labels(plain, dataset, run)
    known = known_labels(dataset.train_labels, 0.5)
    shown = data.train
    if binarization == "dynamic":
        shown = draw_bernoulli(data.train, torch.Generator().manual_seed(0))
    scale = 255 if binarization == "none" else 1
    want = one_hot(dataset.train_labels, C) * known[:, None]
    assert torch.equal(shown[:, 16:].float() / scale, want.float())
    assert torch.equal(data.train[:, :16], plain.train)
    pixels = as_float(plain.test, binarization)
    assert torch.equal(data.test, labelled(pixels, dataset.test_labels, C))


def test_what_infers_labels_is_tested_without_them() -> None:
    dataset = tiny_dataset()
    plain = load_splits(dataset, "dynamic", CPU)
    blank = unlabelled(as_float(plain.test, "dynamic"), C)
    assert torch.equal(with_labels(plain, dataset, run_config(**M2)).test, blank)
    assert with_labels(plain, dataset, run_config()) is plain


def many_of_two_classes() -> Dataset:
    """400 images of each."""
    arrays = {}
    for split in ("train", "test"):
        arrays[split] = torch.zeros(800, 4, dtype=torch.uint8)
        arrays[f"{split}_labels"] = torch.arange(800) % 2
    return Dataset.build("mnist-5k", arrays, (2, 2), "made up for the tests")


@pytest.mark.parametrize("share", [0.0005, 0.001, 0.00125, 0.002])
def test_a_share_that_is_not_what_is_known_is_refused_where_it_weighs(share: float) -> None:
    """One of 400 labels is known whatever these say: a weight would be up to 5 times too large."""
    dataset = many_of_two_classes()
    pixels = load_splits(dataset, "none", CPU)
    run = run_config(labels="m2", label_share=share, binarization="none")
    with pytest.raises(ConfigError, match=rf"{share} .*: 2 of 800, which is 0.0025; .*to 0.0025"):
        with_labels(pixels, dataset, run)
    # What is said to do does, and where nothing is weighed any share will.
    for change in ({"label_share": 0.0025}, {"labels": "blanked"}):
        changed = run.model_copy(update=change)
        assert with_labels(pixels, dataset, changed).train[:, 4:].sum() == 2 * 255


def test_labels_that_are_no_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="labels go from 0 to 10, expected 0 to 9"):
        one_hot(torch.tensor([0, 10]), 10)
    with pytest.raises(ValueError, match="n_classes is 1 and labels 'm2'; expected 2 or more"):
        initial_state((run_config(**M2),), 4, CPU, n_classes=1)


def test_rows_of_numbers_have_as_many_labels_as_there_are_classes() -> None:
    x, classes = randn(5, 2).float(), torch.tensor([0, 2, 1, 0, 2])
    arrays = {"train": x, "train_labels": classes, "test": x[:2], "test_labels": classes[:2]}
    dataset = Dataset.build("points", arrays, (1, 2), "made up for the tests")
    assert dataset.n_classes == 3
    run = run_config(binarization="none", likelihood="normal", **CONDITION)
    data = with_labels(load_splits(dataset, "none", CPU), dataset, run)
    one = torch.eye(3)
    assert torch.equal(data.train, torch.cat([x, one[classes]], 1))
    assert torch.equal(data.test, torch.cat([x[:2], one[classes[:2]]], 1))
    model = initial_state((run,), 2, CPU, n_classes=3).model
    assert model.split(data.test[None])[1].shape == (1, 2, 3)


def test_a_condition_is_a_bias_of_the_first_layers() -> None:
    """W [x, e_y] + b = W_x x + (W_y + b): under one label the model is a plain VAE."""
    model, x, eps = told(), rows(), randn(M, K, B, Z, seed=1)
    terms = model(x, eps)
    for row, label in enumerate(LABELS):
        plain = VAE(architecture(), M).double()
        state = dict(model.state_dict())
        for name, cut in (("encoder.0", D), ("decoder.0", Z)):
            weight = state[f"{name}.weight"]
            state[f"{name}.weight"] = weight[:, :cut]
            state[f"{name}.bias"] = state[f"{name}.bias"] + weight[:, [cut + label]]
        plain.load_state_dict(state)
        want = plain(x[:, [row], :D], eps[:, :, [row]])
        torch.testing.assert_close(terms.log_px_z[:, :, [row]], want.log_px_z)
        torch.testing.assert_close(terms.kl[:, [row]], want.kl)


def test_log_px_given_the_label_is_exact_in_a_linear_gaussian_model() -> None:
    """A label that moves the mean by a vector moves log p(x|y) to that of x less the vector."""
    toy = LinearGaussian()
    x, labels = toy.sample(6), torch.arange(6)
    shifts = randn(C, 6, seed=7)
    model = conditional_twin(toy, shifts)
    given = labelled(x + shifts[labels], labels, C)
    found = estimate_log_px(model, given, 50, generators(0)).log_px[0]
    # The posterior is the proposal: every weight is p(x|y) itself.
    torch.testing.assert_close(found, toy.log_px(x), rtol=1e-6, atol=1e-6)


def conditional_twin(toy: LinearGaussian, shifts: Tensor) -> VAE:
    """The linear-Gaussian model whose observations are moved by their label's shift."""
    model = toy.model
    n_x, n_z = shifts.shape[1], toy.n_z
    object.__setattr__(model.architecture, "n_classes", C)
    heads = MemberLinear(1, n_x + C, 2 * n_z, heads=2).double()
    output = MemberLinear(1, n_z + C, n_x).double()
    with torch.no_grad():
        to_code = model.heads.weight
        heads.weight.copy_(torch.cat([to_code, -shifts[None] @ to_code], 1))
        heads.bias.copy_(model.heads.bias)
        output.weight.copy_(torch.cat([model.output.weight, shifts[None]], 1))
        output.bias.copy_(model.output.bias)
    model.heads, model.output = heads, output
    return model


def test_a_code_without_its_class_is_refused() -> None:
    with pytest.raises(ValueError, match="give a one-hot label of 10 classes"):
        told().decode(torch.zeros(M, 4, Z).double())
