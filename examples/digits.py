"""Reduce, rebuild, draw: 8×8 digits (scikit-learn's), in a pipeline and from a saved file.

Takes some 15 s on one core: ``python examples/digits.py``.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from vaestudy import VAE

digits = load_digits()
train, test, label, test_label = train_test_split(
    digits.data / 16, digits.target, test_size=0.3, random_state=0
)

# A transformer like any other: its codes feed a linear classifier.
vae = VAE(n_z=8, epochs=120, random_state=0)
classifier = make_pipeline(vae, LogisticRegression(max_iter=1000)).fit(train, label)
print(f"digits told by 8 latent dimensions: {classifier.score(test, test_label):.1%}")

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "digits.safetensors"
    vae.save(path)
    model = VAE.load(path)
assert np.array_equal(model.transform(test), vae.transform(test))

error = np.abs(vae.reconstruct(test) - test)
print(f"pixels rebuilt to within a quarter: {(error < 0.25).mean():.1%}")
print("a digit that nobody wrote:")
for row in vae.inverse_transform(np.random.default_rng(3).normal(size=(1, 8))).reshape(8, 8):
    print("  " + "".join(" .:-=+*#%@"[min(9, int(10 * v))] * 2 for v in row))
