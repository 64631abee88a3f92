"""Snakemake commands as forks of a process that has imported it: an import is most of a dry run.

The process knows nothing of vaestudy, and each command is a process of its own, with its own
folder, environment and output; what a test learns is what a shell would have shown.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any


@cache
def parent() -> subprocess.Popen[str]:
    """Return the process that forks, started by the first command; it ends with the test's."""
    drop = "PYTHONPATH"  # a checkout brings the package that its workflow imports
    return subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if name != drop},
    )


def snakemake(arguments: Sequence[str], folder: Path, env: Mapping[str, str], output: Path) -> int:
    """Run ``snakemake``, with all that it prints in ``output``; return its exit code."""
    request = {"arguments": [*arguments], "folder": str(folder), "env": {**env}}
    process = parent()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps({**request, "output": str(output)}) + "\n")
    process.stdin.flush()
    return int(process.stdout.readline())


def _run(arguments: list[str], folder: str, env: dict[str, str], output: str) -> None:
    """In a fork: become the command."""
    sink = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for descriptor in (1, 2):
        os.dup2(sink, descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = ["snakemake", *arguments]
    from snakemake.cli import main

    main()


def _serve() -> None:
    import snakemake.cli  # noqa: F401

    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                _run(**request)
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    _serve()
