"""What the machine must have for a cluster, and whether it can run real pods."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from testbed.node import CNI_PROGRAMS
from testbed.waiting import TestbedError

# Program → Debian package.
_EVERYWHERE = {"git": "git", "redis-server": "redis-server"}
# Kueue reads it from here and nowhere else; on Linux it gets a private one.
_KUEUE_CERTIFICATE = Path("/etc/kueue/metrics/certs/tls.crt")
_FOR_REAL_PODS = {
    "containerd": "containerd",
    "runc": "runc",
    "ip": "iproute2",
    "nft": "nftables",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "mmdebstrap": "mmdebstrap",
}
_CHOICE = "ML_PLATFORM_TEST_PODS"  # kwok: no real pods; real: an error where there can be none


def why_no_real_pods() -> str | None:
    """Why kwok must stand in for the kubelet on this machine; None where pods can run.

    Raises TestbedError where it must and real pods were asked for.
    """
    choice = os.environ.get(_CHOICE, "")
    if choice not in ("", "kwok", "real"):
        raise TestbedError(f"{_CHOICE} is kwok, real or nothing, got {choice}")
    if choice == "kwok":
        return f"{_CHOICE}=kwok was asked for"
    reason = _what_pods_lack()
    if reason:
        refuse_if_asked_for(reason)
    return reason


def refuse_if_asked_for(reason: str) -> None:
    """Raise TestbedError where real pods are asked for, which there cannot be."""
    if os.environ.get(_CHOICE) == "real":
        raise TestbedError(f"{_CHOICE}=real, but {reason}")


def _what_pods_lack() -> str | None:
    if sys.platform != "linux":
        return "containers need Linux"
    if os.geteuid() != 0:
        return "containers, bridges and cgroups need root; run it with sudo for real pods"
    alone = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    if alone.returncode:
        return "this root may not make mount namespaces (a container without CAP_SYS_ADMIN)"
    return None


def check_programs(*, real_pods: bool) -> None:
    """Raise TestbedError with the Debian packages that are missing."""
    wanted = {**_EVERYWHERE, **(_FOR_REAL_PODS if real_pods else {})}
    missing = [package for program, package in wanted.items() if not shutil.which(program)]
    if real_pods and not any(Path(folder, "bridge").exists() for folder in CNI_PROGRAMS):
        missing.append("containernetworking-plugins")
    if missing:
        names = " ".join(sorted(missing))
        raise TestbedError(
            f"missing: {names}. Debian/Ubuntu: apt-get install --no-install-recommends {names}"
        )
    if sys.platform != "linux" and not _KUEUE_CERTIFICATE.exists():
        raise TestbedError(
            f"Kueue reads a certificate at its start from {_KUEUE_CERTIFICATE}, used or not. Put any "
            "there, with its key as tls.key beside it, or set KUBECONFIG to a cluster of your own"
        )
