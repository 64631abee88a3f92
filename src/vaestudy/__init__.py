"""vaestudy: a study of variational autoencoders that runs itself."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
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
    if not name.startswith("_") and find_spec(f"{__name__}.{name}") is not None:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    own = (name for name in globals() if name.startswith("__"))
    modules = (module.name for module in iter_modules(__path__) if module.name[0] != "_")
    return sorted({*own, *__all__, *modules})
