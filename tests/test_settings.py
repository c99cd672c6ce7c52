"""What settings refuse, and which clusters vouch for callers."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from ml_platform.settings import ArgoCd, Settings, WorkloadCluster

CLUSTER = WorkloadCluster(name="workload", context="workload")


def test_one_machine_listens_to_itself_only(tmp_path: Path):
    with pytest.raises(ValidationError, match=r"must be 127\.0\.0\.1 or localhost"):
        Settings(home=tmp_path, host="0.0.0.0")


def test_a_pod_listens_to_others_and_is_reached_by_itself(tmp_path: Path):
    settings = Settings(home=tmp_path, host="0.0.0.0", clusters=(CLUSTER,))
    assert settings.service_url == "http://127.0.0.1:7008"


def test_callers_may_bring_a_token_of_any_cluster_of_the_platform(tmp_path: Path):
    def names(*clusters: WorkloadCluster, argocd: ArgoCd) -> list[str]:
        settings = Settings(home=tmp_path, clusters=clusters, argocd=argocd)
        return [name for name, _ in settings.identity_clusters()]

    assert names(argocd=ArgoCd()) == []
    assert names(WorkloadCluster(name="in-cluster"), argocd=ArgoCd()) == ["in-cluster"]
    assert names(CLUSTER, argocd=ArgoCd()) == ["workload", "of Argo CD"]
    assert names(CLUSTER, argocd=ArgoCd(context="workload")) == ["workload"]
