"""Who a commit is by."""

from __future__ import annotations

import re

from ml_platform.repository.git import Author

_UNSAFE = re.compile(r"[^\w .,'()&+/:-]|[\x00-\x1f\x7f]")


def author_of(owner: str) -> Author:
    """The author of a user's commits from the catalog reference `user:default/ada`."""
    name = _UNSAFE.sub("", owner.rpartition("/")[2]).strip(" .,:'") or "unknown"
    namespace = _UNSAFE.sub("", owner.partition(":")[2].partition("/")[0]) or "default"
    local = re.sub(r"[^A-Za-z0-9._-]", "-", name)[:64].strip(".-") or "unknown"
    domain = re.sub(r"[^a-z0-9-]", "-", namespace.lower())[:40].strip("-") or "default"
    return Author(name[:80], f"{local}@{domain}.users.invalid")
