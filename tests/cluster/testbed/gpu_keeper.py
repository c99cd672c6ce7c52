"""Keeps invented GPUs on the real node: `python -m testbed.gpu_keeper <kubeconfig>`.

A device that no driver announces is plain capacity to the scheduler. kubelet sets such capacity to
zero whenever it registers, so that somebody has to put it back.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from testbed.layout import NODE
from testbed.objects import ApiError, Objects

GPUS = 4
_RESOURCE = "nvidia.com/gpu"
_PATCH = [
    {"op": "add", "path": f"/status/{field}/nvidia.com~1gpu", "value": str(GPUS)}
    for field in ("capacity", "allocatable")
]


def keep(objects: Objects) -> None:
    """Put the GPUs on the node when they are missing."""
    node = objects.find("v1", "Node", NODE)
    if node is not None and node["status"]["allocatable"].get(_RESOURCE) != str(GPUS):
        objects.patch_json("v1", "Node", NODE, _PATCH, subresource="status")


def main() -> None:
    objects = Objects(Path(sys.argv[1]))
    said = ""
    while True:
        try:
            keep(objects)
        except ApiError as error:  # tests restart the API server
            if str(error) != said:
                print(error, flush=True)
            said = str(error)
        time.sleep(1)


if __name__ == "__main__":
    main()
