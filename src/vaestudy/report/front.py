"""The front page of a study's report, from its configuration and its tables."""

from __future__ import annotations

from pathlib import Path

from vaestudy.config import StudyConfig, expand_grid
from vaestudy.report.meta import ReportMeta, read_meta
from vaestudy.study import Study

_TITLE = "Variational autoencoders: activity, pruning and what the bounds hide"
#: What is said of a study of the user's own data, of which no chapter is about pruning.
_OF_OWN_DATA = {
    "subtitle": "A grid of models, trained and measured alike",
    "keywords": ["variational autoencoder", "latent space", "reproducible research"],
}


def title_of(config: StudyConfig) -> str:
    """Return the report's title: the configured one, or one that names the data."""
    if config.report.title or not config.of_own_data:
        return config.report.title or _TITLE
    trained = {run.config.dataset for run in expand_grid(config)}
    files = [Path(own.path).name for name, own in config.own_data.items() if name in trained]
    return f"Variational autoencoders of {' and '.join(files or [config.base.dataset])}"


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
        title=title_of(study.config),
        authors=study.config.report.authors,
        study=study.config.study,
        version=version,
        date=str(latest)[:10],
        **(_OF_OWN_DATA if study.config.of_own_data else {}),
    )
