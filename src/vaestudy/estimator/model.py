"""``vaestudy.VAE``: a variational autoencoder with scikit-learn's interface.

Parameters bear the names that they have in ``config.yaml``. For the engine's own class, which has
neither data nor training, see :class:`vaestudy.vae.VAE`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.base import ClassNamePrefixFeaturesOutMixin as Prefixed

from vaestudy.estimator import fitting, inputs, keeping
from vaestudy.estimator.fitted import Array
from vaestudy.estimator.support import AUTO
from vaestudy.estimator.training import Training
from vaestudy.rng import stream_seed


class VAE(Prefixed, TransformerMixin, Training, BaseEstimator):  # type: ignore[misc]
    r"""Variational autoencoder: a nonlinear latent variable model of any table of numbers.

    .. math::
        z \sim N(0, I), \quad x \sim p(x|z), \qquad
        \log p(x) \ge E_{q(z|x)}[\log p(x|z)] - \beta\,KL(q(z|x)\|p(z))

    Parameters
    ----------
    n_z
        Latent dimensions.
    likelihood
        p(x|z). ``auto``: ``bernoulli`` if all data are 0 or 1, ``continuous-bernoulli`` if all lie
        in [0, 1], else ``normal``, a Gaussian of standardised features with learned variances. Name
        it where models are compared: each fold of a grid search may suit another one.
    hidden, activation, batch_norm
        The encoder's hidden widths (the decoder mirrors them), nonlinearity, and ``none``,
        ``hidden`` or ``all``.
    objective, k, beta, warmup
        What is maximised, with how many samples of z, the KL term's weight, and over how many
        epochs it rises to that. ``elbo``, ``elbo-sampled``, ``iwae``, ``stl``, ``iwae-stl``,
        ``dreg``, ``jensen-shannon``, and those with parameters of their own:
    free_bits, free_bits_group
        ``free-bits``: nats of KL that cost the same, of so many latent dimensions together.
    k_groups
        ``miwae``, ``piwae``: groups of equal size into which the ``k`` samples are split.
    elbo_share
        ``ciwae``: weight of ``elbo-sampled``, the rest is ``iwae``.
    js_skew
        ``geometric-js``: weight of q(z|x) in the geometric mean of q(z|x) and p(z).
    weight_decay
        The mean square of the weights is subtracted from the objective this many times.
    epochs, batch_size, learning_rate, optimizer
        At most so many passes over the data, in batches (``auto``: a tenth of the data, at most
        100 rows, with batch normalization at least 10), with ``adam``, ``adamax`` or ``adagrad``.
    early_stopping, validation_fraction, patience
        Hold out a fraction of the rows, stop after ``patience`` epochs without a better bound on
        them, and keep the best epoch's weights.
    n_importance
        Importance samples a row in :meth:`score_samples`.
    device
        ``auto`` (a GPU where there is one), ``cpu`` or ``cuda``.
    random_state
        Fixes initial weights, batches and noise; on one machine and device, every bit.
    verbose
        Show a progress bar.

    Attributes
    ----------
    likelihood_ : str
        The likelihood in use.
    mean_, scale_ : ndarray of shape (n_features_in_,)
        What data are standardised by; 0 and 1 where the likelihood takes them as they are. A
        feature that is constant has scale 0.
    history_ : DataFrame
        ``epoch, split, metric, value``, in nats a row and the data's units. Split ``held-out``, or
        ``training-rows`` where nothing is held out, is measured after each epoch.
    n_iter_, best_epoch_ : int
        Epochs trained, and the one whose weights are kept.
    n_features_in_, feature_names_in_
        As everywhere in scikit-learn.

    Notes
    -----
    A memory-mapped array of 256 MiB or more is streamed from its file; in memory, the order of rows
    does not matter. A fit that fails or is interrupted leaves the estimator as it was.
    A weight says how often a row stands in the data: whole ones give the same model as rows
    repeated, and take as long; divided by their mean, no longer than none. Of rows that are
    repeated some may be held out and others trained on, as of all that are equal; where weights are
    fractions, a row is on one side.

    Where data are standardised, the model does not see features that are constant in training: they
    come back exactly, and add nothing to log p(x). Later rows in which they differ draw a warning;
    so do later rows outside [0, 1] where the likelihood is for that: ``fit`` would refuse them, or
    call them odd, but they have codes, and a scaler's new rows often lie there.

    References
    ----------
    Kingma & Welling (2014), *Auto-encoding variational Bayes*; Rezende, Mohamed & Wierstra (2014).
    """

    def __init__(
        self,
        n_z: int = 2,
        *,
        likelihood: str = AUTO,
        hidden: tuple[int, ...] = (200, 200),
        activation: str = "softplus",
        batch_norm: str = "none",
        objective: str = "elbo",
        k: int = 1,
        beta: float = 1.0,
        warmup: int = 0,
        free_bits: float = 0.0,
        free_bits_group: int = 1,
        k_groups: int = 1,
        elbo_share: float = 0.0,
        js_skew: float = 0.0,
        weight_decay: float = 0.0,
        epochs: int = 200,
        batch_size: int | str = AUTO,
        learning_rate: float = 1e-3,
        optimizer: str = "adam",
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        patience: int = 20,
        n_importance: int = 200,
        device: str = AUTO,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ) -> None:
        self.n_z, self.likelihood, self.hidden = n_z, likelihood, hidden
        self.activation, self.batch_norm, self.weight_decay = activation, batch_norm, weight_decay
        self.objective, self.k, self.beta, self.warmup = objective, k, beta, warmup
        self.free_bits, self.free_bits_group = free_bits, free_bits_group
        self.k_groups, self.elbo_share, self.js_skew = k_groups, elbo_share, js_skew
        self.epochs, self.batch_size, self.learning_rate = epochs, batch_size, learning_rate
        self.early_stopping, self.validation_fraction = early_stopping, validation_fraction
        self.patience, self.n_importance, self.optimizer = patience, n_importance, optimizer
        self.device, self.random_state, self.verbose = device, random_state, verbose

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train a new model.

        Parameters
        ----------
        X
            Table (N, D) of numbers, all of them finite.
        y
            Ignored.
        sample_weight
            (N,); how often each row counts.

        Warns
        -----
        LikelihoodWarning
            If the likelihood can be computed on these data, but is not meant for them.
        UserWarning
            If ``batch_size`` is above the number of rows to train on.
        ConvergenceWarning
            With ``early_stopping``, if the epochs ran out, more than the warm-up and twice
            ``patience``, while the bound on held-out rows still rose: its mean over the last
            ``patience`` ones exceeds that over as many before by a twentieth of its whole gain.

        Raises
        ------
        ValueError
            If the data, the weights or a parameter cannot be used; the message says which and why.
        DeviceError
            If ``device`` is ``cuda`` and there is no GPU.
        DivergenceError
            If training ends in numbers that are not finite.
        """
        self._train(X, sample_weight)
        return self

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train for one epoch on ``X``, from where the model stands; see :meth:`fit`.

        The first call fixes likelihood, scaling and an ``auto`` batch size from its data: let it
        see a fair share. It fixes what follows from ``random_state``, too. Parameters changed
        between calls count; those of the network, the optimiser, likelihood and device are refused.
        Nothing is held out.
        """
        self._train_on(X, sample_weight)
        return self

    def transform(self, X: Any) -> Array:
        """Return the mean of q(z|x) of each row, (N, n_z)."""
        return self._codes(X)

    def inverse_transform(self, X: Any) -> Array:
        """Return the expected data at latent points ``X`` (N, n_z): (N, D), in original units."""
        return self._fitted_or_raise().decode(self._latent_points(X))

    def reconstruct(self, X: Any) -> Array:
        """Return ``inverse_transform(transform(X))``: each row as the model sees it."""
        return self._fitted_or_raise().decode(self._codes(X))

    def sample(
        self, n_samples: int = 1, random_state: int | np.random.RandomState | None = None
    ) -> Array:
        """Draw rows from the model, (n_samples, D).

        Parameters
        ----------
        n_samples
            How many.
        random_state
            The estimator's own if None: with a fixed one, every call gives the same rows.
        """
        fitted = self._fitted_or_raise()
        n = fitting.whole("n_samples", n_samples)
        return fitted.sample(n, torch.Generator().manual_seed(self._draw(random_state)))

    def score_samples(self, X: Any) -> Array:
        """Return the log-likelihood of each row, (N,), in nats and the data's own units.

        Importance sampling with q(z|x) and ``n_importance`` samples: a lower bound on log p(x) in
        expectation, tighter with more. Minus infinity for data that the likelihood excludes.
        """
        fitted = self._fitted_or_raise()
        n_samples = fitting.whole("n_importance", self.n_importance)
        return fitted.log_px(self._blocks(X), n_samples, stream_seed(self._seed, "estimate"))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the mean of :meth:`score_samples`, weighted as in :meth:`fit`; higher is better.

        Raises
        ------
        ValueError
            If data or weights cannot be used; the message says why.
        """
        return inputs.weighted_mean(self.score_samples(X), sample_weight)

    def impute(
        self,
        X: Any,
        *,
        how: str = "mean",
        n_iter: int = 500,
        random_state: int | np.random.RandomState | None = None,
    ) -> Array:
        """Fill in missing values, NaN, given the row's other values; these stay as they are.

        Metropolis within Gibbs on z and what is missing (Mattei & Frellsen 2018); see
        :mod:`vaestudy.estimator.imputation`. A ``ConvergenceWarning`` tells of rows left so.

        Parameters
        ----------
        X
            Table (N, D) with NaN where a value is missing.
        how
            ``mean``, the conditional mean; or ``sample``, one draw: a call a seed gives multiple
            imputations.
        n_iter
            Steps of each row's chain.
        random_state
            As in :meth:`sample`.
        """
        fitted = self._fitted_or_raise()
        if how not in ("mean", "sample"):
            raise ValueError(f"how is {how!r}; expected 'mean' or 'sample'")
        n_iter, seed = fitting.whole("n_iter", n_iter, at_least=10), self._draw(random_state)
        return fitted.impute(self._blocks(X, missing=True), how, n_iter, seed)

    def save(self, path: str | Path) -> None:
        """Write the fitted model to one safetensors file, without pickle; see :meth:`load`.

        All parameters are kept, but for a generator as ``random_state``: its state is no number,
        and None is written in its place, so that the loaded model's draws are new ones each time.
        """
        self._fitted_or_raise()
        keeping.save(self, self.get_params(deep=False), Path(path))

    @classmethod
    def load(cls, path: str | Path, device: str | None = None) -> Self:
        """Read what :meth:`save` wrote.

        Parameters
        ----------
        path
            The file.
        device
            As the class's parameter. None keeps a saved ``cpu``, which is everywhere, and takes
            ``auto`` in the place of all else: a model of a machine with a GPU loads on any.

        Raises
        ------
        CheckpointError
            If the file is missing, damaged or something else.
        ValueError
            If ``device`` is unknown.
        DeviceError
            If ``device`` is ``cuda`` and there is no GPU.
        """
        return keeping.load(cls, Path(path), device)

    def _codes(self, X: Any) -> Array:
        return self._fitted_or_raise().encode(self._blocks(X))
