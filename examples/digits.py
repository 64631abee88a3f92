# %% [markdown]
"""
# In a pipeline, in a grid search, in a file

8×8 digits that come with scikit-learn: the estimator where scikit-learn expects one. Takes under
a minute on one core.
"""

# %%
from __future__ import annotations

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline

from vaestudy import VAE

digits = load_digits()
train, test, label, test_label = train_test_split(
    digits.data / 16, digits.target, test_size=0.3, random_state=0
)

# %% [markdown]
"""
A transformer like any other: its codes feed a linear classifier.
"""

# %%
vae = VAE(n_z=8, epochs=120, random_state=0)
classifier = make_pipeline(vae, LogisticRegression(max_iter=1000)).fit(train, label)
print(f"digits told by 8 latent dimensions: {classifier.score(test, test_label):.1%}")

# %% [markdown]
"""
A density like any other: how many dimensions do held-out rows ask for? Where models are compared,
the likelihood is named: each fold might suit another one.
"""

# %%
small = VAE(likelihood="continuous-bernoulli", epochs=30, n_importance=50, random_state=0)
search = GridSearchCV(small, {"n_z": [1, 2, 4, 8]}, cv=3, refit=False).fit(train)
for n_z, score in zip(
    search.cv_results_["param_n_z"], search.cv_results_["mean_test_score"], strict=True
):
    print(f"n_z {n_z}: log p(x) {score:.2f} nats a row of the fold left out")

# %% [markdown]
"""
One file without pickle keeps a model.
"""

# %%
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "digits.safetensors"
    vae.save(path)
    model = VAE.load(path)
assert np.array_equal(model.transform(test), vae.transform(test))

error = np.abs(model.reconstruct(test) - test)
print(f"pixels rebuilt to within a quarter: {(error < 0.25).mean():.1%}")

# %%
figure, axes = plt.subplots(2, 10, figsize=(7, 1.7))
rows = np.concatenate([test[:10], model.reconstruct(test[:10])])
for panel, row in zip(axes.ravel(), rows, strict=True):
    panel.imshow(row.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
    panel.set_axis_off()
figure.suptitle("Digits, and how the model sees them")
plt.show()
