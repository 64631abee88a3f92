"""What every figure function returns."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd
from matplotlib.figure import Figure


@dataclass(frozen=True)
class Drawing:
    """A figure, the numbers it shows and the runs they come from.

    Parameters
    ----------
    figure
        The drawn figure, not attached to any GUI.
    data
        Tidy table of exactly what is drawn, for the reader to download.
    runs
        Ids of the runs behind the figure.
    """

    figure: Figure
    data: pd.DataFrame
    runs: tuple[str, ...] = field(default=())
