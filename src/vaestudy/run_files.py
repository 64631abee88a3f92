"""Where a run keeps its files, and the record of how its training went."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Name of the file that holds a training state.
CHECKPOINT = "checkpoint.safetensors"


class MissingResultError(RuntimeError):
    """A run's files are not there; the message says which and what makes them."""


@dataclass(frozen=True)
class RunFiles:
    """Where a run keeps what."""

    directory: Path

    @property
    def parameters(self) -> Path:
        """The run's parameters, for people."""
        return self.directory / "parameters.json"

    @property
    def model(self) -> Path:
        """The trained weights."""
        return self.directory / "model.safetensors"

    @property
    def checkpoint(self) -> Path:
        """The training state while training lasts."""
        return self.directory / CHECKPOINT

    @property
    def history(self) -> Path:
        """Scalars an epoch."""
        return self.directory / "history.parquet"

    @property
    def units(self) -> Path:
        """Latent dimensions an epoch."""
        return self.directory / "units.parquet"

    @property
    def steps(self) -> Path:
        """Scalars at single steps, of runs that log them."""
        return self.directory / "steps.parquet"

    @property
    def record(self) -> Path:
        """How training went; written last, so a run that has one is finished."""
        return self.directory / "record.json"


def read_record(files: RunFiles) -> dict[str, Any]:
    """Return how a run's training went.

    Raises
    ------
    MissingResultError
        If it has not been trained.
    """
    if not files.record.exists():
        raise MissingResultError(
            f"{files.record} is missing: run {files.directory.name} has not been trained; "
            "`snakemake` trains what is missing"
        )
    return json.loads(files.record.read_text(encoding="utf-8"))  # type: ignore[no-any-return]
