"""The calls to Pandoc."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vaestudy.report.errors import ReportError
from vaestudy.report.tree import Node

# A cell must not set the report's metadata, and its lines must not settle a table's widths.
_READER = ("--from=markdown-yaml_metadata_block-implicit_figures", "--columns=100000")


def read_markdown(text: str) -> list[Node]:
    """Parse Pandoc's Markdown into blocks."""
    tree = json.loads(_run([*_READER, "--to=json"], text))
    return list(tree["blocks"])


def write(blocks: list[Node], form: str, options: Sequence[str] = ()) -> str:
    """Write blocks in an output language."""
    return _run(["--from=json", f"--to={form}", "--wrap=none", *options], _document(blocks))


def cite(blocks: list[Node], bibliography: Path, lang: str) -> list[Node]:
    """Replace citations by their texts, and fill the block ``refs`` with what is cited."""
    meta = {
        "link-citations": {"t": "MetaBool", "c": True},
        "lang": {"t": "MetaString", "c": lang},
    }
    options = ["--from=json", "--to=json", "--citeproc", f"--bibliography={bibliography}"]
    tree = json.loads(_run(options, _document(blocks, meta)))
    return list(tree["blocks"])


def bibliography_keys(bibliography: Path) -> set[str]:
    """Give the keys of a BibTeX file."""
    entries = json.loads(_run(["--from=biblatex", "--to=csljson", str(bibliography)], ""))
    return {entry["id"] for entry in entries}


def _document(blocks: list[Node], meta: dict[str, Any] | None = None) -> str:
    version = [1, 23, 1]
    return json.dumps({"pandoc-api-version": version, "meta": meta or {}, "blocks": blocks})


def _run(options: Sequence[str], text: str) -> str:
    import pypandoc  # only the report needs it: the rest of the package works without

    command = [pypandoc.get_pandoc_path(), *options]
    done = subprocess.run(command, input=text, capture_output=True, text=True, encoding="utf-8")
    if done.returncode or "[WARNING]" in done.stderr:
        raise ReportError(f"pandoc {options[-1]} says: {done.stderr.strip()}")
    return done.stdout
