"""`ml:job:cancel`: move the job's manifest to the archive; what runs is stopped."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from ml_platform.actions.context import ActionContext
from ml_platform.job import DNS_LABEL, JOB_ID_MAX, Phase, refuse_control_characters
from ml_platform.repository.author import author_of
from ml_platform.state import Outcome

ID = "ml:job:cancel"
DESCRIPTION = "Cancels a training job. A job that has ended stays as it ended."
READ_ONLY = False
SUPPORTS_DRY_RUN = True
EXAMPLES = (("Cancel a job", {"job_id": "p1-quick-20261123-abcdef"}),)

JobIdField = Annotated[
    str,
    StringConstraints(strict=True, pattern=DNS_LABEL, max_length=JOB_ID_MAX),
    Field(description="The job's id.", examples=["p1-quick-20261123-abcdef"]),
]


class Input(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    job_id: JobIdField
    reason: Annotated[
        str | None, Field(max_length=500, description="Why; shown on the job's page.")
    ] = None

    @field_validator("reason")
    @classmethod
    def _plain(cls, value: str | None) -> str | None:
        return refuse_control_characters(value) if value else None


class Output(BaseModel):
    job_id: str
    state: Annotated[Phase, Field(description="How the job has ended.")]
    commit: Annotated[str | None, Field(description="Commit that ended it; null in a dry run.")]
    page_url: str


def run(request: Input, ctx: ActionContext) -> Output:
    platform = ctx.platform
    row = platform.visible(request.job_id, ctx.principal)
    who = ctx.principal.user.rpartition("/")[2]
    cause = f"Cancelled by {who}" + (f": {request.reason}" if request.reason else ".")
    outcome = Outcome(
        phase=Phase.CANCELLED,
        cause=cause,
        applied_at=row.moment("applied"),
        admitted_at=row.moment("admitted"),
        started_at=row.moment("running"),
        ended_at=datetime.now(UTC),
        attempts=row.attempt + 1 if row.moment("running") else 0,
    )
    if ctx.dry_run:
        phase = row.phase if row.phase.final else Phase.CANCELLED
        return Output(
            job_id=row.job_id, state=phase, commit=None, page_url=platform.page_url(row.job_id)
        )
    ctx.stop_if_cancelled()
    receipt = platform.wait(
        platform.committer.archive(row.job_id, outcome, author_of(ctx.principal.user))
    )
    ended = receipt.outcome.phase if receipt.outcome else Phase.CANCELLED
    if receipt.existed:
        ctx.log(f"{row.job_id} had ended already: {ended.value}", "warn")
    else:
        ctx.log(f"commit {receipt.commit[:10]} moves it to the archive", "info")
    return Output(
        job_id=row.job_id,
        state=ended,
        commit=receipt.commit,
        page_url=platform.page_url(row.job_id),
    )
