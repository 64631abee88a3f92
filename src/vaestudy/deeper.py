"""What a configuration says of stochastic layers above the first: sizes, and how they are written.

``deeper: [{n_z: 50, hidden: [100, 100]}]`` in a configuration is ``50(100-100)`` in tables; several
stand there with a + between them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from vaestudy.dataset_names import PLANE

#: Objectives that know a single stochastic layer, with what they lack.
_SINGLE_LAYER = {
    **dict.fromkeys(
        ("stl", "iwae-stl", "dreg", "piwae"),
        "its gradient takes the encoder's paths apart, which is worked out for one layer",
    ),
    **dict.fromkeys(
        ("jensen-shannon", "geometric-js"),
        "its divergence is from a prior N(0, I), which is that of the last layer alone",
    ),
    "half-joint": (
        "its log p(x) takes samples of a prior N(0, I), which is that of the last layer alone"
    ),
    "free-bits": "its minimum is of a closed-form KL, which the layers below the last have not",
}
NONE = "none"
_LAYER = re.compile(r"(\d+)\((\d+(?:-\d+)*)\)")
_Size = Annotated[int, Field(gt=0, strict=True)]


class DeeperLayer(BaseModel):
    """One stochastic layer above another: its width, and the networks between the two."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    n_z: _Size = Field(description="Latent dimensions of this layer.")
    hidden: tuple[_Size, ...] = Field(
        min_length=1,
        description="Hidden widths from the layer below to this one; the way back mirrors them.",
    )

    def __str__(self) -> str:
        return f"{self.n_z}({'-'.join(map(str, self.hidden))})"


def text_of(layers: Sequence[DeeperLayer]) -> str:
    """Return the layers as one text, ``none`` if there are none."""
    return "+".join(map(str, layers)) or NONE


def _read(value: Any) -> Any:
    """Take the text of :func:`text_of` for the layers that it stands for."""
    if not isinstance(value, str) or value == NONE:
        return () if value == NONE else value
    found = [_LAYER.fullmatch(part) for part in value.split("+")]
    if not all(found):
        raise ValueError(
            f"got {value!r}; expected none, or a list such as [{{n_z: 50, hidden: [100, 100]}}]"
        )
    return [
        {"n_z": int(match[1]), "hidden": [int(width) for width in match[2].split("-")]}
        for match in found
        if match
    ]


#: A field's type: layers that are written as one text where a table or JSON has no room for more.
DeeperLayers = Annotated[
    tuple[DeeperLayer, ...],
    BeforeValidator(_read, json_schema_input_type=tuple[DeeperLayer, ...] | str),
    PlainSerializer(text_of, return_type=str, when_used="json"),
]


def check_deeper(layers: Sequence[DeeperLayer], objective: str, dataset: str) -> None:
    """Refuse what is of a single stochastic layer: some objectives, and points in the plane.

    Raises
    ------
    ValueError
        If there are deeper layers and the objective, or what is measured, knows nothing of them.
    """
    if layers and dataset in PLANE:
        raise ValueError(
            f"deeper is {text_of(layers)} but dataset is {dataset!r}: codes of points in the plane "
            "are held against a prior N(0, I), which is that of the last layer alone; leave deeper "
            "out"
        )
    if layers and objective in _SINGLE_LAYER:
        raise ValueError(
            f"deeper is {text_of(layers)} but objective is {objective!r}: "
            f"{_SINGLE_LAYER[objective]}; leave deeper out, or take elbo, elbo-sampled, iwae, "
            "miwae or ciwae"
        )
