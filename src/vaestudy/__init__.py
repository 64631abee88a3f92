"""vaestudy: a study of variational autoencoders that runs itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vaestudy.estimator import VAE

__all__ = ["VAE", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Lazily: PyTorch and scikit-learn take seconds, and `vaestudy --help` needs neither.
    if name == "VAE":
        from vaestudy.estimator import VAE

        return VAE
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
