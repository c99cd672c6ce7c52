"""The actions, by hand: to add one, write its file and name it here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from ml_platform.actions import cancel, get, plan, submit
from ml_platform.actions.context import ActionContext
from ml_platform.errors import NotFoundError

PROTOCOL = 1


@dataclass(frozen=True)
class Action:
    """One action as the protocol shows it."""

    id: str
    description: str
    input: type[BaseModel]
    output: type[BaseModel]
    run: Callable[[Any, ActionContext], BaseModel]
    read_only: bool
    supports_dry_run: bool
    examples: tuple[tuple[str, dict[str, Any]], ...]

    @classmethod
    def of(cls, module: ModuleType) -> Action:
        """The action that a file of this folder defines."""
        return cls(
            id=module.ID,
            description=module.DESCRIPTION,
            input=module.Input,
            output=module.Output,
            run=module.run,
            read_only=module.READ_ONLY,
            supports_dry_run=module.SUPPORTS_DRY_RUN,
            examples=module.EXAMPLES,
        )

    @cached_property
    def document(self) -> dict[str, Any]:
        """What `GET /v1/actions` says of it."""
        return {
            "id": self.id,
            "description": self.description,
            "input": _without_null(self.input.model_json_schema()),
            "output": self.output.model_json_schema(mode="serialization"),
            "examples": [{"description": text, "input": body} for text, body in self.examples],
            "supportsDryRun": self.supports_dry_run,
            "readOnly": self.read_only,
        }


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with `X or null` as X: who sends nothing leaves the field out. Backstage judges
    forms by it, and would else answer `is not any of [subschema 0],[subschema 1]`."""
    properties = {}
    for name, field in schema.get("properties", {}).items():
        choices = field.get("anyOf", [])
        given = [choice for choice in choices if choice != {"type": "null"}]
        if len(given) == 1 and len(choices) == 2:
            said = {key: value for key, value in field.items() if key not in ("anyOf", "default")}
            properties[name] = given[0] | said
        else:
            properties[name] = field
    return {**schema, "properties": properties}


ACTIONS = {
    action.id: action for action in (Action.of(module) for module in (submit, cancel, plan, get))
}


def find_action(action_id: str) -> Action:
    """The action; raises NotFoundError with those that exist."""
    if action_id not in ACTIONS:
        raise NotFoundError(
            f"there is no action {action_id[:80]!r}", hint="there are: " + ", ".join(ACTIONS)
        )
    return ACTIONS[action_id]


def catalogue() -> dict[str, Any]:
    """The answer of `GET /v1/actions`; `revision` changes when any action does."""
    documents = [action.document for action in ACTIONS.values()]
    text = json.dumps(documents, sort_keys=True)
    revision = hashlib.sha256(text.encode()).hexdigest()[:16]
    return {"protocol": PROTOCOL, "revision": revision, "actions": documents}
