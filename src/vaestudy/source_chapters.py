"""Which chapters on sources have runs to show, and which experiments are the user's own.

A chapter on a source needs runs of that source's kind. Experiments that no chapter knows are shown
as a grid, as those on a user's own data are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from vaestudy.dataset_names import PLANE
from vaestudy.parameters import ModelParameters
from vaestudy.run_config import RunConfig
from vaestudy.study_parts import Experiment

#: The project's experiments, each with the factors that chapters know of it.
KNOWN_EXPERIMENTS: Final[Mapping[str, frozenset[str]]] = {
    name: frozenset(factors.split())
    for name, factors in {
        "grid": "likelihood objective batch_norm warmup n_z",
        "factors": "objective batch_norm warmup",
        "likelihood": "likelihood objective",
        "dimensions": "objective n_z",
        "warmup-sweep": "objective warmup",
        "adam-as-printed": "",
        "bounded-heads": "",
        "batch-norm-heads": "objective",
        "beyond": "objective",
        "two-layers": "",
        "packaged": "variant",
        "estimators": "",
        "any-data": "data",
        "grey": "likelihood",
        "grey-likelihoods": "likelihood",
        "labels": "labels",
        "told-classes": "labels",
        "networks": "network",
        "square": "n_z beta weight_decay",
        "square-decay": "beta weight_decay",
        "square-annealed": "beta",
        "shapes": "dataset beta",
        "summary": "n_z",
        "kingma-welling": "n_z",
        "larger-latent": "n_z",
        "fashion": "",
        "latent-grid": "dataset n_z",
        "divergences": "objective",
        "samples": "objective",
        "halves": "n_z",
        "table-1": "objective",
        "table-1-two-layers": "objective",
    }.items()
}


def own_experiments(experiments: Mapping[str, Experiment]) -> tuple[str, ...]:
    """Return the names of those that no chapter knows, by what they are called and vary."""
    return tuple(
        name
        for name, experiment in experiments.items()
        if name not in KNOWN_EXPERIMENTS or set(experiment.vary) - KNOWN_EXPERIMENTS[name]
    )


def has_runs(
    chapter: str,
    runs: Sequence[RunConfig],
    base: ModelParameters,
    experiments: Mapping[str, Experiment],
) -> bool:
    """Whether a study of pictures has runs for a chapter other than those about its base model.

    Parameters
    ----------
    chapter
        The notebook's name, without its number. One that is not the project's has its runs.
    runs
        The study's.
    base
        Its base model.
    experiments
        Those that are run.
    """
    own = own_experiments(experiments)
    known = len(own) < len(experiments)
    if chapter == "published":
        return _has_burda(runs) or (known and _has_base(runs, base))
    if chapter == "own-data":
        return bool(own) or _has_packaged(runs, base)
    if chapter == "claims":
        sources = any(shows(runs, base) for shows in _SOURCES.values())
        return known or sources or _has_base(runs, base)
    return chapter not in _SOURCES or _SOURCES[chapter](runs, base)


def _has_burda(runs: Sequence[RunConfig]) -> bool:
    return any(run.lr_schedule == "burda" for run in runs)


def _has_packaged(runs: Sequence[RunConfig], base: ModelParameters) -> bool:
    return any((run.optimizer, run.dataset) == ("adamax", base.dataset) for run in runs)


def _has_base(runs: Sequence[RunConfig], base: ModelParameters) -> bool:
    wanted = base.model_dump(exclude={"seed"})
    return any(run.model_dump(exclude={"seed"}) == wanted for run in runs)


def _has_points(runs: Sequence[RunConfig], base: ModelParameters) -> bool:
    return any(run.dataset in PLANE for run in runs)


def _has_plusplus(runs: Sequence[RunConfig], base: ModelParameters) -> bool:
    model = ("threshold", "tanh", 1e-8)
    return any((run.binarization, run.activation, run.adam_eps) == model for run in runs)


def _has_labels(runs: Sequence[RunConfig], base: ModelParameters) -> bool:
    if any(run.labels != "none" for run in runs):
        return True
    dense = [run.model_dump() for run in runs if run.network == "mlp"]
    twins = ({**run.model_dump(), "network": "mlp"} for run in runs if run.network == "conv")
    return any(twin in dense for twin in twins)


def _has_kingma_welling(runs: Sequence[RunConfig], base: ModelParameters) -> bool:
    models = (
        ((512, 384, 256), "relu", "none"),
        ((500,), "tanh", base.binarization),
    )
    return any(
        (run.hidden, run.activation, run.binarization) in models and run.dataset == base.dataset
        for run in runs
    )


_SOURCES: Final[Mapping[str, Callable[[Sequence[RunConfig], ModelParameters], bool]]] = {
    "toys": _has_points,
    "plusplus": _has_plusplus,
    "labels": _has_labels,
    "kingma-welling": _has_kingma_welling,
}
