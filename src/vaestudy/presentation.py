"""What training is shown: batches in each member's order, binarized afresh, and their noise.

Rows are gathered and random numbers drawn for a block of steps at a time, for one draw of a block
takes a fraction of what as many draws of a batch take; a step then finds its part of them. How long
a block is, is a matter of the run alone, so that members see the same whoever is beside them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Int64, Num
from torch import Tensor

from vaestudy.binarization import as_float, uniform_below_255
from vaestudy.config import RunConfig
from vaestudy.rng import normal
from vaestudy.splits import Rows
from vaestudy.vae import Architecture

#: A member's rows, random bytes and noise of one block: small beside a job's other memory.
BLOCK_BYTES = 1 << 22

#: A batch [M, B, D] and the noise of its K samples [M, K, B, U].
Shown = tuple[Tensor, Tensor]
#: One generator a member.
Generators = Sequence[torch.Generator]


def presented(
    rows: Num[Tensor, "N D"] | Rows,
    orders: Int64[Tensor, "M N"],
    run: RunConfig,
    architecture: Architecture,
    pixel_noise: Generators,
    noise: Generators,
) -> Iterator[Iterator[Shown]]:
    """Yield the blocks of an epoch, each the batches of its steps; the last part batch is left out.

    Parameters
    ----------
    rows
        8-bit pixels, which are binarized as the run says, or floats, shown as they are.
    orders
        Each member's order of presentation.
    run, architecture
        What all members share.
    pixel_noise, noise
        What each member draws its pixels from, and its samples' noise.

    Notes
    -----
    A batch may lie where the one before it lay: who keeps it makes a copy.
    """
    size, n_steps = min(run.batch_size, orders.shape[1]), steps_an_epoch(run, orders.shape[1])
    a_row = architecture.n_inputs * (rows.element_size() if isinstance(rows, Tensor) else 4)
    noise_a_row = 4 * run.k * architecture.n_latent
    at_once = max(1, BLOCK_BYTES // (size * (2 * a_row + noise_a_row)))
    for first in range(0, n_steps, at_once):
        steps = min(at_once, n_steps - first)
        chosen = orders[:, first * size : (first + steps) * size]
        block = rows.index_select(0, chosen.reshape(-1)).view(len(orders), steps, size, -1)
        eps = normal(noise, (steps, run.k, size, architecture.n_latent), block.device)
        yield zip(_batches(block, run.binarization, pixel_noise), eps.unbind(1), strict=True)


def steps_an_epoch(run: RunConfig, n_rows: int) -> int:
    """Return how many batches a pass over ``n_rows`` makes; a last part batch is left out."""
    return n_rows // min(run.batch_size, n_rows)


def _batches(
    block: Num[Tensor, "M S B D"], binarization: str, generators: Generators
) -> Iterator[Float[Tensor, "M B D"]]:
    """Yield what the model is shown: fresh draws if dynamic, else the values as they are."""
    if block.is_floating_point():
        yield from (batch.contiguous() for batch in block.unbind(1))
    elif binarization != "dynamic":
        yield from (as_float(batch, binarization) for batch in block.unbind(1))
    else:
        draws = [uniform_below_255(of, g) for of, g in zip(block, generators, strict=True)]
        x = torch.empty(block[:, 0].shape, device=block.device)
        for step in range(block.shape[1]):
            for member, drawn in enumerate(draws):
                torch.lt(drawn[step], block[member, step], out=x[member])
            yield x
