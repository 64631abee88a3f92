"""One HTML page on a fitted model, which needs nothing but itself."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from importlib import resources
from string import Template
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from vaestudy.figures.style import style
from vaestudy.fit import pictures
from vaestudy.fit.columns import ONE_HOT
from vaestudy.fit.files import DIVIDED
from vaestudy.report.fonts import text_css

if TYPE_CHECKING:
    from vaestudy.estimator import VAE
    from vaestudy.fit.job import Shown

_DEFAULT_TITLE = "Your data"
_ENCODED = (
    "Of a table <code>t</code> with text, as the file has it, <code>X = pd.get_dummies(t, "
    "prefix_sep=&quot;=&quot;, dtype=float).reindex(columns=model.feature_names_in_, "
    "fill_value=0)</code>."
)


@dataclass(frozen=True)
class Plate:
    """A figure, its heading, what it shows in words, and what stands beneath it."""

    title: str
    figure: Figure
    alt: str
    caption: str


def render(shown: Shown) -> str:
    """Return the page."""
    style()
    folder = resources.files("vaestudy.report").joinpath("resources")
    template = Template(folder.joinpath("fit.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=escape(shown.source.name or _DEFAULT_TITLE),
        fonts=text_css(),
        facts=_facts(shown),
        remarks=_remarks(shown),
        plates="\n".join(_plate(plate) for plate in _plates(shown)),
        prepared=_prepared(shown),
        parameters=_parameters(shown.model),
        n_z=shown.codes.shape[1],
    )


def best_bound(model: VAE) -> float:
    """Return the bound of the epoch that was kept, in nats a row."""
    history = model.history_
    kept = history[
        (history["epoch"] == model.best_epoch_)
        & (history["metric"] == "bound")
        & (history["split"] != "train")
    ]
    return float(kept["value"].iloc[0])


def _plates(shown: Shown) -> list[Plate]:
    model, codes = shown.model, shown.codes
    how = "held-out rows" if model.early_stopping else "the training rows"
    n_z, kept = codes.shape[1], model.best_epoch_
    axes = "the two of most spread of " if n_z > 2 else ""
    few, n = len(shown.index), len(codes)
    which = f"all {n:,} rows" if few == n else f"{few:,} of {n:,} rows"
    drawn = _drawn(shown)
    return [
        Plate(
            "Training",
            pictures.curves(model.history_, kept),
            "Curves of the bound and of the KL term over epochs",
            f"After {model.n_iter_} epochs training ended; the weights are those of epoch {kept} "
            f"(dotted), with a bound of {best_bound(model):.2f} nats a row on {how}. Higher is "
            "better; in the data's own units, so that a density may be above 1 and its logarithm "
            "above 0.",
        ),
        Plate(
            "Embedding",
            pictures.embedding(
                codes[shown.index],
                None if shown.table.color is None else shown.table.color.iloc[shown.index],
            ),
            "Scatter plot of the rows in latent space",
            f"Where the encoder places {which}: the mean of q(z|x), {axes}{_dimensions(n_z)}. "
            "embedding.csv has all of them.",
        ),
        *drawn,
    ]


def _drawn(shown: Shown) -> list[Plate]:
    rows, model, names = shown.rows(), shown.model, shown.table.names
    data, reconstructed = np.asarray(rows, np.float64), model.reconstruct(rows)
    shape = shown.table.image_shape
    if shape is not None:
        n = pictures.IMAGES_A_ROW
        some = np.linspace(0, len(data) - 1, n).astype(int)
        seen = pictures.images(np.concatenate([data[some], reconstructed[some]]), shape)
        draws = model.inverse_transform(_prior(n * pictures.SAMPLE_ROWS, shown))
        samples, kind = pictures.images(draws, shape), "the mean image at points of the prior"
        first = "Above, pictures of the data; beneath each, the decoder's mean at its code."
    else:
        seen = pictures.feature_reconstructions(data, reconstructed, names)
        samples = pictures.feature_samples(data, model.sample(len(data)), names)
        kind = "each feature's distribution in the data and in as many rows drawn from the model"
        first = (
            "Each feature against the decoder's mean at the row's code. R² is the share of its "
            "variance that goes through the latent space; what does not is noise to the model."
        )
    left = len(names) - pictures.MOST_FEATURES
    more = f" The first {pictures.MOST_FEATURES} of {len(names)} features." if left > 0 else ""
    more = "" if shape is not None else more
    return [
        Plate("Reconstructions", seen, "Data beside their reconstructions", first + more),
        Plate("Samples", samples, "Samples of the model", f"{kind[0].upper()}{kind[1:]}.{more}"),
    ]


def _dimensions(n_z: int) -> str:
    return "1 latent dimension" if n_z == 1 else f"{n_z} latent dimensions"


def _prior(n: int, shown: Shown) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, shown.codes.shape[1]))


def _plate(plate: Plate) -> str:
    picture = pictures.svg(plate.figure).replace(
        "<svg ", f'<svg role="img" aria-label="{escape(plate.alt)}" ', 1
    )
    return (
        f"<section><h2>{plate.title}</h2><figure>{picture}"
        f"<figcaption>{escape(plate.caption)}</figcaption></figure></section>"
    )


def _prepared(shown: Shown) -> str:
    """Return how rows have to be given to the model."""
    shape, model = shown.table.image_shape, shown.model
    if shape is not None:
        pixels = " × ".join(str(length) for length in shape)
        divided = f", {DIVIDED}" if _remarked(shown, DIVIDED) else ""
        return (
            f"<code>X</code> is [N, {model.n_features_in_}]: pictures of {pixels}, a row "
            f"each{divided}."
        )
    if hasattr(model, "feature_names_in_"):
        encoded = " " + _ENCODED if _remarked(shown, ONE_HOT) else ""
        return (
            "<code>X</code> has the columns <code>model.feature_names_in_</code>, in this order "
            f"and the file's units.{encoded}"
        )
    return f"<code>X</code> is [N, {model.n_features_in_}], as the file is."


def _remarked(shown: Shown, what: str) -> bool:
    return any(what in remark for remark in shown.table.remarks)


def _facts(shown: Shown) -> str:
    n, d = shown.codes.shape[0], len(shown.table.names)
    return escape(
        f"{n:,} rows · {d:,} features · {shown.model.likelihood_} likelihood · "
        f"{_dimensions(shown.codes.shape[1])}"
    )


def _remarks(shown: Shown) -> str:
    said = [f"<li>{escape(remark)}</li>" for remark in shown.table.remarks]
    said += [f'<li class="warning">Warning: {escape(text)}</li>' for text in shown.warned]
    return f"<ul class='remarks'>{''.join(said)}</ul>" if said else ""


def _parameters(model: VAE) -> str:
    values = {k: v for k, v in model.get_params().items() if k not in ("verbose", "device")}
    return "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>"
        for name, value in values.items()
    )
