"""Data ↔ one YAML document that every parser reads alike. The only way manifests become text."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import yaml

MAX_BYTES = 2 * 2**20
MAX_DEPTH = 100


def to_yaml(document: dict[str, Any]) -> str:
    """One YAML document that every parser reads back as the same data; raises yaml.YAMLError.

    Written out here rather than by PyYAML, which takes five times as long: half of a submission.
    """
    return "\n".join(_mapping_lines(document, "") if document else ["{}"]) + "\n"


def _mapping_lines(mapping: dict[Any, Any], pad: str) -> list[str]:
    lines: list[str] = []
    for key, value in mapping.items():
        name = _scalar(key)
        if len(name) > _LONGEST_KEY:  # parsers need not look further for the colon
            lines.append(f"{pad}? {name}")
            name = ""
        if isinstance(value, dict) and value:
            lines.append(f"{pad}{name}:")
            lines += _mapping_lines(value, pad + "  ")
        elif isinstance(value, list | tuple) and value:
            lines.append(f"{pad}{name}:")
            lines += _sequence_lines(value, pad if name else pad + "  ")
        else:
            lines.append(f"{pad}{name}: {_scalar(value)}")
    return lines


def _sequence_lines(sequence: list[Any] | tuple[Any, ...], pad: str) -> list[str]:
    lines: list[str] = []
    for value in sequence:
        if isinstance(value, dict) and value:
            inner = _mapping_lines(value, pad + "  ")
        elif isinstance(value, list | tuple) and value:
            inner = _sequence_lines(value, pad + "  ")
        else:
            inner = [f"{pad}  {_scalar(value)}"]
        lines.append(f"{pad}- {inner[0][len(pad) + 2 :]}")
        lines += inner[1:]
    return lines


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, bool):
        return _CONSTANTS[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, list | tuple):
        return "[]"
    raise yaml.YAMLError(f"a {type(value).__name__} is not used here; quote it")


def _number(value: float) -> str:
    if not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    digits, e, exponent = repr(value).partition("e")
    if not e:
        return digits
    # YAML 1.1 takes an exponent only after a point and with a sign.
    point = digits if "." in digits else f"{digits}.0"
    return f"{point}e{exponent if exponent[0] in '+-' else '+' + exponent}"


def _text(value: str) -> str:
    if _PLAIN.match(value) and value.lower() not in _WORDS:
        return value
    if value.isascii():
        return json.dumps(value).replace("\x7f", "\\x7f")
    return '"' + "".join(_escaped(character) for character in value) + '"'


def _escaped(character: str) -> str:
    code = ord(character)
    if code < 0x7F:
        return json.dumps(character)[1:-1]
    if 0xD800 <= code <= 0xDFFF:
        raise yaml.YAMLError(f"half a character, U+{code:04X}, cannot be written")
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


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


_LONGEST_KEY = 120
_CONSTANTS = {None: "null", True: "true", False: "false"}


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
