r"""The rule that turns a claim and a study's tables into a verdict.

Let a claim say that the means :math:`\mu_1 \dots \mu_k` of its contrasts lie in a region R. Then

- *supported* if every 95 % interval lies within R. That each must pass keeps the error of the whole
  at that of one, so equivalence is two one-sided tests a pair;
- *contradicted* if some interval at level 1 − 0.05 / k lies outside R (Bonferroni: any of k may);
- *undecided* otherwise, and always with fewer than five paired seeds, or on estimates of log p(x)
  by fewer than 5,000 importance samples. Nor is a claim contradicted where every run has reached
  the most that there can be, such as n_z active units: no difference could have shown.

"Interval" means both, Student's t and the bootstrap: a verdict that leans on one of them is none.
Of a share of models, or a number of events a model, it means the exact one besides (:mod:`.exact`),
for the others have no width where all seeds agree.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from vaestudy.claims.claim import Claim, ClaimError, Contrast, Region, SeveralLevelsError
from vaestudy.claims.ledger import Ledger
from vaestudy.claims.metrics import METRICS, Exact, span_of
from vaestudy.claims.selection import Sampler, UnmeasuredError
from vaestudy.stats import (
    SEEDS_FOR_A_VERDICT,
    Interval,
    bootstrap_interval,
    mean_interval,
    two_one_sided_tests,
)
from vaestudy.study import EmptySelectionError, Study

Verdict = Literal["supported", "contradicted", "undecided", "not run"]
QUICK = "quick: not a verdict"
#: Fewer importance samples than this leave estimates of log p(x) short, each model's by its own.
SAMPLES_FOR_A_VERDICT = 5_000
LEVEL = 0.95


@dataclass(frozen=True)
class Judged:
    """A contrast with what decides it."""

    contrast: Contrast
    #: By Student's t, by bootstrap, and the exact one of what is counted: all have to agree.
    intervals: tuple[Interval, ...]
    # The same at the level that lets any one of k contrasts contradict.
    strict: tuple[Interval, ...]
    p_value: float

    @property
    def t(self) -> Interval:
        """The interval that readers are shown."""
        return self.intervals[0]

    @property
    def bootstrap(self) -> Interval:
        """The one beneath it."""
        return self.intervals[1]


@dataclass(frozen=True)
class Ruling:
    """What a study says about a claim.

    Parameters
    ----------
    claim
        The claim.
    verdict
        What came out.
    notes
        What a reader must know besides.
    contrasts
        All of them; empty if not run.
    decisive
        The contrast that is shown: the one that contradicts most, else the one whose interval is
        nearest to leaving the region, or has left it furthest.
    runs
        Ids of the runs compared.
    sufficient
        Whether there are seeds and importance samples enough for a verdict, whatever it is.
    lean
        What the intervals say, be it of too few seeds or samples for a verdict.
    """

    claim: Claim
    verdict: Verdict
    notes: tuple[str, ...] = ()
    contrasts: tuple[Judged, ...] = ()
    decisive: Judged | None = None
    runs: tuple[str, ...] = ()
    sufficient: bool = False
    lean: Verdict = "not run"

    @property
    def too_small(self) -> bool:
        """Whether the effect that speaks against the claim is as claimed, but does not count."""
        if self.lean != "contradicted" or self.decisive is None:
            return False
        return _as_claimed(self.claim, self.decisive)


def judge_all(ledger: Ledger, study: Study) -> list[Ruling]:
    """Return a ruling on every claim, in the ledger's order."""
    return [judge(claim, study) for claim in ledger.claims]


