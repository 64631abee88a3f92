"""How a training job says where it stands: a line in its log, a line or a bar on the terminal."""

from __future__ import annotations

import logging
import os
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vaestudy.config import RunConfig
from vaestudy.jobs import OnEpoch
from vaestudy.train import EpochReport

log = logging.getLogger(__name__)

#: Seconds between a job's lines on a terminal that it shares with others.
_INTERVAL = 10.0


def log_to(path: Path | None, *, of_job: bool = True) -> None:
    """Send the log to ``path`` (and warnings to the terminal), or to the terminal if None.

    A file goes on after what earlier attempts wrote there, with a line that heads the new one;
    that of a workflow's job even where it has been removed since.
    """
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if of_job:
            _restore(path)
        handlers[0].setLevel(logging.WARNING)
        handlers.append(logging.FileHandler(path, encoding="utf-8"))
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(message)s",
        datefmt="%Y-%m-%d %H:%M:%S",
        handlers=handlers,
        force=True,
    )
    if path is not None:
        log.info("==== attempt by process %d on %s", os.getpid(), platform.node())


def _restore(path: Path) -> None:
    """Bring back a log that Snakemake removed: it does so before every attempt, retries too.

    The same file bears a second, hidden name, which Snakemake does not know.
    """
    kept = path.with_name(f".{path.name}.kept")
    with suppress(OSError):  # Some file systems have no such links; then a log starts anew.
        if not path.exists():
            kept.touch()
            path.hardlink_to(kept)


def describe(report: EpochReport, tested: str = "test", rows: str = "images") -> str:
    """Return one line: epoch, bounds, speed, time left (as this epoch went).

    ``tested`` and ``rows`` are what the data are called.
    """
    left = (report.epochs - report.epoch) * report.seconds
    train, test = report.train_bound.mean().item(), report.test_bound.mean().item()
    return (
        f"epoch {report.epoch:>4}/{report.epochs}  bound {train:9.2f} train {test:9.2f} {tested}  "
        f"{report.images_per_second:9,.0f} {rows}/s  {_clock(left)} left"
    )


def line_reporter(name: str) -> OnEpoch:
    """Return a callback that logs every epoch and prints a line now and then.

    ``name`` tells the lines of several jobs on one terminal apart.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    printed = time.monotonic()

    def on_epoch(runs: Sequence[RunConfig], report: EpochReport) -> None:
        nonlocal printed
        line = describe(report)
        log.info("%s", line)
        due = time.monotonic() - printed > _INTERVAL
        if due or report.epoch == report.epochs:
            printed = time.monotonic()
            console.print(f"{name}  {line}", markup=False)

    return on_epoch


@contextmanager
def bar_reporter(epochs: int, tested: str = "test", rows: str = "images") -> Iterator[OnEpoch]:
    """Yield a callback that moves a live bar; ``tested`` and ``rows`` are what the data are called.

    A training that ends before its last epoch leaves the bar where it ended.
    """
    columns = (
        TextColumn("epoch"),
        MofNCompleteColumn(),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("starting", total=epochs)

        def on_epoch(runs: Sequence[RunConfig], report: EpochReport) -> None:
            log.info("%s", describe(report, tested, rows))
            train, test = report.train_bound.mean().item(), report.test_bound.mean().item()
            speed = f"{report.images_per_second:,.0f} {rows}/s"
            text = f"train {train:.2f}  {tested} {test:.2f} nats  {speed}"
            progress.update(task, completed=report.epoch, description=text)

        yield on_epoch


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
