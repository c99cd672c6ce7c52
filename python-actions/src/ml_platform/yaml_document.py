"""Data ↔ one YAML document that every parser reads alike. The only way manifests become text."""

from __future__ import annotations

import re
from typing import Any

import yaml

MAX_BYTES = 2 * 2**20
MAX_DEPTH = 100


def to_yaml(document: dict[str, Any]) -> str:
    """One YAML document that every parser reads back as the same data."""
    return yaml.dump(
        document,
        Dumper=_Dumper,
        default_flow_style=False,
        sort_keys=False,
        width=1_000_000,
        allow_unicode=False,
    )


def from_yaml(text: bytes | str) -> Any:
    """Parse what `to_yaml` or a person wrote; raises yaml.YAMLError, and nothing else.

    Refused besides bad syntax: a second document; a key that stands twice (parsers differ on it);
    aliases and merge keys (a few lines can stand for gigabytes); nesting so deep that the C parser
    would end the process.
    """
    _check_events(text)
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  # a subclass of CSafeLoader
    except ValueError as error:  # a date such as 2026-13-45
        raise yaml.YAMLError(str(error)) from error


def _check_events(text: bytes | str) -> None:
    if len(text) > MAX_BYTES:
        raise yaml.YAMLError(f"it is larger than {MAX_BYTES} bytes")
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise yaml.YAMLError(f"anchors and aliases are not used here{_place(event)}")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise yaml.YAMLError(
                    f"it is nested more than {MAX_DEPTH} levels deep{_place(event)}"
                )
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _place(event: yaml.Event) -> str:
    return f", line {event.start_mark.line + 1}" if event.start_mark else ""


# Plain only where YAML 1.1, YAML 1.2 and Go agree that it is text; all else in double quotes.
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./@-]*\Z")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.CSafeDumper, value: str) -> yaml.ScalarNode:
    plain = _PLAIN.match(value) and value.lower() not in _WORDS
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, None if plain else '"')


_Dumper.add_representer(str, _text)


class _Loader(yaml.CSafeLoader):
    """Refuses duplicate and merge keys, which YAML parsers resolve silently and differently."""


def _mapping(loader: yaml.CSafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[str] = set()
    for key, _ in node.value:
        if key.tag == "tag:yaml.org,2002:merge":
            raise yaml.constructor.ConstructorError(
                None, None, "merge keys are not used here", key.start_mark
            )
        if isinstance(key, yaml.ScalarNode):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands twice", key.start_mark
                )
            seen.add(key.value)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