def judge(claim: Claim, study: Study) -> Ruling:
    """Decide one claim from a study's tables.

    Raises
    ------
    ClaimError
        If the claim compares runs that do not compare, or measured differently.
    """
    if claim.pending is not None:
        return Ruling(claim, "not run", (f"waits for {claim.pending}",))
    sampler = Sampler(study, METRICS[claim.statistic.metric])
    try:
        contrasts = claim.contrasts(sampler)
    except (UnmeasuredError, SeveralLevelsError) as error:
        return Ruling(claim, "not run", (str(error),))
    except EmptySelectionError:
        return Ruling(claim, "not run", ("this study lacks runs that it compares",))
    except ClaimError as error:
        raise ClaimError(f"claim {claim.id}: {error}") from None
    if not all(len(contrast.by_seed) for contrast in contrasts):
        return Ruling(claim, "not run", ("no seed is common to the runs compared",))
    return _rule(claim, contrasts, sampler)


def _rule(claim: Claim, contrasts: Sequence[Contrast], sampler: Sampler) -> Ruling:
    metric, rows = sampler.metric, _measurements(sampler)
    if not metric.across_data:
        _check_measured_alike(claim, rows)
    judged = examine(contrasts, claim.region, metric.exact if claim.of_one_model else None)
    lean, decisive = decide(judged, claim.region)
    enough = min(j.t.n for j in judged) >= SEEDS_FOR_A_VERDICT
    notes = _notes(lean if enough else "undecided", judged, decisive, claim, sampler.n_diverged)
    if lean == "contradicted" and _all_at_most(sampler):
        lean = "undecided"
        notes = (*notes, f"every run has reached the most {metric.unit} that there can be")
    taken = rows["n_samples"].dropna() if metric.estimates else ()
    short = (n_samples := min(taken, default=math.inf)) < SAMPLES_FOR_A_VERDICT
    # Where seeds are too few as well, that has been said.
    notes = (*notes, _short_of_samples(n_samples)) if enough and short else notes
    sufficient = enough and not short
    verdict: Verdict = lean if sufficient else "undecided"
    runs = tuple(sampler.runs["run_id"])
    return Ruling(claim, verdict, notes, judged, decisive, runs, sufficient, lean)


def examine(
    contrasts: Sequence[Contrast], region: Region, exact: Exact | None = None
) -> tuple[Judged, ...]:
    """Give every contrast its intervals and the p value of lying in the region."""
    strict = 1 - (1 - LEVEL) / len(contrasts)
    kinds = (mean_interval, bootstrap_interval, *([exact] if exact else []))
    judged = []
    for contrast in contrasts:
        values = contrast.by_seed
        intervals = tuple(interval(values, LEVEL) for interval in kinds)
        p_value = two_one_sided_tests(values, region.low, region.high)
        if exact and values.min() == values.max():
            # A t test of counts that do not differ is sure of anything.
            p_value = math.nan
        stricter = tuple(interval(values, strict) for interval in kinds)
        judged.append(Judged(contrast, intervals, stricter, p_value))
    return tuple(judged)


def decide(judged: Sequence[Judged], region: Region) -> tuple[Verdict, Judged]:
    """Return what the intervals say, however few their seeds, and the contrast that decides."""

    def nearest(candidates: Sequence[Judged]) -> Judged:
        return min(candidates, key=lambda j: _room(j.t, region))

    against = [j for j in judged if all(map(region.excludes, j.strict))]
    if against:
        return "contradicted", min(against, key=lambda j: region.room(j.t.mean, j.t.mean))
    if all(region.holds(interval) for j in judged for interval in j.intervals):
        return "supported", nearest(judged)
    return "undecided", nearest(judged)


def _room(interval: Interval, region: Region) -> float:
    if math.isnan(interval.low):
        return region.room(interval.mean, interval.mean)
    return region.room(interval.low, interval.high)


def _measurements(sampler: Sampler) -> pd.DataFrame:
    """Return the rows that tell how runs were measured: of the metric's estimates, or the NLL."""
    evaluation = sampler.study.table("evaluation")
    of_metric = evaluation["metric"].isin(sampler.metric.estimates or ("nll",))
    return evaluation[evaluation["run_id"].isin(sampler.runs["run_id"]) & of_metric]


