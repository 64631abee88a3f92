"""Models that are told classes: trained, saved and measured."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from builders import (
    CPU,
    architecture,
    double_state,
    fresh,
    generators,
    perturbed,
    randn,
    run_config,
    tiny_dataset,
)
from labelled import BLANKED, CONDITION, M2, B, C, D, K, M, Z
from plain import plain_twin
from vaestudy.binarization import as_float
from vaestudy.checkpoint import load_model, save_model
from vaestudy.classifier import Classifier
from vaestudy.evaluate import estimate_log_px, plain_log_weights
from vaestudy.graph import BlockedEpoch
from vaestudy.history import SCALARS, evaluate_epoch
from vaestudy.label_measures import (
    code_variances,
    conditional_accuracy,
    inferred_accuracy,
    label_estimates,
    marginal_log_weights,
    sample_classes,
    strata,
)
from vaestudy.labels import (
    labelled,
    unlabelled,
    with_labels,
)
from vaestudy.measure import measure_run
from vaestudy.objectives import make_objective
from vaestudy.splits import load_splits
from vaestudy.train import TrainState, train
from vaestudy.vae import VAE


def trained(**changes: object) -> TrainState:
    dataset = tiny_dataset()
    run = run_config(**changes)
    data = with_labels(load_splits(dataset, run.binarization, CPU), dataset, run)
    return train(fresh(run), data)


@pytest.mark.parametrize("variant", [CONDITION, BLANKED, M2], ids=lambda v: str(v["labels"]))
def test_members_do_not_depend_on_one_another(variant: dict[str, object]) -> None:
    dataset = tiny_dataset()
    runs = tuple(run_config(seed=seed, **variant) for seed in (3, 8))
    data = with_labels(load_splits(dataset, "dynamic", CPU), dataset, runs[0])
    together = double_state(*runs)
    eps = randn(2, 1, 20, 3, seed=4)
    x = torch.stack([data.train[:20], data.train[20:40]]).double().clamp_max(1)
    values = make_objective(runs[0])(together.model(x, eps), torch.ones(2).double())
    for m in range(2):
        alone = VAE(together.model.architecture, 1).double()
        own = {name: v[m : m + 1] for name, v in together.model.state_dict().items()}
        alone.load_state_dict(own)
        terms = alone(x[m : m + 1], eps[m : m + 1])
        want = make_objective(runs[0])(terms, torch.ones(1).double())
        torch.testing.assert_close(values[m], want[0])


@pytest.mark.parametrize("binarization", ["dynamic", "threshold", "none"])
def test_an_epoch_by_blocks_shows_labels_as_0_and_1(
    binarization: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels are columns like any: what draws pixels on a GPU draws them as what they are."""
    dataset = tiny_dataset()
    run = run_config(binarization=binarization, **BLANKED)
    data = with_labels(load_splits(dataset, binarization, CPU), dataset, run)
    state, shown = fresh(run), []

    def recorder(state: TrainState) -> Callable[..., Tensor]:
        def step(*tensors: Tensor) -> Tensor:
            shown.append(tensors[-3][0])
            return torch.zeros(len(SCALARS), 1)

        return step

    monkeypatch.setattr("vaestudy.graph.pure_step", recorder)
    epoch = BlockedEpoch(state, data)
    epoch(state, data)
    told_rows = torch.cat(shown)[:, 16:]
    order = epoch.rows[0]
    want = data.train[order, 16:].clamp_max(1)
    assert len(told_rows) == 80
    assert torch.equal(told_rows, want.float())


def test_a_model_that_infers_labels_is_saved_whole(tmp_path) -> None:  # type: ignore[no-untyped-def]
    state = trained(**M2)
    save_model(state.model, 0, state.runs[0], tmp_path / "m.safetensors")
    model, run = load_model(tmp_path / "m.safetensors")
    assert run == state.runs[0]
    for name, value in model.state_dict().items():
        assert torch.equal(value, state.model.state_dict()[name]), name


def test_its_history_is_of_images_without_labels() -> None:
    state = trained(**M2)
    dataset = tiny_dataset()
    test = with_labels(load_splits(dataset, "dynamic", CPU), dataset, state.runs[0]).test
    scalars, _ = evaluate_epoch(state.model, test, state.runs, 2)
    assert state.history.test[-1][:, 0] == pytest.approx(scalars[:, 0].numpy())
    bound, elbo = (scalars[SCALARS.index(name), 0] for name in ("bound", "elbo"))
    assert bound.item() == pytest.approx(elbo.item(), rel=1e-5)


