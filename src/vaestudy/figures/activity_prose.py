"""Sentences of the chapter on activity that have several outcomes: the data choose one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from vaestudy.figures.activity_data import (
    MARGIN,
    Family,
    at_the_end,
    count_active,
    count_paying,
    fates,
    final_units,
    plain_heads,
)
from vaestudy.figures.activity_table import (
    PLATEAU_RANGE,
    find_valley,
    plateau,
    shares,
    still_falling,
)
from vaestudy.objectives import warmup_beta
from vaestudy.report.phrases import by_seed, change, difference, verdict
from vaestudy.stats import Interval, mean_interval, number, paired_difference
from vaestudy.study import Study, tried

#: A dimension that costs more nats than this is more than residue of its initial weights.
WORTH = 0.1


def read_threshold(study: Study) -> str:
    """Say how the dimensions divide at the threshold, and whether it falls into a gap."""
    runs = plain_heads(study)
    activity = at_the_end(study, runs)["activity"]
    threshold = study.config.evaluation.activity_threshold
    divided, valley = shares(activity, threshold), find_valley(activity)
    text = (
        f"{100 * divided.below:.1f} % end with an activity clearly below the "
        f"threshold ($A_u \\le {threshold / MARGIN:.2g}$), {100 * divided.above:.1f} % clearly "
        f"above ($A_u > {threshold * MARGIN:.2g}$), and {100 * divided.between:.1f} % in between. "
    )
    if valley is None:
        return text + (
            "The distribution has a single mode: in this study training has not divided dimensions "
            f"into used and unused ones, and {threshold:g} separates nothing."
        )
    text += (
        f"The distribution has two modes, about {valley.low:.2g} and {valley.high:.2g}, with a "
        f"valley at {valley.bottom:.2g} that is {100 * valley.depth:.0f} % as populated as the "
        "lower of them. "
    )
    if valley.holds(threshold):
        return text + f"The threshold of {threshold:g} falls into that valley and separates them."
    text += f"The threshold of {threshold:g} does not fall into that valley. "
    factor = still_falling(study, runs, valley.bottom)
    if threshold < valley.low and factor < 1:
        text += (
            "The lower mode is that of dimensions on their way out: in the last quarter of "
            f"training the activity of those above the threshold changed by a median factor of "
            f"{factor:.2f}. With this little training, pruning is unfinished, and a count at the "
            "threshold takes dimensions for active that a longer run would empty."
        )
    return text


def read_price(study: Study, families: Sequence[Family]) -> str:
    """Say what inactive and active dimensions pay, beside what a linear model would."""
    priced = at_the_end(study, pd.concat([family.runs for family in families]))
    threshold = study.config.evaluation.activity_threshold
    idle = priced[priced["activity"] <= threshold]
    used = priced[(priced["activity"] > threshold) & (priced["activity"] < 1)]
    text = "None of these models has an inactive dimension at the end of training."
    if len(idle):
        agree = (
            "inactive by $A_u$ is here inactive by KL as well"
            if idle["kl"].max() < WORTH
            else "some are idle by $A_u$ and yet pay, so that the two measures do not agree on all"
        )
        text = (
            f"The {len(idle):,} inactive dimensions together hold "
            f"{100 * idle['kl'].sum() / priced['kl'].sum():.2g} % of the KL, and the most that any "
            f"of them pays is {idle['kl'].max():.2g} nats: {agree}."
        )
    if len(used):
        linear = (used["kl"] / (-np.log1p(-used["activity"]) / 2)).median()
        text += (
            f" The active ones with $A_u < 1$ pay a median of {linear:.2f} times what @eq:linear "
            "asks of a linear model, which has no part in their training."
        )
    rank = priced["activity"].rank().corr(priced["kl"].rank())
    return (
        f"{text} Over all dimensions drawn the rank correlation between activity and KL is "
        f"{rank:.2f}."
    )


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


def read_plateau(study: Study, families: Sequence[Family]) -> str:
    """Say how far the threshold can move before the count of active units changes by one."""
    least, most = PLATEAU_RANGE
    threshold = study.config.evaluation.activity_threshold
    parts = []
    for family in families:
        low, high = plateau(study, family)
        if low <= 1.001 * least * threshold and high >= 0.999 * most * threshold:
            parts.append(f"wherever it is put ({family.label})")
        elif low <= 1.001 * least * threshold:
            parts.append(f"anywhere below {high:.2g} ({family.label})")
        elif high >= 0.999 * most * threshold:
            parts.append(f"anywhere above {low:.2g} ({family.label})")
        else:
            parts.append(f"from {low:.2g} to {high:.2g} ({family.label})")
    return f"The count of active units stays within one with the threshold {'; '.join(parts)}."


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
    return paired_difference(series[0], series[1])


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
    after = paired_difference(by_seed(study, "active_units", warm.parameters), start)
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
    )
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
