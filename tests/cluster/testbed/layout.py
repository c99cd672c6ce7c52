"""Where the test cluster keeps its files, and the addresses and ports it takes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

# Private networks of two bridges. One cluster per machine: the names and addresses are fixed.
NODE_BRIDGE, NODE_ADDRESS = "mlp-node", "172.31.99.1"
POD_BRIDGE, POD_NETWORK, POD_GATEWAY = "mlp-pods", "10.244.0.0/24", "10.244.0.1"
SERVICE_NETWORK, API_SERVICE = "10.96.0.0/16", "10.96.0.1"
FAKE_POD_NETWORK = "10.99.0.0/16"
NODE, NODE_POOL = "node1", "test"
LOOPBACK = "127.0.0.1"

PORTS = {
    "apiserver": 26443,
    "etcd": 22379,
    "etcd-peers": 22380,
    "controller-manager": 22257,
    "scheduler": 22259,
    "kubelet-health": 22248,
    "kube-proxy-health": 22256,
    "kube-proxy-metrics": 22249,
    "coredns-ready": 22253,
    "kwok": 22247,
    "redis": 26379,
    "repo-server": 28181,
    "repo-server-metrics": 28184,
    "application-controller-metrics": 28182,
    "applicationset-metrics": 28185,
    "applicationset-probe": 28186,
    "applicationset-webhook": 28187,
    "kuberay-metrics": 28080,
    "kuberay-probe": 28082,
    "kueue-probe": 28095,
    "kueue-webhook": 29443,
}


def cache_folder() -> Path:
    """Where programs, images and the cluster's state lie: outside the tree, shared by checkouts."""
    own = os.environ.get("ML_PLATFORM_CACHE")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ml-platform"


@dataclass(frozen=True)
class Layout:
    """The files of one cluster. `real_pods` is false where kwok must stand in for the kubelet."""

    state: Path
    real_pods: bool = True

    @property
    def api_address(self) -> str:
        # The node's bridge, so that pods reach the API server too; it needs root.
        return NODE_ADDRESS if self.real_pods else LOOPBACK

    @property
    def api_url(self) -> str:
        return f"https://{self.api_address}:{PORTS['apiserver']}"

    @property
    def certificates(self) -> Path:
        return self.state / "certificates"

    @property
    def kubeconfigs(self) -> Path:
        return self.state / "kubeconfigs"

    @property
    def admin_kubeconfig(self) -> Path:
        return self.kubeconfigs / "admin"

    @property
    def tokens(self) -> Path:
        return self.certificates / "tokens.csv"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def pids(self) -> Path:
        return self.state / "pids"

    @property
    def programs(self) -> Path:
        """How each component is started, for whoever starts it again."""
        return self.state / "programs"

    @property
    def configuration(self) -> Path:
        return self.state / "configuration"

    @property
    def containerd(self) -> Path:
        """Kept when the cluster goes down: it holds the imported images."""
        return self.state / "containerd"

    @property
    def containerd_socket(self) -> Path:
        return self.containerd / "containerd.sock"

    @property
    def kubelet(self) -> Path:
        return self.state / "kubelet"

    @property
    def argocd(self) -> Path:
        return self.state / "argocd"

    @property
    def runs(self) -> Path:
        """The run directories of all jobs. Pods of every team see the folder as `/runs`."""
        return self.state / "runs"

    @property
    def tree(self) -> Path:
        """The GitOps tree as the test cluster uses it; what is committed to `repository`."""
        return self.state / "tree"

    @property
    def shared(self) -> Path:
        """What the service's replicas share when they run as pods."""
        return self.state / "shared"

    @property
    def repository(self) -> Path:
        """The bare GitOps repository that Argo CD reads."""
        return self.shared / "gitops.git"
