"""Sentences of the chapter beyond the paper, whose wording the intervals decide."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vaestudy.figures.activity_data import Family
from vaestudy.figures.activity_prose import lowest_difference
from vaestudy.figures.beyond_data import (
    Member,
    base_of,
    betas,
    compare,
    find_members,
    mean_of,
    reference_of,
    schedules,
    without_iwae,
)
from vaestudy.figures.families import label_of
from vaestudy.objectives import NO_BOUNDS, OBJECTIVES
from vaestudy.report.phrases import change, is_nothing
from vaestudy.stats import EQUALS, Interval
from vaestudy.study import EmptySelectionError, Study

_ORDER = ("lower", "higher", "undecided")


def read_differences(study: Study, metric: str, what: str, digits: int = 2) -> str:
    """Say of which objectives a quantity differs from their reference's, and of which it may not.

    Parameters
    ----------
    study
        The study.
    metric
        The quantity.
    what
        Its name with an article, as the subject of a sentence.
    digits
        Decimals of the differences.
    """
    members = find_members(study)
    told: dict[str, dict[str, list[str]]] = {}
    for member in members:
        reference = reference_of(member, members)
        gap = compare(study, member, reference, metric)
        if reference is None or gap is None:
            continue
        signs = told.setdefault(reference.label, {sign: [] for sign in _ORDER})
        signs[gap.sign].append(f"*{member.label}*{_size(gap, digits)}")
    if not told:
        return f"This study has not measured {what}."
    return " ".join(_against(name, what, signs) for name, signs in told.items())


def _size(gap: Interval, digits: int) -> str:
    if gap.sign == "undecided":
        return ""
    return f" ({gap.text(digits, signed=True, n=False)})"


def _against(reference: str, what: str, signs: dict[str, list[str]]) -> str:
    parts = [f"is {sign} with {_list(signs[sign])}" for sign in _ORDER[:2] if signs[sign]]
    if signs["undecided"]:
        names = _list(signs["undecided"])
        if len(signs["undecided"]) > 2:
            of = "the other" if parts else "all"
            names = f"{of} {len(signs['undecided'])} objectives"
        parts.append(f"cannot be told from equal with {names}")
    return f"Against the {reference}, {what} {'; it '.join(parts)}."


def read_references(study: Study) -> str:
    """Name the objectives that the VAE has to stand in for an IWAE for; empty if there are none."""
    alone = without_iwae(find_members(study))
    if not alone:
        return ""
    counts = _list([str(k) for k in sorted({int(member.first["k"]) for member in alone})])
    names = _list([f"*{member.label}*" for member in alone])
    verb = "is" if len(alone) == 1 else "are"
    return (
        f"This study has no IWAE of $K = {counts}$: {names} {verb} compared with the VAE, which "
        "draws another number of samples besides."
    )


def _list(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def read_draws(study: Study) -> str:
    """Say how many samples of an image's code each objective draws in a step; empty if all one."""
    members = find_members(study)
    counts = sorted({int(member.first["k"]) for member in members} - {1})
    told = [
        f"$K = {k}$ with {_list([f'*{member.label}*' for member in members if member.is_(k=k)])}"
        for k in counts
    ]
    if not told:
        return ""
    return (
        f"Samples of an image's code in a step are the objective's own: {'; '.join(told)}; one "
        "with all others."
    )


def read_heights(members: Sequence[Member]) -> str:
    """Say which of the bounds of one K cannot be compared by height; empty if all can.

    MIWAE and CIWAE are looser than the importance-weighted bound for the same weights.
    """
    loose = [m.label for m in members if m.is_(objective="miwae") or m.is_(objective="ciwae")]
    if not loose or len(members) == 1:
        return ""
    those = "that" if len(loose) == 1 else "those"
    compared = (
        "heights compare only among the others"
        if len(members) - len(loose) > 1
        else "no height compares with another"
    )
    are = "is" if len(loose) == 1 else "are"
    return f"{those} of {_list(loose)} {are} looser by construction, so that {compared}"


