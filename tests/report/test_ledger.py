"""What the report says of many verdicts: how many, for its tables name them."""

from __future__ import annotations

import pandas as pd

from vaestudy.report.ledger import outcome


def claims_of(**verdicts: int) -> pd.DataFrame:
    names = [(f"000.{v}-{i}", v) for v, count in verdicts.items() for i in range(count)]
    return pd.DataFrame(names, columns=["claim", "verdict"]).assign(n=5, sufficient=True)


def test_a_few_claims_are_named_and_more_are_counted() -> None:
    long = claims_of(supported=6, contradicted=1)
    only = "[000.contradicted-0](#claim:000.contradicted-0)"
    own = f"Supported: 6 claims. Contradicted: {only}."
    assert outcome(long, long.iloc[:0], 5_000) == own
    told = outcome(long.assign(n=0), long, 5_000)
    assert told.endswith(f"tested 7 (@tbl:claims-kept): 6 supported; 1 contradicted ({only}).")
