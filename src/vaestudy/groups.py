"""Training jobs: which runs of a study share one.

A job is a group of runs; where a run trains never changes what it becomes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vaestudy.config import Run, StudyConfig
from vaestudy.run_config import RunConfig

#: Seeds of all stacked runs of a kind that train together.
STACKED_SEEDS = 2
#: A job's runs, and what they are examined for, are arguments of a command of which a system takes
#: 128 kB; a run has up to 1.3 kB.
MOST_RUNS = 80


@dataclass(frozen=True)
class Group:
    """Runs trained together in one job."""

    group_id: str
    runs: tuple[RunConfig, ...]


def study_groups(study: StudyConfig, runs: Sequence[Run]) -> list[Group]:
    """Return a study's training jobs: those of :func:`group_runs`, and the experiments' own.

    The latter, one a data set for each name of a job, hold the runs all of whose experiments name
    one, each in the job of the first; but stacked runs, which share a job already.
    """
    named: dict[str, list[RunConfig]] = {}
    others = []
    for run in runs:
        jobs = [study.experiments[name].job for name in run.experiments]
        if run.config.is_stacked or None in jobs:
            others.append(run.config)
        else:
            named.setdefault(f"{jobs[0]}-{run.config.dataset}", []).append(run.config)
    return [
        *group_runs(others, study.max_members),
        *(part for name, members in named.items() for part in _parts(name, members)),
    ]


def group_runs(runs: Sequence[RunConfig], max_members: int) -> list[Group]:
    """Return the training jobs: fixed chunks of at most ``max_members`` runs of one group key.

    A run's chunk depends on the run alone (its group key, warm-up and ``seed // max_members``), so
    that a new run joins or opens a group and never moves another; with ``max_members = 1`` a group
    is a run and bears its id. Stacked runs are chunks of ``STACKED_SEEDS`` seeds, whatever
    ``max_members``, and only of more than ``MOST_RUNS`` does a run's chunk depend on others.
    """
    groups: dict[str, list[RunConfig]] = {}
    for run in runs:
        if run.is_stacked:
            name = f"{run.stack_id}-g{run.seed // STACKED_SEEDS}"
        elif max_members == 1:
            name = run.run_id
        else:
            name = f"{run.combination_id}-m{max_members}-g{run.seed // max_members}"
        groups.setdefault(name, []).append(run)
    return [part for name, members in groups.items() for part in _parts(name, members)]


def _parts(name: str, runs: Sequence[RunConfig]) -> list[Group]:
    """Return a group, or as many as hold at most ``MOST_RUNS`` runs."""
    starts = range(0, len(runs), MOST_RUNS)
    names = [name if not start else f"{name}-{start // MOST_RUNS + 1}" for start in starts]
    return [
        Group(part, tuple(runs[start : start + MOST_RUNS]))
        for part, start in zip(names, starts, strict=True)
    ]
