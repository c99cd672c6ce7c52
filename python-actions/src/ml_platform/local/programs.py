"""The programs of the platform on this machine: how each is started and when it is ready."""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil

from ml_platform.errors import ConflictError, ServiceUnavailableError, WorkError
from ml_platform.local.machine import machine
from ml_platform.local.ray_head import ray_environment, ray_head_command
from ml_platform.local.ray_jobs import RayJobs
from ml_platform.local.supervisor import Program
from ml_platform.service.auth import write_token_file
from ml_platform.settings import Settings

# The longest socket below Ray's folder is about 75 characters; the kernel allows 107.
LONGEST_RAY_FOLDER = 30
PROBE_SECONDS = 2.0


def platform_programs(settings: Settings, *, portal: bool) -> list[Program]:
    """Ray unless clusters run the jobs, the service and, with `portal`, Backstage; writes the tokens
    they need."""
    write_token_file(settings.token_file, settings.local_user)
    base = {
        name: value for name, value in os.environ.items() if not name.startswith("ML_PLATFORM_")
    }
    base |= {**settings.as_environment(), "PYTHONUNBUFFERED": "1"}
    if settings.local:
        token_file = ray_token_file(settings)
        environment = ray_environment(base, token_file)
        programs = [_ray(settings, environment, token_file), _service(settings, environment)]
    else:
        programs = [_service(settings, base)]
    if portal:
        programs.append(_backstage(settings, base))
    return programs


def check_ports(programs: list[Program], settings: Settings) -> None:
    """Raise ConflictError when somebody else listens where a program wants to."""
    wanted = [(program.name, program.port, _variable(program.name)) for program in programs]
    if settings.local:
        wanted.append(("ray", settings.ray_gcs_port, "ML_PLATFORM_RAY_GCS_PORT"))
        wanted.append(("ray", settings.ray_gcs_port + 1, "ML_PLATFORM_RAY_GCS_PORT"))
    for name, port, variable in wanted:
        _check_port(name, port, variable)


def check_service_port(settings: Settings) -> None:
    """The same for the service alone."""
    _check_port("service", settings.port, _variable("service"))


def _check_port(name: str, port: int, variable: str) -> None:
    with socket.socket() as client:
        client.settimeout(PROBE_SECONDS)
        taken = client.connect_ex(("127.0.0.1", port)) == 0
    if taken:
        raise ConflictError(
            f"port {port}, wanted by {name}, is taken by {_listener(port)}",
            hint=f"stop that program or set {variable} to something else",
        )


def _variable(name: str) -> str:
    return {
        "ray": "ML_PLATFORM_RAY_ADDRESS",
        "service": "ML_PLATFORM_PORT",
        "backstage": "ML_PLATFORM_BACKSTAGE_URL",
    }[name]


def _listener(port: int) -> str:
    """Who listens there, where the system tells: macOS does so to its administrator only."""
    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,)
            if listens and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        pass
    return "another program"


def ray_token_file(settings: Settings) -> Path:
    """Ray's token, made (mode 0600) when missing."""
    path = settings.state_dir / "ray-token"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.touch(mode=0o600)
        temporary.write_text(secrets.token_hex(32))
        temporary.rename(path)
    return path


def ray_folder(settings: Settings) -> Path:
    """A folder that is short enough for Ray's sockets, ours alone and the same at every start."""
    inside = settings.state_dir / "ray"
    if len(str(inside)) <= LONGEST_RAY_FOLDER:
        return inside
    key = hashlib.sha256(str(settings.state_dir).encode()).hexdigest()[:10]
    folder = Path(tempfile.gettempdir()) / f"mlp-{os.getuid()}-{key}"
    if len(str(folder)) > LONGEST_RAY_FOLDER + 10:
        folder = Path("/tmp") / folder.name  # noqa: S108 - owner and mode are settled below
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.lstat().st_uid != os.getuid():
        raise WorkError(f"{folder} belongs to somebody else", hint="remove it")
    folder.chmod(0o700)
    # One level below: Ray opens its own folder to everybody at each start.
    return folder / "ray"


def _ray(settings: Settings, environment: Mapping[str, str], token_file: Path) -> Program:
    jobs = RayJobs(settings.ray_address, token_file.read_text().strip(), timeout=PROBE_SECONDS)

    def ready() -> bool:
        with suppress(ServiceUnavailableError):
            return jobs.has_node()
        return False

    return Program(
        name="ray",
        command=ray_head_command(
            settings.ray_address,
            settings.ray_gcs_port,
            ray_folder(settings),
            int(machine().cpu),
        ),
        environment=environment,
        folder=settings.root,
        port=urlsplit(settings.ray_address).port or 8265,
        ready=ready,
        stop_within=15.0,
    )


def _service(settings: Settings, environment: Mapping[str, str]) -> Program:
    return Program(
        name="service",
        command=[sys.executable, "-m", "ml_platform.cli", "serve"],
        environment=environment,
        folder=settings.root,
        port=settings.port,
        ready=_answers(f"http://{settings.host}:{settings.port}/readyz"),
    )


def _backstage(settings: Settings, base: Mapping[str, str]) -> Program:
    port = urlsplit(settings.backstage_url).port or 7007
    return Program(
        name="backstage",
        stop_within=5.0,
        command=["sh", str(settings.root / "scripts" / "start-backstage.sh")],
        environment={
            **base,
            "BACKSTAGE_PORT": str(port),
            "ML_PLATFORM_URL": f"http://{settings.host}:{settings.port}",
        },
        folder=settings.root,
        port=port,
        ready=_answers(f"http://127.0.0.1:{port}/.backstage/health/v1/readiness"),
    )


def _answers(url: str) -> Callable[[], bool]:
    def probe() -> bool:
        try:
            return httpx.get(url, timeout=PROBE_SECONDS, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    return probe
