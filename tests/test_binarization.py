"""Binarization: the draw's law, its dependence on the generator alone, the fixed sets."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from vaestudy.binarization import BINARIZATIONS, as_float, draw_bernoulli, fixed_binarization


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def all_values(repeats: int) -> Tensor:
    """Every intensity 0..255, ``repeats`` times each."""
    return torch.arange(256, dtype=torch.uint8).repeat(repeats, 1)


def assert_law(x: Tensor, pixels: Tensor) -> None:
    """χ² of the ones at each intensity against Bernoulli(v / 255)."""
    n = pixels.shape[0]
    ones = x.double().sum(0)
    p = torch.arange(256, dtype=torch.float64) / 255
    assert ones[0] == 0
    assert ones[255] == n
    inner = slice(1, 255)
    chi2 = ((ones - n * p)[inner] ** 2 / (n * p * (1 - p))[inner]).sum().item()
    assert 1e-4 < stats.chi2.sf(chi2, 254) < 1 - 1e-4


@pytest.mark.parametrize("seed", range(3))
def test_draw_has_probability_v_over_255(seed: int) -> None:
    pixels = all_values(20_000)
    assert_law(draw_bernoulli(pixels, generator(seed)), pixels)


def test_draw_tells_255ths_from_256ths() -> None:
    """P = v / 256, what a byte that is not drawn again gives, is 12 standard errors away."""
    pixels = torch.full((1000, 10_000), 128, dtype=torch.uint8)
    mean = draw_bernoulli(pixels, generator()).mean(dtype=torch.float64).item()
    standard_error = 0.5 / pixels.numel() ** 0.5
    assert abs(mean - 128 / 255) < 4 * standard_error
    assert abs(mean - 128 / 256) > 4 * standard_error


def test_every_byte_of_a_word_has_the_same_law() -> None:
    pixels = torch.full((200_000, 8), 100, dtype=torch.uint8)
    ones = draw_bernoulli(pixels, generator()).sum(0).numpy()
    assert stats.chisquare(ones).pvalue > 1e-4


def test_neighbours_and_calls_are_independent() -> None:
    pixels = torch.full((1000, 800), 100, dtype=torch.uint8)
    g = generator()
    first, second = draw_bernoulli(pixels, g), draw_bernoulli(pixels, g)
    n = pixels.numel()
    pairs = [(first, second), *((first, first.view(-1).roll(k).view_as(first)) for k in (1, 7, 8))]
    for a, b in pairs:
        correlation = torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1].item()
        assert abs(correlation) < 4.5 / n**0.5


@given(
    shape=st.lists(st.integers(0, 13), min_size=1, max_size=3),
    seed=st.integers(0, 2**32),
)
def test_draw_depends_on_the_generator_alone(shape: list[int], seed: int) -> None:
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator(1))
    kept = pixels.clone()
    fresh = draw_bernoulli(pixels, generator(seed))
    assert torch.equal(fresh, draw_bernoulli(pixels, generator(seed)))
    assert torch.equal(pixels, kept)
    assert fresh.dtype == torch.float32
    assert ((fresh == 0) | (fresh == 1)).all()
    assert (fresh[pixels == 0] == 0).all()
    assert (fresh[pixels == 255] == 1).all()


@given(seed=st.integers(0, 2**32))
def test_a_lighter_pixel_is_never_darker_under_one_generator(seed: int) -> None:
    """The random numbers taken do not depend on the pixels, so draws are coupled across them."""
    pixels = torch.randint(0, 255, (5, 77), dtype=torch.uint8, generator=generator(1))
    darker, lighter = (draw_bernoulli(p, generator(seed)) for p in (pixels, pixels + 1))
    assert (darker <= lighter).all()


def test_draw_takes_views() -> None:
    pixels = torch.randint(0, 256, (12, 10), dtype=torch.uint8)
    expected = draw_bernoulli(pixels.T.contiguous(), generator())
    assert torch.equal(draw_bernoulli(pixels.T, generator()), expected)


def test_draw_refuses_what_are_no_pixels() -> None:
    pixels = torch.zeros(3, 4, dtype=torch.uint8)
    with pytest.raises(TypeError, match=r"torch\.float32.*torch\.uint8"):
        draw_bernoulli(pixels.float(), generator())


def test_fixed_draw_has_probability_v_over_255() -> None:
    pixels = all_values(10_000)
    assert_law(fixed_binarization(pixels, "static", seed=3), pixels)


def test_dynamic_and_static_share_the_fixed_draw() -> None:
    pixels = all_values(20)
    draws = [fixed_binarization(pixels, how, seed=1) for how in ("dynamic", "static")]
    assert torch.equal(*draws)
    assert draws[0].dtype == torch.uint8
    assert not torch.equal(draws[0], fixed_binarization(pixels, "static", seed=2))


@given(n=st.integers(0, 40), n_features=st.integers(1, 30), seed=st.integers(0, 2**32))
def test_a_subsets_draw_is_the_subset_of_the_draw(n: int, n_features: int, seed: int) -> None:
    pixels = torch.randint(0, 256, (40, n_features), dtype=torch.uint8)
    whole = fixed_binarization(pixels, "static", seed)
    assert torch.equal(whole[:n], fixed_binarization(pixels[:n], "static", seed))


def test_fixed_draw_does_not_depend_on_layout() -> None:
    pixels = torch.randint(0, 256, (12, 10), dtype=torch.uint8)
    expected = fixed_binarization(pixels.T.contiguous(), "static", 0)
    assert torch.equal(fixed_binarization(pixels.T, "static", 0), expected)


def test_fixed_draw_never_changes() -> None:
    """Results of another day are comparable only if the test pixels are the same."""
    pixels = torch.full((1, 24), 128, dtype=torch.uint8)
    drawn = "".join(str(x) for x in fixed_binarization(pixels, "static", 0)[0].tolist())
    assert drawn == "010000100010110101000100"


def test_threshold_and_none() -> None:
    pixels = all_values(1)
    threshold = fixed_binarization(pixels, "threshold", 0)
    assert torch.equal(threshold.bool(), pixels / 255 > 0.5)
    assert torch.equal(fixed_binarization(pixels, "none", 0), pixels)
    assert torch.equal(as_float(threshold, "threshold"), threshold.float())
    assert torch.equal(as_float(pixels, "none"), pixels.float() / 255)


@pytest.mark.parametrize("how", BINARIZATIONS)
def test_as_float_fills_out(how: str) -> None:
    pixels = fixed_binarization(all_values(2), how, 0)
    out = torch.full(pixels.shape, torch.nan)
    assert as_float(pixels, how, out) is out
    assert torch.equal(out, as_float(pixels, how))
    assert 0 <= out.min() <= out.max() <= 1


@pytest.mark.parametrize(
    "call", [lambda p: fixed_binarization(p, "x", 0), lambda p: as_float(p, "x")]
)
def test_unknown_binarization_lists_the_known(call) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=r"'x' is unknown.*dynamic.*static.*threshold.*none"):
        call(all_values(1))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_draw_has_the_law_and_can_be_captured() -> None:
    pixels = all_values(20_000).cuda()
    g = torch.Generator("cuda").manual_seed(0)
    assert_law(draw_bernoulli(pixels, g).cpu(), pixels)
    graph = torch.cuda.CUDAGraph()
    graph.register_generator_state(g)
    with torch.cuda.graph(graph):
        out = draw_bernoulli(pixels, g)
    graph.replay()
    first = out.clone()
    graph.replay()
    assert_law(out.cpu(), pixels)
    assert not torch.equal(first, out)
    grey = pixels[:100]
    on_cpu = fixed_binarization(grey.cpu(), "static", 0)
    assert torch.equal(fixed_binarization(grey, "static", 0).cpu(), on_cpu)
