"""What a user says of a file to fit, and what messages about it advise."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Remedies:
    """What to write where the user says how a file is read, for messages."""

    drop: str = "--drop NAME"
    drop_missing: str = "--drop-missing"
    color: str = "colour by it with --color"
    resize: str = "--size 28 makes them all 28×28"


@dataclass(frozen=True)
class Choices:
    """What the user says of a file.

    Parameters
    ----------
    color
        Column that is not fitted but colours the embedding.
    drop
        Columns that are left out.
    drop_missing
        Leave out rows with missing values.
    size
        Images are resized to so many pixels a side; None: they must all be of one size.
    remedies
        What messages advise: options of a command, unless the choices were made elsewhere.
    """

    color: str | None = None
    drop: tuple[str, ...] = ()
    drop_missing: bool = False
    size: int | None = None
    remedies: Remedies = Remedies()
