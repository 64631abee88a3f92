"""Write envs/vaestudy.yaml, the conda environment, with the pins of requirements.lock.

Run by `make lock`; a test checks that the two agree.
"""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEADER = """\
# The lock file's pins as a conda environment, for `snakemake --sdm conda`. Made by `make lock`.
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python=3.12
  - pip
  - pip:
"""


def pins(lock: str) -> list[str]:
    """Return the lock's requirements, without hashes, with their environment markers."""
    joined = lock.replace("\\\n", " ")
    lines = (line.split(" --hash")[0].strip() for line in joined.splitlines())
    return [line for line in lines if re.match(r"[a-z0-9]", line)]


def environment(lock: str) -> str:
    """Return the text of the conda environment."""
    return HEADER + "".join(f'      - "{pin}"\n' for pin in pins(lock))


if __name__ == "__main__":
    text = environment((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    (ROOT / "envs" / "vaestudy.yaml").write_text(text, encoding="utf-8")
