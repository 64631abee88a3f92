"""What an objective asks of the other parameters, and the weight of its KL term.

They stand in :class:`vaestudy.parameters.ModelParameters`; here are a type and the checks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from vaestudy.deeper import check_deeper

if TYPE_CHECKING:
    from vaestudy.parameters import ModelParameters

#: Importance-weighted objectives, with what each is of one sample.
_OF_ONE_SAMPLE = {"iwae": "elbo-sampled", "iwae-stl": "stl", "dreg": "stl"}
#: Their decoder and encoder weigh samples differently, which needs a decoder of independent rows.
_NEED_INDEPENDENT_ROWS = ("dreg", "piwae")


def _not_zero(beta: Any) -> Any:
    if beta == 0:
        raise ValueError(
            f"got {beta}; expected a number greater than 0: without the KL term nothing "
            "keeps q(z|x) from shrinking to a point, of which no bound can be measured; for the "
            "plain autoencoder set 1.0e-6"
        )
    return beta


KLWeight = Annotated[float, Field(gt=0, allow_inf_nan=False), BeforeValidator(_not_zero)]


def check_objective(run: ModelParameters) -> None:
    """Refuse an objective that the other parameters do not go with.

    Raises
    ------
    ValueError
        If its samples are not said or not divided into equal groups, or the decoder or the
        stochastic layers are none that it can train; the message says what would do.
    """
    for name, whole in (("k_groups", "k"), ("free_bits_group", "n_z")):
        if getattr(run, whole) % getattr(run, name):
            raise ValueError(
                f"{name} is {getattr(run, name)} but {whole} is {getattr(run, whole)}: "
                f"groups are of equal size, so {name} must divide {whole}"
            )
    if run.objective in _NEED_INDEPENDENT_ROWS and run.batch_norm != "none":
        raise ValueError(
            f"objective is {run.objective!r} with batch_norm {run.batch_norm!r}: its "
            "gradient needs samples that do not meet in the decoder, and batch statistics mix "
            "them; set batch_norm to none, or take another objective"
        )
    check_deeper(run.deeper, run.objective, run.dataset)
    _check_samples(run)


def _check_samples(run: ModelParameters) -> None:
    # A K of 1 that is written down, as in a sweep, is meant.
    if run.objective in _OF_ONE_SAMPLE and "k" not in run.model_fields_set:
        raise ValueError(
            f"objective is {run.objective!r} but k is left out, and of 1 sample, the default, it "
            f"is {_OF_ONE_SAMPLE[run.objective]!r}; set k, such as k: 5, or k: 1 if that is meant"
        )
