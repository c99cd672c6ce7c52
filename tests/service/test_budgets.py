"""A team's month, over HTTP: what is refused, what is counted, and what others see of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from backstage_double import BackstageDouble
from foreign_writer import push
from ray_fixture import eventually
from service_world import ADA, EVE, OTHER_TEAM, TEAM, Service, content_of, settings_in

from ml_platform import PlatformClient, ServiceUnavailableError
from ml_platform.cli import app
from ml_platform.cli.exit_code import run
from ml_platform.cluster.interface import Observed
from ml_platform.job import Phase
from ml_platform.journal import SqliteJournal
from ml_platform.launcher import now
from ml_platform.render import OUTCOME
from ml_platform.repository.git import PLATFORM
from ml_platform.repository.orders import Receipt, Submission
from ml_platform.state import Outcome
from ml_platform.yaml_document import from_yaml, to_yaml

PRICE, BUDGET = 2.0, 10.0  # a worker's hour, and a month


@pytest.fixture
def paid(tmp_path: Path) -> Iterator[Service]:
    """A service whose machine has a price; the first team has a budget, the second none."""
    backstage = BackstageDouble()
    settings = settings_in(tmp_path, backstage.url)
    gitops = tmp_path / "gitops"
    _edit(
        gitops / "pools.yaml", lambda pools: pools["pools"][0].update(price_per_worker_hour=PRICE)
    )
    _edit(gitops / "teams" / TEAM / "team.yaml", lambda team: team.update(budget=BUDGET))
    _edit(gitops / "teams" / OTHER_TEAM / "team.yaml", lambda team: team.pop("budget", None))
    service = Service(settings, backstage)
    service.start()
    yield service
    service.stop()
    backstage.close()


def _edit(path: Path, change: Any) -> None:
    data = yaml.safe_load(path.read_text())
    change(data)
    path.write_text(yaml.safe_dump(data))


def _team(service: Service, user: str = ADA, name: str = TEAM) -> dict[str, Any]:
    teams = service.client(user).get("/v1/teams").json()
    return next(team for team in teams if team["name"] == name)


def _parts(service: Service) -> tuple[float, float, float]:
    budget = _team(service)["budget"]
    return budget["spent"], budget["reserved"], budget["left"]


def _end(service: Service, job_id: str, hours: float, attempts: int = 1) -> None:
    """As whatever runs jobs reports an end: admitted `hours` before now."""
    end, begun = datetime.now(UTC), datetime.now(UTC) - timedelta(hours=hours)
    outcome = Outcome(phase=Phase.SUCCEEDED, admitted_at=begun, ended_at=end, attempts=attempts)
    service.platform.committer.archive(job_id, outcome, PLATFORM).result(30)


def test_a_job_is_reserved_for_then_counted_as_what_it_has_cost(paid: Service):
    assert _parts(paid) == (0, 0, BUDGET)
    job = paid.submitted("one", max_duration="3h")["job_id"]
    assert _parts(paid) == (0, 6, 4)
    _end(paid, job, hours=0.5)
    assert _parts(paid) == pytest.approx((1, 0, 9), abs=1e-3)
    view = paid.client().get(f"/v1/jobs/{job}").json()
    assert view["cost"]["currency"] == "USD"
    assert view["cost"]["amount"] == pytest.approx(1, abs=1e-3)
    archived = content_of(paid.git, view["path"])
    assert "cost" in yaml.safe_load(archived)["metadata"]["annotations"]["ml-platform/outcome"]


def test_what_may_cost_more_than_is_left_is_refused_and_nothing_is_written(paid: Service):
    paid.submitted("one", max_duration="3h")
    head = paid.platform.repository.head()
    error = paid.submit("two", max_duration="3h")["error"]
    assert (error["name"], error["field"]) == ("NotAllowedError", "team")
    assert error["message"].startswith(
        f"the job may cost 6.00 USD and {TEAM} has 4.00 of its 10.00 USD for "
    )
    assert paid.platform.repository.head() == head
    assert paid.submitted("three", max_duration="2h")["job_id"]


def test_a_retry_gets_its_job_although_nothing_is_left_any_more(paid: Service):
    first = paid.submitted("one", max_duration="5h")
    again = paid.submitted("one", max_duration="5h")
    assert (again["job_id"], again["already_existed"]) == (first["job_id"], True)


def test_a_cancelled_job_gives_back_what_was_reserved(paid: Service):
    job = paid.submitted("one", max_duration="5h")["job_id"]
    assert paid.submit("two")["error"]["name"] == "NotAllowedError"
    paid.cancel(job)
    assert _parts(paid) == (0, 0, BUDGET)
    assert paid.submitted("two")["job_id"]


def test_many_at_once_do_not_each_get_what_is_left(paid: Service):
    answers: list[dict[str, Any]] = []
    paid.client()  # made by one thread, for all of them
    threads = [
        threading.Thread(target=lambda key=key: answers.append(paid.submit(key, max_duration="1h")))
        for key in map(str, range(20))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    made = [line for line in answers if line["type"] == "output"]
    assert (len(made), len(answers)) == (BUDGET / PRICE, 20)
    assert _parts(paid) == (0, BUDGET, 0)


def test_waiting_between_attempts_is_not_paid_for(paid: Service, monkeypatch: pytest.MonkeyPatch):
    job = _pushed(paid, monkeypatch, hours=5)
    _record(paid, job, (-4, -3), (-0.5, 0))
    _end(paid, job, hours=4, attempts=2)
    assert _parts(paid)[0] == pytest.approx(1.5 * PRICE, abs=0.01)


def test_a_job_that_is_cancelled_before_it_ran_has_cost_nothing(paid: Service):
    job = paid.submitted("one", max_duration="5h")["job_id"]
    sent_back = {"jobDeploymentStatus": "Suspended", "startTime": "2026-01-01T00:00:00Z"}
    metadata = {"name": job, "namespace": TEAM, "uid": "u"}
    paid.platform.journal.observe(job, Observed({"metadata": metadata, "status": sent_back}))
    row = paid.platform.journal.get(job)
    assert row.phase is Phase.QUEUED and row.moment("admitted") is not None
    paid.cancel(job)
    assert _parts(paid) == (0, 0, BUDGET)


def _pushed(
    service: Service, monkeypatch: pytest.MonkeyPatch, hours: float = 0, **files: bytes
) -> str:
    """A job that somebody has committed so long ago, past the platform, perhaps with other files."""
    with PlatformClient(service.url, service.local_token) as client:
        plan = client.plan_job("tiny", "v1", team=TEAM, max_duration="5h")
    at = datetime.now(UTC) - timedelta(hours=hours)
    monkeypatch.setenv("GIT_COMMITTER_DATE", at.isoformat(timespec="seconds"))
    push(service.git, {plan.path: plan.manifest.encode(), **files})
    service.platform.take_over_from_git()
    return Path(plan.path).stem


@pytest.mark.parametrize("spoilt", ["", "[]", '{"time": "soon"}', '{"time": "2026-01-01"}', "{"])
def test_a_spoilt_record_counts_as_none(paid: Service, spoilt: str):
    job = paid.submitted("one", max_duration="5h")["job_id"]
    _record(paid, job, (-4, -3), (-0.5, 0))
    (_run(paid, job) / "attempts" / "0" / "claim.json").write_text(spoilt)
    _end(paid, job, hours=4)
    assert _parts(paid)[0] == pytest.approx(4 * PRICE, abs=0.01)


def _record(service: Service, job_id: str, *attempts: tuple[float, float]) -> None:
    """As launchers do: when each attempt began and ended, in hours from now."""
    present = datetime.fromisoformat(now())
    for number, hours in enumerate(attempts):
        folder = _run(service, job_id) / "attempts" / str(number)
        folder.mkdir(parents=True)
        for name, field, hour in zip(("claim", "exit"), ("time", "ended"), hours, strict=True):
            moment = (present + timedelta(hours=hour)).isoformat()
            (folder / f"{name}.json").write_text(json.dumps({field: moment}))


def _run(service: Service, job_id: str) -> Path:
    return service.platform.views.run_directory(service.platform.journal.get(job_id)).path


def test_a_month_ends_and_the_next_begins_with_the_whole_budget(paid: Service):
    job = paid.submitted("one", max_duration="5h")["job_id"]
    _end(paid, job, hours=5)
    assert paid.submit("two")["error"]["name"] == "NotAllowedError"
    paid.platform.budgets.now = lambda: datetime.now(UTC) + timedelta(days=31)
    assert _parts(paid) == (0, 0, BUDGET)


def test_a_journal_made_anew_knows_what_was_spent(paid: Service, tmp_path: Path):
    job = paid.submitted("one", max_duration="5h")["job_id"]
    _end(paid, job, hours=4)
    anew = SqliteJournal(tmp_path / "anew.db")
    anew.sync(paid.platform.repository, paid.platform.repository.head())
    month = _team(paid)["budget"]["month"]
    assert anew.expenses(TEAM, month, "USD").spent == pytest.approx(8, abs=0.01)
    anew.close()


def test_a_team_without_a_budget_has_no_limit_and_none_sees_another_teams(paid: Service):
    assert _team(paid, EVE, OTHER_TEAM)["budget"] is None
    assert _team(paid, EVE, TEAM)["budget"] is None
    made = paid.submitted("eve", user=EVE, team=OTHER_TEAM, max_duration="14d")
    assert made["job_id"]


def test_plan_metrics_sdk_and_command_line_say_what_is_left(
    paid: Service, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    job = paid.submitted("one", max_duration="3h")["job_id"]
    with PlatformClient(paid.url, paid.local_token) as client:
        plan = client.plan_job("tiny", "v1", team=TEAM, max_duration="1h")
        (budget,) = [team.budget for team in client.teams() if team.name == TEAM]
    assert plan.cost.budget_left == 4
    assert plan.cost.text.startswith("at most 2.00 USD per attempt; 4.00 of 10.00 USD for ")
    assert budget is not None
    assert (budget.amount, budget.left) == (BUDGET, 4)
    figures = paid.client().get("/metrics").text
    assert f'ml_platform_team_budget{{part="reserved",team="{TEAM}"}} 6.0' in figures
    _call_as(paid, monkeypatch)
    assert run(app, ["teams"]) == 0
    row = next(line for line in capfd.readouterr().out.splitlines() if line.startswith(TEAM))
    assert row.split()[-6:] == [budget.month, "10.00", "USD", "0.00", "6.00", "4.00"]
    _end(paid, job, hours=0.5)
    assert run(app, ["get", job]) == 0
    assert ["cost", "1.00", "USD"] in [line.split() for line in capfd.readouterr().out.splitlines()]


def _call_as(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command line call the service, as its owner."""
    monkeypatch.setenv("ML_PLATFORM_SERVER", service.url)
    monkeypatch.setenv("ML_PLATFORM_TOKEN", service.local_token)


