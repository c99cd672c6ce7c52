"""A search of jobs as a condition of SQL."""

from __future__ import annotations

from collections.abc import Mapping

Value = str | tuple[str, ...] | None


def search_condition(
    teams: tuple[str, ...] | None, where: Mapping[str, Value], search: str | None
) -> tuple[str, list[str]]:
    """Condition and its values. `where`: names of columns, which are ours, with equal values, or
    with several that will do."""
    clauses: list[str] = ["1"]
    values: list[str] = []
    for column, value in [("team", teams), *where.items()]:
        if value is not None:
            choice = (value,) if isinstance(value, str) else value
            clauses.append(f"{column} IN ({','.join('?' * len(choice))})")
            values += choice
    if search:
        pattern = "%" + search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        clauses.append(
            "(job_id LIKE ? ESCAPE '\\' OR owner LIKE ? ESCAPE '\\'"
            " OR EXISTS (SELECT 1 FROM json_each(spec, '$.tags')"
            " WHERE json_each.value LIKE ? ESCAPE '\\'))"
        )
        values += [pattern] * 3
    return " AND ".join(clauses), values