def _check_measured_alike(claim: Claim, rows: pd.DataFrame) -> None:
    for column, what in (("n_data", "test images"), ("n_samples", "importance samples")):
        counts = sorted(rows[column].dropna().unique())
        if len(counts) > 1:
            raise ClaimError(
                f"claim {claim.id}: its runs were measured with {' and '.join(map(str, counts))} "
                f"{what}; only equal ones compare: run the evaluation again"
            )


def _all_at_most(sampler: Sampler) -> bool:
    metric, study, runs = sampler.metric, sampler.study, sampler.runs
    if metric.most is None:
        return False
    return bool(metric.values(study, runs).eq(metric.most(study, runs)).all())


def _short_of_samples(n: float) -> str:
    return (
        f"no verdict: log p(x) is estimated with {n:,.0f} importance samples an image, "
        f"{SAMPLES_FOR_A_VERDICT:,} are needed"
    )


def _notes(
    verdict: Verdict, judged: Sequence[Judged], decisive: Judged, claim: Claim, n_diverged: int
) -> tuple[str, ...]:
    notes = [QUICK] if min(j.t.n for j in judged) < SEEDS_FOR_A_VERDICT else []
    if verdict == "contradicted" and _as_claimed(claim, decisive):
        notes.append("in the direction claimed, but less than the least effect that counts")
    if len(judged) > 1:
        notes.append(f"{len(judged)} contrasts, the decisive one shown")
    if decisive.t.low == decisive.t.high:
        notes.append(f"all seeds agree, so that the interval has no width{_exact_text(decisive)}")
    if n_diverged:
        notes.append(f"{n_diverged} diverged run{'s' if n_diverged > 1 else ''} left out")
    return tuple(notes)


def _as_claimed(claim: Claim, judged: Judged) -> bool:
    off = judged.t.mean - claim.reference
    return {"higher": off > 0, "lower": off < 0, "within": False}[claim.statistic.direction]


def _exact_text(judged: Judged) -> str:
    """Say what interval a count has where the others have no width; of other metrics nothing."""
    return "".join(f", where the exact one is {i.text(n=False)}" for i in judged.intervals[2:])


def tabulate(rulings: Sequence[Ruling]) -> pd.DataFrame:
    """Return the rulings as the table ``claims``: one row a claim."""
    return pd.DataFrame([_row(ruling) for ruling in rulings])


def _row(ruling: Ruling) -> dict[str, object]:
    claim, shown, region = ruling.claim, ruling.decisive, ruling.claim.region
    metric = METRICS.get(claim.statistic.metric)  # None of a pending claim whose metric is to come.
    digits = metric.digits if metric else 2
    nothing = Interval(math.nan, math.nan, math.nan, 0)
    t, bootstrap = (shown.t, shown.bootstrap) if shown else (nothing, nothing)
    return {
        "claim": claim.id,
        "document": claim.source.document,
        "item": claim.source.item,
        "statement": claim.statement,
        "correction": claim.correction or "",
        "kind": getattr(claim, "kind", ""),
        "rule": claim.rule,
        "metric": claim.statistic.metric,
        "split": claim.statistic.split,
        "title": metric.title if metric else claim.statistic.metric.replace("_", " "),
        "unit": metric.unit if metric and not claim.unitless else "",
        "digits": digits,
        **dict(zip(("lowest", "highest"), span_of(claim), strict=True)),
        "compared": shown.contrast.label if shown else "",
        "reference": claim.reference,
        "region_low": region.low,
        "region_high": region.high,
        "estimate": t.mean,
        "low": t.low,
        "high": t.high,
        "bootstrap_low": bootstrap.low,
        "bootstrap_high": bootstrap.high,
        "p_value": max((j.p_value for j in ruling.contrasts), default=math.nan),
        "n": t.n,
        "sufficient": ruling.sufficient,
        "verdict": ruling.verdict,
        "notes": "; ".join(ruling.notes),
        "figure": claim.figure or "",
        "pending": claim.pending or "",
        "contrasts": "; ".join(
            f"{j.contrast.label}: {j.t.text(digits, signed=True)}" for j in ruling.contrasts
        ),
        "runs": ",".join(ruling.runs),
    }
