#!/usr/bin/env python3
"""Make the JSON schemas of tests/contract/schemas from what Kubernetes, KubeRay, Kueue and Argo CD publish.

Takes their CRDs and OpenAPI documents from the Go module proxy (needs `go`; Argo CD's module asks for a
newer Go, which the command fetches), keeps the facts of the interfaces and drops the prose.
The result is stricter than the API server, which removes unknown fields in silence: here they are errors.

    .venv/bin/python scripts/update-schemas.py
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

KUBERNETES = ("k8s.io/kubernetes", "v1.36.3")
KUBERAY = ("github.com/ray-project/kuberay/ray-operator", "v1.6.2")
KUEUE = ("sigs.k8s.io/kueue", "v0.19.2")
ARGO_CD = ("github.com/argoproj/argo-cd/v3", "v3.6.1")
CRDS = {
    "kuberay": (KUBERAY, ["config/crd/bases/ray.io_rayjobs.yaml"]),
    "kueue": (
        KUEUE,
        [
            f"config/components/crd/bases/kueue.x-k8s.io_{kind}.yaml"
            for kind in (
                "clusterqueues",
                "cohorts",
                "localqueues",
                "resourceflavors",
                "workloadpriorityclasses",
            )
        ],
    ),
    "argo-cd": (
        ARGO_CD,
        [
            f"manifests/crds/{kind}-crd.yaml"
            for kind in ("application", "applicationset", "appproject")
        ],
    ),
}
# By the prefix of their definitions: the kinds that the tree may hold.
BUILT_IN = {
    "io.k8s.api.core.v1": [
        "ConfigMap",
        "Namespace",
        "PersistentVolumeClaim",
        "ResourceQuota",
        "Secret",
        "Service",
        "ServiceAccount",
    ],
    "io.k8s.api.apps.v1": ["Deployment", "StatefulSet"],
    "io.k8s.api.rbac.v1": ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"],
    "io.k8s.api.networking.v1": ["Ingress", "NetworkPolicy"],
    "io.k8s.api.policy.v1": ["PodDisruptionBudget"],
    "io.k8s.api.coordination.v1": ["Lease"],
    "io.k8s.api.admissionregistration.v1": [
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    ],
}
FOLDER = Path(__file__).resolve().parents[1] / "tests" / "contract" / "schemas"
INT_OR_STRING = {"anyOf": [{"type": "integer"}, {"type": "string"}]}
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
# A CRD leaves metadata to the API server; these are the parts that a manifest may write.
METADATA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {
        "name": {
            "type": "string",
            "maxLength": 253,
            "pattern": r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        },
        "namespace": {"type": "string"},
        "labels": {**TEXTS, "additionalProperties": {"type": "string", "maxLength": 63}},
        "annotations": TEXTS,
        "finalizers": {"type": "array", "items": {"type": "string"}},
    },
}
# KubeRay refuses longer names only when it is too late.
RAYJOB_NAME = {"type": "string", "pattern": r"^[a-z]([-a-z0-9]{0,45}[a-z0-9])?$"}
DROPPED = {"description", "default", "format", "anyOf", "pattern"}


def module(name: str, version: str) -> Path:
    """The folder of a module's release."""
    with tempfile.TemporaryDirectory() as folder:
        answer = subprocess.run(
            ["go", "mod", "download", "-json", f"{name}@{version}"],
            cwd=folder,
            env={**os.environ, "GOTOOLCHAIN": "go1.27.3"},
            check=True,
            capture_output=True,
        )
    return Path(json.loads(answer.stdout)["Dir"])


