"""A study of made-up tables, and claims to be judged by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studies import make_study
from vaestudy.claims import Ruling, judge, parse_ledger
from vaestudy.config import RunConfig
from vaestudy.study import Study

IWAE: dict[str, Any] = {"objective": "iwae", "k": "standard"}
SIZES = (2, 10, 20, 50)

VALUES: dict[str, Any] = {
    "study": "made-up",
    "base": {"dataset": "mnist-5k", "n_z": 20, "hidden": [8], "epochs": 4},
    "seeds": [0, 1, 2, 3, 4],
    "experiments": {
        "factors": {
            "title": "factors",
            "vary": {
                "objective": ["elbo", {"objective": "iwae", "k": 5}],
                "warmup": [0, 2],
                "n_z": list(SIZES),
            },
        },
        "decoders": {"title": "decoders", "vary": {"likelihood": ["bernoulli", "gaussian"]}},
        "pixels": {"title": "pixels", "set": {"binarization": "threshold"}},
    },
}
#: What each n_z adds to the NLL: 10 and more are alike to 0.2 nats.
OF_SIZE = {2: 30.0, 10: 0.0, 20: 0.1, 50: 0.2}


def wobble(run: RunConfig) -> float:
    """A small number that looks random but is the run's own, and has mean zero over seeds."""
    return 0.02 * (run.seed - 2) * ((run.n_z // 5 + run.k + run.warmup) % 3 - 1)


def nll(run: RunConfig) -> float:
    """Seeds differ by 10 nats, an IWAE is 2 lower, warm-up changes nothing to speak of."""
    iwae = -2.0 if run.objective == "iwae" else 0.0
    return 100 + 10 * run.seed + OF_SIZE[run.n_z] + iwae + wobble(run)


def measure(run: RunConfig) -> dict[str, float]:
    gaussian = run.likelihood == "gaussian"
    own = {"nll_mean": 150.0 + run.seed, "nll_restricted": 160.0 + run.seed} if gaussian else {}
    return {
        "nll": -500.0 if gaussian else nll(run),
        "elbo": -nll(run) - 3,
        "bound": -nll(run) - 3 + (1 + 0.01 * run.seed if run.objective == "iwae" else 0),
        "active_units": 10 + run.seed % 2,
        "squared_error": 30.0 + run.seed,
        **own,
    }


def made_up(folder: Path) -> Study:
    """The study that most tests of claims are about."""
    return make_study(
        folder,
        VALUES,
        measure,
        fates=lambda run: ("kept", "lost") if run.warmup else ("kept", "back", "back"),
        bound=lambda run: (
            (-120.0, -101.5, -100.5, -100.0) if run.warmup else (-120, -100, -100, -100)
        ),
    )


def claim(kind: str, runs: dict[str, Any], direction: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": "000.made-up",
        "source": {"document": "000", "item": "Section 1"},
        "statement": "It is so.",
        "kind": kind,
        "statistic": {"metric": fields.pop("metric", "nll"), "direction": direction},
        "runs": runs,
        "minimum_effect": 0.0,
        "figure": "warmup",
        **fields,
    }


def ledger(*claims: dict[str, Any]) -> dict[str, Any]:
    documents = {"000": {"title": "A draft", "cite": "bettencourt2016"}}
    return {"documents": documents, "claims": list(claims)}


def ruling(study: Study, *args: Any, **fields: Any) -> Ruling:
    return judge(parse_ledger(ledger(claim(*args, **fields))).claims[0], study)
