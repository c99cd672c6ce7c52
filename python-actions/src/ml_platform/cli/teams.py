"""`ml-platform teams`: who pays, and what is left of it."""

from __future__ import annotations

from ml_platform.budget import money
from ml_platform.cli.client import connect
from ml_platform.cli.output import Format, OutputOption, print_json, print_table, say
from ml_platform.service import models


def teams(output: OutputOption = Format.TABLE) -> None:
    """List the teams; of yours also this month's budget, and what holds up their jobs."""
    with connect() as platform:
        found = platform.teams()
    if output is Format.JSON:
        print_json(found)
        return
    columns = ("TEAM", "TITLE", "YOURS", "MONTH", "BUDGET", "SPENT", "RESERVED", "LEFT")
    print_table(columns, (_row(team) for team in found))
    for team in found:
        for problem in team.problems:
            say(f"{team.name}: {problem}")


def _row(team: models.TeamView) -> tuple[object, ...]:
    yours, budget = "yes" if team.member else "no", team.budget
    if budget is None:
        return (team.name, team.title, yours, "", "no limit" if team.member else "", "", "", "")
    return (
        team.name,
        team.title,
        yours,
        budget.month,
        f"{money(budget.amount)} {budget.currency}",
        money(budget.spent),
        money(budget.reserved),
        money(budget.left),
    )
