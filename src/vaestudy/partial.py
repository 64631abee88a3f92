"""What :func:`vaestudy.inference.infer_missing` is given, checked before anything is computed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vaestudy.evaluate import check_evaluating
from vaestudy.vae import VAE


def check_given(model: Any, x: Any, observed: Any, n_samples: int) -> None:
    """Refuse what would fail deep within, or be taken for other data than it is.

    Raises
    ------
    TypeError
        If the model is not the engine's, or data or mask are no tensors.
    ValueError
        If the model is in training mode or has several members, or the others do not fit it.
    """
    if not isinstance(model, VAE):
        raise TypeError(
            f"model is a {type(model).__module__}.{type(model).__qualname__}; expected a "
            "vaestudy.vae.VAE, the first of what vaestudy.checkpoint.load_model(path) returns. Of "
            "the estimator vaestudy.VAE there is the method impute"
        )
    check_evaluating(model)
    if model.members != 1:
        raise ValueError(f"the model has {model.members} members; expected 1: load them one by one")
    for name, value in (("x", x), ("observed", observed)):
        if not isinstance(value, Tensor):
            raise TypeError(
                f"{name} is a {type(value).__name__}; expected a tensor: torch.as_tensor({name})"
            )
    _check_data(model, x)
    _check_mask(x, observed)
    if n_samples < 1:
        raise ValueError(f"n_samples is {n_samples}; expected 1 or more")


def _check_data(model: VAE, x: Tensor) -> None:
    dtype, n_features = model.output.weight.dtype, model.architecture.n_features
    if x.dtype != dtype:
        raise ValueError(
            f"x is of {x.dtype}; expected {dtype}, data as the model has been shown them: of 8-bit "
            "pixels (x / 255).float(), binarized if they were"
        )
    if x.ndim != 2 or x.shape[1] != n_features:
        raise ValueError(f"x is of shape {tuple(x.shape)}; expected (B, {n_features})")


def _check_mask(x: Tensor, observed: Tensor) -> None:
    if observed.shape not in (x.shape, x.shape[1:]):
        raise ValueError(
            f"observed is of shape {tuple(observed.shape)}; expected that of the data, "
            f"{tuple(x.shape)}, or of one datum, {tuple(x.shape[1:])}"
        )
    if observed.dtype != torch.bool:
        raise ValueError(f"observed is of {observed.dtype}; expected torch.bool: observed.bool()")
    if (observed & x.isnan()).any():
        raise ValueError("x is NaN where observed says that it stands; expected observed & ~NaN")
