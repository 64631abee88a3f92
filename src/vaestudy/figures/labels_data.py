"""What the chapter on labels compares: models that are told classes, and networks of equal size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from jaxtyping import Float
from numpy.typing import NDArray

from vaestudy.figures.beyond_data import Member
from vaestudy.label_measures import decode_classes
from vaestudy.rng import stream_seed
from vaestudy.study import EmptySelectionError, Study, tried

#: How models are told classes, in the order of the text.
KINDS = ("none", "condition", "blanked", "m2")
COLORS = {"condition": "#333333", "blanked": "#D55E00", "m2": "#0072B2"}
MARKERS = {"condition": "D", "blanked": "s", "m2": "o"}
_FREE = ("labels", "label_share", "label_weight", "epochs")


def find_told(study: Study) -> list[Member]:
    """Return the models that are told classes, all labels first, each kind by falling share.

    In all else they equal the base model, but for the number of epochs, which a study may cut.

    Raises
    ------
    EmptySelectionError
        If there are none.
    """
    runs = study.runs(**dict.fromkeys(_FREE, ...))
    told = runs[runs["labels"] != "none"]
    if told.empty:
        raise EmptySelectionError(f"{study.config.study!r} has no model that is told classes")
    found = [Member(group) for _, group in told.groupby("combination_id", sort=False)]
    return sorted(found, key=lambda m: (KINDS.index(kind_of(m)), -share_of(m)))


def plain(study: Study) -> Member | None:
    """Return the base model, which is told nothing; None if the study did not train it."""
    runs = tried(study.runs)
    return None if runs is None else Member(runs)


def compared(study: Study) -> list[Member]:
    """Return the base model, if it was trained, and after it those that are told classes."""
    first = plain(study)
    return [*([] if first is None else [first]), *find_told(study)]


def of_kind(members: list[Member], kind: str) -> list[Member]:
    """Return the members of one kind, the largest share first."""
    return [m for m in members if kind_of(m) == kind]


def kind_of(member: Member) -> str:
    """Return how a model is told classes."""
    return str(member.first["labels"])


def share_of(member: Member) -> float:
    """Return the share of the training labels that a model was told."""
    return float(member.first["label_share"])


def name_of(study: Study, member: Member) -> str:
    """Return a model's name in the chapter, with its epochs where they are not the base's."""
    kind, epochs = kind_of(member), int(member.first["epochs"])
    share = f"{100 * share_of(member):g}\N{NO-BREAK SPACE}%"
    name = {
        "none": "no labels",
        "condition": "all labels",
        "blanked": f"{share}, else blank",
        "m2": f"{share}, M2",
    }[kind]
    return name if epochs == study.config.base.epochs else f"{name}, {epochs} epochs"


def side_by_side(members: list[Member]) -> list[Member]:
    """Return the models whose samples are compared: all labels, and the same share, told two ways.

    Of blanks and of M2 it is the largest share that both have, or each one's largest.
    """
    blanked, inferred = of_kind(members, "blanked"), of_kind(members, "m2")
    both = {share_of(m) for m in blanked} & {share_of(m) for m in inferred}
    chosen = [
        next((m for m in kind if share_of(m) == max(both, default=None)), kind[0])
        for kind in (blanked, inferred)
        if kind
    ]
    return [*of_kind(members, "condition"), *chosen]


def every_class(study: Study, run_id: str, n_codes: int) -> Float[torch.Tensor, "C N D"]:
    """Return decoder means of every class at the same codes, the same for every model too."""
    model = study.model(run_id)
    generator = torch.Generator().manual_seed(stream_seed(0, "figure-classes"))
    z = torch.randn(n_codes, model.architecture.n_z, generator=generator)
    labels = torch.arange(model.architecture.n_classes)
    asked = decode_classes(model, z.repeat(len(labels), 1), labels.repeat_interleave(n_codes))
    means: torch.Tensor = model.likelihood.mean(asked).unflatten(0, (len(labels), n_codes))
    return means


@dataclass(frozen=True, eq=False)
class Pair:
    """The same model with dense and with convolutional networks."""

    mlp: Member
    conv: Member

    @property
    def dataset(self) -> str:
        """The name of their data set."""
        return str(self.mlp.first["dataset"])

    @property
    def epochs(self) -> int:
        """How long both were trained."""
        return int(self.mlp.first["epochs"])

    @property
    def runs(self) -> tuple[str, ...]:
        """The ids of the runs of both."""
        return (*self.mlp.runs["run_id"], *self.conv.runs["run_id"])


def find_pairs(study: Study) -> list[Pair]:
    """Return every convolutional model with its dense twin, FashionMNIST first.

    Raises
    ------
    EmptySelectionError
        If there are none.
    """
    alike = ["dataset", "activation", "epochs"]
    runs = study.runs(**dict.fromkeys(["network", *alike], ...))
    pairs = []
    for _, twins in runs.groupby(alike):
        parts = {name: Member(part) for name, part in twins.groupby("network")}
        if len(parts) == 2:
            pairs.append(Pair(parts["mlp"], parts["conv"]))
    if not pairs:
        raise EmptySelectionError(f"{study.config.study!r} has no convolutional model with a twin")
    return sorted(pairs, key=lambda pair: not pair.dataset.startswith("fashion"))


def first_seed(member: Member) -> pd.Series:
    """Return the run of the lowest seed, whose pictures are shown."""
    return member.runs.sort_values("seed").iloc[0]


def as_images(study: Study, dataset: str, x: torch.Tensor) -> NDArray[Any]:
    """Return rows of pixels as images [N, H, W]."""
    return x.numpy().reshape(-1, *study.dataset_named(dataset).image_shape)
