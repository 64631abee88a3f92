"""Memory of a job: what it frees, and what it need not hold."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

PART_MB = 20

#: Takes some megabytes, frees them, and prints how many of them the process still holds.
SCRIPT = f"""
import sys, torch
from vaestudy.heap import keep_freed_memory, return_freed_memory

def resident_mb():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) / 256

if sys.argv[1] != "leave" and not keep_freed_memory():
    print("nan")
    raise SystemExit
before = resident_mb()
part = torch.ones({PART_MB} << 18)
held = resident_mb() - before
del part
if sys.argv[1] == "keep and return":
    return_freed_memory()
print((resident_mb() - before) / held)
"""


def held_after_freeing(how: str) -> float:
    command = [sys.executable, "-c", SCRIPT, how]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it is for Linux's C library")
def test_what_is_freed_is_kept_until_returned() -> None:
    kept = held_after_freeing("keep")
    if kept != kept:
        pytest.skip("this C library is not GNU's")
    assert held_after_freeing("leave") < 0.1 < 0.9 < kept
    assert held_after_freeing("keep and return") < 0.1


#: Trains a model for an epoch as a job of the workflow does; prints whether pandas is there.
JOB = """
import sys
from pathlib import Path
import vaestudy.cli.models
from builders import CPU, run_config, tiny_dataset
from vaestudy.jobs import train_group

settings = {"device": CPU, "checkpoint_every": 1, "log_steps": 2}
train_group([run_config(epochs=1)], tiny_dataset(), Path(sys.argv[1]), **settings)
print("pandas" in sys.modules)
"""


def test_a_training_job_does_without_pandas(tmp_path: Path) -> None:
    command = [sys.executable, "-c", JOB, str(tmp_path)]
    here = Path(__file__).parent
    ran = subprocess.run(command, check=True, capture_output=True, text=True, cwd=here)
    assert ran.stdout == "False\n"
    (history,) = tmp_path.glob("*/history.parquet")
    assert set(pd.read_parquet(history)["split"]) == {"train", "test"}
