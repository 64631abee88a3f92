"""What commands share: their options, how they start, and how they end when something is amiss."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec, TypeVar

import typer
import yaml
from pydantic import BaseModel, ValidationError

from vaestudy.config import (
    CompilePolicy,
    Run,
    RunConfig,
    StudyConfig,
    expand_grid,
    load_config,
    parse_run,
)
from vaestudy.config_errors import ConfigError, explain
from vaestudy.devices import claim_gpu, release_gpu
from vaestudy.own_data import OwnData

if TYPE_CHECKING:
    import torch

    from vaestudy.study import Study

P = ParamSpec("P")
R = TypeVar("R")
PerRun = TypeVar("PerRun", bound=BaseModel)
Json = TypeVar("Json", list[Any], dict[str, Any])

ConfigFile = Annotated[Path, typer.Option("--config", help="The study's configuration.")]
LogFile = Annotated[Path | None, typer.Option("--log", help="Log file; the terminal if none.")]
Device = Annotated[
    str,
    typer.Option(envvar="VAESTUDY_DEVICE", help="auto (a GPU where there is one), cpu or cuda."),
]
CheckpointEvery = Annotated[
    int, typer.Option(min=1, envvar="VAESTUDY_CHECKPOINT_EVERY", help="Epochs between checkpoints.")
]
Compile = Annotated[
    CompilePolicy,
    typer.Option(
        "--compile", envvar="VAESTUDY_COMPILE", help="Compile training steps: where it pays."
    ),
]
Prepared = Annotated[Path, typer.Option("--data", help="A file made by `vaestudy data`.")]
DataDirectory = Annotated[
    str | None, typer.Option("--root", help="Data directory; VAESTUDY_DATA takes precedence.")
]
OwnFile = Annotated[
    str | None, typer.Option("--own", help="What stands for it under `own_data`, as JSON.")
]
Threads = Annotated[int, typer.Option(min=1, help="Cores to compute with.")]
Runs = Annotated[str, typer.Option("--runs", help="The runs' parameters: a JSON list.")]
LeftOut = Annotated[
    list[Path] | None,
    typer.Option(help="Source of a chapter that the report does without; may be repeated."),
]
Checkout = Annotated[
    Path,
    typer.Option(envvar="VAESTUDY_CHECKOUT", help="The project, whose report/ and docs/ are read."),
]
RunsDir = Annotated[Path, typer.Option("--runs-dir", help="Where runs keep their files.")]


def _expected_errors() -> tuple[type[Exception], ...]:
    from vaestudy.checkpoint import CheckpointError
    from vaestudy.classifier import ClassifierError
    from vaestudy.data import DataError
    from vaestudy.devices import DeviceError
    from vaestudy.estimator.fitting import DivergenceError
    from vaestudy.files import OutputError
    from vaestudy.fit.texts import FileError
    from vaestudy.jobs import BusyError
    from vaestudy.libraries import CompileError
    from vaestudy.report.errors import ReportError
    from vaestudy.run_files import MissingResultError
    from vaestudy.study import EmptySelectionError, MissingTableError

    places = (FileExistsError, FileNotFoundError, IsADirectoryError, NotADirectoryError)
    jobs = (BusyError, CompileError, DeviceError, MissingResultError)
    tables = (EmptySelectionError, MissingTableError)
    models = (CheckpointError, ClassifierError, DivergenceError)
    files = (DataError, FileError, OutputError, ReportError)
    return ConfigError, PermissionError, *places, *files, *models, *jobs, *tables


def plain_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Print what a user can mend as one message, without a traceback; log it where there is one."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except Exception as error:
            expected = isinstance(error, _expected_errors())
            _log_failure(error, _told(error) if expected else None)
            if not expected:
                raise
            typer.secho(f"error: {_told(error)}", err=True, fg="red")
            raise typer.Exit(1) from None

    return wrapped


def _log_failure(error: Exception, told: str | None) -> None:
    """Write to the log file, if there is one, how a command ends: in words, or by its traceback.

    Not to the terminal, to which the log's errors would go as well: it is told in any case.
    """
    message = f"error: {told}" if told else "error, which was not expected:"
    trace = None if told else (type(error), error, error.__traceback__)
    log = logging.getLogger(__name__)
    record = log.makeRecord(__name__, logging.ERROR, __file__, 0, message, (), trace)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            handler.handle(record)


def _told(error: Exception) -> str:
    if not isinstance(error, OSError) or error.filename is None:
        return str(error)
    return (
        f"{error.filename}: {error.strerror}; expected a file that you may read, or a place that "
        "you may write to: give another one"
    )


@contextmanager
def results_in(directory: Path) -> Iterator[None]:
    """Make a directory for results, and take it away again if nothing came to lie in it.

    Raises
    ------
    OutputError
        If it cannot be written to.
    """
    from vaestudy.files import require_writable

    made = [path for path in (directory, *directory.parents) if not path.exists()]
    try:
        require_writable(directory)
        yield
    finally:
        for path in made:
            with suppress(OSError):  # It is not empty, or was never made.
                path.rmdir()


def start_job(device: str, threads: int) -> torch.device:
    """Settle what decides the last bit of a result, and return the device."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch

    from vaestudy.devices import compute_in_fp32, select_device
    from vaestudy.heap import keep_freed_memory

    # Jobs wait for a GPU; those whose PyTorch knows none would wait for nothing.
    claimed = claim_gpu() if device != "cpu" and torch.backends.cuda.is_built() else None
    torch.set_num_threads(threads)
    keep_freed_memory()
    compute_in_fp32()
    chosen = select_device(device)
    if chosen.type == "cpu":
        release_gpu(claimed)
    if chosen.type == "cuda":  # the CPU's are all deterministic, and the switch costs a second
        torch.use_deterministic_algorithms(True)
    return chosen


