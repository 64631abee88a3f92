"""The front page of a study's report, from its configuration and its tables."""

from __future__ import annotations

from pathlib import Path

from vaestudy.report.meta import ReportMeta, read_meta
from vaestudy.study import Study


def front_page(study: Study, resources: Path) -> ReportMeta:
    """Return title, authors, version and date of the report.

    The date is that of the last training run, so that the same results give the same report.
    """
    timing = study.table("timing")
    latest = timing["finished"].max()
    revisions = ", ".join(sorted(timing["revision"].unique()))
    version = f"vaestudy {timing['vaestudy'].iloc[0]}, revision {revisions}"
    return read_meta(
        resources / "meta.yaml",
        title=study.config.report.title,
        authors=study.config.report.authors,
        study=study.config.study,
        version=version,
        date=str(latest)[:10],
    )
