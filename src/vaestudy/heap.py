"""What becomes of memory that a job frees and soon takes again.

A step, or a chunk of an estimate, takes some megabytes and frees them at its end. The GNU C library
returns such memory to the system where it lies at the heap's end, and large parts of it always; a
page that is taken again is cleared first and costs microseconds, more in a virtual machine. Whether
it does so depends on what else lies there: of equal processes one made four hundred of these page
faults in each step of K = 5 and was 8 % slower.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

#: Large parts are taken from the system, and returned to it, from here on: the library's own limit.
LARGE_BYTES = 1 << 25
#: This much of the heap's end is kept. Not more, so that what preparing took goes back.
KEPT_BYTES = 1 << 26

# From the library's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


def keep_freed_memory() -> bool:
    """Have this process keep what it frees, up to ``KEPT_BYTES``; return whether it now does.

    It is for processes that do nothing but such work. Where another C library than GNU's serves the
    process, nothing changes.
    """
    mallopt = _gnu("mallopt")
    if mallopt is None:
        return False
    return bool(mallopt(_MMAP_THRESHOLD, LARGE_BYTES) and mallopt(_TRIM_THRESHOLD, KEPT_BYTES))


def return_freed_memory() -> None:
    """Return to the system what is free, for work of another kind that comes now."""
    malloc_trim = _gnu("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)


def _gnu(name: str) -> Callable[..., int] | None:
    """Return a function of the GNU C library, None where another one serves the process."""
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), name, None)