def test_strata_cover_every_label_in_proportion() -> None:
    q = torch.tensor([[[0.75, 0.25, 0.0], [0.25, 0.5, 0.25]]])
    assert strata(q, 103).tolist() == [[[76, 26, 1], [26, 51, 26]]]
    # What is left over goes to the likeliest.
    assert strata(q, 104).tolist() == [[[77, 26, 1], [26, 52, 26]]]
    with pytest.raises(ValueError, match="there are 2 samples for 3 labels"):
        strata(q, 2)


def test_the_marginal_estimate_is_the_sum_over_labels() -> None:
    """log p(x) by strata of code and label together, against each log p(x|y) by itself."""
    model = perturbed(VAE(architecture(n_z=2, n_classes=C, infers_labels=True), 1)).eval()
    pixels, n = (randn(4, D, seed=3) > 0).double(), 16_000
    each = []
    for y in range(C):
        given = labelled(pixels, torch.full((4,), y), C)
        weights = plain_log_weights(model)
        each.append(estimate_log_px(model, given, n, generators(y), log_weights=weights).log_px)
    want = torch.logsumexp(torch.stack(each), 0) - math.log(C)
    found = estimate_log_px(
        model, unlabelled(pixels, C), n, generators(99), log_weights=marginal_log_weights(model)
    )
    assert ((found.log_px - want).abs() < 4 * found.standard_error + 0.01).all()
    assert (found.standard_error < 0.05).all()


@pytest.mark.parametrize("objective", ["jensen-shannon", "half-joint"])
def test_narrow_posteriors_of_inferred_labels_hide_nothing(objective: str) -> None:
    """-log p(x) is at most -log p(x|y) + log C, whichever y."""
    model = perturbed(VAE(architecture(n_z=2, n_classes=C, infers_labels=True), 1)).eval()
    with torch.no_grad():
        model.heads.weight[..., 2:].zero_()
        model.heads.bias[..., 2:].fill_(-12.0)
    pixels, labels = (randn(6, D, seed=3) > 0).double(), torch.arange(6) % C
    run = run_config(**{**M2, "objective": objective, "n_z": 2})
    rows = measure_run(model, run, pixels, 20_000, 0.01, "never", labels).set_index("metric")
    nll, given = rows.loc["nll", "value"], rows.loc["nll_given_label", "value"]
    assert nll < given + math.log(C) + 0.05
    narrow = estimate_log_px(
        model,
        unlabelled(pixels, C),
        20_000,
        generators(0),
        log_weights=marginal_log_weights(model),
    )
    assert narrow.nll().item() > nll + 1, "q alone finds all codes: nothing is tested"


def test_the_prior_changes_nothing_where_q_is_wide() -> None:
    model = perturbed(VAE(architecture(n_z=2, n_classes=C, infers_labels=True), 1)).eval()
    rows, n = unlabelled((randn(4, D, seed=3) > 0).double(), C), 16_000
    plain, both = (
        estimate_log_px(
            model, rows, n, generators(1), log_weights=marginal_log_weights(model, kl_weight)
        )
        for kl_weight in (None, 1.0)
    )
    error = (plain.standard_error.square() + both.standard_error.square()).sqrt()
    assert ((plain.log_px - both.log_px).abs() < 4 * error + 0.01).all()


def test_no_chunk_of_samples_is_too_small_for_all_labels() -> None:
    model = perturbed(VAE(architecture(n_features=D, n_classes=C, infers_labels=True))).eval()
    pixels = (randn(2, D) > 0).double()
    found = estimate_log_px(
        model,
        unlabelled(pixels, C),
        103,
        generators(0),
        log_weights=marginal_log_weights(model),
        chunk_rows=50,
    )
    assert found.log_px.isfinite().all()


