"""`ml-platform submit`: start a training job."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from ml_platform.cli.client import connect
from ml_platform.cli.output import Format, OutputOption, count_of, print_json, print_line, say
from ml_platform.cli.watch import watch as watch_job
from ml_platform.job import Priority
from ml_platform.sdk import Job, Plan


def submit(  # noqa: PLR0913, PLR0917 - each argument is an option that a person may set
    image: Annotated[
        str, typer.Argument(metavar="WORKLOAD:VERSION", help="Such as stellar_optimization:v1.0.0.")
    ],
    preset: Annotated[str | None, typer.Option(help="A preset of the workload.")] = None,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="NAME=VALUE", help="A parameter; may be repeated."),
    ] = None,
    pool: Annotated[str | None, typer.Option(help="Where to run; `laptop` if left out.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Number of Ray workers.")] = None,
    team: Annotated[str | None, typer.Option(help="Who pays; yours if you have just one.")] = None,
    name: Annotated[str | None, typer.Option(help="Short name, the start of the job's id.")] = None,
    priority: Annotated[Priority | None, typer.Option(help="Order in the queue.")] = None,
    max_duration: Annotated[str | None, typer.Option(help="Limit per attempt: 10m, 12h.")] = None,
    attempts: Annotated[
        int | None, typer.Option(min=1, help="Most tries, from a checkpoint.")
    ] = None,
    resume_from: Annotated[
        str | None, typer.Option(metavar="JOB", help="An ended job, from whose files to go on.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A word to find it by; repeatable.")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="The same key gives the same job, never a second one.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Stay until it has ended; exit 1 if it failed.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show the plan and the manifest.")
    ] = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Start a training job. The plan is shown first; stdout gets the job's id.

    As JSON, stdout gets the receipt or, with --watch, the job as it has ended.
    """
    workload, version = _image(image)
    request: dict[str, Any] = {
        "preset": preset,
        "parameters": given_parameters(param) if param else None,
        "pool": pool,
        "workers": workers,
        "team": team,
        "name": name,
        "priority": priority.value if priority else None,
        "max_duration": max_duration,
        "attempts": attempts,
        "resume_from": resume_from,
        "tags": tag or None,
    }
    with connect() as platform:
        plan = platform.plan_job(workload, version, idempotency_key=idempotency_key, **request)
        _say_plan(plan)
        if dry_run:
            _print_plan(plan, output)
            return
        job = platform.submit_job(workload, version, idempotency_key=idempotency_key, **request)
        say(f"page: {job.page_url}")
        if output is Format.TABLE:
            print_line(job.id)
        elif not watch:
            print_json(job.receipt)
        if watch:
            _watched(job, output)


def _image(text: str) -> tuple[str, str]:
    workload, colon, version = text.partition(":")
    if not (workload and colon and version):
        raise typer.BadParameter(
            f"{text!r} names no version; write it as {workload or 'workload'}:v1.0.0",
            param_hint="WORKLOAD:VERSION",
        )
    return workload, version


def _watched(job: Job, output: Format) -> None:
    """As JSON, stdout gets one document: the job as it has ended, in whatever way."""
    try:
        watch_job(job)
    finally:
        if output is Format.JSON and job.view.state.final:
            print_json(job.view)


def given_parameters(texts: list[str]) -> dict[str, Any]:
    """Parameters by name; raises typer.BadParameter for one that is no NAME=VALUE or is given twice."""
    found: dict[str, Any] = {}
    for name, value in map(_parameter, texts):
        if name in found:
            raise typer.BadParameter(f"{name} is given twice", param_hint="--param")
        found[name] = value
    return found


def _parameter(text: str) -> tuple[str, Any]:
    """`seed=1` → ("seed", 1): a value that is JSON is taken as such, anything else as text."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--param")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _say_plan(plan: Plan) -> None:
    spec = plan.spec
    each = f"{spec.cpu:g} CPU, {spec.memory}" + (f", {spec.gpus} GPU" if spec.gpus else "")
    say(f"plan: {spec.workload}:{spec.version} for {spec.team} on {spec.pool}")
    say(
        f"  {count_of(spec.workers, 'worker')} with {each} each; at most {spec.max_duration} per attempt"
    )
    say(f"  cost: {plan.cost.text}; start: {plan.expected_wait}")
    for warning in plan.warnings:
        say(f"  note: {warning}")


def _print_plan(plan: Plan, output: Format) -> None:
    if output is Format.JSON:
        print_json(plan)
    else:
        print_line(plan.manifest.rstrip("\n"))
