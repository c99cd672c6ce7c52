"""The machine's part in the cluster: two bridges, forwarding, and the traces that must go again."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path

import psutil

from testbed.layout import (
    NODE_ADDRESS,
    NODE_BRIDGE,
    POD_BRIDGE,
    POD_GATEWAY,
    POD_NETWORK,
    PORTS,
    Layout,
)
from testbed.waiting import TestbedError

NETWORK = "ml-platform-test"
_KERNEL_SETTINGS = ("net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables")
# kubelet makes these in the host's own tables and never takes them away.
_KUBELET_CHAINS = ("KUBE-FIREWALL", "KUBE-KUBELET-CANARY", "KUBE-IPTABLES-HINT")
_KUBELET_PORT = 10250


def check_ports(layout: Layout) -> None:
    """Raise TestbedError when something else listens where the cluster will, on any address."""
    wanted = {**PORTS, **({"kubelet": _KUBELET_PORT} if layout.real_pods else {})}
    for name, port in wanted.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("", port))
            except OSError as error:
                raise TestbedError(
                    f"port {port} ({name}) is taken{_owner(port)}. One test cluster fits on a "
                    "machine; `make cluster-down` ends one left behind"
                ) from error


def _owner(port: int) -> str:
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return ""


def make_network(layout: Layout) -> None:
    """Bridges for the node's address and for pods; pods reach each other and this node only."""
    _bridge(NODE_BRIDGE, f"{NODE_ADDRESS}/24")
    _bridge(POD_BRIDGE, f"{POD_GATEWAY}/24")
    saved = layout.state / "kernel-settings.json"
    if not saved.exists():
        saved.write_text(json.dumps({name: _setting(name).read_text() for name in _settings()}))
    for name in _settings():
        _setting(name).write_text("1")
    # No masquerading and this rule: what a test pulls or calls outside would pass by accident.
    rules = (
        f"table ip {NETWORK}\ndelete table ip {NETWORK}\n"
        f"table ip {NETWORK} {{ chain forward {{ type filter hook forward priority 0;\n"
        f"  ip saddr {POD_NETWORK} ip daddr != {POD_NETWORK} drop; }}; }}\n"
    )
    _run("nft", "-f", "-", text=rules)


def _bridge(name: str, address: str) -> None:
    # A bridge stands in for a dummy device, which not every kernel has; kubelet refuses loopback.
    if not Path(f"/sys/class/net/{name}").exists():
        _run("ip", "link", "add", name, "type", "bridge")
    _run("ip", "addr", "replace", address, "dev", name)
    _run("ip", "link", "set", name, "up")


def _setting(name: str) -> Path:
    return Path("/proc/sys") / name


def _settings() -> list[str]:
    return [name for name in _KERNEL_SETTINGS if _setting(name).exists()]


def remove_network(layout: Layout) -> None:
    """Everything that the cluster and its kubelet left in the kernel. Safe to run at any time."""
    for mount in sorted(_mounts_below(layout.state), reverse=True):
        _try("umount", "--lazy", mount)
    for namespace in _pod_namespaces():
        _try("ip", "netns", "delete", namespace)
    for bridge in (POD_BRIDGE, NODE_BRIDGE):
        if Path(f"/sys/class/net/{bridge}").exists():
            _try("ip", "link", "delete", bridge)
    for family, table in (("ip", NETWORK), ("ip", "kube-proxy"), ("ip6", "kube-proxy")):
        _try("nft", "delete", "table", family, table)
    _remove_kubelet_chains()
    for pattern in ("*/kubepods", "kubepods"):
        for folder in Path("/sys/fs/cgroup").glob(pattern):
            _remove_cgroup(folder)
    for result in Path("/var/lib/cni/results").glob(f"{NETWORK}-*"):
        result.unlink()
    _restore_settings(layout)


def _restore_settings(layout: Layout) -> None:
    saved = layout.state / "kernel-settings.json"
    if saved.exists():
        for name, text in json.loads(saved.read_text()).items():
            _setting(name).write_text(text)
        saved.unlink()


def _mounts_below(folder: Path) -> Iterator[str]:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        point = line.split()[1].encode().decode("unicode_escape")
        if Path(point).is_relative_to(folder):
            yield point


def _pod_namespaces() -> Iterator[str]:
    """Network namespaces with an address of our pods: another runtime's may lie beside them."""
    for path in Path("/run/netns").glob("cni-*"):
        found = subprocess.run(
            ["ip", "-json", "-netns", path.name, "-4", "address"],
            capture_output=True,
            text=True,
            check=False,
        )
        links = json.loads(found.stdout or "[]")
        addresses = [item["local"] for link in links for item in link.get("addr_info", [])]
        if any(ip_address(local) in ip_network(POD_NETWORK) for local in addresses):
            yield path.name


def _remove_kubelet_chains() -> None:
    for command in ("iptables", "ip6tables"):
        for table in ("filter", "nat", "mangle"):
            listed = _try(command, "-w", "-t", table, "-S")
            rules = [line.split() for line in listed.splitlines()]
            for rule in rules:
                if (
                    rule[0] == "-A"
                    and rule[1] not in _KUBELET_CHAINS
                    and rule[-1] in _KUBELET_CHAINS
                ):
                    _try(command, "-w", "-t", table, "-D", *rule[1:])
            for chain in _KUBELET_CHAINS:
                if ["-N", chain] in rules:
                    _try(command, "-w", "-t", table, "-F", chain)
                    _try(command, "-w", "-t", table, "-X", chain)


def _remove_cgroup(folder: Path) -> None:
    for child in [path for path in folder.iterdir() if path.is_dir()]:
        _remove_cgroup(child)
    with contextlib.suppress(OSError):  # a process may be on its way out
        folder.rmdir()


def _run(*command: str, text: str | None = None) -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TestbedError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def _try(*command: str) -> str:
    """What may have gone already."""
    try:
        return _run(*command)
    except (TestbedError, FileNotFoundError):
        return ""
