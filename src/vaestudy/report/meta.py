"""What a report says of itself."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vaestudy.report.errors import ReportError


@dataclass(frozen=True)
class ReportMeta:
    """Title, authors and the rest of a report's front page.

    Parameters
    ----------
    title, subtitle
        Plain texts.
    authors
        Names, in order.
    date
        ``YYYY-MM-DD``. The only date that the report holds.
    abstract
        Markdown. A notebook's :func:`~vaestudy.report.present.abstract` takes its place.
    keywords
        A few words for catalogues.
    study
        Name of the study.
    version
        Version and revision of the code, in one line.
    lang
        Language of the text.
    """

    title: str
    authors: tuple[str, ...]
    date: str
    subtitle: str = ""
    abstract: str = ""
    keywords: tuple[str, ...] = ()
    study: str = ""
    version: str = ""
    lang: str = "en-GB"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", self.date):
            raise ReportError(f"the report's date is {self.date!r}, but expected YYYY-MM-DD")
        if isinstance(self.authors, str) or isinstance(self.keywords, str):
            raise ReportError("the report's authors and keywords must be lists of texts")


def read_meta(path: Path, **given: Any) -> ReportMeta:
    """Read a report's front page from a YAML file.

    Parameters
    ----------
    path
        The file, with fields of :class:`ReportMeta`.
    **given
        Fields that the caller knows: the date, the study's name, the version.

    Returns
    -------
    ReportMeta
        What the file says, overruled by what is given.
    """
    import yaml

    fields = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) | given
    valid = [field.name for field in dataclasses.fields(ReportMeta)]
    unknown = sorted(set(fields) - set(valid))
    if unknown:
        raise ReportError(f"{path.name} has unknown fields {unknown}; valid ones are {valid}")
    missing = [name for name in ("title", "authors", "date") if not fields.get(name)]
    if missing:
        raise ReportError(f"the report has no {', '.join(missing)}: say it in {path.name}")
    for name in ("authors", "keywords"):
        if not isinstance(fields.get(name, ()), str):
            fields[name] = tuple(fields.get(name, ()))
    fields["date"] = str(fields["date"])
    return ReportMeta(**fields)
