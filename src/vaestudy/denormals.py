r"""Numbers too small for a processor's fast path, taken as zero while a model trains.

Where a pixel is lit once in thousands of images, Adam's first moment of its weights shrinks from
step to step, :math:`m \leftarrow \beta_1 m`, until a float32 has no full mantissa left for it:
below :math:`2^{-126} \approx 10^{-38}` it is *denormal*. There rounding holds it for ever (nine
tenths of the least number are rounded to that number), and an operation on it may cost a hundred
times the usual. After forty epochs of MNIST a step with them took twice as long; zeros in their
place changed no weight.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

_DENORMAL = 1e-40


@contextmanager
def denormals_as_zero() -> Iterator[None]:
    """Let the calling thread take denormal numbers as zero, and afterwards as it did before.

    Where the processor cannot, nothing changes. Operations on other devices are not affected.
    """
    if not _has_denormals():
        yield
        return
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def _has_denormals() -> bool:
    # PyTorch can be told, but not asked.
    return bool(torch.ones(1).mul(_DENORMAL).item())
