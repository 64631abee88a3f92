"""What can be measured of which models: checked when a configuration is read."""

from __future__ import annotations

from typing import NoReturn

from vaestudy.config_errors import ConfigError
from vaestudy.dataset_names import CLASSES, PICTURES, PLANE, TABLES
from vaestudy.examination import Examination
from vaestudy.run_config import RunConfig

#: What takes a model to have one latent space of prior N(0, I), and its rows to be features alone.
_OF_PLAIN_MODELS = ("ais", "information", "quality", "missing")


def check_measurable(
    run: RunConfig, wanted: Examination | None, n_samples: int, source: str
) -> None:
    """Refuse to measure of a run what it has not.

    Parameters
    ----------
    run
        A run of the study.
    wanted
        The slower measurements that it is chosen for.
    n_samples
        Importance samples a test image in the estimate of log p(x).
    source
        Where the configuration comes from, for messages.

    Raises
    ------
    ConfigError
        If it is chosen for a measurement that it cannot have, or has more labels to be summed over
        than there are samples.
    """
    # Of a file of the user's both are known when it has been read: own_dataset.check_own_data.
    if run.dataset in CLASSES:
        check_samples(run, CLASSES[run.dataset], n_samples, source)
    if wanted is not None and wanted.conditional is not None and run.dataset in (*TABLES, *PLANE):
        refuse_conditional(run, source)
    for name in _OF_PLAIN_MODELS if wanted is not None else ():
        reason = _reason_against(name, run)
        if reason and getattr(wanted, name) is not None:
            raise ConfigError(
                f"{source}: evaluation.{name} is to be taken of {run.run_id}, {reason}; leave its "
                f"experiment out of evaluation.{name}.experiments, or choose other combinations"
            )


def refuse_conditional(run: RunConfig, source: str) -> NoReturn:
    """Refuse to have a classifier judge samples that are no pictures.

    Raises
    ------
    ConfigError
        Always.
    """
    raise ConfigError(
        f"{source}: evaluation.conditional is to be taken of every model that is told classes, as "
        f"{run.run_id} is, whose data are no labelled pictures, of which a classifier could judge "
        "samples; leave evaluation.conditional out, or that model"
    )


def check_samples(run: RunConfig, n_classes: int, n_samples: int, source: str) -> None:
    """Refuse to sum over classes with fewer samples than there are.

    Raises
    ------
    ConfigError
        If the run infers labels and they are more.
    """
    if run.labels == "m2" and n_samples < n_classes:
        raise ConfigError(
            f"{source}: evaluation.n_samples is {n_samples}, but labels: m2 sums log p(x) over "
            f"{n_classes} classes; expected a sample of each, at least {n_classes}"
        )


def _reason_against(measurement: str, run: RunConfig) -> str:
    if run.deeper:
        return f"which has {1 + len(run.deeper)} stochastic layers, not one of prior N(0, I)"
    if run.labels != "none":
        return "which is told classes and has no likelihood of an image without one"
    if measurement == "quality" and run.dataset not in PICTURES:
        return "whose data are no labelled pictures, of which a classifier could judge samples"
    if measurement == "missing" and run.dataset in (*TABLES, *PLANE):
        return "whose data are no pictures, with a top and a bottom half"
    return ""
