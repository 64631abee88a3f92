"""Executed notebooks → one report, in HTML and PDF.

Notebooks show their results with :mod:`vaestudy.report.present`; :func:`build_report` puts
the executed notebooks together.
"""

from vaestudy.report.build import build_report
from vaestudy.report.errors import ReportError
from vaestudy.report.meta import ReportMeta, read_meta

__all__ = ["ReportError", "ReportMeta", "build_report", "read_meta"]
