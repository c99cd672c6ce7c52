"""The service and the portal on a cluster: what they may do, what may reach them, what they are given."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from gitops_tree import ROOT, TREE, Document, documents, find, render, with_ingress

from ml_platform.cluster import access
from ml_platform.cluster.kubecontext import CONFIG_MAP, NAMESPACE
from ml_platform.pod_template import RunStorage
from ml_platform.settings import Settings

SERVICE, PORTAL = TREE / "platform" / "ml-platform", TREE / "platform" / "backstage"
# What app-config.cluster.yaml takes from the Secret `backstage`.
SECRETS = {
    "AUTH_SESSION_SECRET",
    "BACKEND_SECRET",
    "OIDC_CLIENT_SECRET",
    "POSTGRES_CA",
    "POSTGRES_PASSWORD",
}


def _pod(folder: Path, name: str) -> Document:
    template = find(render(folder), "Deployment", name)["spec"]["template"]
    return dict(template["spec"])


def _variables() -> dict[str, str]:
    """The service's environment as its pods have it."""
    (settings,) = [d for d in render(SERVICE) if d["metadata"]["name"].startswith("settings-")]
    return dict(settings["data"])


def _rules(found: list[Document], kind: str, name: str, namespace: str | None = None) -> Any:
    roles = [d for d in found if d["metadata"].get("namespace") == namespace]
    return find(roles, kind, name)["rules"]


def test_the_service_may_do_in_clusters_what_its_code_does_and_nothing_else():
    found = render(SERVICE)
    assert _rules(found, "ClusterRole", "ml-platform") == access.WORKLOAD_CLUSTER
    assert _rules(found, "Role", "ml-platform", "argocd") == access.ARGOCD
    roles = {(d["kind"], d["metadata"]["name"]) for d in found if d["kind"].endswith("Role")}
    assert roles == {
        ("ClusterRole", "ml-platform"),
        ("Role", "ml-platform"),
        ("Role", "committer"),
        ("Role", "caller"),
    }


def test_nobody_but_the_service_has_its_rights_and_it_has_no_others():
    bindings = {
        d["metadata"]["name"]: (d["roleRef"]["name"], d["subjects"])
        for d in render(SERVICE)
        if d["kind"].endswith("RoleBinding")
    }
    service = [{"kind": "ServiceAccount", "name": "ml-platform", "namespace": NAMESPACE}]
    callers = bindings.pop("callers")
    assert {name: role for name, (role, _) in bindings.items()} == {
        "ml-platform": "ml-platform",
        "ml-platform-callers": "system:auth-delegator",
        "committer": "committer",
    }
    assert all(subjects == service for _, subjects in bindings.values())
    assert [subject["name"] for subject in callers[1]] == ["ml-platform:callers"]


def test_no_rule_of_the_platform_opens_everything_or_secrets():
    for folder in (SERVICE, PORTAL):
        for document in render(folder):
            for rule in document.get("rules", []) if document["kind"].endswith("Role") else []:
                words = {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
                assert not words & {"*", "secrets", "impersonate", "escalate", "bind"}, rule


def test_the_lease_is_the_one_that_the_service_asks_for():
    namespace, name = Settings.model_fields["committer_lease"].default.split("/")
    rules = _rules(render(SERVICE), "Role", "committer", namespace)
    assert rules[0]["resourceNames"] == [name]


@pytest.mark.parametrize(
    ("folder", "name"), [(SERVICE, "ml-platform"), (PORTAL, "backstage")], ids=["service", "portal"]
)
def test_pods_pass_restricted_pod_security_and_write_nowhere_else(folder: Path, name: str):
    pod = _pod(folder, name)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"].keys() == {"memory"}
    assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys()
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}


def test_only_the_service_has_a_token_of_the_cluster():
    assert _pod(SERVICE, "ml-platform")["automountServiceAccountToken"] is True
    assert _pod(PORTAL, "backstage")["automountServiceAccountToken"] is False
    for folder in (SERVICE, PORTAL):
        for document in render(folder):
            if document["kind"] == "ServiceAccount":
                assert document["automountServiceAccountToken"] is False


def test_an_update_leaves_one_replica_and_an_eviction_too():
    for folder, name in ((SERVICE, "ml-platform"), (PORTAL, "backstage")):
        deployment = find(render(folder), "Deployment", name)["spec"]
        assert deployment["replicas"] == 2
        assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
        budget = find(render(folder), "PodDisruptionBudget", name)["spec"]
        assert budget["minAvailable"] == 1
        assert budget["selector"] == deployment["selector"]


