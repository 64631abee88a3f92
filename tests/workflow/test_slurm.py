"""The study through a real Slurm of one node, where its packages are installed and we are root."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from checkout import ROOT, TABLES, Checkout
from test_runs import tables

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> None:
    if shutil.which("sinfo") and subprocess.run(["sinfo"], capture_output=True).returncode == 0:
        return
    path = os.environ["PATH"] + ":/usr/sbin"
    missing = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    if missing:
        pytest.skip(f"no Slurm here: {', '.join(missing)} not found (Debian: slurm-wlm, munge)")
    if os.geteuid() != 0:
        pytest.skip("starting a Slurm of one node takes root")
    script = ROOT / "tests" / "slurm" / "slurm-up.sh"
    state = tmp_path_factory.mktemp("slurm")
    subprocess.run(["bash", str(script), str(state)], check=True, timeout=60)


@pytest.mark.slurm
@pytest.mark.usefixtures("slurm")
def test_a_cluster_makes_the_same_tables(finished: Checkout, tmp_path: Path) -> None:
    cluster = Checkout.create(tmp_path / "cluster")
    result = cluster.snakemake(TABLES, "--workflow-profile", "workflow/profiles/slurm")
    assert result.code == 0, result.text + cluster.logs()
    # Training and evaluation of a model share a job; the small steps stay where snakemake runs.
    assert result.text.count("has been submitted with SLURM jobid") == 2
    assert tables(cluster) == tables(finished)
