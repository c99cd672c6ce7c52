"""`/v1/me`, pools, teams, workloads and catalog entities."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from ml_platform.budget import Spending
from ml_platform.cluster.interface import Resources
from ml_platform.errors import MlPlatformError
from ml_platform.policy import unavailable
from ml_platform.pools import Pool
from ml_platform.service import catalog, models
from ml_platform.service.auth import Principal
from ml_platform.service.caller import platform_of, principal_of, user_of
from ml_platform.service.platform import Platform
from ml_platform.service.views import metric_series
from ml_platform.workload import Workload

router = APIRouter(prefix="/v1")
Caller = Annotated[Principal, Depends(principal_of)]
User = Annotated[Principal, Depends(user_of)]
Parts = Annotated[Platform, Depends(platform_of)]
PAGE = 1000
RESET_SECONDS = 3600


@router.get("/me", summary="Who is asking")
def get_me(caller: Caller, platform: Parts) -> models.Me:
    teams = sorted(platform.teams_of(caller)) if caller.is_user else []
    return models.Me(
        user=caller.user, name=caller.user.rpartition("/")[2], teams=teams, kind=caller.kind
    )


@router.get("/pools", summary="Where jobs can run, with price and free capacity")
def list_pools(caller: Caller, platform: Parts) -> list[models.PoolView]:
    site, busy = platform.site(), _busy(platform)
    views = []
    for pool in site.pools.pools:
        reason = unavailable(pool, local=site.local)
        free = _free(platform, pool, busy) if reason is None else None
        views.append(
            models.PoolView(
                name=pool.name,
                title=pool.title,
                description=pool.description,
                gpus=pool.gpus,
                accelerator=pool.accelerator,
                cpu_per_node=pool.cpu,
                memory_per_node=pool.memory,
                max_workers=pool.max_workers,
                price_per_worker_hour=pool.price_per_worker_hour,
                currency=site.pools.currency,
                available=reason is None,
                reason=reason,
                free_cpu=max(free.cpus, 0) if free else None,
                free_gpus=max(free.gpus, 0) if free else None,
            )
        )
    return views


def _busy(platform: Platform) -> dict[str, Resources]:
    """What the jobs of the active set ask for, by pool."""
    busy: dict[str, Resources] = {}
    for pool, workers, cpu, gpus in platform.journal.demand():
        asked = Resources(cpus=cpu * workers, gpus=gpus * workers)
        busy[pool] = busy.get(pool, Resources()) + asked
    return busy


def _free(platform: Platform, pool: Pool, busy: Mapping[str, Resources]) -> Resources:
    """By the clusters' queues, where they say; else what active jobs do not ask for."""
    if (capacity := platform.capacity(pool.name)) is not None:
        return capacity.free
    nodes = 1 if pool.local else pool.max_workers
    whole = Resources(cpus=pool.cpu * nodes, gpus=pool.gpus * nodes)
    return whole - busy.get(pool.name, Resources())


@router.get("/teams", summary="The teams, and whether the caller belongs to them")
def list_teams(user: User, platform: Parts) -> list[models.TeamView]:
    mine, problems = platform.teams_of(user), platform.problems()
    return [
        models.TeamView(
            name=team.name,
            title=team.title,
            group=team.group,
            member=team.name in mine,
            problems=list(problems.get(team.name, ())) if team.name in mine else [],
            budget=_budget(platform.budgets.of_team(team)) if team.name in mine else None,
        )
        for team in platform.site().teams.values()
    ]


def _budget(spending: Spending | None) -> models.BudgetView | None:
    if spending is None:
        return None
    return models.BudgetView(
        month=spending.month,
        amount=spending.budget,
        spent=spending.spent,
        reserved=spending.reserved,
        left=spending.left,
        currency=spending.currency,
    )


@router.get("/workloads", summary="What can be trained: workloads that have an image")
def list_workloads(caller: Caller, platform: Parts) -> list[models.WorkloadView]:
    found: dict[str, tuple[Workload, list[models.ImageView]]] = {}
    for image in platform.images.list():
        try:
            workload = platform.workload_of(image.reference)
        except MlPlatformError:  # an image folder that somebody removed is no choice
            continue
        view = models.ImageView(
            workload=image.workload,
            version=image.version,
            digest=image.digest,
            reference=image.reference,
            built_at=image.built_at,
            size_bytes=image.size_bytes,
        )
        found.setdefault(image.workload, (workload, []))[1].append(view)
    return [_workload(workload, images) for workload, images in found.values()]


def _workload(workload: Workload, images: list[models.ImageView]) -> models.WorkloadView:
    return models.WorkloadView(
        name=workload.name,
        title=workload.title,
        description=workload.description,
        owner=workload.owner,
        system=workload.system,
        parameters=workload.parameters,
        presets=[
            models.PresetView(name=name, **preset.model_dump())
            for name, preset in workload.presets.items()
        ],
        metrics=[
            metric_series(name, info, workload.defaults())
            for name, info in workload.metrics.items()
        ],
        headline=workload.headline,
        images=images,
    )


@router.get("/catalog/entities", summary="Catalog entities, all or those since a cursor")
def list_entities(caller: Caller, platform: Parts, after: str = "") -> dict[str, Any]:
    """The cursor is `<journal>:<position>:<time>`; another journal or an old one starts afresh.

    At most 1,000 jobs an answer, the oldest first: ask on until the cursor stays the same.
    """
    epoch = platform.journal.epoch()
    position, taken = _cursor(after, epoch)
    teams, site = platform.teams_of(caller), platform.site()
    # Images and pools change without an entry in the journal, so they come with every answer.
    upserts = catalog.pool_entities(site.pools, "group:default/platform")
    workloads = {view.name: view for view in list_workloads(caller, platform)}
    upserts += [catalog.workload_entity(view) for view in workloads.values()]
    rows = platform.journal.after(position or 0, PAGE)
    for row in rows:
        known = workloads.get(str(row.spec["workload"]))
        system = known.system if known else None
        if row.team in teams:
            group = site.teams[row.team].group
            upserts.append(catalog.job_entity(row, group, system, platform.page_url(row.job_id)))
    last = rows[-1].position if rows else position or 0
    reset = position is None
    now = int(time.time()) if reset else taken
    return {
        "cursor": f"{epoch}:{last}:{now}",
        "reset": reset,
        "upserts": upserts,
        "deletes": [],
    }


def _cursor(after: str, epoch: str) -> tuple[int | None, int]:
    parts = after.split(":")
    if parts[0] != epoch or not re.fullmatch(r"[0-9]{1,15}:[0-9]{1,15}", ":".join(parts[1:])):
        return None, 0
    taken = int(parts[2])
    if time.time() - taken > RESET_SECONDS:
        return None, 0
    return int(parts[1]), taken
