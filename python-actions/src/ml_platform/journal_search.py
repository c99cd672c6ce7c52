"""A search of jobs as a condition of SQL."""

from __future__ import annotations

from collections.abc import Mapping


def search_condition(
    teams: tuple[str, ...] | None, where: Mapping[str, str | None], search: str | None
) -> tuple[str, list[str]]:
    """Condition and its values. `where`: names of columns, which are ours, with equal values."""
    clauses, values = ["1"], []
    if teams is not None:
        clauses.append(f"team IN ({','.join('?' * len(teams))})")
        values += list(teams)
    for column, value in where.items():
        if value is not None:
            clauses.append(f"{column} = ?")
            values.append(value)
    if search:
        pattern = "%" + search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        clauses.append(
            "(job_id LIKE ? ESCAPE '\\' OR owner LIKE ? ESCAPE '\\'"
            " OR EXISTS (SELECT 1 FROM json_each(spec, '$.tags')"
            " WHERE json_each.value LIKE ? ESCAPE '\\'))"
        )
        values += [pattern] * 3
    return " AND ".join(clauses), values