def read_best(study: Study) -> str:
    """Name the objective of the lowest mean NLL and those of the most active units.

    Empty if no objective has both.
    """
    members = find_members(study)
    found = {m: (mean_of(study, m, "nll"), mean_of(study, m, "active_units")) for m in members}
    measured = {m: (nll, units) for m, (nll, units) in found.items() if nll and units}
    if not measured:
        return ""
    best = min(measured, key=lambda m: measured[m][0].mean)
    most = max(round(units.mean, 1) for _, units in measured.values())
    busiest = [m for m, (_, units) in measured.items() if round(units.mean, 1) == most]
    nll, units = (pair.text(d) for pair, d in zip(measured[best], (2, 1), strict=True))
    text = f"The lowest mean NLL, {nll} nats, is that of *{best.label}*, with {units} active units."
    if best in busiest:
        return f"{text} No objective has more of them on average."
    names = _list([f"*{member.label}*" for member in busiest])
    if len(busiest) > 1:
        nlls = _list([measured[member][0].text() for member in busiest])
        return f"{text} {names} have the most of those, {most:.1f} each, at NLLs of {nlls} nats."
    nll, units = (pair.text(d) for pair, d in zip(measured[busiest[0]], (2, 1), strict=True))
    return f"{text} {names} has the most of those, {units}, at an NLL of {nll} nats."


def read_free_bits(study: Study) -> str:
    """Say what a count of active units means under free bits; empty if none were trained."""
    for member in find_members(study):
        if member.is_(objective="free-bits", free_bits_group=1):
            free = float(member.first["free_bits"])
            return (
                "Under free bits that number says little: a dimension that spends just "
                f"$\\lambda = {free:g}$ nats, its codes spread as the prior is, has an activity of "
                f"$1 - e^{{-2\\lambda}} = {1 - math.exp(-2 * free):.2f}$ (@eq:activity), and the "
                f"threshold is {study.config.evaluation.activity_threshold:g}."
            )
    return ""


def read_annealing(study: Study) -> str:
    """Say what each schedule changes against none: KL, active units, their fewest, NLL."""
    plain, *annealed = schedules(study, find_members(study))
    return " ".join(_read_schedule(study, member, plain) for member in annealed)


def _read_schedule(study: Study, member: Member, plain: Member) -> str:
    changes = [
        _moves(gap, what, unit, digits)
        for metric, what, unit, digits in (
            ("kl", "the KL", "nats", 2),
            ("active_units", "the number of active units", "units", 1),
        )
        if (gap := compare(study, member, plain, metric))
    ]
    nll = compare(study, member, plain, "nll")
    fewest = lowest_difference(study, Family({}, member.runs), Family({}, plain.runs))
    changes.append(_moves(fewest, "the lowest number on the way", "units", 1))
    changes += [_moves(nll, "the NLL", "nats", 2)] if nll else []
    return f"Against none, the schedule of *{member.label}* {'; it '.join(changes)}."


def _moves(gap: Interval, what: str, unit: str, digits: int) -> str:
    if is_nothing(gap):
        return f"leaves {what} as it was"
    if gap.mean == 0:
        return f"leaves {what} as it was on average ({gap.text(digits)}: undecided)"
    return change(gap, f"raises {what} by", f"lowers {what} by", unit, digits)


def read_sweep(study: Study) -> str:
    """Say how rate, distortion and NLL follow the KL weight."""
    sweep = betas(find_members(study))
    first, last = sweep[0], sweep[-1]
    told = {m: [mean_of(study, m, name) for name in ("kl", "reconstruction", "nll")] for m in sweep}
    ends = [
        f"at $\\beta = {m.first['beta']:g}$ the rate is {_mean(told[m][0])} and the distortion "
        f"{_mean(told[m][1], -1)} nats{_seeds(told[m][0])}"
        for m in (first, last)
    ]
    changes = [
        f"$\\beta = {m.first['beta']:g}$ {change(gap, 'raises it by', 'lowers it by')}"
        for m in sweep
        if not m.is_(beta=study.base["beta"]) and (gap := compare(study, m, base_of(study), "nll"))
    ]
    moved = f" As to the NLL, {'; '.join(changes)}." if changes else ""
    return f"{_upper(ends[0])}; {ends[1]}.{moved}"


def _mean(interval: Interval | None, sign: int = 1) -> str:
    return "unknown" if interval is None else interval.times(sign).text(1, n=False)


def _seeds(interval: Interval | None) -> str:
    return "" if interval is None else f" (n{EQUALS}{interval.n})"


def _upper(text: str) -> str:
    return text[0].upper() + text[1:]


def read_absent(study: Study) -> str:
    """Name what the chapter describes and this study has not run; empty if it has run all."""
    members = find_members(study)
    there = {str(m.first["objective"]) for m in members}
    described = [name for name in OBJECTIVES if name not in NO_BOUNDS]
    absent = [f"*{label_of({'objective': name})}*" for name in described if name not in there]
    if not any(m.first["warmup_cycles"] > 1 for m in members):
        absent.append("cyclical annealing")
    try:
        betas(members)
    except EmptySelectionError:
        absent.append("the β-VAE")
    if not absent:
        return ""
    return f"Described here but not run in this study: {'; '.join(absent)}."
