"""What a job computes on: the device asked for, and which GPU, where jobs share several.

Snakemake limits how many jobs use GPUs at once but does not say which job uses which. Here each
job locks one file a GPU until it finds a free one, and shows PyTorch that GPU alone. The kernel
frees the lock however the process ends.

On a GPU fp32 is fp32 unless TF32 is asked for, in convolutions too.
"""

from __future__ import annotations

import fcntl
import getpass
import logging
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

_VISIBLE = "CUDA_VISIBLE_DEVICES"
#: A job of Slurm that is shown no GPU has asked for none.
_IN_SLURM = "SLURM_JOB_ID"

#: Locks last as long as the process: a handle that nothing refers to would be closed.
_held: list[TextIO] = []


class DeviceError(RuntimeError):
    """The device asked for is not there."""


class UnknownDeviceError(DeviceError, ValueError):
    """The device asked for has a name that no device has: a wrong value, on every machine."""


def select_device(name: str) -> torch.device:
    """Return the device that a configuration asks for.

    Raises
    ------
    DeviceError
        If ``cuda`` is asked for and there is none.
    UnknownDeviceError
        A ``DeviceError`` and a ``ValueError``, if the name is unknown.
    """
    import torch

    if name not in ("auto", "cpu", "cuda"):
        raise UnknownDeviceError(f"device is {name!r}; expected auto, cpu or cuda")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise DeviceError(
            "device is cuda, but PyTorch finds no usable GPU (is the driver installed and recent "
            "enough? `nvidia-smi` tells); set device: cpu, or auto"
        )
    return torch.device("cuda" if name == "cuda" or (name == "auto" and available) else "cpu")


@contextmanager
def tf32_products(allowed: bool) -> Iterator[None]:
    """Let fp32 products and convolutions take a GPU's TF32 units inside this block, or not."""
    import torch

    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    _take_tf32("high" if allowed else "highest", allowed)
    try:
        yield
    finally:
        _take_tf32(*before)


def compute_in_fp32() -> None:
    """Let nothing take a GPU's TF32 units from here on; :func:`tf32_products` says where they may.

    PyTorch's convolutions would, unless told: 10 bits of a product instead of 23.
    """
    _take_tf32("highest", False)


def _take_tf32(products: str, convolutions: bool) -> None:
    import torch

    torch.set_float32_matmul_precision(products)
    # The products' setting leaves cuDNN alone.
    torch.backends.cudnn.allow_tf32 = convolutions


@contextmanager
def out_of_memory_told(n_models: int, name: str) -> Iterator[None]:
    """Say what to do when the GPU's memory is not enough.

    Raises
    ------
    DeviceError
        In the place of PyTorch's own error.
    """
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        raise DeviceError(
            f"the GPU's memory does not hold {n_models} models of {name} at "
            "once; lower max_members, free the GPU (`nvidia-smi` tells who uses it), or set device:"
            f" cpu. What was trained is kept. PyTorch said: {str(error).splitlines()[0]}"
        ) from None


def claim_gpu() -> str | None:
    """Claim a free GPU for the rest of this process's life; call before CUDA is initialised.

    Waits while all are taken: jobs queue for the GPUs rather than crowd them.

    Returns
    -------
        The GPU's identifier, which ``CUDA_VISIBLE_DEVICES`` now holds; None if there is no GPU, or
        none to choose. Of several that Slurm or the user lets this process see it takes one, by the
        name that it has there.
    """
    shown = os.environ.get(_VISIBLE)
    if shown is None:
        gpus = [] if _IN_SLURM in os.environ else list_gpus()
    else:
        gpus = [name.strip() for name in shown.split(",")]
        gpus = gpus if len(gpus) > 1 else []
    if not gpus:
        return None
    gpu, handle = lock_first_free(gpus, _lock_directory())
    _held.append(handle)
    os.environ[_VISIBLE] = gpu
    return gpu


def release_gpu(gpu: str | None) -> None:
    """Let other jobs have a GPU that was claimed and is of no use to this one."""
    if gpu is not None:
        _held.pop().close()


def list_gpus() -> list[str]:
    """Return the identifiers (UUIDs) of this machine's GPUs, without initialising CUDA."""
    command = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in result.stdout.splitlines() if line.strip()]


def lock_first_free(
    gpus: Sequence[str], directory: Path, poll_seconds: float = 1.0
) -> tuple[str, TextIO]:
    """Return the first of ``gpus`` to be free, and the handle whose life is the lock's."""
    directory.mkdir(parents=True, exist_ok=True)
    waiting = False
    while True:
        for gpu in gpus:
            if (handle := _try_lock(directory / f"{gpu}.lock")) is not None:
                return gpu, handle
        if not waiting:
            waiting = True
            log.warning("waiting: other jobs hold %s (device cpu needs none)", _count(gpus))
        time.sleep(poll_seconds)


def _count(gpus: Sequence[str]) -> str:
    return "the GPU" if len(gpus) == 1 else f"all {len(gpus)} GPUs"


def _try_lock(path: Path) -> TextIO | None:
    handle = path.open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        return None
    return handle


def _lock_directory() -> Path:
    """One directory a user and machine, whatever study or checkout the jobs belong to."""
    return Path(tempfile.gettempdir()) / f"vaestudy-gpus-{getpass.getuser()}"
