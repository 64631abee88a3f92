"""A checkout in a temporary directory, with a study of its own, and how to run snakemake there."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import forks
import yaml

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("Snakefile", "config.yaml", "configs", "workflow", "envs", "notebooks", "report", "src")
SNAKEMAKE = (sys.executable, "-m", "snakemake")
TABLES = "results/mini/tables/runs.csv"

#: Two models that train in a fraction of a second each.
MINI: dict[str, Any] = {
    "study": "mini",
    "base": {
        "dataset": "mnist-5k",
        "hidden": [8],
        "epochs": 2,
        "batch_size": 1000,
    },
    "seeds": [0],
    "experiments": {"sizes": {"title": "Sizes", "vary": {"n_z": [2, 3]}}},
    "evaluation": {"n_samples": 2},
    "max_members": 2,
    "device": "cpu",
}


@dataclass(frozen=True)
class Checkout:
    """A copy of what the workflow needs, with ``mini.yaml``."""

    path: Path

    @classmethod
    def create(cls, path: Path, **changes: Any) -> Checkout:
        path.mkdir(parents=True)
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, path / part, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy2(source, path / part)
        checkout = cls(path)
        checkout.configure(**changes)
        return checkout

    def copy(self, path: Path) -> Checkout:
        """Everything, results and Snakemake's records of them included, times preserved."""
        shutil.copytree(self.path, path, symlinks=True)
        return Checkout(path)

    def configure(self, **changes: Any) -> None:
        text = yaml.safe_dump({**MINI, **changes}, sort_keys=False)
        (self.path / "mini.yaml").write_text(text, encoding="utf-8")

    def edit(self, name: str, text: str = "\n# edited\n") -> None:
        with (self.path / name).open("a", encoding="utf-8") as file:
            file.write(text)

    def snakemake(self, *arguments: str, config: str | None = "mini.yaml") -> Result:
        command = self.command(*arguments, config=config)[len(SNAKEMAKE) :]
        output = self.path.with_name(f"{self.path.name}-output.txt")
        code = forks.snakemake(command, self.path, environment(), output)
        return Result(code, output.read_text(encoding="utf-8"))

    def command(self, *arguments: str, config: str | None = "mini.yaml") -> list[str]:
        configfile = ["--configfile", config] if config else []
        return [*SNAKEMAKE, *arguments, "--nocolor", *configfile]

    def dry_run(self, *arguments: str, config: str | None = "mini.yaml") -> Result:
        result = self.snakemake(*arguments, "--dry-run", config=config)
        assert result.code == 0, result.text
        return result

    def run(self, *arguments: str, cores: int = 2) -> Result:
        result = self.snakemake(*arguments, "--cores", str(cores))
        assert result.code == 0, result.text + self.logs()
        return result

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Run in a process group of its own, which a test may kill."""
        return subprocess.Popen(
            self.command(*arguments, "--cores", "1"),
            cwd=self.path,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def logs(self) -> str:
        files = sorted(self.path.glob("results/*/logs/**/*.log"))
        return "".join(f"\n--- {f.name}\n{f.read_text(encoding='utf-8')}" for f in files)

    def models(self) -> dict[str, tuple[str, int]]:
        """Each model's checksum and time of change, by run."""
        files = sorted(self.path.glob("results/mini/runs/*/model.safetensors"))
        return {f.parent.name: (checksum(f), f.stat().st_mtime_ns) for f in files}


@dataclass(frozen=True)
class Result:
    """How a command ended and all that it printed."""

    code: int
    text: str

    @property
    def jobs(self) -> dict[str, int]:
        """Jobs by rule, from the table that a dry run ends with."""
        table = re.search(r"^job +count\n-+ +-+\n(.*?)^total", self.text, re.MULTILINE | re.DOTALL)
        rows = (line.split() for line in table.group(1).splitlines()) if table else []
        return {name: int(count) for name, count in rows}


def environment() -> dict[str, str]:
    """The present one, but for what pytest and other schedulers put there."""
    drop = ("PYTHONPATH", "VAESTUDY_DATA", "SLURM_JOB_ID")
    kept = {name: value for name, value in os.environ.items() if name not in drop}
    # As in an activated environment, also where pytest is called by its path.
    kept["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), kept["PATH"]])
    return kept


def checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
