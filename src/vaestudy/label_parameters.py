"""What a model is told of classes and how its networks are made: parameters, and which go together.

They stand in :class:`vaestudy.parameters.ModelParameters`; here are their types and their checks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from vaestudy.dataset_names import CLASSES, PLANE, TABLES

if TYPE_CHECKING:
    from vaestudy.parameters import ModelParameters

Network = Annotated[
    Literal["mlp", "conv"],
    Field(
        description="mlp: dense layers of `hidden`; conv: two strided convolutions and a dense "
        "layer, the decoder mirrored, with as many parameters as the mlp of `hidden` has."
    ),
]
Labels = Annotated[
    Literal["none", "condition", "blanked", "m2"],
    Field(
        description="none: the model knows no classes; condition: encoder and decoder are given "
        "each image's class, one-hot; blanked: the same, all zeros where the label is not known; "
        "m2: where it is not known it is inferred, and summed over (Kingma et al. 2014)."
    ),
]
LabelShare = Annotated[
    float,
    Field(
        gt=0,
        le=1,
        description="blanked, m2: share of each class of the training set whose labels are known; "
        "the same images for every seed.",
    ),
]
LabelWeight = Annotated[
    float,
    Field(
        gt=0,
        allow_inf_nan=False,
        description="m2: weight of the classification loss, as a share of the number of images.",
    ),
]


def check_labels_and_network(run: ModelParameters) -> None:
    """Refuse what no model can be.

    Raises
    ------
    ValueError
        If labels or network do not fit the other parameters; the message says what does.
    """
    _check_data(run)
    _check_shares(run)
    if run.labels == "m2":
        _check_inferred(run)
    if run.network == "conv":
        _check_convolutional(run)


def _check_data(run: ModelParameters) -> None:
    """Refuse what published data have not; of the user's own, see own_dataset.check_fits."""
    if run.network == "conv" and run.dataset in (*TABLES, *PLANE):
        raise ValueError(
            f"network is 'conv' but dataset is {run.dataset!r}, whose rows are no images; set "
            "network to mlp"
        )
    if run.labels == "none":
        return
    if run.dataset in PLANE:
        raise ValueError(
            f"labels is {run.labels!r} but dataset is {run.dataset!r}: what is measured of points "
            "in the plane passes through models without classes; set labels to none"
        )
    if CLASSES.get(run.dataset) == 1:
        raise ValueError(
            f"labels is {run.labels!r} but the rows of {run.dataset!r} are of no classes; set "
            "labels to none"
        )


def _check_shares(run: ModelParameters) -> None:
    if run.labels != "none" and run.deeper:
        raise ValueError(
            f"labels is {run.labels!r} with {len(run.deeper)} deeper layers, which are told "
            "nothing; leave deeper out, or set labels to none"
        )
    if run.labels in ("none", "condition") and run.label_share < 1:
        raise ValueError(
            f"label_share is {run.label_share} but labels is {run.labels!r}, which has no use for "
            "a part of them; leave it out, or set labels to blanked or m2"
        )
    if run.labels == "blanked" and run.label_share == 1:
        raise ValueError(
            "labels is 'blanked' with label_share 1, which makes it 'condition'; lower "
            "label_share, or write labels: condition"
        )
    usual = type(run).model_fields["label_weight"].default
    if run.labels != "m2" and run.label_weight != usual:
        raise ValueError(
            f"label_weight is {run.label_weight} but labels is {run.labels!r}, which has no "
            "classification loss; leave it out, or set labels: m2"
        )


def _check_inferred(run: ModelParameters) -> None:
    if run.objective == "free-bits":
        raise ValueError(
            "labels is 'm2' but objective is 'free-bits', whose minimum is over a minibatch of "
            "images with one label each; take another objective"
        )
    if run.batch_norm != "none":
        raise ValueError(
            f"labels is 'm2' with batch_norm {run.batch_norm!r}: batch statistics would be those "
            "of every image under every label; set batch_norm to none"
        )


def _check_convolutional(run: ModelParameters) -> None:
    for name, usual in (("batch_norm", "none"), ("output_bias", "zero"), ("precision", "fp32")):
        if getattr(run, name) != usual:
            raise ValueError(
                f"network is {run.network!r} with {name} {getattr(run, name)!r}, which it does "
                f"not have; set {name} to {usual}, or network to mlp"
            )
