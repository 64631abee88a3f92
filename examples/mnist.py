"""Pictures: reduce, generate, and find the nearest representation.

5,000 digits of MNIST, which come with a package; set ``DATASET`` to ``"mnist"`` or to
``"fashion-mnist"`` for the full sets, which are downloaded to ``data/`` (or lie where VAESTUDY_DATA
says). Takes a minute on one core: ``python examples/mnist.py``. Jupyter with jupytext opens it as a
notebook.
"""

# %%
from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier

from vaestudy import VAE
from vaestudy.data import data_root, load_dataset

DATASET = "mnist-5k"

digits = load_dataset(DATASET, data_root())
# Ink or none: pixels that a Bernoulli likelihood is a probability of.
train, test = digits.train.numpy() > 127, digits.test.numpy() > 127

# %% [markdown]
# The packaged model: one hidden layer of 200 rectified linear units, two latent dimensions, AdaMax.

# %%
model = VAE(
    n_z=2,
    hidden=(200,),
    activation="relu",
    likelihood="bernoulli",
    optimizer="adamax",
    learning_rate=2e-3,
    batch_size=100,
    epochs=30,
    random_state=0,
).fit(train)

# %% [markdown]
# Reduce: neighbours in the plane are of one kind.

# %%
codes = model.transform(train), model.transform(test)
neighbours = KNeighborsClassifier(15).fit(codes[0], digits.train_labels)
print(f"classes told from two numbers: {neighbours.score(codes[1], digits.test_labels):.1%}")

# %% [markdown]
# Nearest representation, against that of two principal components.

# %%
pca = PCA(2).fit(train)
for name, seen in (
    ("model", model.inverse_transform(codes[1])),
    ("two principal components", pca.inverse_transform(pca.transform(test))),
):
    print(f"{name}: squared error {((seen - test) ** 2).sum(1).mean():.1f} a picture")

# %% [markdown]
# Generate: a picture that nobody has taken.

# %%
drawn = model.inverse_transform(np.random.default_rng(3).normal(size=(1, 2)))
for row in drawn.reshape(digits.image_shape)[::2]:
    print("  " + "".join(" .:-=+*#%@"[min(9, int(10 * v))] for v in row))
