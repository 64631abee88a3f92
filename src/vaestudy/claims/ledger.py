"""``report/claims.yaml``, read and checked: an error names claim, key and what it may hold."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, StrictStr, TypeAdapter, ValidationError

from vaestudy.claims.claim import AtLeast, Claim, ClaimError, Selector
from vaestudy.claims.kinds import KINDS, AnyClaim
from vaestudy.claims.metrics import METRICS
from vaestudy.claims.selection import STANDARD, WITH_STANDARD, WORDS
from vaestudy.config import ModelParameters
from vaestudy.config_errors import explain
from vaestudy.parameters import Strict


class Document(Strict):
    """A document whose claims are tested."""

    title: StrictStr = Field(description="Its title.")
    cite: StrictStr = Field(description="Its key in references.bib.")


class Ledger(Strict):
    """Every claim, in the order of documents."""

    documents: dict[str, Document] = Field(description="Number of a document: what it is.")
    claims: list[Annotated[AnyClaim, Field(discriminator="kind")]]


def load_ledger(path: str | Path) -> Ledger:
    """Read and check a ledger.

    Raises
    ------
    ClaimError
        One message with every problem: the claim, the key, what it holds and what it may hold.
    """
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ClaimError(f"cannot read the ledger {path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise ClaimError(f"{path} is not valid YAML: {error}") from None
    return parse_ledger(values, str(path))


def parse_ledger(values: Any, source: str = "ledger") -> Ledger:
    """Check a ledger given as a mapping; see :func:`load_ledger`."""
    if not (isinstance(values, dict) and isinstance(values.get("claims"), list)):
        raise ClaimError(f"{source}: expected a mapping with `documents` and a list of `claims`")
    problems = []
    for position, entry in enumerate(values["claims"]):
        try:
            _check_shape(entry, f"{source}, {_name(entry, position)}")
        except ClaimError as error:
            problems.append(str(error))
    if problems:
        raise ClaimError("\n".join(problems))
    try:
        ledger = Ledger.model_validate(values)
    except ValidationError as error:
        raise ClaimError(explain(error, Ledger, source)) from None
    problems = list(_problems(ledger))
    if problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise ClaimError(f"{len(problems)} problems in {source}:\n{lines}")
    return ledger


def _name(entry: Any, position: int) -> str:
    identifier = entry.get("id") if isinstance(entry, dict) else None
    return f"claim {identifier or f'number {position + 1}'}"


def _check_shape(entry: Any, where: str) -> None:
    """Check a claim against the model of its kind, whose keys an error can then name."""
    if not isinstance(entry, dict):
        raise ClaimError(f"{where}: got {entry!r}, expected a mapping of keys")
    if entry.get("kind") not in KINDS:
        kinds = ", ".join(KINDS)
        raise ClaimError(f"{where}: kind: got {entry.get('kind')!r}; expected one of {kinds}")
    model = KINDS[entry["kind"]]
    try:
        model.model_validate(entry)
    except ValidationError as error:
        raise ClaimError(explain(error, model, where)) from None


def _problems(ledger: Ledger) -> Iterator[str]:
    """Find what no single claim's model can: names that must exist elsewhere."""
    seen: set[str] = set()
    for claim in ledger.claims:
        if claim.id in seen:
            yield f"{claim.id}: a claim of this id stands above; every id needs to be its own"
        seen.add(claim.id)
        document = claim.source.document
        if document not in ledger.documents:
            known = _known(document, ledger.documents)
            yield f"{claim.id}: source.document: got {document!r}{known}"
        if not claim.id.startswith(f"{document}."):
            yield f"{claim.id}: the id should start with its document's, {document!r}"
        if claim.pending is None:
            yield from (f"{claim.id}: {problem}" for problem in _unknown_names(claim))


def _unknown_names(claim: Claim) -> Iterator[str]:
    """Find metrics, figures and levels that do not exist; a pending claim's are still to come."""
    from vaestudy.figures import FIGURES  # it draws, which reading a ledger seldom asks for

    metric, figure = claim.statistic.metric, claim.figure
    if metric not in METRICS:
        yield f"statistic.metric: got {metric!r}{_known(metric, METRICS)}"
    elif claim.statistic.split != METRICS[metric].split:
        yield (
            f"statistic.split: got {claim.statistic.split!r}, but {metric} is measured on "
            f"{METRICS[metric].split} data: write split: {METRICS[metric].split}"
        )
    if figure not in FIGURES:
        yield f"figure: got {figure!r}{_known(str(figure), FIGURES)}"
    for role, selector in selectors(claim):
        for name, value in selector.items():
            problem = _level_problem(name, value)
            if problem:
                yield f"runs.{role}.{name}: {problem}"


def selectors(claim: Claim) -> Iterator[tuple[str, Selector]]:
    """Yield every selector of a claim with the role it has in it."""
    runs: Strict = claim.runs  # type: ignore[attr-defined]  # every kind has its own
    for role, value in runs:
        if isinstance(value, dict):
            yield role, value
        elif isinstance(value, list):
            yield from ((role, selector) for selector in value)


def _level_problem(name: str, value: Any) -> str:
    field = ModelParameters.model_fields.get(name)
    if field is None:
        return f"unknown parameter{_known(name, ModelParameters.model_fields)}"
    if value == STANDARD and name in WITH_STANDARD:
        return ""
    if isinstance(value, str) and value in WORDS:
        return ""
    levels = [value.at_least] if isinstance(value, AtLeast) else value
    annotation: Any = Annotated[(field.annotation, *field.metadata, Field())]
    for level in levels if isinstance(levels, list) else [levels]:
        try:
            TypeAdapter(annotation).validate_python(_as_declared(name, level))
        except ValidationError as error:
            return f"got {level!r}; {error.errors()[0]['msg']}"
    return ""


def _as_declared(name: str, level: Any) -> Any:
    """Return a level as a configuration has it; tables have hidden widths as ``200-100``."""
    widths = name == "hidden" and isinstance(level, str)
    return [int(w) if w.isdigit() else w for w in level.split("-")] if widths else level


def _known(name: str, names: Any) -> str:
    close = difflib.get_close_matches(name, list(names), n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"{hint or ';'} expected one of {', '.join(names)}"
