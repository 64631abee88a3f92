"""Which source decides what training computes."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

#: A model or state made by another text of these files is not taken up again.
ENGINE_FILES = (
    "adam.py",
    "binarization.py",
    "compile_choice.py",
    "compiled.py",
    "convolutions.py",
    "deeper.py",
    "denormals.py",
    "graph.py",
    "hierarchy.py",
    "history.py",
    "kernels.py",
    "labels.py",
    "latent_terms.py",
    "layers.py",
    "likelihoods/__init__.py",
    "likelihoods/base.py",
    "likelihoods/gaussian.py",
    "likelihoods/pixels.py",
    "lowering.py",
    "lowering_convolutions.py",
    "networks.py",
    "objectives/__init__.py",
    "objectives/bounds.py",
    "objectives/divergences.py",
    "objectives/estimators.py",
    "objectives/schedule.py",
    "optimizer.py",
    "optimizers.py",
    "penalty.py",
    "presentation.py",
    "pure.py",
    "rates.py",
    "resources/sparse_products.h",
    "rng.py",
    "semisupervised.py",
    "sparse_products.py",
    "splits.py",
    "steplog.py",
    "tracing.py",
    "train.py",
    "vae.py",
)


@cache
def engine_fingerprint() -> str:
    """Return a hash of the engine's source."""
    return source_digest(*ENGINE_FILES)


def source_digest(*names: str) -> str:
    """Return a hash of the text of some of the package's files."""
    here = Path(__file__).parent
    text = "".join((here / name).read_text(encoding="utf-8") for name in names)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
