"""The user's package index settings, in the words that uv understands.

uv does not read pip's configuration, so a company's mirror or certificate set up for pip would be
passed over. What the user set for uv itself always wins. Only the standard library is used:
`scripts/setup-python.sh` runs this file before anything is installed.
"""

from __future__ import annotations

import configparser
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

_SECTIONS = ("global", "install")


def uv_environment(environ: Mapping[str, str], fallback_cache: Path) -> dict[str, str]:
    """Variables to add to `environ` so that uv asks the same indexes, with the same certificates,
    as pip. `fallback_cache` is used where there is no home folder to keep a cache in."""
    pip = {**_pip_files(environ), **_pip_variables(environ)}
    added: dict[str, str] = {}
    if "index-url" in pip and not _any(environ, "UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        added["UV_DEFAULT_INDEX"] = pip["index-url"]
    if "extra-index-url" in pip and not _any(environ, "UV_INDEX", "UV_EXTRA_INDEX_URL"):
        added["UV_INDEX"] = " ".join(pip["extra-index-url"].split())
    found = pip.get("find-links", "").split()
    links = [link for link in found if "://" in link or Path(link).exists()]
    if links and "UV_FIND_LINKS" not in environ:
        added["UV_FIND_LINKS"] = ",".join(links)
    if "trusted-host" in pip and "UV_INSECURE_HOST" not in environ:
        added["UV_INSECURE_HOST"] = " ".join(pip["trusted-host"].split())
    if "timeout" in pip and "UV_HTTP_TIMEOUT" not in environ:
        added["UV_HTTP_TIMEOUT"] = pip["timeout"]
    certificates = pip.get("cert") or environ.get("REQUESTS_CA_BUNDLE")
    if certificates and not environ.get("SSL_CERT_FILE"):
        added["SSL_CERT_FILE"] = certificates
    if not _any(environ, "UV_CACHE_DIR", "XDG_CACHE_HOME"):
        home = environ.get("HOME")
        if not home or not os.access(home, os.W_OK):
            added["UV_CACHE_DIR"] = str(fallback_cache)
    return added


def _any(environ: Mapping[str, str], *names: str) -> bool:
    return any(environ.get(name) for name in names)


def _pip_variables(environ: Mapping[str, str]) -> dict[str, str]:
    found = {
        name[len("PIP_") :].lower().replace("_", "-"): value
        for name, value in environ.items()
        if name.startswith("PIP_") and value
    }
    if "default-timeout" in found:
        found["timeout"] = found["default-timeout"]
    return found


def _pip_files(environ: Mapping[str, str]) -> dict[str, str]:
    """pip's own files in pip's order: site, then user, then PIP_CONFIG_FILE; later ones win."""
    chosen = environ.get("PIP_CONFIG_FILE")
    if chosen == os.devnull:
        return {}
    home = environ.get("HOME") or "/nonexistent"
    config_home = environ.get("XDG_CONFIG_HOME") or f"{home}/.config"
    files = ["/etc/xdg/pip/pip.conf", "/etc/pip.conf", f"{home}/.pip/pip.conf"]
    if sys.platform == "darwin":
        files.append(f"{home}/Library/Application Support/pip/pip.conf")
    files.append(f"{config_home}/pip/pip.conf")
    if chosen:
        files.append(chosen)
    parser = configparser.RawConfigParser()
    parser.read(files, encoding="utf-8")
    found: dict[str, str] = {}
    for section in _SECTIONS:
        if parser.has_section(section):
            for key, value in parser.items(section):
                found[key.replace("_", "-")] = value.strip().strip("'\"")
    return found


if __name__ == "__main__":
    _settings = uv_environment(os.environ, Path.cwd() / ".tools" / "uv-cache")
    for _name, _value in _settings.items():
        sys.stdout.write(f"export {_name}={shlex.quote(_value)}\n")