def custom_kinds(release: Path, paths: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """`group/version/Kind` and schema of each CRD."""
    for path in paths:
        crd = yaml.load((release / path).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        stored = next(v for v in crd["spec"]["versions"] if v["storage"])
        schema = strict(stored["schema"]["openAPIV3Schema"])
        kind, group = crd["spec"]["names"]["kind"], crd["spec"]["group"]
        schema["properties"]["metadata"] = METADATA
        if kind == "RayJob":
            properties = {**METADATA["properties"], "name": RAYJOB_NAME}
            schema["properties"]["metadata"] = {
                **METADATA,
                "properties": properties,
                "required": ["name", "namespace"],
            }
        yield f"{group}/{stored['name']}/{kind}", schema


def built_in_kinds(release: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """`group/version/Kind` and schema of Kubernetes' own kinds."""
    text = (release / "api/openapi-spec/swagger.json").read_text(encoding="utf-8")
    definitions = json.loads(text)["definitions"]
    for prefix, kinds in BUILT_IN.items():
        for kind in kinds:
            named = definitions[f"{prefix}.{kind}"]["x-kubernetes-group-version-kind"][0]
            group = f"{named['group']}/" if named["group"] else ""
            schema = strict(inlined(definitions[f"{prefix}.{kind}"], definitions))
            schema["properties"]["metadata"] = METADATA
            yield f"{group}{named['version']}/{kind}", schema


def inlined(node: Any, definitions: dict[str, Any]) -> Any:
    """The node with every reference replaced by what it refers to."""
    if isinstance(node, list):
        return [inlined(child, definitions) for child in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        name = node["$ref"].removeprefix("#/definitions/")
        if name.endswith(("IntOrString", "resource.Quantity")):
            return {"x-kubernetes-int-or-string": True}
        return inlined(definitions[name], definitions)
    return {key: inlined(child, definitions) for key, child in node.items()}


def strict(node: dict[str, Any]) -> dict[str, Any]:
    """An OpenAPI node of a CRD as JSON Schema without prose and without unknown fields."""
    if node.get("x-kubernetes-int-or-string"):
        pattern = {"pattern": node["pattern"]} if "pattern" in node else {}
        return {**INT_OR_STRING, **pattern}
    kept = {
        key: value
        for key, value in node.items()
        if key not in DROPPED and not key.startswith("x-kubernetes-")
    }
    if "pattern" in node:
        kept["pattern"] = node["pattern"]
    if "properties" in node:
        kept["properties"] = {name: strict(child) for name, child in node["properties"].items()}
        if not node.get("x-kubernetes-preserve-unknown-fields"):
            kept.setdefault("additionalProperties", False)
    if isinstance(node.get("additionalProperties"), dict):
        kept["additionalProperties"] = strict(node["additionalProperties"])
    if "items" in node:
        kept["items"] = strict(node["items"])
    return kept


def shared(kinds: dict[str, Any]) -> dict[str, Any]:
    """The kinds' schemas with every part that stands in them twice or more written once, in `$defs`."""
    seen: Counter[str] = Counter()
    _count(kinds, seen)
    defs: dict[str, Any] = {}
    names: dict[str, str] = {}
    body = {name: _shorten(kind, seen, names, defs) for name, kind in kinds.items()}
    return {"kinds": body, "$defs": defs}


def _count(node: Any, seen: Counter[str]) -> None:
    if isinstance(node, dict):
        text = json.dumps(node, sort_keys=True)
        seen[text] += 1
        if seen[text] > 1:
            return
    for child in node.values() if isinstance(node, dict) else node:
        if isinstance(child, dict | list):
            _count(child, seen)


def _shorten(node: Any, seen: Counter[str], names: dict[str, str], defs: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_shorten(child, seen, names, defs) for child in node]
    if not isinstance(node, dict):
        return node
    short = {key: _shorten(child, seen, names, defs) for key, child in node.items()}
    text = json.dumps(node, sort_keys=True)
    # Only what says `type` or `anyOf` is a schema; a map of properties is not one.
    is_schema = isinstance(node.get("type"), str) or isinstance(node.get("anyOf"), list)
    if not is_schema or seen[text] < 2 or len(text) < 60:
        return short
    if text not in names:
        names[text] = f"d{len(names)}"
        defs[names[text]] = short
    return {"$ref": f"#/$defs/{names[text]}"}


def write(name: str, source: tuple[str, str], kinds: dict[str, Any]) -> None:
    document = {
        "$comment": f"Generated by scripts/update-schemas.py from {source[0]} {source[1]} "
        "(Apache-2.0). Do not edit.",
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **shared(kinds),
    }
    path = FOLDER / f"{name}.json"
    path.write_text(json.dumps(document, separators=(",", ":"), sort_keys=True) + "\n")
    print(f"{path.name}: {path.stat().st_size} bytes, {', '.join(kinds)}")


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, (source, paths) in CRDS.items():
        write(name, source, dict(custom_kinds(module(*source), paths)))
    write("kubernetes", KUBERNETES, dict(built_in_kinds(module(*KUBERNETES))))


if __name__ == "__main__":
    main()
