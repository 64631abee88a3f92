"""Sentences of the chapter on activity that have several outcomes: the data choose one."""

from __future__ import annotations

from vaestudy.figures.activity_data import (
    Family,
    count_active,
    count_paying,
    fates,
    final_units,
    plain_heads,
)
from vaestudy.figures.activity_metric_prose import WORTH
from vaestudy.figures.spans import difference_within
from vaestudy.objectives import warmup_beta
from vaestudy.report.phrases import by_seed, change, difference, verdict
from vaestudy.stats import Interval, mean_interval, number, paired_difference
from vaestudy.study import Study, tried


def read_course(study: Study, family: Family) -> str:
    """Say how many dimensions of a family's models are active before, during and after training."""
    n_z, epochs = (int(family.runs[name].max()) for name in ("n_z", "epochs"))
    early = fates(study, family.runs)
    counts = count_active(study, family.runs).query("epoch == 0")["active"]
    untrained, pruned, lowest = (
        mean_interval(values).within(0, n_z).text(1)
        for values in (counts, early["pruned"], early["lowest"])
    )
    when = mean_interval(early["lowest_epoch"]).within(1, epochs).text(1)
    return (
        f"An untrained encoder maps images at random, which is enough for {untrained} of the base "
        f"{family.label}'s dimensions to have an $A_u$ above the threshold; that says nothing "
        f"about use. Training takes {pruned} of them below it at one time or another; the count is "
        f"at its lowest with {lowest}, in epoch {when}, and ends at "
        f"{final_units(study, **family.parameters).text(1)}."
    )


def read_returns(study: Study, base: Family) -> str:
    """Say whether dimensions that were pruned came back, and what that means for "never"."""
    told = fates(study, plain_heads(study))
    pruned, returned = int(told["pruned"].sum()), int(told["returned"].sum())
    clearly, stayed = int(told["clearly"].sum()), int(told["stayed"].sum())
    if not pruned:
        return "No dimension of any model was pruned, so that the statement cannot be tested here."
    if not returned:
        return (
            f"None of {pruned:,} pruned dimensions returned: nothing in this study contradicts the "
            "statement."
        )
    crossed = f"{returned:,} of {pruned:,} pruned dimensions later crossed the threshold again"
    if not clearly:
        return (
            f"{crossed}, though none rose clearly above it: nothing contradicts the statement that "
            "pruned dimensions are not reactivated."
        )
    own = fates(study, base.runs)
    n_z = int(base.runs["n_z"].max())
    of_base = {
        name: mean_interval(own[name]).within(0, n_z).text(1)
        for name in ("pruned", "clearly", "stayed")
    }
    return (
        f"Over all models with plain heads, {crossed}, {clearly:,} of them clearly "
        f"({100 * clearly / pruned:.0f} % of those pruned), and {stayed:,} to stay; dimensions "
        f"returned clearly in {int((told['clearly'] > 0).sum())} of {len(told)} models. Such "
        "returns are what @sec:why-prune leads one to expect of a saddle, which a dimension leaves "
        "once there is something worth its price. Of the base VAE's dimensions "
        f"{of_base['pruned']} a model were pruned, {of_base['clearly']} returned clearly, and "
        f"{of_base['stayed']} to stay. That pruned dimensions are never reactivated is taken to "
        f"mean that fewer than half a dimension a model returns to stay: this "
        f"{verdict(study, '000.pruned-never-return')}."
    )


def lowest_difference(study: Study, a: Family, b: Family) -> Interval:
    """Return the paired difference a − b of the fewest active units at any epoch."""
    series = [
        fates(study, family.runs).set_index("seed")["lowest"].astype(float) for family in (a, b)
    ]
    return difference_within(series[0], series[1], "active_units", (a.runs, b.runs))


def read_addition(study: Study, with_: Family, without: Family, what: str, claim: str) -> str:
    """Say what an addition does to the count of active units, at its lowest and at the end.

    ``claim`` is the ledger's, that it keeps more of them active.
    """
    low = lowest_difference(study, with_, without)
    end = difference(study, "active_units", with_.parameters, without.parameters)
    return (
        f"In the {without.label}, {what} "
        f"{change(low, 'raises the lowest count by', 'lowers the lowest count by', 'units', 1)}. "
        f"The number of active units at the end {_more(end)}; this {verdict(study, claim)}."
    )


def _more(units: Interval) -> str:
    return _same(change(units, "is higher by", "is lower by", "units", 1))


def _same(text: str) -> str:
    """Say of a count, which makes no difference, that it is the same."""
    return text.replace("makes no difference", "is the same")


