from __future__ import annotations

import pytest

from ml_platform.cluster.interface import Capacity, Resources
from ml_platform.local.admission import Waiting, admit

TOTAL = Resources(cpus=4, memory_mib=8192, gpus=1)


def waiting(job_id: str, cpus: float, rank: int = 1, **more: int) -> Waiting:
    number = int("".join(filter(str.isdigit, job_id)))
    return Waiting(job_id, rank, number, Resources(cpus=cpus, **more))


def test_jobs_start_by_priority_then_in_order_of_arrival() -> None:
    jobs = [waiting("a1", 1), waiting("b2", 1, rank=2), waiting("c3", 1, rank=0)]
    assert admit(jobs, Capacity(TOTAL, TOTAL)).start == ("b2", "a1", "c3")


def test_nobody_overtakes_the_first_job_that_does_not_fit() -> None:
    jobs = [waiting("large1", 4), waiting("small2", 1), waiting("large3", 4)]
    admission = admit(jobs, Capacity(TOTAL, TOTAL - Resources(cpus=2)))
    assert admission.start == ()
    assert admission.messages == {
        "large1": "waits for 4 CPUs: 2 of 4 free",
        "small2": "waits for its turn: 1 job is ahead",
        "large3": "waits for 4 CPUs: 2 of 4 free; 2 jobs are ahead",
    }


def test_a_job_larger_than_the_machine_holds_nobody_up() -> None:
    admission = admit([waiting("huge1", 64), waiting("small2", 1)], Capacity(TOTAL, TOTAL))
    assert admission.start == ("small2",)
    assert admission.messages["huge1"] == "can never start: asks for 64 CPUs, this machine has 4"


@pytest.mark.parametrize(
    ("need", "message"),
    [
        ({"memory_mib": 6144}, "waits for 6 GiB of memory: 4 GiB of 8 GiB free"),
        ({"gpus": 1}, "waits for 1 GPU: 0 of 1 free"),
    ],
)
def test_the_message_names_what_is_short(need: dict[str, int], message: str) -> None:
    held = Resources(cpus=1, memory_mib=4096, gpus=1)
    admission = admit([waiting("job1", 1, **need)], Capacity(TOTAL, TOTAL - held))
    assert admission.messages == {"job1": message}
