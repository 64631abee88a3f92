"""Validation errors turned into sentences for whoever wrote the configuration."""

from __future__ import annotations

import difflib
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError

#: What folders, experiments and files of the user's may be called: their names are parts of
#: commands, of Snakemake's patterns and of lists in tables.
FOLDER: Final = r"^[\w./][\w./+@-]*$"
EXPERIMENT: Final = r"^\w[\w.-]*$"
OWN_FILE: Final = r"^[^{}]+$"
_IN_WORDS: Final = {
    OWN_FILE: "a path without { and }, which Snakemake takes for a pattern; rename what has them",
    FOLDER: "a path of letters, digits and . / _ + @ -, the first of them none of + @ -",
    EXPERIMENT: "a name of letters, digits and . _ -, the first of them no . or -",
}


class ConfigError(ValueError):
    """The configuration cannot be used; the message says why and what to write instead."""


class DataError(RuntimeError):
    """A data file cannot be used; the message names the file, what was expected and the remedy."""


def explain(error: ValidationError, model: type[BaseModel], source: str) -> str:
    """Return one line an offending key: where, what came, what was expected."""
    problems = error.errors()
    # Entries that are no such thing are not counted: a list of them would be "too short" as well.
    within = {problem["loc"][:-1] for problem in problems}
    told = [p for p in problems if not (p["type"] == "too_short" and p["loc"] in within)]
    lines = [f"  {_sentence(problem, model)}" for problem in told]
    many = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
    return "\n".join([f"{many} in {source}:", *lines])


def _sentence(problem: Any, model: type[BaseModel]) -> str:
    location, kind = problem["loc"], problem["type"]
    # Pydantic has "[key]" at the end where it is a name in a mapping that is wrong.
    key = ".".join(str(part) for part in location if part != "[key]") or "(the whole)"
    if kind == "extra_forbidden":
        return f"{key}: unknown key{_suggestion(model, location)}"
    if kind == "missing":
        return f"{key}: missing, and it has no default"
    if kind == "value_error":
        return f"{key}: {problem['ctx']['error']}"
    return f"{key}: got {problem['input']!r}; {_expectation(problem)}"


def _expectation(problem: Any) -> str:
    context = problem.get("ctx", {})
    match problem["type"]:
        case "literal_error":
            return f"expected one of {context['expected']}"
        case "too_short":
            return "expected at least one entry"
        case "greater_than":
            return f"expected a number greater than {context['gt']}"
        case "greater_than_equal":
            return f"expected a number of at least {context['ge']}"
        case "less_than_equal":
            return f"expected a number of at most {context['le']}"
        case "less_than":
            return f"expected a number less than {context['lt']}"
        case "int_type" | "int_from_float":
            return "expected a whole number" + (", not text" if _is_whole(problem["input"]) else "")
        case "dict_type":
            return "expected keys and values"
        case "string_pattern_mismatch" if context["pattern"] in _IN_WORDS:
            return f"expected {_IN_WORDS[context['pattern']]}"
        case "tuple_type":
            return "expected a list, such as [200, 200]"
    message = str(problem["msg"])
    return message[:1].lower() + message[1:]


def _is_whole(value: Any) -> bool:
    return isinstance(value, str) and value.removeprefix("-").isdecimal()


def _suggestion(model: type[BaseModel], location: tuple[int | str, ...]) -> str:
    valid = sorted(_fields_at(model, location[:-1]))
    if not valid:
        return ""
    close = difflib.get_close_matches(str(location[-1]), valid, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return (
        f"{hint} Valid keys here: {', '.join(valid)}"
        if hint
        else f"; valid keys here: {', '.join(valid)}"
    )


def _fields_at(model: type[BaseModel], path: tuple[int | str, ...]) -> set[str]:
    """Follow ``path`` through nested models and mappings of models to the fields found there."""
    current: type[BaseModel] | None = model
    for part in path:
        if current is None:
            return set()
        found = current.model_fields.get(str(part))
        # A key of a mapping of models (an experiment's name) leads nowhere new.
        current = _model_in(found.annotation) if found is not None else current
    return set(current.model_fields) if current is not None else set()


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for arg in get_args(annotation) if (m := _model_in(arg)) is not None), None)