def read_warmup(study: Study, warm: Family, cold: Family) -> str:
    """Say what warm-up does to early pruning, to the count at the end, and what follows it."""
    early = lowest_difference(study, warm, cold)
    end = difference(study, "active_units", warm.parameters, cold.parameters)
    pruning, activity = _judged_warmup(study, warm, cold)
    return (
        f"*{cold.label}, warm-up of {warm.warmup} epochs.* Does it stop early pruning? The lowest "
        f"count of active units after any epoch {_more(early)}{pruning}. Does it keep more units "
        f"active? The number at the end {_more(end)}{activity}. What happens once the KL is at "
        f"full strength? {_read_full_strength(study, warm)}"
    )


def _read_full_strength(study: Study, warm: Family) -> str:
    """Say how the count changes over the epochs with beta at 1, if training has any."""
    n_z, epochs = (int(warm.runs[name].max()) for name in ("n_z", "epochs"))
    if epochs <= warm.warmup:
        reached = number(warmup_beta(epochs, warm.warmup), 2)
        return (
            f"It never was: $\\beta$ is {reached} in the last of {epochs} epochs, and training "
            "ends with the warm-up."
        )
    counts = count_active(study, warm.runs)
    start = counts[counts["epoch"] == warm.warmup].set_index("seed")["active"].astype(float)
    end, of_units = by_seed(study, "active_units", warm.parameters), (warm.runs, warm.runs)
    after = difference_within(end, start, "active_units", of_units)
    return (
        f"It is from epoch {warm.warmup + 1} of {epochs} on. From before that epoch, with "
        f"{mean_interval(start).within(0, n_z).text(1)} active units, to the end of training the "
        f"count {_same(change(after, 'rises by', 'falls by', 'units', 1))}."
    )


def _judged_warmup(study: Study, warm: Family, cold: Family) -> tuple[str, str]:
    """Say what the ledger makes of both statements; nothing of another length than it compares."""
    if tried(lambda: study.warmup) != {"warmup": warm.warmup}:
        return "", ""
    weighted = "objective" in cold.parameters
    claims = (
        f"000.warmup-stops-pruning{'-iwae' if weighted else ''}",
        f"000.warmup-more-active{'' if weighted else '-vae'}",
    )
    pruning, activity = (f"; this {verdict(study, claim)}" for claim in claims)
    return pruning, activity


def read_latent_dimension(study: Study, family: Family) -> str:
    """Say up to which size a model keeps all its dimensions, and what the largest step adds."""
    parameters = family.parameters
    sizes = study.levels("n_z", **parameters)
    full = [
        n
        for n in sizes
        if by_seed(study, "active_units", {**parameters, "n_z": n}).mean() >= n - 0.5
    ]
    text = f"The {family.label} "
    if full:
        text += f"keeps all of up to {max(full)} dimensions, to within half a unit on average. It "
    before, last = ({**parameters, "n_z": n} for n in sizes[-2:])
    paying = paired_difference(
        count_paying(study, study.runs(**last), WORTH),
        count_paying(study, study.runs(**before), WORTH),
    ).within(-sizes[-2], sizes[-1])
    units = difference(study, "active_units", last, before)
    nats = difference(study, "kl", last, before)
    return text + (
        f"has, with {sizes[-1]} instead of {sizes[-2]}, "
        f"{change(units, 'more active units, by', 'fewer active units, by', '', 1)}; of those that "
        f"cost over {WORTH:g} nats, "
        f"{change(paying, 'more by', 'fewer by', '', 1)}; and "
        f"{change(nats, 'a KL that is higher by', 'a KL that is lower by')}."
    ).replace("  ", " ")


def read_ten(study: Study) -> str:
    """Say whether the VAE settles on ten active units when it has more dimensions than ten."""
    sizes = [n for n in study.levels("n_z") if n > 10]
    if not sizes:
        return "no model of this study has more than ten dimensions."
    told = [f"with $n_z = {n}$ {_beside_ten(final_units(study, n_z=n))}" for n in sizes]
    return f"{'; '.join(told)}."


def _beside_ten(units: Interval) -> str:
    """Say on which side of ten the t interval lies; if it holds ten, where the seeds are."""
    least, most = min(units.values), max(units.values)
    side = "above" if units.mean > 10 else "below"
    told = f"the VAE has {units.text(1)} active units"
    if units.n == 1:
        return told
    if units.low > 10 or units.high < 10:
        return f"{told}, an interval {side} ten"
    told += ", a $t$ interval that holds ten"
    if least > 10 or most < 10:
        return f"{told} although every seed lies {side} it, between {least:g} and {most:g}"
    return f"{told}, as do the seeds, between {least:g} and {most:g}"
