"""`ml:job:submit`: check the request, render its manifest and commit it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from ml_platform.actions.context import ActionContext
from ml_platform.job import JobRequest
from ml_platform.plan import Plan
from ml_platform.repository.author import author_of
from ml_platform.repository.orders import Submission

ID = "ml:job:submit"
DESCRIPTION = (
    "Starts a training job: checks the request, commits its RayJob manifest to the GitOps "
    "repository and answers with the job's id, page and commit."
)
READ_ONLY = False
SUPPORTS_DRY_RUN = True
EXAMPLES = (
    (
        "Start the stellarator example with its quick preset",
        {
            "workload": "stellar_optimization",
            "version": "v1.0.0",
            "team": "stellarator-design",
            "preset": "quick",
        },
    ),
)

Input = JobRequest


class Output(BaseModel):
    job_id: Annotated[str, Field(description="The job's id, also its entity's name.")]
    page_url: Annotated[str, Field(description="The job's page.")]
    entity_ref: Annotated[str, Field(description="The job's catalog entity.")]
    commit: Annotated[str | None, Field(description="Commit that added it; null in a dry run.")]
    path: Annotated[
        str,
        Field(
            description="The manifest's path in the GitOps repository. In a dry run that of a job which "
            "nothing else of its team comes just before."
        ),
    ]
    already_existed: Annotated[
        bool, Field(description="The same key had made this job before; nothing was done.")
    ]
    warnings: list[str]


def run(request: JobRequest, ctx: ActionContext) -> Output:
    """Commit the job, or only say what would be committed in a dry run."""
    platform = ctx.platform
    if not ctx.dry_run and (
        known := platform.submitted(request, ctx.principal, ctx.idempotency_key)
    ):
        # Before anything is checked: a retry gets its job, whatever has changed since.
        ctx.log(f"commit {known.commit[:10]} was there already", "info")
        return _output(ctx, known.job_id, known.commit, known.path, existed=True)
    plan, spending = platform.plan(request, ctx.principal, ctx.idempotency_key)
    for warning in plan.warnings:
        ctx.log(warning, "warn")
    for line in _described(plan, plan.cost_text(spending), platform.expected_wait(plan)):
        ctx.log(line, "info")
    if ctx.dry_run:
        return _output(ctx, plan.job_id, None, plan.path, warnings=plan.warnings)
    ctx.stop_if_cancelled()
    receipt = platform.submit(plan, _submission(plan, ctx))
    done = "was there already" if receipt.existed else f"adds {receipt.path}"
    ctx.log(f"commit {receipt.commit[:10]} {done}", "info")
    return _output(
        ctx,
        receipt.job_id,
        receipt.commit,
        receipt.path,
        existed=receipt.existed,
        warnings=plan.warnings,
    )


def _described(plan: Plan, cost: str, expected_wait: str) -> tuple[str, str]:
    spec = plan.spec
    workers = "1 worker" if spec.workers == 1 else f"{spec.workers} workers"
    return (
        f"{plan.job_id}: {spec.workload}:{spec.version} on {spec.pool}, {workers}, "
        f"at most {spec.max_duration} per attempt",
        f"cost: {cost}; start: {expected_wait}",
    )


def _submission(plan: Plan, ctx: ActionContext) -> Submission:
    return Submission(
        job_id=plan.job_id,
        team=plan.spec.team,
        shards=plan.shards,
        content=plan.text.encode(),
        key_hash=plan.key_hash,
        request_hash=plan.request_hash,
        author=author_of(ctx.principal.user),
        manifest=plan.manifest,
    )


def _output(
    ctx: ActionContext,
    job_id: str,
    commit: str | None,
    path: str,
    *,
    existed: bool = False,
    warnings: tuple[str, ...] = (),
) -> Output:
    return Output(
        job_id=job_id,
        page_url=ctx.platform.page_url(job_id),
        entity_ref=f"resource:default/{job_id}",
        commit=commit,
        path=path,
        already_existed=existed,
        warnings=list(warnings),
    )
