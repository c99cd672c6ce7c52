"""Whether a program answers, by an address that can be kept in a file.

`http(s)://…` must answer with status 200, `unix:<path>` must take a connection, nothing is always ready.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import urllib.error
import urllib.request

from testbed.layout import LOOPBACK, PORTS


def health(port: str, path: str = "/healthz", scheme: str = "http") -> str:
    """The health endpoint of a program on its own port of this machine."""
    return f"{scheme}://{LOOPBACK}:{PORTS[port]}{path}"


def answers(address: str) -> bool:
    """Whether the program behind the address works."""
    if not address:
        return True
    if address.startswith("unix:"):
        return _accepts(address.removeprefix("unix:"))
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # only the status is asked for, of this machine
    # The user's proxy settings are for other machines.
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    try:
        with opener.open(address, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError, http.client.HTTPException):
        return False


def _accepts(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2)
        try:
            probe.connect(path)
        except OSError:
            return False
    return True
