"""The one error that a report can fail with."""

from __future__ import annotations


class ReportError(ValueError):
    """The notebooks do not make a report; the message says which, why and what to do."""
