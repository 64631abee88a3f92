"""Figures of the packaged model: what varies it, and two estimators of its gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

import pandas as pd
from matplotlib.figure import Figure

from vaestudy.figures.any_data import FIGURES as ANY_DATA
from vaestudy.figures.drawing import Drawing
from vaestudy.figures.packaged_data import Variant, find_variants
from vaestudy.figures.rows import FRAME, ROW, frame_rows, seed_row
from vaestudy.figures.style import GRID, INK, MUTED, PALETTE, TEXT_WIDTH
from vaestudy.study import EmptySelectionError, Study

#: What a row of the variances adds up.
_PARTS = {"encoder": ("encoder",), "all parameters": ("encoder", "decoder")}


def packaged(study: Study) -> Drawing:
    """Draw the test NLL of the packaged model and of its variants: seeds, means, intervals."""
    variants = find_variants(study)
    figure = Figure(figsize=(TEXT_WIDTH, FRAME + ROW * len(variants)))
    axes = figure.subplots()
    rows = []
    for place, variant in enumerate(variants):
        values = by_seed(study, variant, "nll")
        seed_row(axes, place, values, INK if place else PALETTE[0])
        rows += [(variant.label, seed, value) for seed, value in values.items()]
    data = pd.DataFrame(rows, columns=["variant", "seed", "nll"])
    frame_rows(axes, [variant.label for variant in variants], data["nll"])
    axes.axvline(data.loc[data["variant"] == variants[0].label, "nll"].mean(), color=GRID, zorder=0)
    axes.set_xlabel("test NLL (nats); lower is better")
    return Drawing(figure, data, tuple(r for v in variants for r in v.runs["run_id"]))


def estimator_variance(study: Study) -> Drawing:
    """Draw the variance of the gradient with a sampled KL over that with its closed form."""
    models = measured_models(study)
    if not models:
        raise EmptySelectionError(f"{study.config.study!r} has measured no gradient variances")
    figure = Figure(figsize=(TEXT_WIDTH, FRAME + 2 * ROW * len(models)))
    axes = figure.subplots()
    names: list[str] = []
    rows: list[tuple[str, str, object, float]] = []
    for model in models:
        for (part, of), color in zip(_PARTS.items(), PALETTE, strict=False):
            values = variance_ratios(study, model, of)
            seed_row(axes, len(names), values, color)
            names.append(f"{model.label}: {part}")
            rows += [(model.label, part, seed, value) for seed, value in values.items()]
    data = pd.DataFrame(rows, columns=["model", "part", "seed", "ratio"])
    frame_rows(axes, names, data["ratio"], 1.0)
    axes.axvline(1, color=MUTED, lw=0.9, ls=(0, (3, 2)), zorder=0)
    axes.set_xlabel("variance with the KL sampled, over that with its closed form")
    return Drawing(figure, data, tuple(r for m in models for r in m.runs["run_id"]))


def measured_models(study: Study) -> list[Variant]:
    """Return the base model and the packaged one, as far as their gradients are measured."""
    models = []
    if study.has():
        label = f"base model, {study.base['n_z']} latent dimensions"
        models.append(Variant(label, study.runs()))
    with suppress(EmptySelectionError):
        runs = find_variants(study)[0].runs
        models.append(Variant(f"packaged model, {runs['n_z'].iloc[0]} latent dimensions", runs))
    return [model for model in models if len(variance_ratios(study, model))]


def variance_ratios(study: Study, model: Variant, of: Sequence[str] = ("encoder",)) -> pd.Series:
    """Return the variance with a sampled KL over that with its closed form, by seed.

    Parameters
    ----------
    study, model
        Whose gradients.
    of
        Parts whose variances are added up; to the decoder both estimators are one.
    """

    def total(kind: str) -> pd.Series:
        parts = [by_seed(study, model, f"{kind}gradient_variance_{part}") for part in of]
        return pd.concat(parts, axis=1).sum(axis=1)

    return total("sampled_") / total("")


def by_seed(study: Study, variant: Variant, metric: str) -> pd.Series:
    """Return a final measurement of each replicate, by seed; empty if it was not taken."""
    return study.final(variant.runs, metric).set_index("seed")["value"].astype(float)


def training_seconds(study: Study, variant: Variant) -> pd.Series:
    """Return each replicate's training time, by seed; one of a job of several has its share."""
    timing = study.table("timing").merge(variant.runs[["run_id", "seed"]], on="run_id")
    seconds: pd.Series = (timing["train_seconds"] / timing["members"]).set_axis(timing["seed"])
    return seconds


FIGURES: dict[str, Callable[[Study], Drawing]] = {
    "packaged": packaged,
    "estimator-variance": estimator_variance,
    **ANY_DATA,
}
