"""`python -m testbed up | down | status`: what `make cluster` and `make cluster-down` call."""

from __future__ import annotations

import sys

from testbed.attach import is_up, running_layout
from testbed.start import Start
from testbed.stop import stop
from testbed.waiting import TestbedError

_NEXT = """\

  export KUBECONFIG={kubeconfig}
  {kubectl} get nodes,applications,clusterqueues,rayjobs --all-namespaces

  GitOps repository  {repository}
  run directories    {runs}
  image of the probe {image}
  logs               {logs}

  no service of the platform runs here: a job comes by a commit to that repository
  tests use this cluster while it is up:  .venv/bin/pytest tests/cluster
  its end:                                make cluster-down
"""


def say(text: str) -> None:
    print(f"cluster: {text}", file=sys.stderr, flush=True)


def up() -> None:
    layout = running_layout(say)
    if is_up(layout):
        say("the cluster is up already")
    else:
        Start(layout, say).run().close()
    print(
        _NEXT.format(
            kubeconfig=layout.admin_kubeconfig,
            kubectl=layout.state / "kubectl",
            repository=layout.repository,
            runs=layout.runs,
            image=(layout.state / "image").read_text(),
            logs=layout.logs,
        )
    )


def status() -> None:
    layout = running_layout(say)
    say("up" if is_up(layout) else "down")


def main(arguments: list[str]) -> int:
    commands = {"up": up, "down": lambda: stop(running_layout(say), say), "status": status}
    if len(arguments) != 1 or arguments[0] not in commands:
        say(f"usage: python -m testbed {' | '.join(commands)}")
        return 2
    try:
        commands[arguments[0]]()
    except TestbedError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
