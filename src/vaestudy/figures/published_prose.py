"""What the numbers say of published figures and ours, in sentences."""

from __future__ import annotations

import pandas as pd

from vaestudy.figures.published_data import layers_text
from vaestudy.report.phrases import seconds_text
from vaestudy.stats import SEEDS_FOR_A_VERDICT, number


def read_differences(table: pd.DataFrame) -> str:
    """Say by how much ours and theirs differ, and what that can mean."""
    ours = table.dropna(subset=["nll"])
    above, below = int((ours["difference"] > 0).sum()), int((ours["difference"] < 0).sum())
    widest = ours.iloc[int(ours["difference"].abs().to_numpy().argmax())]
    far = number(float(widest["difference"]), signed=True)
    which = f"{widest['model']}, {layers_text(int(widest['layers']))}"
    error = number(float(ours["standard_error"].max()), 3)
    return (
        f"Models that we trained: {len(ours)}. Of these, {above} end above the published NLL and "
        f"{below} below; the largest difference is {far} nats ({which}). The Monte Carlo error of "
        f"our NLLs is at most {error} nats. {_caution(ours)}"
    )


def _caution(ours: pd.DataFrame) -> str:
    seeds = int(ours["n"].min())
    if seeds >= SEEDS_FOR_A_VERDICT:
        return f"Ours are means of at least {seeds} seeds; the paper gives no spread."
    return (
        f"With {seeds} seed{'s' if seeds > 1 else ''} a model, how far another would have moved "
        "ours is not known, and the paper gives no spread: these are estimates, not verdicts."
    )


def read_making(table: pd.DataFrame) -> str:
    """Say how ours came about: passes, samples, time, machine, version."""
    ours = table.dropna(subset=["nll"])
    told = " ".join(_training(rows) for _, rows in ours.groupby(["passes", "schedule"]))
    machines, versions = (" and ".join(sorted(set(ours[c]))) for c in ("hardware", "version"))
    samples, date = f"{int(ours['n_samples'].min()):,}", str(ours["finished"].max())[:10]
    return (
        f"{told} Our NLLs are estimated with {samples} importance samples an image. "
        f"Machine: {machines}; {versions}; finished {date}."
    )


def _training(rows: pd.DataFrame) -> str:
    passes, published = (int(rows[name].iloc[0]) for name in ("passes", "published_passes"))
    how = {
        "burda": f", {'all' if passes == published else 'the first'} of the paper's {published:,}",
        "cosine": f" instead of the paper's {published:,}, with a rate that falls by a half cosine",
        "constant": f" instead of the paper's {published:,}, at a constant rate",
    }[str(rows["schedule"].iloc[0])]
    times = [
        f"{row['model']}{'' if row['layers'] == 1 else ', ' + layers_text(int(row['layers']))}, "
        f"{seconds_text(3600 * float(row['hours']))}"
        for _, row in rows.iterrows()
    ]
    return f"Trained for {passes:,} passes{how}: {'; '.join(times)}."
