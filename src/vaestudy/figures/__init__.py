"""Figures of the report: tables in, :class:`Drawing` out."""

from vaestudy.figures.drawing import Drawing

__all__ = ["Drawing"]
