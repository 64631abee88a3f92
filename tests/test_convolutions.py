"""M members' convolutions against M stock ones, and networks of equal size."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from builders import CPU, architecture, generators, perturbed, randn, run_config, tiny_dataset
from vaestudy.convolutions import MemberConv2d, conv_networks, conv_widths, n_parameters
from vaestudy.labels import with_labels
from vaestudy.lowering_convolutions import convolution, convolution_backward, overlay, patches
from vaestudy.networks import Shape, mlp_networks
from vaestudy.objectives import OBJECTIVES
from vaestudy.splits import load_splits
from vaestudy.train import initial_state, train
from vaestudy.vae import VAE

M, K, B, Z = 3, 2, 4, 3
CONV = {"network": "conv", "n_features": 64, "hidden": (40, 30), "activation": "elu"}


def stock(layer: MemberConv2d, member: int) -> nn.Module:
    """A stock layer with copies of one member's weights."""
    kind = nn.ConvTranspose2d if layer.transposed else nn.Conv2d
    twin = kind(layer.n_in, layer.n_out, 4, stride=2, padding=1).double()
    twin.load_state_dict({"weight": layer.weight[member], "bias": layer.bias[member]})
    return twin


@pytest.mark.parametrize("transposed", [False, True])
def test_members_are_plain_convolutions_in_values_and_gradients(transposed: bool) -> None:
    layer = MemberConv2d(M, 2, 5, transposed=transposed).double()
    layer.initialize(generators(0, 1, 2))
    with torch.no_grad():
        layer.bias.copy_(randn(M, 5, seed=3))
    side = 12 if transposed else 3
    x = randn(M, B, 2, 6, 6, seed=1).requires_grad_()
    weights = randn(M, B, 5, side, side, seed=2)
    value = layer(x)
    own = torch.autograd.grad((value * weights).sum(), [x, layer.weight, layer.bias])
    for m in range(M):
        twin, images = stock(layer, m), x[m].detach().requires_grad_()
        want = twin(images)
        torch.testing.assert_close(value[m], want)
        loss = (want * weights[m]).sum()
        found = torch.autograd.grad(loss, [images, twin.weight, twin.bias])
        torch.testing.assert_close(own[0][m], found[0])
        torch.testing.assert_close(own[1][m], found[1])
        torch.testing.assert_close(own[2][m], found[2])


def plain_params(model: VAE, member: int, x: Tensor) -> Tensor:
    """Decoder outputs at z = mu of a stock convolutional autoencoder with a member's weights."""

    def dense(layer: nn.Module, rows: Tensor) -> Tensor:
        return rows @ layer.weight[member] + layer.bias[member]

    down, inside = model.encoder[0], model.encoder[1]
    maps = x.view(len(x), 1, 8, 8)
    for layer in (down[1], down[3]):
        maps = nn.functional.elu(stock(layer, member)(maps))
    h = nn.functional.elu(dense(inside, maps.flatten(1)))
    z = dense(model.heads, h)[:, :Z]
    h = nn.functional.elu(dense(model.decoder[0], z))
    maps = nn.functional.elu(dense(model.decoder[2], h)).view(len(x), -1, 2, 2)
    maps = nn.functional.elu(stock(model.decoder[5], member)(maps))
    return stock(model.output, member)(maps).flatten(1)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("strided", [False, True], ids=["contiguous", "permuted"])
def test_lowered_convolutions_are_the_librarys(transposed: bool, strided: bool) -> None:
    x = randn(B, 5, 8, 8)
    if strided:
        x = x.contiguous(memory_format=torch.channels_last)
    weight = randn(5, 3, 4, 4, seed=1) if transposed else randn(3, 5, 4, 4, seed=1)
    bias, how = randn(3, seed=2), ([2, 2], [1, 1], [1, 1], transposed, [0, 0], 1)
    value = torch.ops.aten.convolution(x, weight, bias, *how)
    torch.testing.assert_close(convolution(x, weight, bias, *how), value)
    torch.testing.assert_close(
        convolution(x, weight, None, *how), value - bias[:, None, None], rtol=1e-6, atol=1e-12
    )
    given = randn(*value.shape, seed=3), x, weight, [3], *how
    want = torch.ops.aten.convolution_backward(*given, [True] * 3)
    torch.testing.assert_close(convolution_backward(*given, [True] * 3), want)
    assert convolution_backward(*given, [False] * 3) == (None, None, None)


def test_overlay_is_the_transpose_of_patches() -> None:
    x, pieces = randn(B, 6, 6, 2), randn(B, 3, 3, 32, seed=1)
    torch.testing.assert_close((patches(x) * pieces).sum(), (x * overlay(pieces)).sum())


