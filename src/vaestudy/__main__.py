"""``python -m vaestudy``."""

from vaestudy.cli import app

app(prog_name="vaestudy")
