"""What an epoch shows, whatever length its blocks have."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from builders import architecture, generators, run_config
from vaestudy import presentation
from vaestudy.config import RunConfig
from vaestudy.presentation import presented, steps_an_epoch
from vaestudy.splits import Rows

ARCHITECTURE = architecture(n_features=16)
A_STEP = 20 * (2 * 16 + 4 * 3)
#: One step, a few that do not divide the epoch's nine, and all of them.
BLOCKS = {1: 1, 4 * A_STEP: 4, 1 << 22: 9}


def rows_of(n: int = 195) -> Tensor:
    """Row i is i everywhere."""
    return torch.arange(n, dtype=torch.uint8)[:, None].expand(n, 16).contiguous()


def shown(
    run: RunConfig, rows: Tensor | Rows, seeds: tuple[int, ...] = (0,)
) -> tuple[list[int], list[Tensor], list[Tensor]]:
    """The blocks' lengths, and all batches and noise of an epoch."""
    orders = torch.stack([torch.randperm(len(rows), generator=g) for g in generators(*seeds)])
    streams = generators(*seeds), generators(*(1000 + seed for seed in seeds))
    lengths, batches, noise = [], [], []
    for block in presented(rows, orders, run, ARCHITECTURE, *streams):
        pairs = [(x.clone(), eps) for x, eps in block]
        lengths.append(len(pairs))
        batches += [x for x, _ in pairs]
        noise += [eps for _, eps in pairs]
    return lengths, batches, noise


@pytest.mark.parametrize("block_bytes", BLOCKS)
@pytest.mark.parametrize("kind", [torch.uint8, torch.float32])
def test_rows_are_shown_once_in_their_order(
    block_bytes: int, kind: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presentation, "BLOCK_BYTES", block_bytes)
    rows = rows_of().to(kind)
    lengths, batches, _ = shown(run_config(binarization="none"), rows)
    order = torch.randperm(195, generator=torch.Generator().manual_seed(0))[:180]
    scale = 255 if kind == torch.uint8 else 1
    torch.testing.assert_close(torch.cat(batches, 1)[0, :, 0] * scale, order.float())
    assert sum(lengths) == 9
    if kind == torch.uint8:
        assert lengths[0] == BLOCKS[block_bytes]


@pytest.mark.parametrize("block_bytes", BLOCKS)
def test_pixels_are_drawn_with_their_probability(
    block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 180 images with 16 pixels of each intensity: 5 standard errors."""
    monkeypatch.setattr(presentation, "BLOCK_BYTES", block_bytes)
    rows = torch.arange(16, dtype=torch.uint8).mul(17).expand(195, 16).contiguous()
    _, batches, _ = shown(run_config(), rows)
    x = torch.cat(batches, 1)[0]
    p = torch.arange(16) / 15
    assert set(x.unique().tolist()) == {0.0, 1.0}
    assert (x[:, 0] == 0).all()
    assert (x[:, 15] == 1).all()
    assert ((x.mean(0) - p).abs() <= 5 * (p * (1 - p) / 180).sqrt()).all()
    # Draws of two steps, and of two images of one, are not the same.
    assert len({tuple(row.tolist()) for row in x}) > 100


@pytest.mark.parametrize("block_bytes", BLOCKS)
def test_members_are_shown_what_they_are_shown_alone(
    block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presentation, "BLOCK_BYTES", block_bytes)
    run = run_config(k=2, objective="iwae")
    together = shown(run, rows_of(), seeds=(3, 1, 2))
    for member, seed in enumerate((3, 1, 2)):
        alone = shown(run, rows_of(), seeds=(seed,))
        assert alone[0] == together[0]
        for got, want in zip(together[1:], alone[1:], strict=True):
            for many, one in zip(got, want, strict=True):
                assert torch.equal(many[member], one[0])


def test_noise_is_standard_normal_and_never_the_same() -> None:
    run = run_config(k=5, objective="iwae")
    _, batches, noise = shown(run, rows_of())
    assert all(eps.shape == (1, 5, 20, 3) for eps in noise)
    assert all(x.shape == (1, 20, 16) for x in batches)
    every = torch.cat([eps.flatten() for eps in noise])
    assert len(every) == 9 * 5 * 20 * 3
    assert len(every.unique()) > 0.999 * len(every)
    assert every.mean().abs() < 5 / len(every) ** 0.5
    assert (every.var() - 1).abs() < 5 * (2 / len(every)) ** 0.5


def test_a_batch_longer_than_the_rows_is_all_of_them() -> None:
    run = run_config(batch_size=1000)
    assert steps_an_epoch(run, 195) == 1
    lengths, batches, _ = shown(run, rows_of())
    assert lengths == [1]
    assert batches[0].shape == (1, 195, 16)
