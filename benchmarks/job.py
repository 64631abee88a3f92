"""What a job of the workflow settles before its work, for processes that stand for one."""

from __future__ import annotations


def settle() -> None:
    """Take one thread, and keep the memory that is freed."""
    import torch

    from vaestudy.heap import keep_freed_memory

    torch.set_num_threads(1)
    keep_freed_memory()
