"""One run, and the names made from what determines it."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property

from pydantic import Field

from vaestudy.dataset_names import PLANE
from vaestudy.deeper import DeeperLayer
from vaestudy.parameters import ModelParameters, NonNegativeInt

#: What besides the seed members of one training job may differ in: it reaches a step as a tensor.
_OF_A_MEMBER = ("warmup",)
_OF_A_STACKED_MEMBER = ("warmup", "warmup_cycles", "warmup_rise", "beta", "weight_decay")
#: Younger than the first runs, with their marks in names; left out of ids at their defaults, so
#: that the old ids stand.
_LATER = {
    "k_groups": "g",
    "elbo_share": "c",
    "free_bits": "fb",
    "free_bits_group": "per",
    "beta": "b",
    "warmup_cycles": "cycles",
    "warmup_rise": "rise",
    "lr_schedule": "lr-",
    "optimizer": "",
    "output_bias": "bias-",
    "precision": "",
    "deeper": "deeper",
    "network": "",
    "labels": "",
    "label_share": "share",
    "label_weight": "lw",
    "weight_decay": "wd",
    "js_skew": "a",
}


class RunConfig(ModelParameters):
    """One model to train: the parameters and a seed."""

    seed: NonNegativeInt = Field(0, description="Determines every random number of the run.")

    @cached_property
    def canonical(self) -> str:
        """The parameters as JSON with sorted keys, the text that ids are hashes of.

        What a later version added is left out at its default: ids of finished runs stand.
        """
        return self._canonical_without()

    @cached_property
    def run_id(self) -> str:
        """A readable name that ends in a hash of every parameter."""
        return f"{self._slug()}-s{self.seed}-{_short_hash(self.canonical)}"

    @cached_property
    def combination_id(self) -> str:
        """The run's name without its seed: the same for all replicates."""
        return f"{self._slug()}-{_short_hash(self._canonical_without('seed'))}"

    @property
    def is_stacked(self) -> bool:
        """Whether all models of its kind train as one, on any device.

        Those of points in the plane do: alone, they would keep a core busy with calls of functions.
        """
        return self.dataset in PLANE

    @cached_property
    def group_key(self) -> str:
        """What members of one training job share: all but seed and warm-up.

        Stacked ones may differ in the weight of the KL term and of weight decay too.
        """
        free = _OF_A_STACKED_MEMBER if self.is_stacked else _OF_A_MEMBER
        return self._canonical_without("seed", *free)

    @cached_property
    def stack_id(self) -> str:
        """A readable name of the stack it trains in, without what its members differ in."""
        parts = [self.dataset, self.likelihood, self.objective, f"z{self.n_z}", "stack"]
        return "-".join([*parts, _short_hash(self.group_key)])

    def _canonical_without(self, *names: str) -> str:
        unsaid = {name for name in _LATER if self.is_default(name)}
        return json.dumps(self.model_dump(mode="json", exclude={*names, *unsaid}), sort_keys=True)

    def _slug(self) -> str:
        objective = self.objective if self.k == 1 else f"{self.objective}{self.k}"
        parts = [self.dataset, self.likelihood, objective, f"z{self.n_z}"]
        parts += [] if self.batch_norm == "none" else [f"bn-{self.batch_norm}"]
        parts += [] if self.encoder_heads == "linear" else [self.encoder_heads]
        parts += [f"wu{self.warmup}"] if self.warmup else []
        parts += [
            mark + _readable(getattr(self, name))
            for name, mark in _LATER.items()
            if not self.is_default(name)
        ]
        return "-".join(parts)


def _readable(value: float | str | tuple[DeeperLayer, ...]) -> str:
    if isinstance(value, tuple):
        return "-".join(str(layer.n_z) for layer in value)
    return value if isinstance(value, str) else f"{value:g}".replace(".", "p").replace("+", "")


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
