"""A scikit-learn estimator that fits a variational autoencoder to any array of numbers.

It trains with the study's engine. Its own is how data come in (``inputs``, ``rows``), which
likelihood suits them (``support``), when training stops (``fitting``), what a fitted model gives
(``fitted``), how missing values are filled in (``imputation``), how it is kept (``keeping``,
``persistence``).
"""

from vaestudy.estimator.model import VAE

__all__ = ["VAE"]