def test_a_submission_counts_until_its_commit_is_settled_whoever_gives_up(
    paid: Service, monkeypatch: pytest.MonkeyPatch
):
    platform = paid.platform
    platform.committer.stop()  # new orders fail at once
    assert paid.submit("one", max_duration="5h")["error"]["name"] == "ServiceUnavailableError"
    assert _parts(paid) == (0, 0, BUDGET)
    held: list[Future[Receipt]] = []

    def submit(_: Submission) -> Future[Receipt]:
        held.append(Future())
        return held[-1]

    # A commit that takes as long as the test wants: Git cannot be held up while the rest goes on.
    monkeypatch.setattr(platform.committer, "submit", submit)
    paid.client()
    caller = threading.Thread(target=lambda: paid.submit("two", max_duration="5h"))
    caller.start()
    eventually(lambda: held)
    assert _parts(paid) == (0, BUDGET, 0)
    held[0].set_exception(ServiceUnavailableError("the disk is full"))
    caller.join(30)
    assert _parts(paid) == (0, 0, BUDGET)


def test_prices_are_those_of_the_commit_that_asked(paid: Service):
    job = paid.submitted("one", max_duration="1h")["job_id"]
    push(paid.git, {"pools.yaml": b"pools: ["})
    _end(paid, job, hours=1)
    row = paid.platform.journal.get(job)
    assert row.outcome is not None and row.outcome.cost is not None
    assert row.outcome.cost.amount == pytest.approx(PRICE, abs=0.01)
    # Nothing can be submitted with a broken file, and what is not of it is answered.
    assert "pools.yaml" in paid.submit("two")["error"]["message"]
    assert "ml_platform_jobs" in paid.client().get("/metrics").text


