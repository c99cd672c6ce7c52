"""Manifests that the cluster must refuse, each named after what is wrong with it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

Manifest = dict[str, Any]
ELSEWHERE = "registry.elsewhere.example/workloads"


def _head(manifest: Manifest) -> Manifest:
    return manifest["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]


def _worker_group(manifest: Manifest) -> Manifest:
    return manifest["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]


def _worker(manifest: Manifest) -> Manifest:
    return _worker_group(manifest)["template"]["spec"]


def _submitter(manifest: Manifest) -> Manifest:
    return manifest["spec"]["submitterPodTemplate"]["spec"]


def _image(reference: str, pod: Callable[[Manifest], Manifest]) -> Callable[[Manifest], None]:
    """An image of the test's registry (`{image}` is the good one) in one of the pods."""

    def change(manifest: Manifest) -> None:
        container = pod(manifest)["containers"][0]
        container["image"] = reference.format(image=container["image"])

    return change


def _set(pod: Callable[[Manifest], Manifest], **fields: Any) -> Callable[[Manifest], None]:
    return lambda manifest: pod(manifest).update(fields)


def _set_container(
    pod: Callable[[Manifest], Manifest], **fields: Any
) -> Callable[[Manifest], None]:
    return lambda manifest: pod(manifest)["containers"][0].update(fields)


def _set_security(pod: Callable[[Manifest], Manifest], **fields: Any) -> Callable[[Manifest], None]:
    return lambda manifest: pod(manifest)["containers"][0]["securityContext"].update(fields)


def _set_spec(**fields: Any) -> Callable[[Manifest], None]:
    return lambda manifest: manifest["spec"].update(fields)


def _set_cluster(**fields: Any) -> Callable[[Manifest], None]:
    return lambda manifest: manifest["spec"]["rayClusterSpec"].update(fields)


def _label(name: str, value: str | None) -> Callable[[Manifest], None]:
    return lambda manifest: _put(manifest["metadata"]["labels"], name, value)


def _annotation(name: str, value: str | None) -> Callable[[Manifest], None]:
    return lambda manifest: _put(manifest["metadata"]["annotations"], name, value)


def _put(mapping: dict[str, str], name: str, value: str | None) -> None:
    if value is None:
        del mapping[name]
    else:
        mapping[name] = value


def _drop(pod: Callable[[Manifest], Manifest], field: str) -> Callable[[Manifest], None]:
    return lambda manifest: pod(manifest).pop(field)


def _volume(**source: Any) -> Callable[[Manifest], None]:
    return lambda manifest: _worker(manifest)["volumes"].append({"name": "extra", **source})


