"""A table in; the files of a fitted model out."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from vaestudy.config_errors import ConfigError
from vaestudy.devices import DeviceError
from vaestudy.estimator import VAE
from vaestudy.estimator.support import LikelihoodWarning
from vaestudy.files import atomic_path, write_csv, write_json, write_parquet
from vaestudy.fit import page
from vaestudy.fit.files import Table
from vaestudy.fit.texts import FileError

#: What a fit says of itself, in its directory.
FACTS = "model.json"
#: Rows that the pictures look at.
MOST_SHOWN = 2000


@dataclass(frozen=True, eq=False)
class Shown:
    """What the page tells of a fit.

    Parameters
    ----------
    source
        File or folder.
    table
        Its data.
    model
        Fitted to them.
    codes
        [N, Z] of all rows.
    index
        Rows that the pictures show.
    warned
        What the fit warned of.
    """

    source: Path
    table: Table
    model: VAE
    codes: NDArray[np.float64]
    index: NDArray[np.intp]
    warned: tuple[str, ...]

    def rows(self) -> Any:
        """Return the rows shown, [n, D], as the model was given them."""
        data = self.table.data
        return data.iloc[self.index] if isinstance(data, pd.DataFrame) else data[self.index]


def fit_table(
    source: Path,
    table: Table,
    output: Path,
    parameters: Mapping[str, Any],
    device: torch.device,
    say: Callable[[str], None],
) -> Path:
    """Fit a VAE and write everything; return where the page is.

    ``say`` is given a line for each thing that the fit warned of.

    Raises
    ------
    ConfigError
        If a parameter is unknown or impossible.
    DeviceError
        If there is no such device.
    FileError
        If the data cannot be fitted with them.
    """
    _check_known(parameters)
    model = VAE(**{"device": device.type, **parameters})
    warned = _fit(source, table, model)
    for warning in warned:
        say(f"warning: {' '.join(warning.split())}")
    with warnings.catch_warnings():
        # The page says it: these are the rows that the fit has warned of.
        warnings.simplefilter("ignore", LikelihoodWarning)
        codes = model.transform(table.data)
        n = len(codes)
        index = np.unique(np.linspace(0, n - 1, min(n, MOST_SHOWN)).astype(np.intp))
        _write_tables(model, table, codes, output)
        shown = Shown(source, table, model, codes, index, warned)
        path = output / "report.html"
        with atomic_path(path) as temporary:
            temporary.write_text(page.render(shown), encoding="utf-8")
    return path


def _fit(source: Path, table: Table, model: VAE) -> tuple[str, ...]:
    """Fit the model, and return what it warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            model.fit(table.data)
        except (ConfigError, DeviceError):
            raise
        except ValueError as error:
            raise FileError(f"{source}: {error}") from None
    said = (str(w.message) for w in caught if issubclass(w.category, UserWarning))
    return tuple(dict.fromkeys(said))


def _check_known(parameters: Mapping[str, Any]) -> None:
    valid = sorted(VAE().get_params())
    for name in parameters:
        if name not in valid:
            close = difflib.get_close_matches(name, valid, n=1)
            hint = f"did you mean {close[0]}?" if close else f"expected one of {', '.join(valid)}"
            raise ConfigError(f"--set {name}: unknown parameter; {hint}")


def _write_tables(model: VAE, table: Table, codes: NDArray[np.float64], output: Path) -> None:
    model.save(output / "model.safetensors")
    facts = {
        "parameters": {k: v for k, v in model.get_params().items() if k != "verbose"},
        "likelihood": model.likelihood_,
        "features": table.names if len(table.names) <= 1000 else len(table.names),
        "n_rows": len(codes),
        "epochs_trained": model.n_iter_,
        "best_epoch": model.best_epoch_,
        "held_out_bound": page.best_bound(model),
    }
    write_json(output / FACTS, facts)
    frame = pd.DataFrame(codes, columns=[f"z{i}" for i in range(codes.shape[1])])
    frame.insert(0, "row", table.rows.to_numpy())
    if table.color is not None:
        name, color = str(table.color.name), table.color
        # Whole numbers of more than 64 bits are objects, for which Parquet has no type.
        if color.dtype == object and any(type(value) is int for value in color):
            color = color.map(str, na_action="ignore")
        # A column of the user's may have the name of one of ours.
        frame[f"color {name}" if name in frame else name] = color.to_numpy()
    write_parquet(output / "embedding.parquet", frame)
    write_csv(output / "embedding.csv", frame)
    write_csv(output / "history.csv", model.history_)