def test_amounts_of_another_currency_are_not_added_up(paid: Service):
    _end(paid, paid.submitted("one", max_duration="1h")["job_id"], hours=1)
    text = content_of(paid.git, "pools.yaml").replace(b"USD", b"EUR")
    push(paid.git, {"pools.yaml": text})
    assert _parts(paid) == (0, 0, BUDGET)


def test_a_job_without_a_price_at_its_commit_is_archived_all_the_same(
    paid: Service, monkeypatch: pytest.MonkeyPatch
):
    job = _pushed(paid, monkeypatch, **{"pools.yaml": b"pools: ["})
    _end(paid, job, hours=1)
    row = paid.platform.journal.get(job)
    assert row.outcome is not None
    assert (row.active, row.outcome.cost) == (False, None)


def test_a_date_at_the_end_of_the_calendar_stops_nothing(paid: Service):
    job = paid.submitted("one", max_duration="1h")["job_id"]
    _end(paid, job, hours=1)
    path = paid.client().get(f"/v1/jobs/{job}").json()["path"]
    manifest = from_yaml(content_of(paid.git, path))
    annotations = manifest["metadata"]["annotations"]
    outcome = {**json.loads(annotations[OUTCOME]), "ended_at": "0001-01-01T00:00:00+10:00"}
    annotations[OUTCOME] = json.dumps(outcome)
    push(paid.git, {path: to_yaml(manifest).encode()})
    assert paid.submitted("two", max_duration="1h")["job_id"]
    assert _parts(paid) == (0, 2, 8)


def test_who_submits_again_with_the_same_key_is_shown_the_job(
    paid: Service, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    _call_as(paid, monkeypatch)
    command = [
        "submit",
        "tiny:v1",
        "--team",
        TEAM,
        "--max-duration",
        "5h",
        "--idempotency-key",
        "k",
    ]
    ids = []
    for _ in range(2):
        assert run(app, command) == 0
        ids.append(capfd.readouterr().out.strip())
    assert ids[0] and ids[0] == ids[1]
    assert run(app, [*command[:-1], "another"]) == 1
    assert "10.00 USD" in capfd.readouterr().err
