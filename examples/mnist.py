# %% [markdown]
"""
# Digits: reduce, rebuild, generate

5,000 digits of MNIST, which come with a package: nothing is downloaded. For the full set of 70,000
set `DATASET = "mnist"` below; it is downloaded once to `data/`, or read from where the variable
`VAESTUDY_DATA` says. Takes about a minute on one core.
"""

# %%
from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import norm
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier

from vaestudy import VAE
from vaestudy.data import data_root, load_dataset

DATASET = "mnist-5k"

digits = load_dataset(DATASET, data_root())
# Ink or none: pixels that a Bernoulli likelihood is a probability of.
train, test = digits.train.numpy() > 127, digits.test.numpy() > 127
print(f"{len(train)} digits to train on, {len(test)} to test, of {train.shape[1]} pixels")

# %% [markdown]
"""
One hidden layer of 200 rectified linear units, two latent dimensions, AdaMax. Every parameter has a
default.
"""

# %%
model = VAE(
    n_z=2,
    hidden=(200,),
    activation="relu",
    likelihood="bernoulli",
    optimizer="adamax",
    learning_rate=2e-3,
    batch_size=100,
    epochs=100,
    random_state=0,
).fit(train)
print(f"kept epoch {model.best_epoch_} of {model.n_iter_}, the best on held-out rows")

# %% [markdown]
"""
**Reduce.** The mean of q(z|x) is where a digit lies in the latent plane. Neighbours are often of
one kind.
"""

# %%
train_codes, codes = model.transform(train), model.transform(test)
neighbours = KNeighborsClassifier(15).fit(train_codes, digits.train_labels)
print(f"classes told from two numbers: {neighbours.score(codes, digits.test_labels):.1%}")

figure, axes = plt.subplots(figsize=(5, 4.2))
points = axes.scatter(
    codes[:, 0], codes[:, 1], c=digits.test_labels, cmap="tab10", s=8, vmin=-0.5, vmax=9.5
)
figure.colorbar(points, ticks=range(10), label="digit")
axes.set(xlabel="$z_0$", ylabel="$z_1$", title="Test digits in the latent plane")
plt.show()

# %% [markdown]
"""
**Rebuild.** The nearest representation that the model has of each digit, and that of two principal
components.
"""


# %%
def picture(rows: np.ndarray, columns: int) -> np.ndarray:
    """Lay rows of pixels out as one picture."""
    height, width = digits.image_shape
    grid = rows.reshape(-1, columns, height, width).swapaxes(1, 2)
    return grid.reshape(-1, columns * width)


pca = PCA(2).fit(train)
rebuilt = {
    "model": model.inverse_transform(codes),
    "two principal components": pca.inverse_transform(pca.transform(test)),
}
for name, seen in rebuilt.items():
    print(f"{name}: squared error {((seen - test) ** 2).sum(1).mean():.1f} a picture")

figure, axes = plt.subplots(figsize=(7, 2.1))
lines = np.concatenate([test[:10], *(seen[:10] for seen in rebuilt.values())])
axes.imshow(picture(lines, 10), cmap="gray_r", vmin=0, vmax=1)
axes.set_yticks([14, 42, 70], ["digits", "model", "components"])
axes.set_xticks([])
plt.show()

# %% [markdown]
"""
**Generate.** A lattice of points that are equally likely under the prior, decoded: digits that
nobody has written.
"""

# %%
steps = norm.ppf(np.linspace(0.03, 0.97, 15))
lattice = np.array([(x, y) for y in steps[::-1] for x in steps])
figure, axes = plt.subplots(figsize=(5, 5), dpi=72)
axes.imshow(picture(model.inverse_transform(lattice), 15), cmap="gray_r", vmin=0, vmax=1)
axes.set_axis_off()
axes.set_title("What the decoder makes of the plane")
plt.show()
