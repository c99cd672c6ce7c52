"""One committer: drains its queue into one move of `main` per turn, one commit per job."""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from prometheus_client import Counter, Histogram

from ml_platform.errors import MlPlatformError, ServiceUnavailableError
from ml_platform.repository.batch import Batch
from ml_platform.repository.bursts import Bursts
from ml_platform.repository.git import Author, GitopsRepository
from ml_platform.repository.orders import Ending, Journal, Receipt, Submission
from ml_platform.state import Outcome

log = logging.getLogger(__name__)
MAX_BATCH = 256
MAX_TRIES = 30
MAX_QUEUE = 20_000

commits_total = Counter("ml_platform_commits_total", "Commits pushed", ["kind"])
push_conflicts = Counter("ml_platform_push_conflicts_total", "Pushes lost to another writer")
turn_seconds = Histogram("ml_platform_commit_turn_seconds", "Time of one committer turn")


@dataclass
class _Order:
    change: Submission | Ending
    future: Future[Receipt]


class Committer:
    """The only writer of jobs. `submit` and `archive` return at once; the future has the commit."""

    def __init__(
        self,
        repository: GitopsRepository,
        journal: Journal,
        on_push: Callable[[], None] = lambda: None,
        may_commit: Callable[[], bool] = lambda: True,
        priced: Callable[[str, Outcome], Outcome] = lambda _, outcome: outcome,
    ) -> None:
        self._repository = repository
        self._journal = journal
        self._on_push = on_push
        self._priced = priced  # a job's outcome with what it has cost; never raises
        self._may_commit = may_commit  # whether this replica of the service is the one that does
        self._queue: queue.Queue[_Order | None] = queue.Queue(MAX_QUEUE)
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._stopped = False
        self._bursts = Bursts()
        self._gate = threading.Lock()  # nothing may be queued behind the end, where nobody looks

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Finish what is queued, then end."""
        with self._gate:
            self._stopped = True
            self._queue.put(None)
        self._thread.join(timeout=30)

    def submit(self, submission: Submission) -> Future[Receipt]:
        """Add a job; the receipt says in which of its team's folders, see Bursts."""
        return self._enqueue(submission)

    def archive(self, job_id: str, outcome: Outcome, author: Author) -> Future[Receipt]:
        """Move a job to the archive, with what it has cost. A job that has ended already resolves to
        that commit."""
        return self._enqueue(Ending(job_id, self._priced(job_id, outcome), author))

    def _enqueue(self, change: Submission | Ending) -> Future[Receipt]:
        future: Future[Receipt] = Future()
        try:
            with self._gate:
                if self._stopped:
                    raise queue.Full
                self._check_turn()
                self._queue.put_nowait(_Order(change, future))
        except ServiceUnavailableError as error:
            future.set_exception(error)
        except queue.Full:
            future.set_exception(
                ServiceUnavailableError("the committer is stopping or full", hint="try again")
            )
        return future

    def _check_turn(self) -> None:
        """Raise where another replica commits: also just before the move of `main`, since the
        right to it may have ended while the batch was made."""
        if not self._may_commit():
            raise ServiceUnavailableError(
                "this replica of the service does not commit now", hint="try again in some seconds"
            )

    def _run(self) -> None:
        while True:
            first = self._queue.get()
            if first is None:
                return
            orders = [first]
            last = False
            while len(orders) < MAX_BATCH:
                try:
                    order = self._queue.get_nowait()
                except queue.Empty:
                    break
                if order is None:
                    last = True
                    break
                orders.append(order)
            self._settle(orders)
            if last:
                return

    def _settle(self, orders: list[_Order]) -> None:
        """Answer every order, whatever happens: a waiting caller must never hang."""
        try:
            with turn_seconds.time():
                answers = self._turn(orders)
        except ServiceUnavailableError as error:
            answers = [error] * len(orders)
        except Exception as error:  # the disk is full or read-only: each caller is told so
            log.exception("a turn of the committer failed")
            reason = ServiceUnavailableError(
                f"the GitOps repository could not be written: {error}", hint="try again"
            )
            answers = [reason] * len(orders)
        for order, answer in zip(orders, answers, strict=True):
            if isinstance(answer, MlPlatformError):
                order.future.set_exception(answer)
            else:
                order.future.set_result(answer)
        self._on_push()

    def _turn(self, orders: list[_Order]) -> list[Receipt | MlPlatformError]:
        for attempt in range(MAX_TRIES):
            head = self._repository.head()
            self._journal.sync(self._repository, head)
            bursts = self._bursts.copy()
            batch = Batch(self._repository, self._journal, head, bursts)
            answers = [batch.decide(order.change) for order in orders]
            if batch.tip == head:
                return answers
            self._check_turn()
            if self._repository.swap(head, batch.tip):
                self._bursts = bursts
                self._journal.sync(self._repository, batch.tip, batch.written)
                for done in batch.done:
                    log.info("%s", done)
                for kind, number in batch.counts.items():
                    commits_total.labels(kind).inc(number)
                return answers
            push_conflicts.inc()
            pause = random.uniform(0, min(0.5, 0.005 * 2**attempt))  # noqa: S311  # no secret
            log.info("another writer moved main; reading again in %.3f s", pause)
            time.sleep(pause)
        raise ServiceUnavailableError(
            f"main was moved or held by others {MAX_TRIES} times in a row",
            hint="when nobody else writes the repository, remove its refs/heads/main.lock",
        )
