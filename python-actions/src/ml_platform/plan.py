"""What a submission would do, before it does it: the request with every choice made. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from pydantic import ValidationError

from ml_platform import job, policy
from ml_platform.budget import Spending, money, worker_hours
from ml_platform.errors import InputError, MlPlatformError, NotAllowedError
from ml_platform.forecast import Load, expected_wait
from ml_platform.input_sentence import input_error
from ml_platform.job import JobRequest, JobSpec
from ml_platform.pod_template import RunStorage
from ml_platform.pools import Pools
from ml_platform.render import Identity, parameters_text, render, spec_text
from ml_platform.repository import layout
from ml_platform.team import Team
from ml_platform.workload import Workload
from ml_platform.yaml_document import to_yaml


@dataclass(frozen=True)
class Site:
    """Everything a plan depends on besides the request. `local`: no cluster, one machine."""

    pools: Pools
    teams: Mapping[str, Team]
    broken_teams: Mapping[str, MlPlatformError]
    image: Callable[[str, str], tuple[str, Workload]]
    runs: RunStorage
    local: bool


@dataclass(frozen=True)
class Plan:
    """The decision and all it rests on."""

    job_id: str
    spec: JobSpec
    path: str  # its own; see repository.bursts
    shards: int
    manifest: dict[str, Any]
    text: str
    key_hash: str
    request_hash: str
    cost: float
    currency: str
    local: bool
    warnings: tuple[str, ...]
    decision: str = "commit"

    def cost_text(self, spending: Spending | None = None) -> str:
        """In words, with what the team's `spending` leaves before the job; None: no budget."""
        if not self.cost:
            where = "it runs on this machine" if self.local else "its pool has no price"
            return f"free: {where}"
        text = f"at most {money(self.cost)} {self.currency} per attempt"
        if spending is None:
            return text
        return (
            f"{text}; {money(spending.left)} of {money(spending.budget)} {spending.currency} "
            f"for {spending.month} are left"
        )


def plan_job(
    request: JobRequest, owner: str, teams: frozenset[str], key: str, day: date, site: Site
) -> Plan:
    """Resolve, check and render a request of `owner`, a member of `teams`.

    `key` is the idempotency key, `day` the date in the job's id. Raises InputError, NotFoundError
    (image) and NotAllowedError (somebody else's team).
    """
    team = _team(request, teams, site)
    image, workload = site.image(request.workload, request.version)
    spec = _resolve(request, image, workload)
    pool = site.pools.get(spec.pool)
    policy.check_available(pool, local=site.local)
    policy.check_fits(spec, pool)
    hashed = job.key_hash(owner, key)
    identity = Identity(
        job_id=job.job_id(spec.name, day, hashed),
        owner=owner,
        key_hash=hashed,
        request_hash=request_hash(request),
    )
    manifest = render(spec, identity, pool, site.runs)
    return Plan(
        job_id=identity.job_id,
        spec=spec,
        path=layout.job_path(team.name, identity.job_id, team.shards),
        shards=team.shards,
        manifest=manifest,
        text=to_yaml(manifest),
        key_hash=hashed,
        request_hash=identity.request_hash,
        cost=pool.price_per_worker_hour * worker_hours(spec.workers, spec.max_duration),
        currency=site.pools.currency,
        local=pool.local,
        warnings=_warnings(spec),
    )


def request_hash(request: JobRequest) -> str:
    """Hex SHA-256 of what was asked; a retry with the same key must ask the same."""
    body = json.dumps(request.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(body.encode()).hexdigest()


def parse_request(body: Any) -> JobRequest:
    """The typed request; raises InputError naming the first wrong field."""
    try:
        return JobRequest.model_validate(body)
    except ValidationError as error:
        raise input_error(error) from error


def _team(request: JobRequest, teams: frozenset[str], site: Site) -> Team:
    if request.team in site.broken_teams:
        raise site.broken_teams[request.team]
    if request.team not in site.teams:
        known = ", ".join(sorted(teams)) or "none"
        raise InputError(
            f"there is no team {request.team!r}", field="team", hint=f"your teams are: {known}"
        )
    if request.team not in teams:
        raise NotAllowedError(
            f"you are no member of {request.team}",
            field="team",
            hint="your teams are: " + (", ".join(sorted(teams)) or "none"),
        )
    return site.teams[request.team]


def _resolve(request: JobRequest, image: str, workload: Workload) -> JobSpec:
    preset = workload.preset(request.preset)
    parameters = workload.resolve_parameters(request.parameters, preset)
    spec = JobSpec(
        name=request.name or default_name(workload.name),
        team=request.team,
        workload=request.workload,
        version=request.version,
        image=image,
        entrypoint=workload.entrypoint,
        preset=request.preset,
        parameters=parameters,
        pool=request.pool,
        workers=request.workers or (preset.workers if preset else 1),
        cpu=request.cpu or workload.resources.cpu,
        memory=request.memory or workload.resources.memory,
        gpus=workload.resources.gpus if request.gpus is None else request.gpus,
        head=workload.resources.head,
        priority=request.priority,
        max_duration=request.max_duration or (preset.max_duration if preset else "1h"),
        attempts=request.attempts,
        resume_from=request.resume_from,
        parent=request.parent,
        env=request.env,
        tags=request.tags,
    )
    _check_size(spec)
    return spec


def _check_size(spec: JobSpec) -> None:
    """Measured as it is written: JSON spells a character outside ASCII in six bytes or twelve."""
    for name, text, limit in (
        ("parameters are", parameters_text(spec), policy.MAX_PARAMETER_BYTES),
        ("job's description is", spec_text(spec), policy.MAX_SPEC_BYTES),
    ):
        if len(text) > limit:
            raise InputError(
                f"the {name} {len(text)} bytes, more than {limit}",
                field="parameters",
                hint="put large inputs into a file of the workload",
            )


def default_name(workload: str) -> str:
    """A workload's name as a job's: `stellar_optimization` → `stellar-optimization`."""
    return workload.replace("_", "-")[: job.NAME_MAX].rstrip("-")


def _warnings(spec: JobSpec) -> tuple[str, ...]:
    found = []
    if spec.attempts == 1:
        found.append("One attempt only: a lost machine ends the job.")
    return tuple(found)


def wait_of(plan: Plan, site: Site, load: Load) -> str:
    return expected_wait(plan.spec, site.pools.get(plan.spec.pool), load)
