"""Sentences of the section on the activity metric: where its threshold falls, what it costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from vaestudy.figures.activity_data import (
    MARGIN,
    Family,
    at_the_end,
    base_networks,
    without_free_bits,
)
from vaestudy.figures.activity_table import (
    BANDWIDTH,
    PLATEAU_RANGE,
    find_valley,
    plateau,
    shares,
    still_falling,
)
from vaestudy.study import Study

#: A dimension that costs more nats than this is more than residue of its initial weights.
WORTH = 0.1
_SMOOTHED = f"Smoothed by a Gaussian kernel of {BANDWIDTH:g} decades"


def read_threshold(study: Study) -> str:
    """Say how the dimensions divide at the threshold, and whether it falls into a gap."""
    runs = without_free_bits(base_networks(study))
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
            f"{_SMOOTHED}, the distribution has a single mode: in this study training has not "
            f"divided dimensions into used and unused ones, and {threshold:g} separates nothing."
        )
    text += (
        f"{_SMOOTHED}, the distribution has two modes, about {valley.low:.2g} and "
        f"{valley.high:.2g}, and between them a valley at {valley.bottom:.2g}, "
        f"{100 * valley.depth:.0f} % as dense as the less dense mode. "
    )
    if valley.holds(threshold):
        return text + f"The threshold of {threshold:g} falls into that valley and separates them."
    text += f"The threshold of {threshold:g} does not fall into that valley. "
    factor = still_falling(study, runs, valley.bottom)
    if threshold < valley.low and factor < 1:
        text += (
            "The left-hand mode is that of dimensions on their way out: in the last quarter of "
            "training the activity of those between threshold and valley changed by a median "
            f"factor of {factor:.2f}. With this little training, pruning is unfinished, and a "
            "count at the threshold takes dimensions for active that a longer run would empty."
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
