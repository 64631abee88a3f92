r"""Likelihoods p(x | z): what the decoder's outputs mean.

Bernoulli, logits :math:`l`:

.. math:: \log p(x|z) = \sum_d x_d l_d - \mathrm{softplus}(l_d)

Gaussian with the bounded outputs of Bettencourt & Craddock, :math:`\mu = \sigma(a)`,
:math:`\log\sigma^2 = \tanh(b)`:

.. math:: \log p(x|z) = -\tfrac12\sum_d \log 2\pi + \log\sigma_d^2 + (x_d-\mu_d)^2/\sigma_d^2

Continuous Bernoulli (Loaiza-Ganem & Cunningham 2019), a density on [0, 1], logits :math:`l`:

.. math::
    \log p(x|z) = \sum_d x_d l_d - \ln\frac{e^{l_d} - 1}{l_d}
    = \sum_d (x_d - \tfrac12) l_d - \ln\frac{\sinh(l_d/2)}{l_d/2}

Normal, for data on the whole real line, with a mean :math:`a` that is not bounded and the variance
of the Gaussian above floored at :math:`e^f`, :math:`\log\sigma^2 = f + \mathrm{softplus}(b - f)`.

Squared error, the normal density of variance 1/2 and mean :math:`a`:

.. math:: \log p(x|z) = -\sum_d (x_d - a_d)^2 - \tfrac12\ln\pi

Beta, a density on (0, 1) with :math:`\alpha = f + \mathrm{softplus}(a + c)`,
:math:`\beta = f + \mathrm{softplus}(b + c)`, c such that outputs of 0 give Beta(2, 2), and x kept
half a grey level, 1/510, away from 0 and 1, where the density may be infinite:

.. math:: \log p(x|z) = \sum_d (\alpha_d - 1)\ln x_d + (\beta_d - 1)\ln(1 - x_d)
    - \ln B(\alpha_d, \beta_d)

What is drawn is not clipped; :class:`LogitBeta`, which no configuration names, is the law of the
logits of that.

All in nats, summed over the D features. To add one: write a class with these members, put it in
``LIKELIHOODS``, and test it against ``torch.distributions``.
"""

from __future__ import annotations

from vaestudy.likelihoods.base import LOG_2PI, Likelihood
from vaestudy.likelihoods.gaussian import Gaussian, GaussianFamily, Normal, SquaredError
from vaestudy.likelihoods.pixels import Bernoulli, Beta, ContinuousBernoulli, LogitBeta

__all__ = [
    "LIKELIHOODS",
    "LOG_2PI",
    "Bernoulli",
    "Beta",
    "ContinuousBernoulli",
    "Gaussian",
    "GaussianFamily",
    "Likelihood",
    "LogitBeta",
    "Normal",
    "SquaredError",
]

LIKELIHOODS: dict[str, Likelihood] = {
    "bernoulli": Bernoulli(),
    "gaussian": Gaussian(),
    "continuous-bernoulli": ContinuousBernoulli(),
    "normal": Normal(),
    "squared-error": SquaredError(),
    "beta": Beta(),
}
