"""`ml:job:get`: everything that is known of a job. Changes nothing."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from ml_platform.actions.cancel import JobIdField
from ml_platform.actions.context import ActionContext
from ml_platform.service.models import Job

ID = "ml:job:get"
DESCRIPTION = "Shows a training job: state, hops, commit, parameters and results so far."
READ_ONLY = True
SUPPORTS_DRY_RUN = True
EXAMPLES = (("Show a job", {"job_id": "p1-quick-20261123-abcdef"}),)


class Input(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    job_id: JobIdField


Output = Job


def run(request: Input, ctx: ActionContext) -> Job:
    row = ctx.platform.visible(request.job_id, ctx.principal)
    return ctx.platform.views.job(row)
