"""Claims of the source documents, decided by rule from a study's tables.

``report/claims.yaml`` says what is claimed and which statistic decides it (:mod:`.ledger`);
:func:`judge` compares the runs that it names, seed by seed, and gives a :class:`Ruling`.
"""

from __future__ import annotations

from vaestudy.claims.claim import ClaimError
from vaestudy.claims.judge import Ruling, judge, judge_all, tabulate
from vaestudy.claims.ledger import Ledger, load_ledger, parse_ledger

__all__ = [
    "ClaimError",
    "Ledger",
    "Ruling",
    "judge",
    "judge_all",
    "load_ledger",
    "parse_ledger",
    "tabulate",
]