def test_other_convolutions_are_left_alone() -> None:
    x, bias = randn(1, 2, 8, 8), None
    ours = randn(4, 2, 4, 4)
    for weight, stride, dilation, output_padding, groups in (
        (randn(4, 2, 3, 3), [2, 2], [1, 1], [0, 0], 1),
        (ours, [1, 1], [1, 1], [0, 0], 1),
        (ours, [2, 2], [2, 2], [0, 0], 1),
        (ours, [2, 2], [1, 1], [1, 1], 1),
        (randn(4, 1, 4, 4), [2, 2], [1, 1], [0, 0], 2),
    ):
        how = stride, [1, 1], dilation, False, output_padding, groups
        assert convolution(x, weight, bias, *how) is NotImplemented
        assert convolution_backward(x, x, weight, None, *how, [True] * 3) is NotImplemented


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_members_are_plain_autoencoders(likelihood: str) -> None:
    model = perturbed(VAE(architecture(likelihood=likelihood, **CONV), M))
    x = (randn(M, B, 64) > 0).double()
    params = model.decode(model.encode(x)[0])
    for m in range(M):
        torch.testing.assert_close(params[m], plain_params(model, m, x[m]))


def test_gradients_are_those_of_differences() -> None:
    changes = {**CONV, "n_features": 16, "hidden": (3,), "n_z": 2, "activation": "tanh"}
    model = perturbed(VAE(architecture(**changes), 1))
    x, eps = (randn(1, 2, 16) > 0).double(), randn(1, K, 2, 2, seed=1)
    names = [name for name, _ in model.named_parameters()]

    def value(*tensors: Tensor) -> Tensor:
        named = dict(zip(names, tensors, strict=True))
        terms = torch.func.functional_call(model, named, (x, eps))
        return OBJECTIVES["elbo"](terms, torch.ones(1).double())

    assert torch.autograd.gradcheck(value, tuple(model.parameters()))


@pytest.mark.parametrize(
    ("hidden", "n_z", "n_classes", "n_heads"),
    [((200, 200), 50, 0, 1), ((500,), 2, 0, 1), ((512, 384, 256), 10, 10, 1), ((64,), 10, 10, 2)],
)
def test_networks_have_as_many_parameters_as_perceptrons(
    hidden: tuple[int, ...], n_z: int, n_classes: int, n_heads: int
) -> None:
    shape = Shape(784, n_classes, n_z, n_heads, hidden)
    kinds = {"mlp": mlp_networks, "conv": conv_networks}
    counts = {}
    for name, make in kinds.items():
        made = make(shape, 2, "relu", False)
        heads = (made.width + 1) * 2 * n_z
        parts = (made.encoder, made.decoder, made.output)
        counts[name] = heads + sum(p[0].numel() for part in parts for p in part.parameters())
    assert counts["mlp"] == shape.n_parameters()
    assert counts["conv"] == n_parameters(shape, *conv_widths(shape))
    assert abs(counts["conv"] / counts["mlp"] - 1) < 0.02


def test_the_initial_weights_keep_the_variance_of_both_passes() -> None:
    for transposed, fans in ((False, 8 * 16 + 16 * 4), (True, 8 * 4 + 16 * 16)):
        layer = MemberConv2d(2, 8, 16, transposed=transposed)
        layer.initialize(generators(5, 6))
        assert layer.weight[1].var().item() == pytest.approx(2 / fans, rel=0.1)
        alone = MemberConv2d(1, 8, 16, transposed=transposed)
        alone.initialize(generators(6))
        assert torch.equal(layer.weight[1], alone.weight[0])


@pytest.mark.parametrize("n_features", [784 - 1, 36])
def test_images_that_cannot_be_halved_twice_are_refused(n_features: int) -> None:
    with pytest.raises(ValueError, match="square images with a side that 4 divides"):
        conv_widths(Shape(n_features, 0, 2, 1, (20,)))


def test_batch_normalization_is_refused() -> None:
    with pytest.raises(ValueError, match="convolutional networks do not have"):
        VAE(architecture(batch_norm="hidden", **CONV))


@pytest.mark.parametrize("labels", [{}, {"labels": "m2", "label_share": 0.5}], ids=str)
def test_they_learn(labels: dict[str, object]) -> None:
    dataset = tiny_dataset(side=8)
    run = run_config(network="conv", hidden=(20,), epochs=5, **labels)
    data = with_labels(load_splits(dataset, "dynamic", CPU), dataset, run)
    state = train(initial_state((run,), 64, CPU, n_classes=10), data)
    bounds = [value[1, 0] for value in state.history.test]
    assert bounds[-1] > bounds[0] + 1