def test_the_settings_of_the_pods_are_settings_of_the_service(monkeypatch: pytest.MonkeyPatch):
    for name, value in _variables().items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert {name.removeprefix("ML_PLATFORM_").lower() for name in _variables()} <= set(
        Settings.model_fields
    )
    assert [cluster.name for cluster in settings.clusters] == ["in-cluster"]
    assert settings.identity_clusters() == (("in-cluster", settings.clusters[0]),)
    runs = RunStorage(settings.runs_uri, settings.runs_claim)
    mounts = {
        mount["mountPath"]: mount
        for mount in _pod(SERVICE, "ml-platform")["containers"][0]["volumeMounts"]
    }
    assert mounts[str(settings.runs_dir)]["readOnly"] is True
    assert runs.mount_path == "/runs"
    for path in (settings.gitops_repository, settings.images_dir, settings.token_file):
        assert str(path.parent) == "/srv/ml-platform"
    assert "/srv/ml-platform" in mounts
    assert str(settings.state_dir) in mounts


def test_the_command_line_finds_what_it_looks_for():
    found = render(SERVICE)
    connection = find(found, "ConfigMap", CONFIG_MAP)
    assert connection["metadata"]["namespace"] == NAMESPACE
    service = find(found, "Service", connection["data"]["service"])
    assert int(connection["data"]["port"]) in [p["port"] for p in service["spec"]["ports"]]
    caller = _rules(found, "Role", "caller", NAMESPACE)
    named = {name for rule in caller for name in rule.get("resourceNames", [])}
    assert named == {CONFIG_MAP, service["metadata"]["name"]}


def test_an_ingress_of_the_service_takes_the_place_of_the_port_forward(tmp_path: Path):
    shutil.copytree(TREE, tmp_path / "gitops")
    with_ingress(tmp_path / "gitops")
    found = render(tmp_path / "gitops" / "platform" / "ml-platform")
    host = documents(TREE / "site" / "site.yaml")[0]["data"]["serviceHost"]
    assert find(found, "ConfigMap", CONFIG_MAP)["data"] == {"address": f"https://{host}"}
    ingress = find(found, "Ingress", "ml-platform")["spec"]
    assert ingress["tls"][0]["hosts"] == [host] == [ingress["rules"][0]["host"]]
    # Probes and figures are for the cluster alone.
    assert [path["path"] for path in ingress["rules"][0]["http"]["paths"]] == ["/v1"]


def test_nothing_is_let_in_or_out_but_by_name():
    found = [*render(SERVICE), *render(PORTAL)]
    policies = {d["metadata"]["name"]: d["spec"] for d in found if d["kind"] == "NetworkPolicy"}
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for name in ("ml-platform", "backstage"):
        deployment = next(
            d for d in found if d["kind"] == "Deployment" and d["metadata"]["name"] == name
        )
        assert policies[name]["podSelector"] == deployment["spec"]["selector"]
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        ports = {port["containerPort"] for port in container["ports"]}
        assert {p["port"] for rule in policies[name]["ingress"] for p in rule["ports"]} == ports
        assert all(rule["from"] for rule in policies[name]["ingress"])
        assert all(rule["ports"] for rule in policies[name]["egress"])


def _environment() -> dict[str, str]:
    lines = (PORTAL / "environment.env").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_every_variable_of_the_portals_configuration_is_given():
    text = (PORTAL / "app-config.cluster.yaml").read_text("utf-8")
    asked = set(re.findall(r"\$\{([A-Z_]+)\}", text))
    basis = (ROOT / "backstage" / "app-config.yaml").read_text("utf-8")
    asked |= {"ML_PLATFORM_URL"} & set(re.findall(r"\$\{([A-Z_]+)[:}]", basis))
    assert asked == SECRETS | _environment().keys()
    for name in SECRETS:
        assert name in (PORTAL / "deployment.yaml").read_text("utf-8"), (
            "names what the Secret holds"
        )


def test_the_portal_and_the_service_find_each_other():
    service = find(render(SERVICE), "Service", "ml-platform")
    portal = find(render(PORTAL), "Service", "backstage")
    assert _environment()["ML_PLATFORM_URL"] == (
        f"http://{service['metadata']['name']}:{service['spec']['ports'][0]['port']}"
    )
    assert _variables()["ML_PLATFORM_BACKSTAGE_URL"] == (
        f"http://{portal['metadata']['name']}:{portal['spec']['ports'][0]['port']}"
    )


def test_nobody_enters_the_portal_of_a_cluster_as_a_guest():
    config = yaml.safe_load((PORTAL / "app-config.cluster.yaml").read_text("utf-8"))
    assert config["auth"]["environment"] == "production"
    assert "guest" not in config["auth"]["providers"]
    assert config["app"]["signIn"] == "oidc"


def test_a_users_name_is_the_same_by_the_portal_and_by_a_clusters_token():
    config = yaml.safe_load((PORTAL / "app-config.cluster.yaml").read_text("utf-8"))
    (resolver,) = config["auth"]["providers"]["oidc"]["production"]["signIn"]["resolvers"]
    assert resolver["resolver"] == "emailLocalPartMatchingUserEntityName"
