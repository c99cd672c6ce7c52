"""etcd, API server, controller manager and scheduler."""

from __future__ import annotations

from testbed.component import Program
from testbed.layout import API_SERVICE, LOOPBACK, PORTS, SERVICE_NETWORK, Layout
from testbed.readiness import health
from testbed.tools import Tools

# An API server whose etcd is gone holds its port for half a minute unless it is killed.
_IMPATIENT = 3.0


def control_plane(layout: Layout, tools: Tools) -> list[Program]:
    """In the order in which they start."""
    return [
        _etcd(layout, tools),
        _apiserver(layout, tools),
        _controller_manager(layout, tools),
        _scheduler(layout, tools),
    ]


def _etcd(layout: Layout, tools: Tools) -> Program:
    clients = f"http://{LOOPBACK}:{PORTS['etcd']}"
    peers = f"http://{LOOPBACK}:{PORTS['etcd-peers']}"
    command = [
        tools.program("etcd"),
        f"--data-dir={layout.state / 'etcd'}",
        f"--listen-client-urls={clients}",
        f"--advertise-client-urls={clients}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
        "--unsafe-no-fsync",  # the data lives as long as the cluster
        "--quota-backend-bytes=4294967296",
        "--auto-compaction-retention=5m",
        "--log-level=warn",
    ]
    return Program("etcd", command, health("etcd", "/health"))


def _apiserver(layout: Layout, tools: Tools) -> Program:
    files = layout.certificates
    command = [
        tools.program("k8s", "kube-apiserver"),
        f"--etcd-servers=http://{LOOPBACK}:{PORTS['etcd']}",
        f"--bind-address={layout.api_address}",
        f"--secure-port={PORTS['apiserver']}",
        f"--tls-cert-file={files / 'apiserver.crt'}",
        f"--tls-private-key-file={files / 'apiserver.key'}",
        f"--client-ca-file={files / 'ca.crt'}",
        f"--token-auth-file={layout.tokens}",
        f"--service-account-key-file={files / 'sa.pub'}",
        f"--service-account-signing-key-file={files / 'sa.key'}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--kubelet-client-certificate={files / 'apiserver-kubelet.crt'}",
        f"--kubelet-client-key={files / 'apiserver-kubelet.key'}",
        f"--kubelet-certificate-authority={files / 'ca.crt'}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged=true",
        "--max-requests-inflight=800",
        "--max-mutating-requests-inflight=400",
        "--profiling=false",
    ]
    if layout.real_pods:
        command.append(f"--advertise-address={layout.api_address}")
    else:
        # A loopback address may not be advertised; nothing asks for it without real pods.
        command += [f"--advertise-address={API_SERVICE}", "--endpoint-reconciler-type=none"]
    ready = f"{layout.api_url}/readyz"
    # More memory for less work: two cores have all of the cluster to run.
    environment = {"GOGC": "200", "GOMEMLIMIT": "12GiB"}
    return Program("apiserver", command, ready, environment, stop_seconds=_IMPATIENT)


def _controller_manager(layout: Layout, tools: Tools) -> Program:
    files = layout.certificates
    command = [
        tools.program("k8s", "kube-controller-manager"),
        f"--kubeconfig={layout.kubeconfigs / 'controller-manager'}",
        "--use-service-account-credentials",
        f"--service-account-private-key-file={files / 'sa.key'}",
        f"--root-ca-file={files / 'ca.crt'}",
        f"--cluster-signing-cert-file={files / 'ca.crt'}",
        f"--cluster-signing-key-file={files / 'ca.key'}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={PORTS['controller-manager']}",
        "--leader-elect=false",
        "--kube-api-qps=300",
        "--kube-api-burst=500",
    ]
    ready = health("controller-manager", scheme="https")
    return Program("controller-manager", command, ready)


def _scheduler(layout: Layout, tools: Tools) -> Program:
    command = [
        tools.program("k8s", "kube-scheduler"),
        f"--kubeconfig={layout.kubeconfigs / 'scheduler'}",
        f"--authentication-kubeconfig={layout.kubeconfigs / 'scheduler'}",
        f"--authorization-kubeconfig={layout.kubeconfigs / 'scheduler'}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={PORTS['scheduler']}",
        "--leader-elect=false",
    ]
    return Program("scheduler", command, health("scheduler", scheme="https"))
