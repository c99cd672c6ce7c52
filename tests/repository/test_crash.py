"""kill -9 at any moment: what was acknowledged is there, what was not can be asked again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from commit_world import committing, new_repository, submission
from service_world import files_of

CHILD = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from commit_world import committing, submission
folder = Path(sys.argv[1])
with committing(folder / "gitops.git", folder / "journal.db") as committer:
    futures = [committer.submit(submission(f"job-{n}")) for n in range(60)]
    for future in futures:
        receipt = future.result(60)
        print(receipt.job_id, receipt.commit, flush=True)
    futures = [committer.submit(submission(f"late-{n}")) for n in range(300)]
    for future in futures:
        print(future.result(60).job_id, "late", flush=True)
"""


@pytest.mark.parametrize("lines", [1, 60, 150])
def test_nothing_acknowledged_is_lost_and_nothing_asked_again_is_doubled(
    tmp_path: Path, lines: int
):
    repository = new_repository(tmp_path)
    source = Path(sys.modules["ml_platform"].__file__ or "").parents[1]
    command = [
        sys.executable,
        "-c",
        CHILD,
        str(tmp_path),
        str(Path(__file__).parents[1]),
        str(source),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        acknowledged = [child.stdout.readline().split()[0] for _ in range(lines)]
        child.kill()
    found = {Path(path).stem for path in files_of(repository) if path.startswith("jobs/")}
    assert set(acknowledged) <= found
    with committing(repository, tmp_path / "journal.db") as committer:
        futures = [committer.submit(submission(f"job-{n}")) for n in range(60)]
        again = [future.result(60) for future in futures]
    for receipt in again:
        assert receipt.existed == (receipt.job_id in found)
    jobs = [path for path in files_of(repository) if Path(path).stem.startswith("job-")]
    assert len(jobs) == 60
