"""Settings of the service and of everything that `ml-platform up` starts.

Each one is an environment variable with the prefix `ML_PLATFORM_` (`ML_PLATFORM_HOME`, …).
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import to_jsonable_python
from pydantic_settings import BaseSettings, SettingsConfigDict


class ClusterAccess(BaseModel):
    """How an API server is reached. Without a kubeconfig: from inside, as the pod's account."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kubeconfig: Annotated[
        Path | None, Field(description="File; unset: the pod's own, or the user's outside of one.")
    ] = None
    context: Annotated[str | None, Field(description="Context; the file's current when unset.")] = (
        None
    )


class WorkloadCluster(ClusterAccess):
    """A cluster that runs jobs, by the name that teams choose it with."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]


class ArgoCd(ClusterAccess):
    """Where Argo CD's Applications are."""

    namespace: str = "argocd"


LOOPBACK = frozenset({"127.0.0.1", "localhost"})
_EVERY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104  # looked for, not listened on


def as_text(value: object) -> str:
    """A setting as its variable takes it: several values as JSON."""
    if isinstance(value, tuple | BaseModel):
        return json.dumps(to_jsonable_python(value, exclude_none=True))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _repository_root() -> Path:
    """The checkout this package runs from: the nearest parent that holds `gitops/pools.yaml`."""
    for folder in (Path.cwd(), *Path.cwd().parents, *Path(__file__).resolve().parents):
        if (folder / "gitops" / "pools.yaml").is_file():
            return folder
    return Path.cwd()


def _state_dir(values: dict[str, Any]) -> Path:
    return Path(values["home"] or values["root"] / ".ml-platform").resolve()


