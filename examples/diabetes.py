"""A table of mixed types: 442 patients' years, a category, measurements and a score.

The category becomes columns of 0 and 1, and all columns are standardised by the model itself.
Takes some 10 s on one core: ``python examples/diabetes.py``. Jupyter with jupytext opens it as a
notebook.
"""

# %%
from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vaestudy import VAE

patients = load_diabetes(as_frame=True, scaled=False).frame
patients["sex"] = patients["sex"].map({1.0: "1", 2.0: "2"})
table = pd.get_dummies(patients, dtype=float)
train, test = train_test_split(table, test_size=0.2, random_state=0)

# %%
model = VAE(n_z=2, likelihood="normal", batch_size=50, random_state=0).fit(train)
linear = make_pipeline(StandardScaler(), PCA(2)).fit(train)

# %% [markdown]
# How much of each column goes through two numbers, beside as many principal components.

# %%
kept = pd.DataFrame(
    {
        name: 1 - ((test - seen) ** 2).mean() / test.var(ddof=0)
        for name, seen in (
            ("model", model.inverse_transform(model.transform(test))),
            ("two components", linear.inverse_transform(linear.transform(test))),
        )
    }
)
print(kept.round(2).to_string())

# %% [markdown]
# Rows that the model draws: do they hang together as patients do?

# %%
drawn = model.sample(2000)
pairs = np.triu_indices(table.shape[1], 1)
seen, made = (np.corrcoef(rows, rowvar=False)[pairs] for rows in (table.to_numpy(), drawn))
off = np.sqrt(((seen - made) ** 2).mean())
print(f"correlations of columns differ by {off:.2f} (root mean square)")
