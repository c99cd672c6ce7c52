"""The rules by which an API server lets the service do what it does here, and nothing else.

The Roles of `gitops/platform/ml-platform` are held to them by a test.
"""

from __future__ import annotations

from typing import Any

_READ = ["get", "list", "watch"]
# In each workload cluster, cluster-wide: jobs are in the namespaces of all teams.
WORKLOAD_CLUSTER: list[dict[str, Any]] = [
    {"apiGroups": ["ray.io"], "resources": ["rayjobs"], "verbs": _READ},
    {
        "apiGroups": ["kueue.x-k8s.io"],
        "resources": ["workloads", "clusterqueues", "cohorts"],
        "verbs": _READ,
    },
    {"apiGroups": [""], "resources": ["pods", "events"], "verbs": _READ},
    {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
]
# In Argo CD's namespace.
ARGOCD: list[dict[str, Any]] = [
    {
        "apiGroups": ["argoproj.io"],
        "resources": ["applications"],
        "verbs": [*_READ, "patch"],
    },
    {"apiGroups": ["argoproj.io"], "resources": ["applicationsets"], "verbs": ["patch"]},
]
