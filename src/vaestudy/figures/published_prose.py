"""What the numbers say of published figures and ours, in sentences."""

from __future__ import annotations

import pandas as pd

from vaestudy.figures.published_data import PublishedTable, layers_text
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


def read_rerun(table: pd.DataFrame, published: PublishedTable) -> str:
    """Say how an independent rerun stands to the published figures, and ours to it."""
    theirs = table.drop_duplicates(["layers", "objective", "k"]).dropna(subset=["rerun_nll"])
    gaps = theirs["rerun_nll"] - theirs["published_nll"]
    text = (
        f"An independent rerun of the table [@{published.rerun.citation}] ends below the published "
        f"NLL in {int((gaps < 0).sum())} of {len(gaps)} models, by {number(-gaps.max())} to "
        f"{number(-gaps.min())} nats"
        if (gaps < 0).any()
        else f"An independent rerun of the table [@{published.rerun.citation}] ends below the "
        f"published NLL in none of {len(gaps)} models"
    )
    ours = table.dropna(subset=["nll", "rerun_nll"])
    if len(ours):
        above = int((ours["nll"] > ours["rerun_nll"]).sum())
        text += f"; of our {len(ours)}, {above} end above it"
    dreg = published.rerun.dreg
    return (
        f"{text}. With the doubly reparameterised gradient (@eq:dreg) it reports "
        f"{_list([number(nll) for nll in dreg.values()])} for $K$ of "
        f"{_list([str(k) for k in dreg])}, one layer. It gives no spread either, and its code has "
        "100 dimensions in one layer where the paper has 50."
    )


def _list(texts: list[str]) -> str:
    return f"{', '.join(texts[:-1])} and {texts[-1]}"


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
    versions = versions.replace("-dirty", " with changes not committed")
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
