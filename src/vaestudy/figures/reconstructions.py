"""Section 4.1: what each model family gives back of the same ten test digits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from vaestudy.figures.codes import decode, digits, exemplars, families, labels
from vaestudy.figures.drawing import Drawing
from vaestudy.figures.mosaics import labelled_rows
from vaestudy.latent_plane import encode_means
from vaestudy.stats import number
from vaestudy.study import Study


def reconstructions(study: Study) -> Drawing:
    """Draw one test digit of every class as each family reconstructs it, from its code's mean."""
    shown = exemplars(study)
    pixels, classes = digits(study)[shown], labels(study)[shown]
    grey = study.dataset.test[shown].numpy() / 255
    rows = [("grey original", "", grey), ("pixels as tested", "", pixels.numpy())]
    breaks, group = [2], 0
    for family in families(study):
        run = family.runs(study).iloc[0]
        model = study.model(run["run_id"])
        if family.group != group:
            breaks.append(len(rows))
            group = family.group
        rows.append((family.label, run["run_id"], decode(model, encode_means(model, pixels))))
    errors = study.table("evaluation").query("metric == 'squared_error'")
    whole = errors.set_index("run_id")["value"]
    notes = ["", "squared\nerror", *(number(whole[run], 1) for _, run, _ in rows[2:])]
    figure = labelled_rows(
        np.stack([images for *_, images in rows]).reshape(
            len(rows), len(shown), *study.dataset.image_shape
        ),
        [name for name, *_ in rows],
        notes,
        breaks=breaks,
    )
    data = [
        {
            "row": row,
            "column": column,
            "label": name,
            "run_id": run,
            "digit": int(classes[column]),
            "test_image": int(shown[column]),
            "squared_error": float(((images[column] - pixels[column].numpy()) ** 2).sum()),
        }
        for row, (name, run, images) in enumerate(rows)
        for column in range(len(shown))
    ]
    return Drawing(figure, pd.DataFrame(data), tuple(run for _, run, _ in rows if run))


def reconstruction_values(study: Study) -> pd.DataFrame:
    """Return squared error and reconstruction term of every run of every family, a row a run."""
    parts = []
    for family in families(study):
        runs = family.runs(study)
        wide = runs[["run_id", "seed", "likelihood", "n_z"]].copy()
        for metric in ("squared_error", "reconstruction", "active_units"):
            final = study.final(runs, metric).set_index("run_id")["value"]
            wide[metric] = wide["run_id"].map(final)
        parts.append(wide.assign(family=family.label, group=family.group))
    return pd.concat(parts, ignore_index=True)


def yardsticks(study: Study) -> dict[str, float]:
    """Return the squared error that two reconstructions without a model would have.

    ``grey``: the grey image from which the test pixels were drawn. ``mean``: the mean training
    image, the same for every digit.
    """
    pixels = digits(study).numpy()
    grey = study.dataset.test.numpy() / 255
    mean = study.dataset.train.numpy().mean(0) / 255
    return {
        "grey": float(((pixels - grey) ** 2).sum(1).mean()),
        "mean": float(((pixels - mean) ** 2).sum(1).mean()),
    }


FIGURES: dict[str, Callable[[Study], Drawing]] = {"reconstructions": reconstructions}
