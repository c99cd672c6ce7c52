"""The parts of a running platform, put together once."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from datetime import UTC, date, datetime
from functools import lru_cache

from ml_platform.budget import Held, Spending, cost_of
from ml_platform.build.images import ImageStore
from ml_platform.cluster.interface import Capacity, Cluster
from ml_platform.errors import (
    InputError,
    NotAllowedError,
    NotFoundError,
    ServiceUnavailableError,
)
from ml_platform.forecast import Load
from ml_platform.job import JobRequest, Phase, key_hash
from ml_platform.journal import SqliteJournal
from ml_platform.journal_row import Row
from ml_platform.local.run_records import attempt_times
from ml_platform.plan import Plan, Site, plan_job, request_hash, wait_of
from ml_platform.pod_template import RunStorage
from ml_platform.repository.committer import Committer
from ml_platform.repository.git import seed
from ml_platform.repository.orders import Known, Receipt, Submission
from ml_platform.service.auth import Principal
from ml_platform.service.budgets import Budgets
from ml_platform.service.leader import Leader, leader_of
from ml_platform.service.notices import Notices
from ml_platform.service.site_files import SiteFiles
from ml_platform.service.views import Views
from ml_platform.settings import Settings
from ml_platform.state import Outcome
from ml_platform.workload import Workload, load_workload

log = logging.getLogger(__name__)
COMMIT_TIMEOUT = 60.0


class Platform:
    """Repository, committer, journal and images of one state folder. `start` before use."""

    def __init__(self, settings: Settings, leader: Leader | None = None) -> None:
        settings.state_dir.mkdir(parents=True, exist_ok=True)
        self.settings = settings
        self.notices = Notices()
        self.repository = seed(settings.gitops_repository, settings.root / "gitops")
        self.journal = SqliteJournal(settings.journal_file, self.notices.tell)
        self.images = ImageStore(settings)
        self.today: Callable[[], date] = lambda: datetime.now(UTC).date()
        self.on_push: Callable[[], None] = lambda: None
        self.cluster: Cluster | None = None  # set by whoever runs jobs
        self.leader = leader or leader_of(settings)
        self.committer = Committer(
            self.repository,
            self.journal,
            self._pushed,
            may_commit=self.leader.held,
            priced=self._priced,
        )
        self.views = Views(
            settings.runs_dir, self.workload_of, settings.portal_url, local=settings.local
        )
        self._files = SiteFiles(self.repository)
        self.budgets = Budgets(self.journal, self._files.pools, local=settings.local)
        self._workload_of_digest = lru_cache(256)(self._load_workload)

    def _pushed(self) -> None:
        self.on_push()  # looked up at each push: the agent is set later

    def take_over_from_git(self) -> None:
        """Bring the journal to what `main` is now."""
        self.journal.sync(self.repository, self.repository.head())

    def start(self) -> None:
        self.take_over_from_git()
        self.committer.start()
        self.leader.start()

    def stop(self) -> None:
        self.committer.stop()
        self.leader.stop()  # after the last commit: another replica begins at once
        self.notices.close()
        self.journal.close()

    # ── what a plan depends on ──────────────────────────────────────────────────────────────────

    def site(self) -> Site:
        """Pools and teams as `main` has them now."""
        teams = self._files.teams()
        return Site(
            pools=self._files.pools(),
            teams=teams.known,
            broken_teams=teams.broken,
            image=self._image,
            runs=RunStorage(self.settings.runs_uri, self.settings.runs_claim),
            local=self.settings.local,
        )

    def _image(self, workload: str, version: str) -> tuple[str, Workload]:
        image = self.images.resolve(workload, version)
        return image.reference, self._workload_of_digest(image.digest)

    def workload_of(self, reference: str) -> Workload:
        """The workload in an image; raises NotFoundError when the image is gone."""
        return self._workload_of_digest(reference.rpartition("@")[2])

    def _load_workload(self, digest: str) -> Workload:
        return load_workload(self.images.workload_file(digest).parent)

    # ── what callers ask ────────────────────────────────────────────────────────────────────────

    def teams_of(self, principal: Principal) -> frozenset[str]:
        """Teams whose jobs the caller sees and may start."""
        teams = self._files.teams().known
        if principal.everything or not principal.is_user:
            return frozenset(teams)
        return frozenset(
            team.name
            for team in teams.values()
            if team.group in principal.groups or team.name in principal.teams
        )

    def team_names(self) -> frozenset[str]:
        """Every team whose file can be read."""
        return frozenset(self._files.teams().known)

    def plan(
        self, request: JobRequest, principal: Principal, key: str
    ) -> tuple[Plan, Spending | None]:
        """What a submission would do, and the team's month before it, where the team has a budget."""
        site, teams = self.site(), self.teams_of(principal)
        if request.parent is not None:
            self._relative("parent", request.parent, principal)
        if request.resume_from is not None:
            start = self._relative("resume_from", request.resume_from, principal)
            if not start.phase.final:
                raise InputError(
                    f"{start.job_id} has not ended: its newest checkpoint is still to come",
                    field="resume_from",
                    hint="wait until it has, or cancel it",
                )
        plan = plan_job(request, principal.user, teams, key, self.today(), site)
        return plan, self.budgets.check(plan, site.teams[plan.spec.team])

    def spendings(self) -> dict[str, Spending]:
        """This month of every team that has a budget; raises InputError where pools.yaml is broken."""
        teams = self._files.teams().known.values()
        found = {team.name: self.budgets.of_team(team) for team in teams}
        return {name: spending for name, spending in found.items() if spending is not None}

    def submit(self, plan: Plan, submission: Submission) -> Receipt:
        """Commit a planned job; raises NotAllowedError where its team cannot pay for it, and what the
        committer raises."""
        teams, name = self._files.teams(), plan.spec.team
        if name not in teams.known:  # since it was planned
            raise teams.broken.get(name) or InputError(f"there is no team {name!r}", field="team")
        team = teams.known[name]
        if not self.budgets.applies_to(team):
            return self.wait(self.committer.submit(submission))
        self._see_what_is_spent()
        self.budgets.reserve(plan, team)
        future = self.committer.submit(submission)
        # Not when the caller gives up: the commit may still come.
        future.add_done_callback(lambda _: self.budgets.release(plan))
        return self.wait(future)

    def _see_what_is_spent(self) -> None:
        """Also by what another replica has just committed."""
        try:
            self.take_over_from_git()
        except (OSError, sqlite3.Error) as error:
            raise ServiceUnavailableError(f"the journal cannot be written: {error}") from error

    def _priced(self, job_id: str, outcome: Outcome) -> Outcome:
        """With what the job has cost, by the prices of the commit that asked for it. Nothing about
        prices keeps a job from its archive."""
        try:
            row = self.journal.get(job_id)
            spec, pools = row.job_spec(), self._files.pools_at(row.commits[0]["sha"])
            pool = pools.get(spec.pool)
            if not pool.price_per_worker_hour:
                return outcome
            cost = cost_of(pool, spec.workers, self._held(row, outcome), pools.currency)
        except NotFoundError:  # it is no job of the journal, and said to be none elsewhere
            return outcome
        except Exception as error:  # whatever was spoilt in Git or in the run directory
            log.warning("%s is archived without a cost: %s", job_id, error)
            return outcome
        return outcome.model_copy(update={"cost": cost})

    def _held(self, row: Row, outcome: Outcome) -> Held:
        attempts = attempt_times(self.views.run_directory(row).path)
        waiting = outcome.phase is Phase.CANCELLED and row.phase is not Phase.RUNNING
        if waiting and row.phase is not Phase.STARTING and "running" not in row.hops:
            # Sent back before it ran, it has had nothing since.
            outcome = outcome.model_copy(update={"admitted_at": None, "started_at": None})
        return Held(row.submitted_at, outcome, attempts, waiting)

    def submitted(self, request: JobRequest, principal: Principal, key: str) -> Known | None:
        """The job that the caller's key has made from this request; raises ConflictError."""
        known = self.journal.by_key(key_hash(principal.user, key))
        return known and known.for_request(request_hash(request))

    def _relative(self, field: str, job_id: str, principal: Principal) -> Row:
        """Another job that a request names; errors name the field."""
        try:
            return self.visible(job_id, principal)
        except (NotFoundError, NotAllowedError) as error:
            raise type(error)(error.message, field=field, hint=error.hint) from error

    def expected_wait(self, plan: Plan) -> str:
        pool = plan.spec.pool
        jobs, cpu = self.journal.load(pool)
        load = Load(cpu=cpu, jobs=jobs, capacity=self.capacity(pool))
        return wait_of(plan, self.site(), load)

    def capacity(self, pool: str) -> Capacity | None:
        """What the clusters' queues say of a pool; None on one machine."""
        if self.settings.local or self.cluster is None:
            return None
        return self.cluster.capacity(pool)

    def problems(self) -> Mapping[str, tuple[str, ...]]:
        """What holds up the jobs of teams, in sentences."""
        found = dict(self.cluster.problems()) if self.cluster is not None else {}
        if self.settings.local:
            return found
        for team, paths in self._files.control_files().items():
            sentences = tuple(
                f"{path} changes what Argo CD does with this folder's jobs; take it out of Git"
                for path in paths
            )
            found[team] = sentences + found.get(team, ())
        return found

    def visible(self, job_id: str, principal: Principal) -> Row:
        """The job if the caller may see it; raises NotFoundError or NotAllowedError."""
        row = self.journal.get(job_id)
        if row.team not in self.teams_of(principal):
            raise NotAllowedError(f"{job_id} belongs to {row.team}, of which you are no member")
        return row

    def page_url(self, job_id: str) -> str:
        return self.views.page_url(job_id)

    def wait(self, future: Future[Receipt]) -> Receipt:
        """The commit; raises what the committer raised."""
        try:
            return future.result(timeout=COMMIT_TIMEOUT)
        except FutureTimeout as error:
            raise ServiceUnavailableError(
                "the commit takes longer than a minute", hint="ask again with the same key"
            ) from error