class Settings(BaseSettings):
    """Where things are on this machine. Nothing here decides what a job may do; `gitops/` does."""

    model_config = SettingsConfigDict(env_prefix="ML_PLATFORM_", frozen=True, extra="ignore")

    root: Annotated[
        Path, Field(default_factory=_repository_root, description="The checkout of the project.")
    ]
    home: Annotated[
        Path | None, Field(description="State folder; `.ml-platform` in the checkout when unset.")
    ] = None
    clusters: Annotated[
        tuple[WorkloadCluster, ...],
        Field(
            description="Clusters that run jobs, a JSON list of `{name, kubeconfig, context}`; with "
            "none, this machine does."
        ),
    ] = ()
    argocd: Annotated[
        ArgoCd,
        Field(description="Where Argo CD is, with clusters: `{kubeconfig, context, namespace}`."),
    ] = ArgoCd()
    cluster_audiences: Annotated[
        tuple[str, ...],
        Field(
            description="Audiences that clusters' tokens must be for; the API server's own when "
            "empty, which are those of kubeconfigs."
        ),
    ] = ()
    email_domains: Annotated[
        tuple[str, ...],
        Field(description="Domains whose people clusters may vouch for; any when empty."),
    ] = ()
    host: Annotated[
        str,
        Field(description="Address to listen on; with clusters it may be one that others reach."),
    ] = "127.0.0.1"
    port: Annotated[int, Field(description="Port of the service.", ge=1, le=65535)] = 7008
    backstage_url: Annotated[
        str, Field(description="Backstage's address, for tokens' keys and who users are.")
    ] = "http://127.0.0.1:7007"
    portal_url: Annotated[
        str,
        Field(
            default_factory=lambda values: values["backstage_url"],
            description="Backstage's address in people's browsers, for links to job pages; "
            "`backstage_url` when unset.",
        ),
    ]
    audience: Annotated[
        str, Field(description="`aud` that Backstage's plugin tokens must carry.")
    ] = "ml-platform"
    trusted_plugins: Annotated[
        tuple[str, ...], Field(description="Backstage plugins whose tokens are accepted.")
    ] = ("scaffolder", "ml-platform")
    ray_address: Annotated[str, Field(description="Address of the local Ray's Jobs API.")] = (
        "http://127.0.0.1:7265"
    )
    ray_gcs_port: Annotated[int, Field(description="GCS port of the local Ray.")] = 7379
    local_user: Annotated[
        str, Field(description="Who the CLI and SDK are on this machine; owner and author of jobs.")
    ] = "user:default/guest"
    image_registry: Annotated[
        str, Field(description="Registry and repository that images' references start with.")
    ] = "registry.ml-platform.local/workloads"
    agent: Annotated[
        bool, Field(description="Run committed jobs on the local Ray (the local agent).")
    ] = True
    committer_lease: Annotated[
        str,
        Field(
            pattern=r"^([-a-z0-9]+/[-.a-z0-9]+)?$",
            description="Lease, as namespace/name in Argo CD's cluster, that the one replica holds "
            "which commits; empty where there is one replica. Only with clusters.",
        ),
    ] = "ml-platform/committer"
    replica_url: Annotated[
        str | None,
        Field(
            description="Address at which other replicas reach this one, to pass calls on while it "
            "commits."
        ),
    ] = None
    gitops_repository: Annotated[
        Path,
        Field(
            default_factory=lambda values: _state_dir(values) / "gitops.git",
            description="The bare GitOps repository; `gitops.git` in the state folder when unset.",
        ),
    ]
    token_file: Annotated[
        Path,
        Field(
            default_factory=lambda values: _state_dir(values) / "token.json",
            description="The token of whoever owns the platform's machine, made by the service; "
            "replicas share it. `token.json` in the state folder when unset.",
        ),
    ]
    images_dir: Annotated[
        Path,
        Field(
            default_factory=lambda values: _state_dir(values) / "images",
            description="What versions of workloads stand for; `images` in the state folder when "
            "unset.",
        ),
    ]
    runs_dir: Annotated[
        Path,
        Field(
            default_factory=lambda values: _state_dir(values) / "runs",
            description="What jobs wrote, as the service sees it; `runs` in the state folder when "
            "unset.",
        ),
    ]
    runs_uri: Annotated[
        str,
        Field(
            default_factory=lambda values: values["runs_dir"].as_uri(),
            description="The same folder as jobs see it, an fsspec URI; `runs_dir` when unset.",
        ),
    ]
    runs_claim: Annotated[
        str | None,
        Field(
            description="PersistentVolumeClaim in each team's namespace that is mounted at the path "
            "of `runs_uri`, when that is a file URI."
        ),
    ] = None
    server: Annotated[
        str | None,
        Field(
            description="Address of the service for CLI and SDK; when unset, the platform of this "
            "machine, then that of the kubecontext."
        ),
    ] = None
    context: Annotated[
        str | None,
        Field(
            description="Context of the kubeconfig whose cluster has the platform, for CLI and SDK; "
            "goes before the platform of this machine."
        ),
    ] = None
    token: Annotated[
        str | None,
        Field(
            description="Bearer token for CLI and SDK; that of the token file or of the kubeconfig "
            "when unset."
        ),
    ] = None

    def as_environment(self) -> dict[str, str]:
        """The variables that give another process these settings, without a caller's token."""
        values: dict[str, Any] = {"root": self.root.resolve(), "home": self.state_dir}
        others = set(type(self).model_fields) - {*values, "server", "context", "token"}
        values |= {name: getattr(self, name) for name in sorted(others)}
        return {
            f"ML_PLATFORM_{name.upper()}": as_text(value)
            for name, value in values.items()
            if value is not None
        }

    @field_validator("host")
    @classmethod
    def _not_beyond_this_machine(cls, value: str, info: ValidationInfo) -> str:
        if value not in LOOPBACK and not info.data.get("clusters"):
            raise ValueError("must be 127.0.0.1 or localhost where no cluster runs the jobs")
        return value

    @field_validator("server")
    @classmethod
    def _an_address(cls, value: str | None) -> str | None:
        if value is not None and not re.match(r"https?://[^/]", value):
            raise ValueError("must be an address such as http://127.0.0.1:8765")
        return value

    @field_validator("gitops_repository", "token_file", "images_dir", "runs_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.resolve()

    @property
    def state_dir(self) -> Path:
        return _state_dir({"home": self.home, "root": self.root})

    @property
    def local(self) -> bool:
        """Whether jobs run on this machine instead of a cluster."""
        return not self.clusters

    def identity_clusters(self) -> tuple[tuple[str, ClusterAccess], ...]:
        """Clusters whose tokens are accepted, by name: those that run jobs, then Argo CD's."""
        found = tuple((cluster.name, cluster) for cluster in self.clusters)
        places = {(cluster.kubeconfig, cluster.context) for cluster in self.clusters}
        if not found or (self.argocd.kubeconfig, self.argocd.context) in places:
            return found
        return (*found, ("of Argo CD", self.argocd))

    @property
    def environments_dir(self) -> Path:
        return self.state_dir / "environments"

    @property
    def journal_file(self) -> Path:
        return self.state_dir / "journal.db"

    @property
    def cluster_file(self) -> Path:
        return self.state_dir / "cluster.db"

    @property
    def service_url(self) -> str:
        host = "127.0.0.1" if self.host in _EVERY_ADDRESS else self.host
        return self.server or f"http://{host}:{self.port}"
