"""From selectors of a claim to the runs of a study, and from those to one value a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import pandas as pd

from vaestudy.claims.claim import AtLeast, ClaimError, Sample, Selector, SeveralLevelsError
from vaestudy.claims.metrics import SAME_PIXELS, Metric
from vaestudy.figures.families import label_of
from vaestudy.study import EmptySelectionError, Study

#: A level that differs between studies: the K, or the warm-up, that its chapters compare.
STANDARD = "standard"
WITH_STANDARD = ("k", "warmup")
ANY = "any"
#: Words for levels of any parameter, among those of the runs that are else selected: whatever they
#: are, the highest, all but the base model's.
WORDS: dict[str, Callable[[list[Any], Any], list[Any]]] = {
    ANY: lambda levels, base: levels,
    "highest": lambda levels, base: levels[-1:],
    "other": lambda levels, base: [level for level in levels if level != base],
}
#: What a label tells of a model that its family's name does not, even at one level.
NAMED = ("n_z", "optimizer", "dataset")


class UnmeasuredError(EmptySelectionError):
    """The runs are there, but what is to be compared was not measured of them."""


@dataclass
class Sampler:
    """Draws samples of one metric, and remembers which runs they came from.

    Parameters
    ----------
    study
        Where the runs are.
    metric
        What is measured of each.
    """

    study: Study
    metric: Metric
    runs: pd.DataFrame = field(default_factory=pd.DataFrame)
    n_diverged: int = 0

    def __call__(self, selector: Selector) -> list[Sample]:
        """Return a sample for each combination that a selector gives, lowest levels first.

        Raises
        ------
        EmptySelectionError
            If the study has not trained them; an ``UnmeasuredError`` if it has not measured them.
        SeveralLevelsError
            If the study has several levels of a parameter that may have any one.
        ClaimError
            If they do not compare with those drawn before.
        """
        several = [n for n, v in selector.items() if n in NAMED or not _is_single(v)]
        samples = []
        for parameters in expand(self.study, selector):
            runs = self.study.runs(**parameters)
            self.n_diverged += len(self.study.declared(**parameters)) - len(runs)
            self._remember(runs)
            try:
                values = runs["run_id"].map(self.metric.values(self.study, runs))
            except EmptySelectionError as error:
                raise UnmeasuredError(str(error)) from None
            label = _label(runs.iloc[0], several)
            samples.append(Sample(label, parameters, values.set_axis(runs["seed"])))
        return samples

    def _remember(self, runs: pd.DataFrame) -> None:
        both = pd.concat([self.runs, runs]).drop_duplicates("run_id")
        pixels = () if self.metric.across_data else SAME_PIXELS
        for name in (*pixels, *self.metric.same):
            levels = sorted(map(str, both[name].unique()))
            if len(levels) < 2:
                continue
            found = f"{name} is {' and '.join(levels)} among its runs; on {self.metric.title} only "
            if self.metric.across_data:
                # Not the ledger's mistake: the study trained other levels on other data.
                raise UnmeasuredError(f"{found}runs of one {name} compare")
            raise ClaimError(
                f"{found}runs of one {name} compare: narrow its selectors, or choose a metric that "
                "does not depend on it"
            )
        self.runs = both


def expand(study: Study, selector: Selector) -> list[dict[str, Any]]:
    """Return the combinations of parameters that a selector means in a study.

    Raises
    ------
    EmptySelectionError
        If the study has trained none of them.
    SeveralLevelsError
        If it has trained several levels of a parameter that may have any one.
    """
    known = {name: _resolve(study, name, value) for name, value in selector.items()}
    open_ = [name for name, value in known.items() if isinstance(value, AtLeast) or _is_word(value)]
    # Data sets come first: what is the highest level of one need not be trained on another.
    open_.sort(key=lambda name: name != "dataset")
    fixed = {name: value for name, value in known.items() if name not in open_}
    for name in open_:
        others = {other: ... for other in open_ if other != name}
        levels = study.levels(name, **{**others, **fixed})
        # What one leaves narrows the next, so that there are runs of all together.
        fixed[name] = chosen = _choose(known[name], levels, study.base[name])
        if known[name] == ANY and len(chosen) > 1:
            raise SeveralLevelsError(
                f"this study has several levels of {name}, {' and '.join(map(str, chosen))}, where "
                "the claim takes whichever there is"
            )
    lists = [value if isinstance(value, list) else [value] for value in fixed.values()]
    found = [dict(zip(fixed, levels, strict=True)) for levels in product(*lists)]
    if not found:
        raise EmptySelectionError(f"no run of {study.config.study!r} has {selector}")
    return found


def _resolve(study: Study, name: str, value: Any) -> Any:
    if value != STANDARD:
        return value
    return {"k": lambda: study.iwae["k"], "warmup": lambda: study.warmup["warmup"]}[name]()


def _choose(wanted: Any, levels: list[Any], base: Any) -> list[Any]:
    if isinstance(wanted, AtLeast):
        return [level for level in levels if wanted.holds(level)]
    return WORDS[wanted](levels, base)


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and value in WORDS


def _is_single(value: Any) -> bool:
    return not isinstance(value, list | AtLeast)


def _label(run: pd.Series, names: list[str]) -> str:
    """Name a model as everywhere in the report, with those of its levels that this leaves out."""
    in_name = ("objective", "k", "batch_norm", "likelihood", "encoder_heads")
    told = [f"{name} = {run[name]}" for name in names if name not in in_name]
    return ", ".join([label_of(run), *told])
