"""What the figures of the latent space are drawn from: codes of the test digits, and decoded codes.

Everything here is NumPy and one model at a time; nothing draws.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from vaestudy.evaluate import CHUNK_ROWS
from vaestudy.figures.families import label_of
from vaestudy.latent_plane import encode_means
from vaestudy.splits import test_pixels
from vaestudy.study import EmptySelectionError, Study, tried
from vaestudy.vae import VAE

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Family:
    """Models that differ in their seed alone: what they are called and how they are selected."""

    label: str
    parameters: dict[str, Any]
    group: int = 0

    def runs(self, study: Study) -> pd.DataFrame:
        """Return the family's runs, lowest seed first."""
        return study.runs(**self.parameters).sort_values("seed", ignore_index=True)


@dataclass(frozen=True)
class Codes:
    """One model and the means of q(z | x) of the test digits."""

    run_id: str
    model: VAE
    means: Array

    def decode(self, z: NDArray[Any]) -> Array:
        """Return E[x | z] for every row of ``z``."""
        return decode(self.model, z)

    @property
    def activity(self) -> NDArray[np.float64]:
        """A_u of every latent dimension: the variance of its mean over the test set."""
        return np.asarray(np.var(self.means, axis=0, dtype=np.float64, ddof=1))

    def by_activity(self) -> NDArray[np.int64]:
        """Return the latent dimensions, the most active first."""
        return np.argsort(-self.activity, kind="stable")


@torch.no_grad()
def decode(model: VAE, z: NDArray[Any]) -> Array:
    """Return E[x | z] for every row of ``z``, under the model's only member."""
    codes = torch.from_numpy(np.ascontiguousarray(z, dtype=np.float32))
    parts = torch.split(codes, CHUNK_ROWS)
    return torch.cat([model.likelihood.mean(model.decode(part[None]))[0] for part in parts]).numpy()


def digits(study: Study) -> torch.Tensor:
    """Return the test pixels as every model of the study is tested on them."""
    return test_pixels(study.dataset, study.config.base.binarization)


def labels(study: Study) -> NDArray[np.int64]:
    """Return the class of every test digit."""
    return study.dataset.test_labels.numpy()


def exemplars(study: Study) -> NDArray[np.int64]:
    """Return the first test digit of every class, in the order of the classes."""
    return np.unique(labels(study), return_index=True)[1]


def codes_of(study: Study, run_id: str) -> Codes:
    """Return a trained model with the test digits' codes."""
    model = study.model(run_id)
    return Codes(run_id, model, encode_means(model, digits(study)))


def objectives(study: Study, **others: Any) -> list[Family]:
    """Return the VAE and the importance-weighted autoencoder, as far as the study has them."""
    levels: list[dict[str, Any]] = [{"objective": "elbo", "k": 1}]
    with suppress(EmptySelectionError):  # a study may be without importance weighting
        levels.append(study.iwae)
    wanted = [{**level, **others} for level in levels]
    found = [Family(label_of(level), level) for level in wanted if study.has(**level)]
    if not found:
        raise EmptySelectionError(f"the study {study.config.study!r} has no model with {others}")
    return found


def families(study: Study) -> list[Family]:
    """Return every family that chapter 4 shows, in groups: additions, likelihood, variants, n_z."""
    base = {"batch_norm": "none", "warmup": 0}
    additions = [{"batch_norm": "none"}, {"batch_norm": "hidden"}]
    lengths = [{"warmup": 0}, *filter(None, [tried(lambda: study.warmup)])]
    groups = [
        [{**norm, **length} for length in lengths for norm in additions],
        [{**base, "likelihood": "gaussian"}],
        [
            {**base, "batch_norm": "all"},
            {**base, "encoder_heads": "bounded"},
            *({**base, "adam_beta2": value} for value in _others(study, "adam_beta2")),
        ],
        [{**base, "n_z": n_z} for n_z in _ends(study)],
    ]
    found: dict[str, Family] = {}
    for number, group in enumerate(groups):
        for family in objectives(study):
            for level in group:
                parameters = {**family.parameters, **level}
                name = _label(parameters)
                if name not in found and study.has(**parameters):
                    found[name] = Family(name, parameters, number)
    return list(found.values())


def _others(study: Study, parameter: str) -> list[Any]:
    return [value for value in study.levels(parameter) if value != study.base[parameter]]


def _ends(study: Study) -> list[int]:
    levels = study.levels("n_z")
    return [n_z for n_z in dict.fromkeys((levels[0], levels[-1])) if n_z != study.base["n_z"]]


def _label(parameters: dict[str, Any]) -> str:
    name = label_of(parameters)
    name += f", $\\beta_2 = {parameters['adam_beta2']}$" if "adam_beta2" in parameters else ""
    return name + (f", $n_z = {parameters['n_z']}$" if "n_z" in parameters else "")


def greyness(images: Array) -> NDArray[np.float64]:
    r"""Return :math:`\sum_d m_d (1 - m_d)` of every mean image: 0 for pure black and white."""
    wide = images.astype(np.float64)
    return np.asarray((wide * (1 - wide)).sum(-1))
