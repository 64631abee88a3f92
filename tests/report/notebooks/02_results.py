# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% tags=["parameters"]
n_epochs = 30

# %% tags=["setup"]
# ruff: noqa: E402
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vaestudy.figures.drawing import Drawing
from vaestudy.figures.style import figsize
from vaestudy.report import present
from vaestudy.report.widgets import decoder_widget, latent_scatter_3d

present.style()
rng = np.random.default_rng(0)

# %% [markdown]
# # Results {#sec:results}
#
# Training raises the bound quickly at first, as @fig:bound shows.

# %%
epochs = np.arange(n_epochs)
curves = {"VAE": -88 - 60 * np.exp(-epochs / 4), "IWAE, $K=5$": -86 - 62 * np.exp(-epochs / 3)}
figure = Figure(figsize=figsize())
axes = figure.subplots()
for name, values in curves.items():
    axes.plot(epochs, values, label=name)
axes.set(xlabel="epoch", ylabel=r"test bound $\mathcal{L}$ (nats)")
axes.legend()
shown = pd.DataFrame(curves).assign(epoch=epochs).melt("epoch")
present.figure(
    Drawing(figure, shown, ("vae-seed0-a1b2c3", "iwae5-seed0-d4e5f6")),
    label="fig:bound",
    caption=f"**The bound through training.** After {n_epochs} epochs the IWAE's bound, @eq:iwae, "
    f"is {curves['IWAE, $K=5$'][-1] - curves['VAE'][-1]:.2f} nats above the VAE's [@burda2016].",
    alt="Two curves rise steeply from about minus 148 nats and flatten; the IWAE's stays above.",
)

# %%
best = min(-values[-1] for values in curves.values())
present.prose(f"The best NLL is **{best:.3f}** nats, see @tbl:nll.")

# %%
table = pd.DataFrame(
    {
        "model": ["VAE", "IWAE | 5"],
        "$K$": [1, 5],
        r"$-\log p(x)$": [86.352, 84.781],
        "active units": ["19 ± 1", "25 ± 2"],
        "change": [np.nan, -1.571],
    }
)
present.table(
    table,
    label="tbl:nll",
    caption="Test NLL in nats, lower is better; intervals over seeds.",
    runs=["vae-seed0-a1b2c3"],
    formats={r"$-\log p(x)$": ".2f", "change": ".2f"},
)

# %% [markdown]
# ## The latent plane
#
# The decoder of @fig:plane runs in the page; @fig:space turns.

# %%
size = 6
layers = [
    (rng.normal(0, 1, (2, 16)), rng.normal(0, 0.3, 16)),
    (rng.normal(0, 0.6, (16, size * size)), rng.normal(0, 0.3, size * size)),
]
means = rng.normal(0, 1, (300, 2))
labels = rng.integers(0, 10, 300)
figure = Figure(figsize=figsize(0.6, 1))
axes = figure.subplots()
axes.scatter(*means.T, c=labels, s=4)
present.figure(
    Drawing(figure, pd.DataFrame(means, columns=["z1", "z2"]), ("vae-seed0-a1b2c3",)),
    label="fig:plane",
    caption=r"The latent plane and what $p_\theta(x \given z)$ makes of it.",
    alt="A cloud of points in ten colours.",
    interactive=decoder_widget(
        layers,
        "tanh",
        image_shape=(size, size),
        points={"x": means[:, 0], "y": means[:, 1], "label": labels},
    ),
)

# %%
space = rng.normal(0, 1, (300, 3))
figure = Figure(figsize=figsize(0.6, 1))
figure.subplots().scatter(space[:, 0], space[:, 1], c=labels, s=4)
present.figure(
    Drawing(figure, pd.DataFrame(space, columns=["z1", "z2", "z3"])),
    label="fig:space",
    caption="A latent space of three dimensions.",
    alt="A round cloud of points in ten colours.",
    interactive=latent_scatter_3d(space, labels, [str(digit) for digit in range(10)]),
)

# %% [markdown]
# # Every run {#sec:runs .appendix}
#
# @tbl:runs lists them; see also @sec:runs.

# %%
present.table(
    pd.DataFrame({"run": [f"run-{i:03d}" for i in range(120)], "NLL": rng.normal(86, 1, 120)}),
    label="tbl:runs",
    caption="Every run of the study.",
    formats={"NLL": ".3f"},
)