class _Loader(yaml.SafeLoader):
    """Reads 1e2 and 1e-3 as numbers, which YAML 1.1 takes for text."""

    def number(self, node: yaml.ScalarNode) -> float:
        """Return a number with an exponent: a whole one as such, for what is counted."""
        value = float(node.value)
        return int(value) if value.is_integer() else value


_Loader.add_implicit_resolver(
    "!exponent", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)
_Loader.add_constructor("!exponent", _Loader.number)


def assignments(items: list[str]) -> dict[str, Any]:
    """Read the arguments of ``--set``."""
    values = {}
    for item in items:
        name, separator, text = item.partition("=")
        try:
            values[name] = yaml.load(text, _Loader)
        except yaml.YAMLError:
            separator = ""
        if not separator:
            raise ConfigError(
                f"--set got {item!r}; expected parameter=value, such as n_z=10, objective=iwae or "
                f"'hidden=[200, 200]'"
            )
    return values


def parse_runs(text: str) -> list[RunConfig]:
    """Read the argument of ``--runs``."""
    return [parse_run(values, "--runs") for values in parse_json(text, list, "--runs")]


def parse_json(text: str, kind: type[Json], option: str) -> Json:
    """Read an argument that is JSON of one kind: ``list`` or ``dict``."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{option} got {text[:60]!r}, which is no JSON: {error}") from None
    if not isinstance(value, kind):
        wanted = "a list, [...]" if kind is list else "an object, {...}"
        raise ConfigError(f"{option} got {text[:60]!r}; expected {wanted}, as JSON")
    return value


def parse_by_run(text: str, kind: type[PerRun], option: str) -> dict[str, PerRun]:
    """Read an option's argument that says something of some runs, by their ids."""
    try:
        values = parse_json(text, dict, option)
        return {run_id: kind.model_validate(value) for run_id, value in values.items()}
    except ValidationError as error:
        raise ConfigError(explain(error, kind, option)) from None


def parse_own(text: str) -> OwnData:
    """Read the argument of ``--own``."""
    try:
        return OwnData.model_validate_json(text)
    except ValidationError as error:
        raise ConfigError(explain(error, OwnData, "--own")) from None


def seen_from(checkout: Path, path: Path) -> Path:
    """Return a path for use in the checkout: in it already, the path as it is."""
    if checkout.resolve() == Path.cwd():
        return path
    return Path(os.path.relpath(path.absolute(), checkout.resolve()))


def read_grid(config: Path) -> tuple[StudyConfig, list[Run]]:
    """Read a study and the runs it declares."""
    study = load_config(config)
    return study, expand_grid(study, str(config))


def open_study(path: Path) -> Study:
    """Open a study by its configuration, or by the directory that its results lie in."""
    from vaestudy.study import Study

    if not path.is_dir():
        return Study.load(path)
    grid = path / "grid.yaml"
    if not grid.is_file():
        raise ConfigError(
            f"{path} has no grid.yaml, so it is no study's directory of results; give one such as "
            "results/quick, or a configuration such as configs/quick.yaml"
        )
    # The directory may have been moved since it was made.
    where = {"results_dir": str(path.resolve().parent), "study": path.resolve().name}
    return Study(load_config(grid).model_copy(update=where))
