"""`ml:job:submit`: check the request, render its manifest and commit it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from ml_platform.actions.context import ActionContext
from ml_platform.job import JobRequest
from ml_platform.repository.committer import Submission, author_of

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
    path: Annotated[str, Field(description="The manifest's path in the GitOps repository.")]
    already_existed: Annotated[
        bool, Field(description="The same key had made this job before; nothing was done.")
    ]
    warnings: list[str]


def run(request: JobRequest, ctx: ActionContext) -> Output:
    """Commit the job, or only say what would be committed in a dry run."""
    platform = ctx.platform
    plan = platform.plan(request, ctx.principal, ctx.idempotency_key)
    for warning in plan.warnings:
        ctx.log(warning, "warn")
    ctx.log(f"{plan.job_id}: {plan.spec.workload}:{plan.spec.version} on {plan.spec.pool}", "info")
    commit, path, job_id, existed = None, plan.path, plan.job_id, False
    if not ctx.dry_run:
        ctx.stop_if_cancelled()
        receipt = platform.wait(
            platform.committer.submit(
                Submission(
                    job_id=plan.job_id,
                    team=plan.spec.team,
                    path=plan.path,
                    content=plan.text.encode(),
                    key_hash=plan.key_hash,
                    request_hash=plan.request_hash,
                    author=author_of(ctx.principal.user),
                )
            )
        )
        commit, path, job_id = receipt.commit, receipt.path, receipt.job_id
        existed = receipt.existed
        ctx.log(
            f"commit {commit[:10]} {'was there already' if existed else f'adds {path}'}", "info"
        )
    return Output(
        job_id=job_id,
        page_url=platform.page_url(job_id),
        entity_ref=f"resource:default/{job_id}",
        commit=commit,
        path=path,
        already_existed=existed,
        warnings=list(plan.warnings),
    )
