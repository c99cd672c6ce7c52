"""`ml:job:plan`: what a submission would do. Changes nothing."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from ml_platform.actions import submit
from ml_platform.actions.context import ActionContext
from ml_platform.job import JobRequest, JobSpec

ID = "ml:job:plan"
DESCRIPTION = (
    "Shows what a training job would be: manifest, cost, wait and warnings. Changes nothing."
)
READ_ONLY = True
SUPPORTS_DRY_RUN = True
EXAMPLES = submit.EXAMPLES

Input = JobRequest


class Cost(BaseModel):
    amount: Annotated[float, Field(description="Upper bound for one attempt.")]
    currency: str
    text: str
    budget_left: Annotated[
        float | None, Field(description="What its team has left this month; null: no budget.")
    ]


class Output(BaseModel):
    decision: Annotated[str, Field(description="`commit`: it would be committed directly.")]
    image: str
    path: Annotated[
        str,
        Field(
            description="The manifest's path in the GitOps repository, if nothing else of its team comes "
            "just before."
        ),
    ]
    manifest: Annotated[str, Field(description="The RayJob as YAML.")]
    cost: Cost
    expected_wait: str
    warnings: list[str]
    spec: JobSpec


def run(request: JobRequest, ctx: ActionContext) -> Output:
    platform = ctx.platform
    plan, spending = platform.plan(request, ctx.principal, ctx.idempotency_key)
    return Output(
        decision=plan.decision,
        image=plan.spec.image,
        path=plan.path,
        manifest=plan.text,
        cost=Cost(
            amount=plan.cost,
            currency=plan.currency,
            text=plan.cost_text(spending),
            budget_left=spending.left if spending else None,
        ),
        expected_wait=platform.expected_wait(plan),
        warnings=list(plan.warnings),
        spec=plan.spec,
    )
