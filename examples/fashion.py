# %% [markdown]
"""
# Clothes: grey pictures, and the half that is hidden

2,500 pictures of Fashion-MNIST, which come with vaestudy: nothing is downloaded. For the full set
of 70,000 set `DATASET = "fashion-mnist"` below; it is downloaded once to `data/`, or read from
where the variable `VAESTUDY_DATA` says. Takes about a minute on one core.
"""

# %%
from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression

from vaestudy import VAE
from vaestudy.data import data_root, load_dataset

DATASET = "fashion-2k"

clothes = load_dataset(DATASET, data_root())
train, test = clothes.train.numpy() / 255, clothes.test.numpy() / 255
print(f"{len(train)} pictures to train on, {len(test)} to test")


def picture(rows: np.ndarray, columns: int) -> np.ndarray:
    """Lay rows of pixels out as one picture."""
    height, width = clothes.image_shape
    grid = rows.reshape(-1, columns, height, width).swapaxes(1, 2)
    return grid.reshape(-1, columns * width)


# %% [markdown]
"""
Greys in [0, 1] get a continuous Bernoulli likelihood unless another one is named: a density, so
that log p(x) is one too and may be above 0.
"""

# %%
model = VAE(n_z=10, epochs=120, learning_rate=3e-3, random_state=0).fit(train)
print(f"{model.likelihood_}: log p(x) {model.score(test[:200]):.0f} nats a picture")

# %%
held_out = model.history_.query("metric == 'bound' and split == 'held-out' and epoch > 0")
figure, axes = plt.subplots(figsize=(5, 2.8))
axes.plot(held_out["epoch"], held_out["value"])
axes.axvline(model.best_epoch_, linestyle=":", color="gray")
axes.set(xlabel="epoch", ylabel="nats a picture", title="Bound on held-out rows; dotted: kept")
plt.show()

# %% [markdown]
"""
A transformer like any other: ten numbers in place of 784 pixels, before a linear classifier.
"""

# %%
codes = model.transform(train), model.transform(test)
classifier = LogisticRegression(max_iter=2000).fit(codes[0], clothes.train_labels)
print(f"kinds told from ten numbers: {classifier.score(codes[1], clothes.test_labels):.1%}")

# %% [markdown]
"""
The lower half hidden (NaN), and filled in from the upper one: by its conditional mean, and by one
draw, which has the noise of a density of pixels.
"""

# %%
whole = test[:10]
holes = whole.copy()
holes[:, whole.shape[1] // 2 :] = np.nan
mean = model.impute(holes, random_state=0)
draw = model.impute(holes, how="sample", random_state=0)

figure, axes = plt.subplots(figsize=(7, 2.9))
lines = np.concatenate([np.nan_to_num(holes), mean, draw, whole])
axes.imshow(picture(lines, 10), cmap="gray_r", vmin=0, vmax=1)
axes.set_yticks([14, 42, 70, 98], ["given", "mean", "a draw", "truth"])
axes.set_xticks([])
plt.show()
