"""A job that searches: one problem, or one after the other."""

import json
from dataclasses import replace
from typing import Any

from stellar_optimization.problems.catalog import PROBLEMS
from stellar_optimization.run.parameters import Job
from stellar_optimization.run.results import write_results
from stellar_optimization.run.run_directory import RunDirectory
from stellar_optimization.search.campaign import Campaign
from stellar_optimization.search.start import start_of
from stellar_optimization.search.state import State

ALL = "all"


def first_state(job: Job) -> State:
    """State of a job that has not begun."""
    begun = _job_of(job, _names(job)[0])
    return State.initial(start_of(begun.parameters), begun.parameters, job.workers)


def optimise(job: Job, files: RunDirectory, state: State) -> dict[str, Any]:
    """Search each problem that is left, write its results; returns the summary of the job."""
    while True:
        name = state.problem.name
        part = _job_of(job, name)
        several = job.parameters.problem == ALL
        start = start_of(part.parameters)
        print(f"{state.problem.title}, start {start.name}: official score ", end="")
        print(f"{start.verdict('high', name)} at high fidelity, ", end="")
        print(f"{start.verdict('low', name)} at low fidelity. Origin: {start.origin}", flush=True)
        campaign = Campaign(part, files, state)
        campaign.run()
        summary = write_results(campaign, files, start, f"{name}-" if several else "")
        campaign.close()
        if not several:
            return summary
        state.summaries[name] = summary
        left = [other for other in _names(job) if other not in state.summaries]
        if not left:
            break
        state = _next_state(_job_of(job, left[0]), state)
    together = _together(state.summaries)
    files.write_result("summary.json", (json.dumps(together, indent=1) + "\n").encode())
    return together


def _names(job: Job) -> list[str]:
    return list(PROBLEMS) if job.parameters.problem == ALL else [job.parameters.problem]


def _job_of(job: Job, name: str) -> Job:
    """The job as it is for one of its problems."""
    return replace(job, parameters=replace(job.parameters, problem=name))


def _next_state(job: Job, done: State) -> State:
    """The next problem's first state; steps and times go on."""
    state = State.initial(start_of(job.parameters), job.parameters, job.workers)
    state.step, state.seconds, state.cpu_seconds = done.step + 1, done.seconds, done.cpu_seconds
    state.began = [done.seconds, done.cpu_seconds]
    state.summaries = done.summaries
    return state


def _together(summaries: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """One flat summary: the headline of the first problem, then each problem's figures."""
    first = next(iter(summaries.values()))
    kept = (
        "official_score",
        "published_score",
        "feasibility",
        "limited_by",
        "largest_violation",
        "cpu_hours",
    )
    figures = {
        f"{name}_{key}": summary[key]
        for name, summary in summaries.items()
        for key in kept
        if key in summary
    }
    hours = round(sum(summary["cpu_hours"] for summary in summaries.values()), 4)
    return {"official_score": first["official_score"], **figures, "cpu_hours": hours}
