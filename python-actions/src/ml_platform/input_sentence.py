"""What is wrong with a request, in words instead of Pydantic's. Pure."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from ml_platform.errors import InputError
from ml_platform.job import VERSION_RULE

_LETTERS = "use lower-case letters, digits and '-'; start with a letter, do not end with '-'"
_PATTERNS = {
    "name": _LETTERS,
    "team": "use the name of a folder of gitops/teams",
    "pool": "use the name of a pool of gitops/pools.yaml",
    "preset": "use the name of one of the workload's presets",
    "workload": "use the name of a folder of workloads/: lower-case letters, digits and '_'",
    "version": VERSION_RULE,
    "max_duration": "use a whole number with s, m, h or d, such as 10m or 12h",
    "memory": "use a whole number with Mi or Gi, such as 512Mi or 2Gi",
    "tags": "use lower-case letters, digits and '-', which neither begins nor ends it",
    "parent": "use the id of a job",
    "resume_from": "use the id of a job",
    "job_id": "use the id of a job",
}
_KINDS = {
    "missing": "is missing",
    "extra_forbidden": "is not a field of a job",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have at least {min_length} characters",
    "too_long": "may have at most {max_length} entries",
    "less_than_equal": "must be at most {le}",
    "greater_than_equal": "must be at least {ge}",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "dict_type": "must be names with values",
    "tuple_type": "must be a list",
}
# Their values may be long, or a secret.
_NOT_REPEATED = frozenset({"env", "parameters", "secrets"})


def input_error(error: ValidationError) -> InputError:
    """Pydantic's findings as one sentence about the first wrong field."""
    first = error.errors(include_url=False)[0]
    place = [str(part) for part in first["loc"]]
    name = place[0] if place else "input"
    # One of several values is told by the value itself; people do not count from 0.
    item = len(place) == 2 and place[1].isdecimal()
    field = name if item else ".".join(place) or "input"
    return InputError(
        _sentence(dict(first), name) + _got(name, first), field=field, hint=_hint(name, first)
    )


def _sentence(finding: dict[str, Any], name: str) -> str:
    kind, context = finding["type"], finding.get("ctx", {})
    if kind == "string_pattern_mismatch" and name in _PATTERNS:
        return _PATTERNS[name]
    if kind in _KINDS:
        return _KINDS[kind].format(**context)
    message = str(finding["msg"]).removeprefix("Value error, ")
    return message.replace("Input should be", "must be", 1)


def _got(name: str, finding: Any) -> str:
    """What was given, where it is short and no secret."""
    value = finding["input"]
    said = finding["type"] in _KINDS or finding["type"] == "string_pattern_mismatch"
    if not said or name in _NOT_REPEATED or finding["type"] in ("missing", "extra_forbidden"):
        return ""
    if isinstance(value, str):
        return f", got {len(value)}" if "too_" in finding["type"] else f", got {value[:40]!r}"
    if isinstance(value, bool | int | float):
        return f", got {value}"
    return f", got {len(value)}" if finding["type"] == "too_long" else ""


def _hint(name: str, finding: Any) -> str | None:
    value = finding["input"]
    if name == "workload" and isinstance(value, str) and "-" in value:
        return f"did you mean {value[:50].replace('-', '_')}?"
    return None