def test_what_is_measured_of_a_model_that_is_told_classes() -> None:
    dataset = tiny_dataset()
    pixels = as_float(load_splits(dataset, "dynamic", CPU).test, "dynamic")
    expected = {
        "condition": {"nll_given_label"},
        "blanked": {"nll_given_label", "nll"},
        "m2": {"nll_given_label", "nll", "label_accuracy"},
    }
    for variant in (CONDITION, BLANKED, M2):
        state = trained(**variant)
        model = state.model.eval()
        table = measure_run(
            model, state.runs[0], pixels, 20, 0.01, "never", dataset.test_labels
        ).set_index("metric")["value"]
        names = {"nll", "nll_given_label", "label_accuracy"} & set(table.index)
        assert names == expected[str(variant["labels"])]
        assert table.notna().all()
        estimates = label_estimates(model, state.runs[0], pixels, dataset.test_labels)
        first = estimate_log_px(model, estimates[0].rows, 20, generators(5))
        assert table["nll_given_label"] == pytest.approx(first.nll().item(), rel=0.05)


def test_accuracy_counts_what_is_named_rightly() -> None:
    model = VAE(architecture(n_classes=C, infers_labels=True), 1)
    model.initialize(generators(0))
    with torch.no_grad():
        model.classifier.logits.weight.zero_()
        model.classifier.logits.bias.copy_(torch.eye(C)[7])
    labels = torch.tensor([7, 7, 1, 7])
    assert inferred_accuracy(model, torch.zeros(4, D), labels) == 0.75


def test_the_posteriors_variance_is_of_images_with_labels() -> None:
    """By the labels of q(y|x), of rows like those that the encoder was trained on."""
    model = perturbed(VAE(architecture(n_classes=C, infers_labels=True), 1)).eval()
    pixels = (randn(7, D, seed=3) > 0).double()
    q, want = model.classifier(pixels[None])[0].exp(), torch.zeros(7, Z).double()
    for y in range(C):
        given = labelled(pixels, torch.full((7,), y), C)
        want += q[:, [y]] * model.encode(given[None])[1][0].exp()
    blank = unlabelled(pixels, C)
    torch.testing.assert_close(code_variances(model, blank)[0], want)
    run = run_config(**M2)
    table = measure_run(model, run, pixels, C, 0.01, "never", torch.arange(7))
    (found,) = table.loc[table["metric"] == "posterior_variance", "value"]
    assert found == pytest.approx(want.mean().item())
    of_blanks = model.encode(blank[None])[1].exp().mean().item()
    assert found != pytest.approx(of_blanks, rel=1e-3)


def test_samples_are_of_the_class_that_was_asked_for() -> None:
    """A decoder that paints the class's own pixels is named rightly by one that reads them."""
    model = VAE(architecture(n_features=16, n_classes=C, hidden=(C,), activation="relu"), 1).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.decoder[0].weight[0, Z:] = 50 * torch.eye(C)
        model.output.weight[0, :, :C] = torch.eye(C)
        model.output.bias.fill_(-25.0)
    asked = sample_classes(model, 25, torch.Generator().manual_seed(0))
    assert asked.labels.tolist() == [n % C for n in range(25)]
    assert torch.equal(asked.drawn[:, :C].argmax(-1), asked.labels)
    assert torch.allclose(asked.means.round(), asked.drawn)

    class Reader(Classifier):
        """Names the class whose pixel is set, moved on by some classes."""

        def __init__(self, shift: int) -> None:
            super().__init__((4, 4), C)
            self.shift = shift

        def probabilities(self, x: Tensor) -> Tensor:
            return x[:, :C].roll(self.shift, 1)

    for shift, share in ((0, 1.0), (1, 0.0)):
        reader = Reader(shift)
        found = conditional_accuracy(reader, model, 20, torch.Generator().manual_seed(0))
        assert found == {"conditional_accuracy": share, "conditional_accuracy_of_means": share}


def test_models_that_are_told_nothing_are_as_before() -> None:
    model = perturbed(VAE(architecture(), M))
    x = (randn(M, B, D) > 0).double()
    assert model.split(x)[0] is x
    want = plain_twin(model, 1).terms(x[1], randn(M, K, B, Z, seed=1)[1])["log_px_z"]
    torch.testing.assert_close(model(x, randn(M, K, B, Z, seed=1)).log_px_z[1], want)
    with pytest.raises(ValueError, match="not told classes"):
        sample_classes(model.eval(), 10, torch.Generator())
