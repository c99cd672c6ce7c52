"""The background of the service: the local agent, news from Git, headline figures for lists."""

from __future__ import annotations

import logging
import threading
from typing import Protocol

from ml_platform.cluster.interface import Observed, Resources
from ml_platform.cluster.local import LocalCluster
from ml_platform.job import Phase
from ml_platform.local.agent import LocalAgent
from ml_platform.local.machine import machine
from ml_platform.local.ray_jobs import RayJobs, ray_token
from ml_platform.service.platform import Platform

log = logging.getLogger(__name__)
FOLLOW_SECONDS = 1.0


class Background(Protocol):
    """Where jobs run, as the service keeps it going."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def problem(self) -> str | None:
        """What has stopped or cannot be seen, in a sentence."""


class Runner:
    """Started and stopped with the service. A thread that dies is seen by `problem`."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="follower", daemon=True)
        self._jobs = _background(platform)

    def start(self) -> None:
        if self._jobs is not None:
            self._jobs.start()
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=10)
        if self._jobs is not None:
            self._jobs.stop()

    def problem(self) -> str | None:
        """Why the service is not ready, in a sentence; None when it is."""
        if not self._thread.is_alive():
            return "the taking over of news from Git has stopped"
        return self._jobs.problem() if self._jobs is not None else None

    def _follow(self) -> None:
        """Take over what others pushed, and the newest figures of running jobs."""
        watched: set[str] = set()
        repository, journal = self._platform.repository, self._platform.journal
        while not self._stop.wait(FOLLOW_SECONDS):
            try:
                journal.sync(repository, repository.head())
                running = {row.job_id for row in journal.standing(_WITH_FIGURES)}
                # Noted first: one that fails, because it has left Git, must not come up for ever.
                due, watched = running | watched, running
            except Exception:  # a full disk ends one turn, not the thread
                log.exception("news of jobs could not be taken over; the next try follows")
                continue
            for job_id in due:
                self._refresh(job_id)

    def _refresh(self, job_id: str) -> None:
        try:
            row = self._platform.journal.get(job_id)
            if (headline := self._platform.views.headline(row)) is not None:
                self._platform.journal.set_headline(job_id, headline)
        except Exception:  # what one job wrote hides nobody else's figures
            log.exception("%s: its newest figure could not be read", job_id)


_WITH_FIGURES = (Phase.RUNNING, Phase.STARTING, Phase.SUCCEEDED, Phase.FAILED)


def _background(platform: Platform) -> Background | None:
    if not platform.settings.local:
        # Imported here: the client of clusters costs a platform on one machine time and memory.
        from ml_platform.service.on_clusters import OnClusters  # noqa: PLC0415

        return OnClusters(platform)
    return _Local(platform) if platform.settings.agent else None


class _Local:
    """The agent with what it needs; it wakes at every push of the committer."""

    def __init__(self, platform: Platform) -> None:
        settings, size = platform.settings, machine()
        self._journal = platform.journal
        self._ray = RayJobs(settings.ray_address, ray_token())
        self._cluster = LocalCluster(
            settings.cluster_file,
            Resources(cpus=size.cpu, memory_mib=size.memory_mib, gpus=size.gpus),
            platform.journal.observe,
        )
        self.agent = LocalAgent(
            platform.repository, platform.committer, self._cluster, self._ray, settings.images_dir
        )
        platform.on_push = self.agent.wake
        platform.cluster = self._cluster

    def problem(self) -> str | None:
        return None if self.agent.alive else "the local agent has stopped"

    def start(self) -> None:
        for job_id, rayjob in self._cluster.objects().items():
            self._journal.observe(job_id, Observed(rayjob))
        self.agent.start()

    def stop(self) -> None:
        self.agent.stop()
        self._ray.close()
        self._cluster.close()
