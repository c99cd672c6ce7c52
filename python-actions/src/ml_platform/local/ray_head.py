"""How the one local Ray is started. Pure: the command and its environment."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

# The second is set in some containers: each of Ray's dozen Pythons would compile all that it imports.
_LEFT_OUT = ("RAY_AUTH_TOKEN", "PYTHONDONTWRITEBYTECODE")


def ray_head_command(address: str, gcs_port: int, temp_dir: Path, cpus: int) -> list[str]:
    """`ray start` in the foreground; it ends with its parent's signal and takes all parts along.

    `temp_dir` must be short: the sockets below it must fit into 107 characters.
    """
    parts = urlsplit(address)
    return [
        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"),
        "--node-ip-address=127.0.0.1",
        f"--port={gcs_port}",
        f"--dashboard-host={parts.hostname}",
        f"--dashboard-port={parts.port}",
        "--dashboard-agent-listen-port=0",
        f"--ray-client-server-port={gcs_port + 1}",
        f"--temp-dir={temp_dir}",
        f"--num-cpus={cpus}",
        "--disable-usage-stats",
    ]


def ray_environment(base: Mapping[str, str], token_file: Path) -> dict[str, str]:
    """`base` for Ray's head and for every client of it.

    The mode is always set: left unset, Ray turns authentication on when it finds a token and off
    when it does not.
    """
    return {
        **{name: value for name, value in base.items() if name not in _LEFT_OUT},
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token_file),
        # Without it Ray replaces 127.0.0.1 by the machine's outer address and listens there too.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        # The raylet waits for four ports of its agents in turn, up to 15 s for each, which nothing sets.
        "RAY_raylet_start_wait_time_s": "60",
        # Else Ray starts a worker per core when a head's first driver comes. They have Ray's own Python and
        # a job's workers have their workload's, so nobody would take them.
        "RAY_prestart_worker_first_driver": "0",
    }