def _second_group(manifest: Manifest) -> None:
    groups = manifest["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    groups.append({**copy.deepcopy(groups[0]), "groupName": "more"})


def _rename(name: str) -> Callable[[Manifest], None]:
    def change(manifest: Manifest) -> None:
        manifest["metadata"]["name"] = manifest["metadata"]["labels"]["ml-platform/job-id"] = name

    return change


def _init_container(manifest: Manifest) -> None:
    container = copy.deepcopy(_worker(manifest)["containers"][0])
    container.update(name="before", image=f"{ELSEWHERE}/x@sha256:" + "0" * 64)
    _worker(manifest)["initContainers"] = [container]


DIGEST = "@sha256:" + "0" * 64
SECRET_KEY = {"secretKeyRef": {"name": "another-job", "key": "auth_token"}}
# What is wrong → how it comes about, and the words of the refusal.
BAD: dict[str, tuple[Callable[[Manifest], None], str]] = {
    "image by tag": (
        lambda m: _set_container(
            _worker, image=_worker(m)["containers"][0]["image"].partition("@")[0] + ":v1"
        )(m),
        "every image must be",
    ),
    "image of another registry": (
        _image(f"{ELSEWHERE}/tiny{DIGEST}", _head),
        "every image must be",
    ),
    "registry whose name only begins like ours": (
        lambda m: _image(_worker(m)["containers"][0]["image"].replace("/", "-evil/", 1), _worker)(
            m
        ),
        "every image must be",
    ),
    "image by tag and digest of another repository": (
        _image("docker.io/library/x:v1" + DIGEST, _submitter),
        "every image must be",
    ),
    "image by tag and digest": (
        lambda m: _set_container(
            _worker, image=_worker(m)["containers"][0]["image"].replace("@", ":v1@")
        )(m),
        "every image must be",
    ),
    "image of a folder above ours": (
        lambda m: _set_container(
            _worker, image=_worker(m)["containers"][0]["image"].replace("/tiny@", "/../x@")
        )(m),
        "every image must be",
    ),
    "digest that is cut": (
        lambda m: _set_container(_worker, image=_worker(m)["containers"][0]["image"][:-1])(m),
        "every image must be",
    ),
    "digest with a line after it": (_image("{image}\n", _worker), "every image must be"),
    "image of the submitter": (
        _image(f"{ELSEWHERE}/tiny{DIGEST}", _submitter),
        "every image must be",
    ),
    "image of an init container": (_init_container, "every image must be"),
    "no image": (lambda m: _worker(m)["containers"][0].pop("image"), "every image must be"),
    "network of the host": (_set(_worker, hostNetwork=True), "nothing of its host"),
    "processes of the host": (_set(_head, hostPID=True), "nothing of its host"),
    "memory of the host": (_set(_submitter, hostIPC=True), "nothing of its host"),
    "names of the host": (
        _set(_worker, hostAliases=[{"ip": "10.0.0.1", "hostnames": ["git"]}]),
        "nothing of its host",
    ),
    "a port of the host": (
        _set_container(_worker, ports=[{"containerPort": 8000, "hostPort": 8000}]),
        "nothing of its host",
    ),
    "a node by name": (_set(_worker, nodeName="node-1"), "nothing of its host"),
    "a folder of the host": (_volume(hostPath={"path": "/"}), "volumes are emptyDir"),
    "a secret as a volume": (_volume(secret={"secretName": "another-job"}), "volumes are emptyDir"),
    "a token as a volume": (
        _volume(projected={"sources": [{"serviceAccountToken": {"path": "token"}}]}),
        "volumes are emptyDir",
    ),
    "a secret in a variable": (
        lambda m: _worker(m)["containers"][0]["env"].append({"name": "X", "valueFrom": SECRET_KEY}),
        "plain values",
    ),
    "all of a secret in variables": (
        _set_container(_head, envFrom=[{"secretRef": {"name": "another-job"}}]),
        "plain values",
    ),
    "privileged": (
        _set_security(_worker, privileged=True, allowPrivilegeEscalation=True),
        "allowPrivilegeEscalation false",
    ),
    "escalation left to the default": (
        lambda m: _head(m)["containers"][0]["securityContext"].pop("allowPrivilegeEscalation"),
        "allowPrivilegeEscalation false",
    ),
    "a capability": (
        _set_security(_worker, capabilities={"drop": ["ALL"], "add": ["NET_ADMIN"]}),
        "all capabilities dropped",
    ),
    "capabilities left": (
        _set_security(_worker, capabilities={"drop": ["NET_RAW"]}),
        "all capabilities dropped",
    ),
    "a root that can be written": (
        _set_security(_submitter, readOnlyRootFilesystem=False),
        "readOnlyRootFilesystem",
    ),
    "no security context": (
        lambda m: _worker(m)["containers"][0].pop("securityContext"),
        "securityContext",
    ),
    "root": (
        lambda m: _worker(m)["securityContext"].update(runAsNonRoot=False),
        "runAsNonRoot true",
    ),
    "any system call": (
        lambda m: _worker(m)["securityContext"].update(seccompProfile={"type": "Unconfined"}),
        "seccompProfile RuntimeDefault",
    ),
    "root by number": (
        lambda m: _head(m)["securityContext"].update(runAsUser=0),
        "runAsUser and runAsGroup other than 0",
    ),
    "the group of root": (
        lambda m: _worker(m)["securityContext"].update(runAsGroup=0),
        "runAsUser and runAsGroup other than 0",
    ),
    "root's group for volumes": (
        lambda m: _worker(m)["securityContext"].update(fsGroup=0),
        "no fsGroup 0",
    ),
    "more groups": (
        lambda m: _worker(m)["securityContext"].update(supplementalGroups=[0]),
        "supplementalGroups",
    ),
    "a container that is root": (_set_security(_head, runAsUser=0), "takes nothing back"),
    "a container that may be root": (
        _set_security(_submitter, runAsNonRoot=False),
        "takes nothing back",
    ),
    "any system call in a container": (
        _set_security(_worker, seccompProfile={"type": "Unconfined"}),
        "takes nothing back",
    ),
    "another group in a container": (_set_security(_head, runAsGroup=0), "takes nothing back"),
    "all of /proc in a container": (
        _set_security(_worker, procMount="Unmasked"),
        "takes nothing back",
    ),
    "another SELinux type": (
        _set_security(_submitter, seLinuxOptions={"type": "spc_t"}),
        "takes nothing back",
    ),
    "no AppArmor": (
        _set_security(_worker, appArmorProfile={"type": "Unconfined"}),
        "takes nothing back",
    ),
    "another service account": (_set(_worker, serviceAccountName="default"), "account ray"),
    "the account's token": (_set(_head, automountServiceAccountToken=True), "account ray"),
    "a second container": (
        lambda m: _worker(m)["containers"].append(
            {**copy.deepcopy(_worker(m)["containers"][0]), "name": "second"}
        ),
        "a pod has one container",
    ),
    "a priority of Kubernetes": (
        _set(_worker, priorityClassName="system-node-critical"),
        "the queue's to say",
    ),
    "another scheduler": (_set(_head, schedulerName="other"), "the queue's to say"),
    "another runtime": (_set(_worker, runtimeClassName="other"), "the queue's to say"),
    "an affinity": (_set(_worker, affinity={"nodeAffinity": {}}), "the queue's to say"),
    "a toleration": (_set(_worker, tolerations=[{"operator": "Exists"}]), "the queue's to say"),
    "nodes of another pool": (
        _set(_worker, nodeSelector={"ml-platform/pool": "gpu-a100"}),
        "the queue's to say",
    ),
    "nodes by another label": (
        _set(_head, nodeSelector={"kubernetes.io/hostname": "node-1"}),
        "the queue's to say",
    ),
    "no queue": (_label("kueue.x-k8s.io/queue-name", None), "team's own queue"),
    "another team's queue": (_label("kueue.x-k8s.io/queue-name", "others"), "team's own queue"),
    "a long name": (_rename("a" * 48), "at most 47 characters"),
    "no job id": (_label("ml-platform/job-id", None), "labels ml-platform/job-id"),
    "another job's id": (_label("ml-platform/job-id", "other"), "labels ml-platform/job-id"),
    "another team": (_label("ml-platform/team", "others"), "labels ml-platform/job-id"),
    "no workload": (_label("ml-platform/workload", None), "ml-platform/workload"),
    "no pool": (_label("ml-platform/pool", None), "ml-platform/pool"),
    "no priority": (_label("kueue.x-k8s.io/priority-class", None), "priority-class"),
    "no owner": (_annotation("ml-platform/owner", None), "ml-platform/owner must say"),
    "an owner without a name": (_annotation("ml-platform/owner", ""), "ml-platform/owner must say"),
    "a head that may come back": (
        _annotation("ray.io/disable-provisioned-head-restart", "false"),
        "disable-provisioned-head-restart",
    ),
    "a head that restarts in place": (_set(_head, restartPolicy="Always"), "restartPolicy Never"),
    "a submitter that restarts in place": (
        _set(_submitter, restartPolicy="OnFailure"),
        "restartPolicy Never",
    ),
    "no token": (_set_cluster(authOptions={"mode": "disabled"}), "authOptions.mode must be token"),
    "a token left to the default": (
        lambda m: m["spec"]["rayClusterSpec"].pop("authOptions"),
        "authOptions.mode must be token",
    ),
    "a cluster that is there": (
        _set_spec(clusterSelector={"ray.io/cluster": "other"}),
        "selects no other",
    ),
    "no cluster": (lambda m: m["spec"].pop("rayClusterSpec"), "a cluster of its own"),
    "another controller": (
        _set_spec(managedBy="kueue.x-k8s.io/multikueue"),
        "managedBy must not be there",
    ),
    "no workers": (_set_cluster(workerGroupSpecs=[]), "one worker group"),
    "workers by another name": (
        lambda m: _worker_group(m).update(groupName="others"),
        "called workers",
    ),
    "two worker groups": (_second_group, "one worker group"),
    "a shell line in a start parameter": (
        lambda m: _worker_group(m)["rayStartParams"].update(labels="$(curl x)"),
        "a line of shell",
    ),
    "a shell line in the name of a start parameter": (
        lambda m: _worker_group(m)["rayStartParams"].update({"x; curl x #": "1"}),
        "a line of shell",
    ),
    "a cluster that stays": (_set_spec(shutdownAfterJobFinishes=False), "shutdownAfterJobFinishes"),
    "an object that goes by itself": (
        _set_spec(
            deletionStrategy={
                "deletionRules": [
                    {"condition": {"jobStatus": "FAILED", "ttlSeconds": 0}, "policy": "DeleteSelf"}
                ]
            }
        ),
        "without deletionStrategy",
    ),
    "a submission that is not counted": (_set_spec(submissionMode="HTTPMode"), "K8sJobMode"),
    "KubeRay's own submitter": (
        lambda m: m["spec"].pop("submitterPodTemplate"),
        "submitterPodTemplate",
    ),
    "packages at run time": (_set_spec(runtimeEnvYAML="pip: [x]"), "no runtimeEnvYAML"),
    "a cluster that grows": (_set_cluster(enableInTreeAutoscaling=True), "a fixed size"),
    "a head whose state outlives it": (
        _set_cluster(gcsFaultToleranceOptions={"redisAddress": "redis:6379"}),
        "a fixed size",
    ),
    "an Ingress": (
        lambda m: m["spec"]["rayClusterSpec"]["headGroupSpec"].update(enableIngress=True),
        "no Ingress",
    ),
    "a head Service of its own": (
        lambda m: m["spec"]["rayClusterSpec"]["headGroupSpec"].update(
            headService={"spec": {"type": "LoadBalancer"}}
        ),
        "that headService does not change",
    ),
    "workers that come later": (
        lambda m: _worker_group(m).update(minReplicas=0),
        "a fixed size",
    ),
    "a head that the Internet reaches": (
        lambda m: m["spec"]["rayClusterSpec"]["headGroupSpec"].update(serviceType="LoadBalancer"),
        "head Service of type ClusterIP",
    ),
}
