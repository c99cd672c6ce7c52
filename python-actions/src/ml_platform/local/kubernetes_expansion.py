"""Kubernetes' `$(NAME)` in the values of environment variables, as the kubelet expands it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_REFERENCE = re.compile(r"\$(?:(\$)|\(([^)]*)\))")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`$(NAME)` becomes its value, `$$` becomes `$`; an unknown or unclosed reference stays.

    Source of the rules: kubernetes/third_party/forked/golang/expansion/expand.go.
    """

    def replace(found: re.Match[str]) -> str:
        if found[1]:
            return "$"
        return variables.get(found[2], found[0])

    return _REFERENCE.sub(replace, text)


def expand_all(entries: Iterable[tuple[str, str]]) -> dict[str, str]:
    """A container's `env`: each value may refer to the variables before it."""
    variables: dict[str, str] = {}
    for name, value in entries:
        variables[name] = expand(value, variables)
    return variables
