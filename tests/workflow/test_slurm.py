"""The study through a real Slurm of one node, where its packages are installed and we are root."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from checkout import ROOT, TABLES, Checkout
from test_runs import tables

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")


SCRIPT = ROOT / "tests" / "slurm" / "slurm-up.sh"
#: How the script ends where a cluster runs, or is set up, that is not the tests' own.
FOREIGN = 3


@pytest.fixture(scope="module")
def slurm() -> Iterator[None]:
    path = os.environ["PATH"] + ":/usr/sbin"
    missing = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    if missing:
        pytest.skip(f"no Slurm here: {', '.join(missing)} not found (Debian: slurm-wlm, munge)")
    if os.geteuid() != 0:
        pytest.skip("starting a Slurm of one node takes root")
    with Path("/run/lock/vaestudy-test-slurm").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another session of tests would end this one's cluster
        up = slurm_script("up")
        if up.returncode == FOREIGN:
            pytest.skip(up.stderr)
        assert up.returncode == 0, up.stderr
        yield
        down = slurm_script("down")
        assert down.returncode == 0, down.stderr


def slurm_script(what: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", str(SCRIPT), what], capture_output=True, text=True, timeout=180)


@pytest.mark.slurm
@pytest.mark.usefixtures("slurm")
def test_a_cluster_makes_the_same_tables(finished: Checkout, tmp_path: Path) -> None:
    cluster = Checkout.create(tmp_path / "cluster")
    result = cluster.snakemake(TABLES, "--workflow-profile", "workflow/profiles/slurm")
    assert result.code == 0, result.text + cluster.logs()
    # Training and evaluation of a model share a job; the small steps stay where snakemake runs.
    assert result.text.count("has been submitted with SLURM jobid") == 2
    assert tables(cluster) == tables(finished)
