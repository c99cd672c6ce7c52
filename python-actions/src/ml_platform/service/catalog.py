"""Catalog entities of jobs, workloads and pools, for Backstage's entity provider."""

from __future__ import annotations

from typing import Any

from ml_platform.journal_row import Row
from ml_platform.pools import Pools
from ml_platform.service.models import WorkloadView

API = "backstage.io/v1alpha1"
MANAGED_BY = "url:https://ml-platform.invalid/v1/catalog/entities"


def job_entity(row: Row, group: str, system: str | None, page_url: str) -> dict[str, Any]:
    """A job as `kind: Resource`, owned by its team's `group`, whose members alone may see it; live
    state is read from the job API, not stored here."""
    spec = row.spec
    relations: dict[str, Any] = {
        "type": "training-job",
        "owner": group,
        "dependsOn": [
            f"component:default/{spec['workload']}",
            f"resource:default/pool-{spec['pool']}",
        ],
    }
    if system:
        relations["system"] = system
    return {
        "apiVersion": API,
        "kind": "Resource",
        "metadata": {
            "name": row.job_id,
            "title": row.job_id,
            "description": f"{spec['workload']}:{spec['version']} on {spec['pool']}",
            "annotations": {
                **_managed(),
                "ml-platform/job-id": row.job_id,
                "ml-platform/owner": row.owner,
            },
            "tags": list(spec.get("tags", [])),
            "links": [{"url": page_url, "title": "Job page"}],
        },
        "spec": relations,
    }


def workload_entity(workload: WorkloadView) -> dict[str, Any]:
    return {
        "apiVersion": API,
        "kind": "Component",
        "metadata": {
            "name": workload.name,
            "title": workload.title,
            "description": workload.description,
            "annotations": _managed(),
        },
        "spec": {
            "type": "ml-workload",
            "lifecycle": "production",
            "owner": workload.owner,
            "system": workload.system,
        },
    }


def pool_entities(pools: Pools, owner: str) -> list[dict[str, Any]]:
    return [
        {
            "apiVersion": API,
            "kind": "Resource",
            "metadata": {
                "name": f"pool-{pool.name}",
                "title": pool.title,
                "description": pool.description,
                "annotations": _managed(),
            },
            "spec": {"type": "ml-pool", "owner": owner},
        }
        for pool in pools.pools
    ]


def _managed() -> dict[str, str]:
    return {
        "backstage.io/managed-by-location": MANAGED_BY,
        "backstage.io/managed-by-origin-location": MANAGED_BY,
    }
