"""The one real node: containerd, kubelet, kube-proxy and cluster DNS. Root only."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from testbed.component import Program
from testbed.layout import (
    LOOPBACK,
    NODE,
    NODE_ADDRESS,
    NODE_POOL,
    POD_BRIDGE,
    POD_GATEWAY,
    POD_NETWORK,
    PORTS,
    Layout,
)
from testbed.network import NETWORK
from testbed.readiness import health
from testbed.tools import Tools

PAUSE_IMAGE = "registry.ml-platform.local/pause:1"
CNI_PROGRAMS = ("/usr/lib/cni", "/opt/cni/bin")
_CONTAINERD = """\
version = 2
root = "{folder}/root"
state = "{folder}/state"
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  # Machines in containers lack CAP_SYS_RESOURCE, and runc fails on the score without it.
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni_programs}"
    conf_dir = "{cni}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
"""
_COREFILE = """\
.:53 {{
    bind {address}
    ready {ready}
    errors
    cache 1
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {kubeconfig} test
        pods insecure
        ttl 1
    }}
}}
"""


def node(layout: Layout, tools: Tools) -> list[Program]:
    """In the order in which they start."""
    configuration = layout.configuration
    kubelet = [
        tools.program("k8s", "kubelet"),
        f"--config={configuration / 'kubelet.yaml'}",
        f"--kubeconfig={layout.kubeconfigs / 'kubelet'}",
        f"--root-dir={layout.kubelet}",
        f"--hostname-override={NODE}",
        f"--node-ip={NODE_ADDRESS}",
        f"--node-labels=ml-platform/pool={NODE_POOL}",
    ]
    coredns = [tools.program("coredns"), "-conf", str(configuration / "Corefile")]
    proxy = [
        tools.program("k8s", "kube-proxy"),
        f"--config={configuration / 'kube-proxy.yaml'}",
    ]
    containerd = ["containerd", "--config", str(configuration / "containerd.toml")]
    keeper = [sys.executable, "-m", "testbed.gpu_keeper", str(layout.kubeconfigs / "gpu-keeper")]
    here = {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    return [
        Program("containerd", containerd, f"unix:{layout.containerd_socket}"),
        Program("coredns", coredns, health("coredns-ready", "/ready")),
        Program("kubelet", kubelet, health("kubelet-health")),
        Program("kube-proxy", proxy, health("kube-proxy-health")),
        Program("gpu-keeper", keeper, environment=here),
    ]


def write_node_configuration(layout: Layout) -> None:
    folder = layout.configuration
    cni = folder / "cni"
    for made in (folder, cni, layout.containerd, layout.kubelet):
        made.mkdir(parents=True, exist_ok=True)
    programs = next(path for path in CNI_PROGRAMS if Path(path, "bridge").exists())
    containerd = _CONTAINERD.format(
        folder=layout.containerd,
        socket=layout.containerd_socket,
        pause=PAUSE_IMAGE,
        cni_programs=programs,
        cni=cni,
    )
    (folder / "containerd.toml").write_text(containerd)
    (cni / "10-pods.conflist").write_text(json.dumps(_pod_network(layout)))
    (folder / "resolv.conf").write_text(f"nameserver {POD_GATEWAY}\n")
    corefile = _COREFILE.format(
        address=POD_GATEWAY,
        ready=f"{LOOPBACK}:{PORTS['coredns-ready']}",
        kubeconfig=layout.kubeconfigs / "coredns",
    )
    (folder / "Corefile").write_text(corefile)
    (folder / "kubelet.yaml").write_text(yaml.safe_dump(_kubelet(layout)))
    (folder / "kube-proxy.yaml").write_text(yaml.safe_dump(_kube_proxy(layout)))


def _pod_network(layout: Layout) -> dict[str, Any]:
    addresses = {
        "type": "host-local",
        "dataDir": str(layout.state / "pod-addresses"),
        "ranges": [[{"subnet": POD_NETWORK}]],
    }
    bridge = {
        "type": "bridge",
        "bridge": POD_BRIDGE,
        "isGateway": True,
        "isDefaultGateway": True,
        "hairpinMode": True,
        "ipam": addresses,
    }
    return {"cniVersion": "0.4.0", "name": NETWORK, "plugins": [bridge]}


def _kubelet(layout: Layout) -> dict[str, Any]:
    files = layout.certificates
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        # Machines without systemd, some of them with cgroup v1.
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "enforceNodeAllocatable": ["pods"],
        "oomScoreAdj": 0,
        "failSwapOn": False,
        "address": NODE_ADDRESS,
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        "staticPodPath": "",
        "clusterDNS": [POD_GATEWAY],
        "clusterDomain": "cluster.local",
        "resolvConf": str(layout.configuration / "resolv.conf"),
        "tlsCertFile": str(files / "kubelet.crt"),
        "tlsPrivateKeyFile": str(files / "kubelet.key"),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(files / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
        },
        # Images are imported once and could not be pulled again.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "healthzPort": PORTS["kubelet-health"],
        "podLogsDir": str(layout.kubelet / "pod-logs"),
        "volumePluginDir": str(layout.kubelet / "volume-plugins"),
    }


def _kube_proxy(layout: Layout) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": str(layout.kubeconfigs / "kube-proxy")},
        "clusterCIDR": POD_NETWORK,
        "bindAddress": NODE_ADDRESS,
        "healthzBindAddress": f"{LOOPBACK}:{PORTS['kube-proxy-health']}",
        "metricsBindAddress": f"{LOOPBACK}:{PORTS['kube-proxy-metrics']}",
        "hostnameOverride": NODE,
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
    }
